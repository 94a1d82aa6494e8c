// The control chart and the histogram of one step.
import { change, Icon, Panel, query, question, thousands } from "yieldline";
import { Chart } from "yieldline/chart.js";
import { chartOptions, chartSummary, chartTable, signalsOf } from "./control.js";
import { Baseline, baselineOf } from "./baseline.js";
import { binsTable, histogramOptions, histogramSummary } from "./bins.js";
import { resultsLink } from "./period.js";
import { scaleOfSeries } from "./values.js";

const CHARTS = { i: "individuals", "xbar-r": "X\u0304\u2013R of 5", "xbar-s": "X\u0304\u2013S of 5" };
const RULES = { nelson: "Nelson", "western-electric": "Western Electric" };

const whole = (value, known, otherwise) => (value in known ? value : otherwise);
const CHOOSE = { words: "No step to draw. Choose one in the table of capabilities." };

// What both charts ask: of one product, procedure and step.
const given = ({ product, step, procedure }) => ({ product_id: product, step, ...(procedure ? { procedure } : {}) });

function emptyOf(asks, step) {
  if (!step) return CHOOSE;
  return asks.data && !asks.data.item ? { words: asks.data.reason ?? `No number of ${step}.` } : null;
}

export const StepChart = {
  components: { Baseline, Chart, Icon, Panel },
  props: { of: Object },
  template: `
<Panel class="an-cc" title="Control chart" :what="what" :asks="of.step ? asks : undefined" :rows="item?.points.length" :csv="csv" :empty="empty" shape="chart">
  <template #note><small v-if="item"><span class="mono">{{ item.test_step }}</span> · {{ item.procedure }}{{ scale.unit ? ', ' + scale.unit : '' }} · lines of {{ item.baseline_points === item.points.length ? '' : 'the first ' }}{{ item.baseline_points }} points</small></template>
  <template #head><span class="an-key"><span v-for="each in signals" :key="each.number" :title="each.rule"><svg width="10" height="10" aria-hidden="true"><rect v-if="each.number === 1" width="9" height="9" rx="1" fill="var(--fail)"/><path v-else d="M5 0l5 9.5H0z" fill="var(--marg-fill)" stroke="var(--marg-edge)" stroke-width=".6"/></svg>{{ each.number }}<span class="sr-only">: {{ each.rule }}</span></span></span>
  <label class="chip an-chip"><select :value="chart" aria-label="Kind of control chart" @change="change({chart: $event.target.value === 'i' ? '' : $event.target.value})"><option v-for="(words, name) in charts" :value="name">{{ words }}</option></select><Icon name="down" size="13"/></label><label class="chip an-chip"><select :value="rules" aria-label="Rules of the control chart" @change="change({rules: $event.target.value === 'nelson' ? '' : $event.target.value})"><option v-for="(words, name) in ruleSets" :value="name">{{ words }}</option></select><Icon name="down" size="13"/></label><Baseline v-if="of.step" :points="item?.points ?? []"/>
  <button class="ib" type="button" title="Save as PNG" aria-label="Save Control chart as PNG" @click="$refs.chart?.savePng('yieldline-control-chart')"><Icon name="export"/></button></template>
  <Chart v-if="item" ref="chart" :options="options" :summary="summary" :table="table" @pick="open"/>
</Panel>`,
  data: () => ({ charts: CHARTS, ruleSets: RULES }),
  created() {
    this.asks = question(() => (this.of.step ? "/api/v1/control-chart" : ""), () => ({ ...given(this.of), chart: this.chart, rules: this.rules, baseline_until: baselineOf() }));
  },
  computed: {
    chart: () => whole(query.chart, CHARTS, "i"),
    rules: () => whole(query.rules, RULES, "nelson"),
    what() { return `The newest values of the step in the order of their runs. Control lines are three sigma from the centre and are made of the values themselves, of all points or of those of the baseline (left of the dotted line); red lines are the limits that judge, stepped where they changed. Squares: beyond a control line; triangles: another rule of ${RULES[this.rules]}, by its number. A point opens its run.`; },
    item() { return this.of.step ? this.asks.data?.item : null; },
    scale() { return scaleOfSeries(this.item); },
    signals() { return this.item ? signalsOf(this.item) : []; },
    empty() { return emptyOf(this.asks, this.of.step); },
    options() { return chartOptions(this.item, this.scale); },
    summary() { return chartSummary(this.item, this.scale); },
    table() { return chartTable(this.item, this.scale, this.linkOf); },
  },
  methods: {
    change,
    linkOf(point) {
      const at = new Date(Date.parse(point.timestamp) + 1000).toISOString();
      return resultsLink({ ...given(this.of), at, run: point.run_ids.at(-1) });
    },
    open({ data }) {
      const point = this.item.points[data?.point];
      if (point) window.location.assign(this.linkOf(point));
    },
    csv() { return { name: "yieldline-control-chart", head: ["time", "value", "spread", "run_ids"], rows: this.item.points.map((each) => [each.timestamp, each.value, each.spread, each.run_ids.join(" ")]) }; },
  },
};

export const StepHistogram = {
  components: { Chart, Icon, Panel },
  props: { of: Object },
  template: `
<Panel class="an-hist" title="Histogram" :what="what" :asks="of.step ? asks : undefined" :rows="item?.value_count" :csv="csv" :empty="empty" shape="chart">
  <template #note><small v-if="item"><span class="mono">{{ item.test_step }}</span>{{ scale.unit ? ', ' + scale.unit : '' }} · n {{ n(item.value_count) }}{{ item.is_complete ? '' : ', the newest' }}</small></template>
  <template #head><button class="ib" type="button" title="Save as PNG" aria-label="Save Histogram as PNG" @click="$refs.chart?.savePng('yieldline-histogram')"><Icon name="export"/></button></template>
  <Chart v-if="item" ref="chart" :options="options" :summary="summary" :table="table" @pick="open"/>
</Panel>`,
  created() { this.asks = question(() => (this.of.step ? "/api/v1/histogram" : ""), () => given(this.of)); },
  computed: {
    what: () => "The same values, counted in bins of one width. Red: the limits that judged the newest value, and what is beyond them; dashed: earlier limits. A bar opens the runs that hold the step, one beyond a limit those that failed.",
    item() { return this.of.step ? this.asks.data?.item : null; },
    scale() { return scaleOfSeries(this.item); },
    empty() { return emptyOf(this.asks, this.of.step); },
    options() { return histogramOptions(this.item, this.scale); },
    summary() { return histogramSummary(this.item, this.scale); },
    table() { return binsTable(this.item, this.scale, this.linkOf); },
  },
  methods: {
    n: thousands,
    linkOf(isOutside) { return resultsLink({ ...given(this.of), ...(isOutside ? { outcome: "FAIL" } : {}) }); },
    open({ data }) { if (data && "isOutside" in data) window.location.assign(this.linkOf(data.isOutside)); },
    csv() { return { name: "yieldline-histogram", head: ["from", "to", "count"], rows: this.item.counts.map((count, i) => [this.item.edges[i], this.item.edges[i + 1], count]) }; },
  },
};
