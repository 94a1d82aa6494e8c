// What was scanned, at the side, where opening a page would lose text, or where the scan is of no unit.
// It lies inside the box that holds the text, and so above it, and closes nothing below it.
import { question } from "../api.js";
import { Failed } from "../panel.js";
import { Icon, Outcome } from "../pictures.js";
import { unitLink, when } from "../words.js";
import { clock } from "../connection.js";

const RUNS = 20;
const MARKS = { PASS: "P", FAIL: "F", ERROR: "E", UNJUDGED: "U" };

export const ScanSheet = {
  components: { Failed, Icon, Outcome },
  props: { scan: Object, unit: Array },
  emits: ["close"],
  template: `
<Teleport :to="scan.box"><div ref="sheet" popover="manual" class="sheet scanned" role="dialog" :aria-label="'Scanned ' + scan.code" tabindex="-1">
  <div class="ph"><Icon name="barcode" size="18"/><h2 class="mono">{{ scan.code }}</h2><span class="grow"></span><button class="ib" type="button" aria-label="Close" title="Close (Esc)" @click="$emit('close')"><Icon name="close" size="16"/></button></div>
  <div class="in">
    <p v-if="scan.kind === 'odd'" class="lead">No unit's barcode looks like this here: {{ unit.join(', ') }}.</p>
    <p v-if="scan.kind === 'badge'" class="lead">This is a badge, not a unit.</p>
    <p class="lead"><a class="btn" :href="href" :target="scan.isKept ? '_blank' : null">{{ words }}</a><span v-if="scan.isKept" class="t3">in a new tab: what you typed stays</span></p>
    <Failed v-if="asks.error" :words="asks.error" @again="asks.ask()"/>
    <p v-else-if="runs && !runs.length && scan.kind !== 'badge'" class="t2">No unit with this barcode has been tested.</p>
    <table v-else-if="runs?.length" class="grid"><tbody><tr v-for="run in runs" :key="run.run_id" :class="run.outcome.toLowerCase()"><td><Outcome :mark="mark(run)"/></td><td>{{ run.procedure }}</td><td class="t2">{{ run.machine_id }}</td><td class="mono">{{ run.first_failure ?? '' }}</td><td class="t3">{{ moment(run) }}</td></tr></tbody></table>
  </div>
</div></Teleport>`,
  created() {
    const of = () => (this.scan.kind === "badge" ? { operator: this.scan.code } : { barcode: this.scan.code });
    this.asks = question("/api/v1/results", () => ({ ...of(), measurements: false, limit: RUNS }), { isFiltered: false });
  },
  mounted() {
    this.before = document.activeElement;
    this.$refs.sheet.showPopover();
    this.$refs.sheet.focus();
    window.addEventListener("keydown", this.leave, { capture: true });
  },
  beforeUnmount() {
    window.removeEventListener("keydown", this.leave, { capture: true });
    this.before?.focus?.();
  },
  computed: {
    runs() { return this.asks.data?.items; },
    isBadge() { return this.scan.kind === "badge"; },
    href() { return this.isBadge ? `/results?${new URLSearchParams({ operator: this.scan.code })}` : unitLink(this.scan.code); },
    words() { return this.isBadge ? "What this operator has run" : this.scan.kind === "odd" ? "Open it anyway" : "Open the unit"; },
  },
  methods: {
    mark: ({ outcome }) => MARKS[outcome],
    moment: ({ timestamp }) => when(Date.parse(timestamp) / 1000, clock.second),
    // Only this closes, not the box below.
    leave(event) {
      if (event.key !== "Escape") return;
      event.preventDefault();
      event.stopImmediatePropagation();
      this.$emit("close");
    },
  },
};
