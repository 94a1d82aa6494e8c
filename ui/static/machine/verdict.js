// The last verdict, as large as it must be to be read from three metres; kept until the next run.
import { clockTime, duration, Icon, question, thousands, unitLink } from "yieldline";
import { About } from "yieldline/panel.js";

const ICONS = { PASS: "pass-line", FAIL: "fail", ERROR: "error", UNJUDGED: "unjudged" };
const LONG = 6; // letters: UNJUDGED needs smaller ones
const ASK_EVERY_MS = 1000; // of a machine that is faster, not every unit's life is asked
const MINUTE_S = 60;

export const iconOf = (outcome) => ICONS[outcome] ?? "unjudged";
export const isLong = (outcome) => outcome.length > LONG;

export function attemptWords({ attempt }) {
  return attempt === 1 ? "first attempt" : `attempt ${attempt}`;
}

// The value against its limits, as on the page of the unit.
export const Bar = {
  props: { bar: Object, mark: String },
  template: `<svg class="vbar" width="210" height="22" viewBox="0 0 210 22" aria-hidden="true"><path d="M0 11H210" stroke="var(--grid)" stroke-width="6"/><path :d="'M' + (bar.low ?? 0) + ' 11H' + (bar.high ?? 210)" stroke="var(--s3)" stroke-width="6"/><path v-for="at in limits" :d="'M' + at + ' 3V19'" stroke="var(--text)" stroke-width="1.8"/><template v-if="mark === 'F'"><path :d="'M' + nearest + ' 11H' + bar.value" stroke="var(--fail)" stroke-width="2"/><rect :x="bar.value - 5" y="6" width="10" height="10" rx="1.5" fill="var(--fail)"/></template><circle v-else :cx="bar.value" cy="11" r="4.6" fill="var(--s1)" stroke="var(--marginal)" stroke-width="2.2"/></svg>`,
  computed: {
    limits() { return [this.bar.low, this.bar.high].filter((each) => each !== null); },
    nearest() { return this.limits.reduce((best, each) => (Math.abs(each - this.bar.value) < Math.abs(best - this.bar.value) ? each : best)); },
  },
};

const counted = (counts) => ["FAIL", "ERROR", "UNJUDGED", "PASS"].filter((each) => counts[each]).map((each) => `${thousands(counts[each])} ${each}`).join(", ");
const tookWords = (s) => (s < MINUTE_S ? `${s.toFixed(1)} s` : duration(s));

// What the unit's life says of a run: {unit, run}; null where it does not know that run yet.
export function lifeOf(life, runId) {
  for (const unit of life?.units ?? []) {
    const run = unit.runs.find((each) => each.run_id === runId);
    if (run) return { unit, run };
  }
  return null;
}

// May it go on: to where it has not been, else to what it must pass. As on the page of the unit.
export function mayGo({ may_go_to: allowed, procedures, next_procedure: next }) {
  const been = new Set(procedures.map((each) => each.procedure));
  const ahead = allowed.find((each) => !been.has(each.procedure))?.procedure ?? next;
  return allowed.find((each) => each.procedure === ahead) ?? null;
}

const WHAT = "The newest run of this machine as it arrived, whatever the time range; it stays until the next one. Beside it the first failure (or what is close to its limit), how far beyond the limit it is, this unit's runs of the same procedure here before, and whether it may go on by the route of its product.";

export const Verdict = {
  components: { About, Bar, Icon },
  props: { last: Object, topic: String, machine: String },
  template: `
<section class="panel ver" aria-label="Last verdict">
  <template v-if="last"><div class="big" :class="last.outcome.toLowerCase()"><Icon :name="icon" size="84"/><div><b :class="{long: isLong(last.outcome)}">{{ last.outcome }}</b><small>{{ last.mark === 'M' ? 'marginal, ' : '' }}{{ clockTime(last.started) }}, {{ attemptWords(last) }}</small></div></div>
  <div class="vx"><div class="bc"><a :href="unitLink(last.barcode, last.run)">{{ last.barcode }}</a><span>{{ last.product }} · {{ last.procedure }}<template v-if="panel"> · {{ panel }}</template><About title="Last verdict" :what="what" :of="'machine ' + machine" :url="'/api/v1/results/' + last.run" :rows="1" :csv="csv"/></span></div>
    <div class="st" v-if="last.mark !== 'P' && last.step"><span class="mono" :title="last.step">{{ last.step }}</span><b :class="last.mark">{{ last.value || last.detail }}</b><span v-if="last.limit" class="t2 lim">limit {{ last.limit }}</span><span v-if="last.beyond" class="t3 lim">{{ last.beyond }}</span><span class="grow"></span><Bar v-if="last.bar" :bar="last.bar" :mark="last.mark"/></div>
    <div class="st t3" v-else-if="last.mark === 'P'">no step failed</div>
    <p v-if="last.mark !== 'P' && last.detail && last.value && !last.limit" class="t2 det">{{ last.detail }}</p>
    <p v-if="last.earlier.length || go" class="ear"><template v-if="last.earlier.length"><span class="t3">here before</span><a v-for="each in last.earlier" :key="each.run" :href="unitLink(last.barcode, each.run)" :title="attemptWords(each)"><Icon :name="iconOfMark(each.mark)" :class="lookOf(each.mark)" size="13"/>{{ each.value || attemptWords(each) }}</a></template><span v-if="go" class="mg" :title="go.reason"><span class="t3">may go to {{ go.procedure }}</span> <b :class="{'c-fail': !go.allowed}">{{ go.allowed ? 'yes' : 'no' }}</b> <span class="t2">{{ go.allowed ? '' : go.reason }}</span></span></p>
    <div class="sd"><template v-if="last.agrees === false"><Icon class="c-marg" name="differs" size="18"/><span>The tester said <b>{{ last.reported }}</b>.</span></template><span v-else-if="last.reported" class="t3">The tester said {{ last.reported }}, too.</span><span class="grow"></span><span v-if="known" class="t3 stp">{{ steps }}</span><a class="lnk" :href="unitLink(last.barcode, last.run)">Open the unit</a></div></div></template>
  <div v-else class="vx"><p class="t2">No run of this machine is stored yet. It publishes to <span class="mono">{{ topic }}</span>.</p></div>
</section>`,
  data: () => ({ what: WHAT, barcode: "" }),
  created() {
    this.askedAt = -ASK_EVERY_MS;
    this.life = question(() => this.barcode && `/api/v1/units/${encodeURIComponent(this.barcode)}`, () => ({}), { isFiltered: false });
    this.$watch(() => this.last?.run, this.askSoon, { immediate: true });
  },
  beforeUnmount() { clearTimeout(this.waiting); },
  computed: {
    known() { return this.last && lifeOf(this.life.data, this.last.run); },
    go() { return this.known && mayGo(this.known.unit); },
    panel() {
      const { id, position } = this.known?.run.panel ?? {};
      return [id && `panel ${id}`, position && `position ${position}`].filter(Boolean).join(", ");
    },
    steps() {
      const { counts, timestamp, ended_at: end } = this.known.run;
      const all = Object.values(counts).reduce((sum, each) => sum + each, 0);
      const took = end && (Date.parse(end) - Date.parse(timestamp)) / 1000;
      return [`${thousands(all)} step${all === 1 ? "" : "s"}: ${counted(counts)}`, end && tookWords(took)].filter(Boolean).join(" · ");
    },
    icon() { return iconOf(this.last.outcome); },
  },
  methods: {
    attemptWords, clockTime, isLong, unitLink,
    askSoon() {
      if (this.waiting || !this.last) return;
      this.waiting = setTimeout(() => {
        this.waiting = 0;
        this.askedAt = performance.now();
        if (this.barcode === this.last.barcode) this.life.ask();
        else this.barcode = this.last.barcode;
      }, Math.max(0, this.askedAt + ASK_EVERY_MS - performance.now()));
    },
    csv() {
      const { run, barcode, product, procedure, outcome, step, value, limit, beyond, attempt, reported } = this.last;
      return { name: `yieldline-${this.machine}-last-verdict`, head: ["run_id", "barcode", "product", "procedure", "outcome", "step", "value", "limit", "beyond", "attempt", "tester_said"], rows: [[run, barcode, product, procedure, outcome, step, value, limit, beyond, attempt, reported]] };
    },
    iconOfMark: (mark) => ({ P: "pass-line", M: "marginal", F: "fail", E: "error" })[mark] ?? "unjudged",
    lookOf: (mark) => ({ M: "c-marg", F: "c-fail", E: "c-error" })[mark] ?? "t3",
  },
};
