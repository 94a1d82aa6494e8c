// What a back-test found: yields then and with the draft, over time, and every run that changes by name.
import { call, Icon, Sheet, Shapes, thousands, Trouble, unitLink, unitName, weekday, clockMinute } from "yieldline";
import { addressOf } from "yieldline/api.js";
import { Chart } from "yieldline/chart.js";
import { saveCsv } from "yieldline/csv.js";
import { optionsOf, seriesOf, summaryOf, tableOf } from "./series.js";
import { limitWords, moveWords, nameOf, shareWords, wilson } from "./words.js";

const FEW_UNITS = 20;
const IN_PANEL = { failing: 8, rescued: 4 };
const IN_SHEET = 200;
const HEAD = ["run", "barcode", "product", "procedure", "machine", "step", "value", "unit", "judged by", "limit now", "outcome then", "outcome now", "afterwards"];

const Yields = {
  props: { report: Object, part: Object },
  template: `<div class="fy"><div v-for="each in cards"><h3>{{ each.title }}</h3><div class="v" :class="{few: each.isFew}"><s>{{ each.before }}</s><span class="ac">→</span><b>{{ each.after }}</b><i>%</i></div><p>{{ each.note }}</p><p v-if="each.doubt" title="Wilson's 95 % interval">{{ each.doubt }}</p></div></div>`,
  computed: {
    cards() {
      const { part, report } = this;
      return [
        this.card(`First pass yield, ${part.procedure}`, part, "first_pass_yield", "first_passed"),
        this.card(`Final yield, ${part.procedure}`, part, "final_yield", "finally_passed"),
        this.rolled(report),
      ];
    },
  },
  methods: {
    card(title, { units, before, after }, share, count) {
      const [then, low, high] = [before[share], after[`${share}_low`], after[`${share}_high`]];
      const words = (good) => wilson(good[0], units) && shareWords(wilson(good[0], units)[0], wilson(good[1], units)[1], units);
      const isFew = units < FEW_UNITS;
      const note = [`${thousands(units)} unit${units === 1 ? "" : "s"}${isFew ? ", few" : ""}`, moveWords(then, low, high)].filter(Boolean).join(" · ");
      const doubt = units ? `95 %: ${words([before[count], before[count]])} → ${words([after[`${count}_low`], after[`${count}_high`]])}` : "";
      return { title, before: shareWords(then, then, units), after: shareWords(low, high, units), note, doubt, isFew };
    },
    rolled({ units, before, after, procedures }) {
      const names = ["rolled_throughput_yield", "rolled_throughput_yield_low", "rolled_throughput_yield_high"];
      const [then, low, high] = [before[names[0]], after[names[1]], after[names[2]]];
      const same = procedures.filter((each) => each.before.first_pass_yield === each.after.first_pass_yield_low && each.before.first_pass_yield === each.after.first_pass_yield_high).length;
      const note = `${procedures.length} procedure${procedures.length === 1 ? "" : "s"}, ${same} untouched`;
      return { title: "RTY", before: shareWords(then, then, units), after: shareWords(low, high, units), note, doubt: "", isFew: units < FEW_UNITS };
    },
  },
};

const Curve = {
  components: { Chart, Shapes },
  props: { report: Object, procedure: String, given: Object },
  template: `<p v-if="trouble" class="none">{{ trouble }} <button class="lnk" type="button" @click="ask">Try again</button></p><Shapes v-else-if="!series" kind="chart"/><Chart v-else :options="options" :summary="summary" :table="table"/>`,
  data: () => ({ series: null, trouble: "" }),
  created() { this.$watch(() => [this.procedure, this.report], this.ask, { immediate: true }); },
  computed: {
    options() { return optionsOf(this.series); },
    table() { return tableOf(this.series); },
    summary() { return summaryOf(this.series, this.procedure); },
  },
  methods: {
    async ask() {
      const { procedure, report, given } = this;
      try {
        const found = await call(addressOf("/api/v1/yield", { ...given, procedure, group: "hour" }));
        if (procedure !== this.procedure || report !== this.report) return;
        Object.assign(this, { series: Object.freeze(seriesOf(report, found.items, procedure)), trouble: "" });
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        this.trouble = error.message;
      }
    },
  },
};

const Runs = {
  props: { runs: Array, rules: Array },
  template: `<div class="scroll"><table class="lt"><thead><tr><th>run</th><th>barcode</th><th>machine</th><th>step</th><th class="r">value</th><th>judged by</th><th>now</th><th class="r">afterwards</th></tr></thead><tbody><tr v-for="each in shown"><td class="t3">{{ each.at }}</td><td><a class="mono lnk" :href="each.href">{{ each.barcode }}</a></td><td class="t2">{{ each.machine }}</td><td class="mono t2">{{ each.step }}</td><td class="r"><b>{{ each.value }}</b> <span class="t3">{{ each.unit }}</span></td><td class="t3">{{ each.by }}</td><td :title="each.reason">{{ each.now }}</td><td class="r" :class="{'c-fail': each.isWorse}"><b v-if="each.isWorse">{{ each.afterwards }}</b><template v-else>{{ each.afterwards }}</template></td></tr></tbody></table></div>`,
  computed: {
    shown() { return this.runs.map((run) => rowOf(run, this.rules)); },
  },
};

function rowOf(run, rules) {
  const [step] = run.steps;
  const rule = step?.rule_after && rules.find((each) => nameOf(each) === step.rule_after);
  const seconds = Date.parse(run.timestamp) / 1000;
  const later = run.afterwards;
  return {
    at: `${weekday(seconds).replace(/^\S+ /, "")} ${clockMinute(seconds)}`,
    href: unitLink(run.barcode, run.run_id),
    barcode: run.barcode,
    machine: run.machine_id,
    step: step?.test_step ?? run.first_failure ?? "",
    value: step ? String(step.measured_value ?? "no value") : "missing",
    unit: unitName(step?.unit),
    by: step ? (step.rule_before ?? "tester") : "",
    now: rule ? limitWords(rule) : step && !step.rule_after ? "tester" : `${run.outcome_after}`,
    reason: step?.reason ?? "",
    afterwards: !later ? (run.is_unfinished ? "stopped here" : "nothing since") : `${later.procedure === run.procedure ? "retest" : later.procedure} ${later.outcome}`,
    isWorse: later !== null && later !== undefined && later.outcome !== "PASS",
  };
}

const newest = (runs) => runs.map((run) => [Date.parse(run.timestamp), run]).sort(([one], [other]) => other - one).map(([, run]) => run);
const unitsOf = (runs) => new Set(runs.map((each) => `${each.barcode}\n${each.product_id}`)).size;

function fateWords(runs) {
  const after = runs.filter((each) => each.afterwards);
  const failed = unitsOf(after.filter((each) => each.afterwards.outcome !== "PASS"));
  const passed = unitsOf(after.filter((each) => each.afterwards.outcome === "PASS"));
  const rest = unitsOf(runs) - failed - passed;
  return [failed && `${thousands(failed)} failed later`, passed && `${thousands(passed)} passed later`, rest > 0 && `${thousands(rest)} not tested since`].filter(Boolean).join(" · ");
}

const Steps = {
  props: { steps: Array },
  template: `<div class="scroll"><table class="lt"><thead><tr><th>step</th><th>judged by</th><th>with the draft by</th><th class="r">measurements</th></tr></thead><tbody><tr v-for="each in steps"><td class="mono">{{ each.test_step }}</td><td><b>{{ each.outcome_before }}</b> <span class="t3">{{ each.rule_before ?? 'tester' }}</span></td><td><span class="ac">→</span> <b :class="{'c-fail': each.outcome_after === 'FAIL'}">{{ each.outcome_after }}</b> <span class="t3">{{ each.rule_after ?? 'tester' }}</span></td><td class="r">{{ n(each.count) }}</td></tr></tbody></table></div>`,
  methods: { n: thousands },
};

export const Report = {
  components: { Curve, Icon, Runs, Sheet, Steps, Yields },
  props: { report: Object, rules: Array, given: Object },
  template: `
<div class="rep">
  <Yields :report="report" :part="part"/>
  <div class="cv"><div class="ch"><b>FPY</b><label v-if="report.procedures.length > 1" class="chip"><select v-model="procedure" aria-label="Procedure"><option v-for="each in report.procedures" :value="each.procedure">{{ each.procedure }}</option></select><Icon name="down"/></label><b v-else>{{ part.procedure }}</b><span class="key"><span><svg width="22" height="8"><path d="M0 4H22" stroke="var(--text-3)" stroke-width="1.7" stroke-dasharray="6 3"/></svg>as judged then</span><span><svg width="22" height="8"><path d="M0 4H22" stroke="var(--text)" stroke-width="2.4"/></svg>by the draft</span><span v-if="report.unfinished"><svg width="16" height="9"><rect width="16" height="9" fill="var(--text)" opacity=".25"/></svg>cannot be answered</span><span><svg width="8" height="9"><rect width="7" height="9" fill="var(--fail)"/></svg>newly failing</span><span><svg width="8" height="9"><rect width="7" height="9" fill="var(--text-3)"/></svg>rescued</span></span></div><Curve :report="report" :procedure="part.procedure" :given="given"/></div>
  <section v-for="each in lists" class="ls" :class="each.id" :aria-label="each.title"><h3><Icon :class="each.look" :name="each.icon" size="15"/><span>{{ each.title }}</span><b>{{ n(each.count) }}</b><small>{{ each.note }}</small><span class="grow"></span><button v-if="each.count > each.max" class="lnk" type="button" @click="opened = each.id">all {{ n(each.count) }}</button></h3><Runs v-if="each.count" :runs="each.runs.slice(0, each.max)" :rules="rules"/></section>
  <section v-if="report.unfinished" class="na" aria-label="Cannot be answered"><Icon class="c-unj" name="unjudged" size="16"/><span>Cannot be answered</span><b>{{ n(report.unfinished) }}</b><p>These runs stopped at a failure that the draft lets pass, so what would have come after it was never measured. All of them failing gives {{ low }} %, all passing {{ high }} % first pass yield.</p></section>
  <section v-if="report.not_reproduced" class="na"><Icon class="c-marg" name="differs" size="16"/><b>{{ n(report.not_reproduced) }}</b><p>runs get another verdict today from the very rulebook that judged them: an older version of this program did. What is compared is what is stored.</p></section>
  <section class="ls" aria-label="Steps that change"><h3><Icon class="t3" name="rules" size="15"/><span>Steps that change</span><b>{{ report.steps.length }}</b><small v-if="report.otherwise_changed_count">{{ n(report.otherwise_changed_count) }} runs change between FAIL, ERROR and UNJUDGED</small></h3><Steps v-if="report.steps.length" :steps="report.steps.slice(0, 50)"/></section>
  <Sheet v-if="sheet" :title="sheet.title + ', ' + n(sheet.count) + ' runs'" @close="opened = ''"><template #head><button class="btn" type="button" @click="save"><Icon name="export"/>CSV</button></template><Runs :runs="sheet.runs.slice(0, sheetMax)" :rules="rules"/><p v-if="sheet.count > sheet.runs.length" class="none">The first {{ n(sheet.runs.length) }} are named.</p><button v-if="sheet.runs.length > sheetMax" class="btn" type="button" @click="sheetMax += 200">200 more</button></Sheet>
</div>`,
  data: () => ({ procedure: "", opened: "", sheetMax: IN_SHEET }),
  created() { this.$watch(() => this.report, this.choose, { immediate: true }); },
  computed: {
    part() { return this.report.procedures.find((each) => each.procedure === this.procedure) ?? this.report.procedures[0]; },
    low() { return shareWords(this.part.after.first_pass_yield_low, null, this.part.units); },
    high() { return shareWords(this.part.after.first_pass_yield_high, null, this.part.units); },
    lists() {
      const { report } = this;
      const list = (id, title, icon, look) => ({ id, title, icon, look, max: IN_PANEL[id === "rescued" ? "rescued" : "failing"], count: report[`${id}_count`], runs: newest(report[id]), note: report[`${id}_count`] ? `run${report[`${id}_count`] === 1 ? "" : "s"} of ${thousands(unitsOf(report[id]))} unit${unitsOf(report[id]) === 1 ? "" : "s"} · ${fateWords(report[id])}` : "" });
      return [list("newly_failing", "Newly failing", "fail", report.newly_failing_count ? "c-fail" : "t3"), list("rescued", "Rescued", "pass-line", "t2")];
    },
    sheet() { return this.lists.find((each) => each.id === this.opened); },
  },
  methods: {
    n: thousands,
    choose() {
      const move = ({ before, after }) => Math.abs((before.first_pass_yield ?? 0) - (after.first_pass_yield_low ?? 0));
      this.procedure = [...this.report.procedures].sort((one, other) => move(other) - move(one))[0]?.procedure ?? "";
      Object.assign(this, { opened: "", sheetMax: IN_SHEET });
    },
    save() {
      const rows = this.sheet.runs.map((run) => {
        const row = rowOf(run, this.rules);
        return [run.timestamp, run.barcode, run.product_id, run.procedure, run.machine_id, row.step, row.value, run.steps[0]?.unit ?? "", row.by, row.now, run.outcome_before, run.outcome_after, row.afterwards];
      });
      saveCsv(`backtest-${this.sheet.id}`, HEAD, rows);
    },
  },
};
