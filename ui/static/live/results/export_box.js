// The export of what the filters choose: how many rows, as what; its progress, and a way to stop it.
import { addressOf, call, question, Trouble } from "../api.js";
import { saveBlob } from "../csv.js";
import { Icon } from "../pictures.js";
import { Popover } from "../panel.js";
import { filterWords, parameters } from "../scope.js";
import { thousands } from "../words.js";

const MEGABYTE = 1e6;
const SHOWN_MS = 250;

export const ExportBox = {
  components: { Icon, Popover },
  template: `
<Popover look="btn" label="Export"><template #button><Icon name="export"/>{{ isRunning ? megabytes : 'Export' }}</template>
  <form class="export" @submit.prevent="run">
    <h3>Export {{ count }}</h3><p class="t2">{{ words }}</p>
    <fieldset :disabled="isRunning"><legend>One row for</legend><label><input v-model="rows" type="radio" value="runs"> a run</label><label><input v-model="rows" type="radio" value="measurements"> a measurement</label></fieldset>
    <fieldset :disabled="isRunning"><legend>As</legend><label><input v-model="format" type="radio" value="csv"> CSV</label><label><input v-model="format" type="radio" value="parquet"> Parquet</label></fieldset>
    <p v-if="error" class="c-marg" role="alert">{{ error }}</p>
    <p class="acts"><button v-if="isRunning" class="btn" type="button" @click="stop"><Icon name="stop"/>Cancel</button><button v-else class="btn pri">Save the file</button><span role="status" class="t3">{{ isRunning ? megabytes + ' so far' : done }}</span></p>
  </form>
</Popover>`,
  data: () => ({ rows: "runs", format: "csv", isRunning: false, bytes: 0, error: "", done: "" }),
  created() { this.asks = question("/api/v1/results/count"); },
  beforeUnmount() { this.stop(); },
  computed: {
    words: filterWords,
    count() {
      const { data } = this.asks;
      return data ? `${thousands(data.count)}${data.is_complete ? "" : "+"} run${data.count === 1 ? "" : "s"}` : "";
    },
    megabytes() { return `${(this.bytes / MEGABYTE).toFixed(1)} MB`; },
  },
  methods: {
    stop() { this.controller?.abort(); },
    async run() {
      this.controller = new AbortController();
      Object.assign(this, { isRunning: true, bytes: 0, error: "", done: "" });
      const url = addressOf(`/api/v1/export.${this.format}`, { ...parameters(), rows: this.rows });
      try {
        const answer = await call(url, { signal: this.controller.signal, as: "answer", isEndless: true });
        const name = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition"))[1];
        saveBlob(name, await this.received(answer));
        this.done = `${name} is saved.`;
      } catch (error) {
        if (error.name === "AbortError") this.done = "Cancelled, nothing was saved.";
        else this.error = error instanceof Trouble ? error.message : "The file broke off. Look whether the server runs, then try again.";
      } finally {
        this.isRunning = false;
      }
    },
    // The browser keeps the file, on disk where it is large; we only count what passes.
    received(answer) {
      let bytes = 0;
      let shownAt = 0;
      const count = (chunk, controller) => {
        bytes += chunk.byteLength;
        if (performance.now() - shownAt > SHOWN_MS) {
          this.bytes = bytes;
          shownAt = performance.now();
        }
        controller.enqueue(chunk);
      };
      const counted = answer.body.pipeThrough(new TransformStream({ transform: count }));
      return new Response(counted, { headers: { "Content-Type": answer.headers.get("content-type") } }).blob();
    },
  },
};
