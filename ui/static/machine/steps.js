// Which steps fail at a machine, and where its word is not what the arithmetic says.
import { Icon, Outcome, Panel, query, question, thousands } from "yieldline";
import { rowsOf } from "yieldline-analytics/disagreements.js";
import { linkTo, range, runsOf } from "yieldline-machine/links.js";

const LISTED = 4;
const DIFFER_LISTED = 20;
const HOT_FROM = 3;

export const Failing = {
  components: { Panel },
  props: { machine: String },
  template: `
<Panel class="fs" title="Failing steps" :note="note" :what="what" :asks="asks" :of="of" :rows="total" :csv="csv" :empty="empty">
  <template #head><a class="lnk" :href="why">Why?</a></template>
  <a v-for="(row, i) in rows" :key="row.step" class="sr" :href="row.href"><span class="mono" :title="row.step">{{ row.step }}</span><span class="sb"><i :style="{width: row.width + '%'}" :class="{hot: i === 0 && row.count >= hotFrom}"></i></span><b>{{ n(row.count) }}</b><span class="t3">{{ row.share }}</span></a>
</Panel>`,
  data: () => ({ hotFrom: HOT_FROM }),
  created() { this.asks = question("/api/v1/pareto", () => ({ machine_id: this.machine, limit: LISTED })); },
  computed: {
    what: () => "Runs of this machine by the first step that failed in them, or that was required and is missing. A row opens exactly those runs.",
    of() { return `machine ${this.machine}, ${this.words}`; },
    words: () => query.range || "this range",
    why() { return linkTo("/analytics", { machine_id: this.machine, ...range() }); },
    total() { return this.asks.data?.total_first_failures ?? 0; },
    note() { return this.asks.data ? `${thousands(this.total)} run${this.total === 1 ? "" : "s"}, by first failure` : ""; },
    items() { return (this.asks.data?.items ?? []).filter((each) => each.first_failures > 0); },
    rows() {
      const most = this.items[0]?.first_failures ?? 1;
      return this.items.map((each) => ({
        step: each.test_step, count: each.first_failures, width: (each.first_failures / most) * 100,
        share: `${Math.round((each.first_failures / this.total) * 100)} %`, href: runsOf(this.machine, { first_failure: each.test_step }),
      }));
    },
    empty() { return this.rows.length || !this.asks.data ? null : { words: "No run failed in this time." }; },
  },
  methods: {
    n: thousands,
    csv() { return { name: `yieldline-${this.machine}-failing-steps`, head: ["step", "first_failures", "share"], rows: this.items.map((each) => [each.test_step, each.first_failures, each.share]) }; },
  },
};

export const Differing = {
  components: { Icon, Outcome, Panel },
  props: { machine: String },
  template: `
<Panel class="dis" title="Rule against tester" :note="note" :what="what" :asks="asks" :of="'machine ' + machine" :rows="runs" :csv="csv" :empty="empty">
  <div class="scroll"><a v-for="row in rows" :key="row.step + row.words" class="dg" :href="row.href"><b>{{ n(row.count) }}</b><span class="id"><span class="mono">{{ row.step || 'whole run' }}</span></span><span v-if="row.said" class="vv"><Outcome :mark="row.said" size="13"/><Icon class="t3" name="differs" size="13"/><Outcome :mark="row.ours" size="13"/></span><em>{{ row.words }}</em></a></div>
</Panel>`,
  created() { this.asks = question("/api/v1/disagreements", () => ({ machine_id: this.machine, limit: 1 })); },
  computed: {
    what: () => "Measurements whose outcome the tester reported otherwise than the arithmetic or the rule says: left the tester's word, right ours. A row opens the runs that hold them; one run may hold several.",
    found() { return this.asks.data ? rowsOf(this.asks.data) : []; },
    rows() { return this.found.slice(0, DIFFER_LISTED).map((each) => ({ ...each, href: runsOf(this.machine, each.filters) })); },
    differing() { return this.found.reduce((sum, each) => sum + each.count, 0); },
    runs() { return (this.asks.data?.machines ?? []).reduce((sum, each) => sum + each.runs, 0); },
    note() { return this.asks.data ? `${thousands(this.differing)} difference${this.differing === 1 ? "" : "s"}` : ""; },
    empty() { return this.found.length || !this.asks.data ? null : { words: "Rule and tester agree in every run." }; },
  },
  methods: {
    n: thousands,
    csv() { return { name: `yieldline-${this.machine}-rule-against-tester`, head: ["step", "count", "what"], rows: this.found.map((each) => [each.step, each.count, each.words]) }; },
  },
};
