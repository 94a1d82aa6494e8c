// Where the chosen value stands among the newest of all machines.
import { Panel, question, thousands } from "yieldline";
import { addressOf } from "yieldline/api.js";
import { Chart } from "yieldline/chart.js";
import { binsTable, histogramOptions, histogramSummary } from "yieldline-analytics/bins.js";
import { scaleOfSeries } from "yieldline-analytics/values.js";

export const Among = {
  components: { Chart, Panel },
  props: { row: Object, run: Object, barcode: String },
  template: `
<Panel class="am" title="This value among others" :what="what" :asks="isNumber ? asks : undefined" :rows="item?.value_count" :empty="empty" :csv="csv" shape="chart">
  <template #note><small v-if="item"><span class="mono">{{ item.test_step }}</span>{{ scale.unit ? ', ' + scale.unit : '' }} · {{ n(item.value_count) }}{{ item.is_complete ? '' : ' newest' }} values, all machines</small></template>
  <Chart v-if="item" :options="options" :summary="summary" :table="table"/>
  <slot></slot>
</Panel>`,
  created() {
    const given = () => ({ product_id: this.run.product, procedure: this.run.procedure, step: this.row?.step });
    this.asks = question(() => (this.isNumber ? "/api/v1/histogram" : ""), given, { isFiltered: false });
    this.own = question(() => (this.isNumber ? "/api/v1/control-chart" : ""), () => ({ ...given(), barcode: this.barcode }), { isFiltered: false });
    this.$watch(() => this.run.id, () => void this.own.ask()); // it may be new
  },
  computed: {
    what: () => "The newest values of this step at all machines, of this product and procedure, counted in bins of one width. Red: the limits that judged the newest of them; dashed: earlier limits. Triangles: this unit's values, this run's with its number.",
    isNumber() { return typeof this.row?.number === "number"; },
    // Of the step that is chosen, not of the one before.
    item() { return this.isNumber && this.asks.data?.item?.test_step === this.row.step ? this.asks.data.item : null; },
    scale() { return scaleOfSeries(this.item); },
    marks() {
      if (!this.item || this.item.unit !== this.row.measure_unit) return [];
      const own = this.own.data?.item;
      const others = own?.test_step === this.row.step && own.unit === this.item.unit ? own.points.filter((each) => !each.run_ids.includes(this.run.id)) : [];
      return [...others.map((each) => ({ value: each.value, isThis: false })), { value: this.row.number, isThis: true }];
    },
    empty() {
      if (!this.row) return { words: "No measurement is chosen." };
      if (!this.isNumber) return { words: `${this.row.step} is not a number here: there is nothing to compare.` };
      if (this.asks.data && !this.asks.data.item) return { words: this.asks.data.reason ?? `No number of ${this.row.step}.` };
      return null;
    },
    options() { return histogramOptions(this.item, this.scale, this.marks); },
    summary() {
      const values = this.marks.map((each) => this.scale.text(each.value)).join(", ");
      return `${histogramSummary(this.item, this.scale)} This unit: ${values || this.row.value}.`;
    },
    table() { return binsTable(this.item, this.scale, this.linkOf); },
  },
  methods: {
    n: thousands,
    linkOf(isOutside) {
      const { product, procedure } = this.run;
      return addressOf("/results", { product_id: product, procedure, step: this.row.step, range: "30d", ...(isOutside ? { outcome: "FAIL" } : {}) });
    },
    csv() { return { name: "yieldline-histogram", head: ["from", "to", "count"], rows: this.item.counts.map((count, i) => [this.item.edges[i], this.item.edges[i + 1], count]) }; },
  },
};
