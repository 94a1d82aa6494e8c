// A phone's camera as a scanner, by the browser's own barcode reader: nothing is loaded for it.
import { Icon } from "../pictures.js";

const LOOK_MS = 150;

// Why this browser cannot; empty: it can.
export function cannot() {
  if (!window.isSecureContext) return "A browser gives its camera to https only. Open this page by https, or type the barcode.";
  if (!navigator.mediaDevices?.getUserMedia) return "This device has no camera that a page could use. Type the barcode.";
  if (!("BarcodeDetector" in window)) return "This browser cannot read barcodes. Chrome on Android can; here, type the barcode.";
  return "";
}

export const Camera = {
  components: { Icon },
  emits: ["close", "scanned"],
  template: `<dialog ref="box" class="help camera" aria-label="Scan with the camera" @close="$emit('close')"><p v-if="trouble" role="alert">{{ trouble }}</p><template v-else><video ref="video" muted playsinline aria-label="What the camera sees"></video><p class="t2" role="status">Hold the barcode in front of the camera.</p></template><form method="dialog"><button class="btn">{{ trouble ? 'Type it' : 'Cancel' }}</button></form></dialog>`,
  data: () => ({ trouble: cannot() }),
  async mounted() {
    this.$refs.box.showModal();
    if (!this.trouble) await this.look();
  },
  beforeUnmount() { this.stop(); },
  methods: {
    async look() {
      try {
        this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      } catch (error) {
        const isDenied = error.name === "NotAllowedError";
        this.trouble = isDenied ? "The camera is not allowed to this page. Allow it in the browser's settings of the page, or type the barcode." : "The camera does not start. Close what else uses it, or type the barcode.";
        return;
      }
      if (!this.$refs.video) return this.stop(); // closed meanwhile
      this.$refs.video.srcObject = this.stream;
      await this.$refs.video.play();
      const detector = new window.BarcodeDetector();
      this.timer = setInterval(() => this.read(detector), LOOK_MS);
    },
    async read(detector) {
      const { video } = this.$refs;
      if (this.isReading || !video?.videoWidth) return;
      this.isReading = true;
      const found = await detector.detect(video).catch(() => []);
      this.isReading = false;
      if (!found.length || !this.timer) return;
      this.stop();
      this.$emit("scanned", found[0].rawValue);
    },
    stop() {
      clearInterval(this.timer);
      this.timer = 0;
      for (const track of this.stream?.getTracks() ?? []) track.stop();
    },
  },
};
