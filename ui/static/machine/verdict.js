// The last verdict, as large as it must be to be read from three metres; kept until the next run.
import { clockTime, Icon, unitLink } from "yieldline";
import { About } from "yieldline/panel.js";

const ICONS = { PASS: "pass-line", FAIL: "fail", ERROR: "error", UNJUDGED: "unjudged" };
const LONG = 6; // letters: UNJUDGED needs smaller ones

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

const WHAT = "The newest run of this machine as it arrived, whatever the time range; it stays until the next one. Beside it the first failure (or what is close to its limit), how far beyond the limit it is, and this unit's runs of the same procedure here before.";

export const Verdict = {
  components: { About, Bar, Icon },
  props: { last: Object, topic: String, machine: String },
  template: `
<section class="panel ver" aria-label="Last verdict">
  <template v-if="last"><div class="big" :class="last.outcome.toLowerCase()"><Icon :name="icon" size="84"/><div><b :class="{long: isLong(last.outcome)}">{{ last.outcome }}</b><small>{{ last.mark === 'M' ? 'marginal, ' : '' }}{{ clockTime(last.started) }}, {{ attemptWords(last) }}</small></div></div>
  <div class="vx"><div class="bc"><a :href="unitLink(last.barcode, last.run)">{{ last.barcode }}</a><span>{{ last.product }} · {{ last.procedure }}<About title="Last verdict" :what="what" :of="'machine ' + machine" :url="'/api/v1/results/' + last.run" :rows="1" :csv="csv"/></span></div>
    <div class="st" v-if="last.mark !== 'P' && last.step"><span class="mono" :title="last.step">{{ last.step }}</span><b :class="last.mark">{{ last.value || last.detail }}</b><span v-if="last.limit" class="t2 lim">limit {{ last.limit }}</span><span v-if="last.beyond" class="t3 lim">{{ last.beyond }}</span><span class="grow"></span><Bar v-if="last.bar" :bar="last.bar" :mark="last.mark"/></div>
    <div class="st t3" v-else-if="last.mark === 'P'">no step failed</div>
    <p v-if="last.mark !== 'P' && last.detail && last.value && !last.limit" class="t2 det">{{ last.detail }}</p>
    <p v-if="last.earlier.length" class="ear"><span class="t3">here before</span><a v-for="each in last.earlier" :key="each.run" :href="unitLink(last.barcode, each.run)" :title="attemptWords(each)"><Icon :name="iconOfMark(each.mark)" :class="lookOf(each.mark)" size="13"/>{{ each.value || attemptWords(each) }}</a></p>
    <div class="sd"><template v-if="last.agrees === false"><Icon class="c-marg" name="differs" size="18"/><span>The tester said <b>{{ last.reported }}</b>.</span></template><span v-else-if="last.reported" class="t3">The tester said {{ last.reported }}, too.</span><span class="grow"></span><a class="lnk" :href="unitLink(last.barcode, last.run)">Open the unit</a></div></div></template>
  <div v-else class="vx"><p class="t2">No run of this machine is stored yet. It publishes to <span class="mono">{{ topic }}</span>.</p></div>
</section>`,
  data: () => ({ what: WHAT }),
  computed: {
    icon() { return iconOf(this.last.outcome); },
  },
  methods: {
    attemptWords, clockTime, isLong, unitLink,
    csv() {
      const { run, barcode, product, procedure, outcome, step, value, limit, beyond, attempt, reported } = this.last;
      return { name: `yieldline-${this.machine}-last-verdict`, head: ["run_id", "barcode", "product", "procedure", "outcome", "step", "value", "limit", "beyond", "attempt", "tester_said"], rows: [[run, barcode, product, procedure, outcome, step, value, limit, beyond, attempt, reported]] };
    },
    iconOfMark: (mark) => ({ P: "pass-line", M: "marginal", F: "fail", E: "error" })[mark] ?? "unjudged",
    lookOf: (mark) => ({ M: "c-marg", F: "c-fail", E: "c-error" })[mark] ?? "t3",
  },
};
