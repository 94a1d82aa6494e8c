// Where the rule and the tester's own word differ, by step, machine and direction.
import { Icon, Outcome, Panel, question, thousands } from "yieldline";
import { nothing, resultsLink } from "./period.js";

const LISTED = 30;
const WAYS = [
  ["false_accepts", "P", "F", "the tester passed what fails"],
  ["false_rejects", "F", "P", "the tester failed what passes"],
  ["others", null, null, "one of the two could not tell"],
];

const SHORT = { false_accepts: "passed what fails", false_rejects: "failed what passes", others: "could not be told" };

export function rowsOf({ steps, machines }) {
  const known = new Set(steps.map((each) => each.machine_id));
  // One row a step and machine, whichever way they differ: its runs are what the link can name.
  const ofSteps = steps.map((each) => {
    const ways = WAYS.filter(([name]) => each[name]);
    const [, said, ours] = ways.length === 1 ? ways[0] : [];
    const words = ways.map(([name, , , way]) => (ways.length === 1 ? way : `${thousands(each[name])} ${SHORT[name]}`)).join(", ");
    return { count: each.measurements, step: each.test_step, machine: each.machine_id, said, ours, words, filters: { differs: "true", step: each.test_step, machine_id: each.machine_id } };
  });
  // Of some machines only the verdict on the whole run differs.
  const ofRuns = machines.filter((each) => !known.has(each.machine_id)).map((each) => ({ count: each.runs, step: "", machine: each.machine_id, said: null, ours: null, words: `said PASS of ${each.reported_pass}, FAIL of ${each.reported_fail}`, filters: { agrees: "false", machine_id: each.machine_id } }));
  return [...ofSteps, ...ofRuns].sort((a, b) => b.count - a.count);
}

export const Disagreements = {
  components: { Icon, Outcome, Panel },
  template: `
<Panel class="an-dis" title="Rule against tester" :note="note" :what="what" :asks="asks" :rows="runs" :csv="csv" :empty="empty">
  <div class="an-scroll"><a v-for="row in rows.slice(0, most)" :key="row.step + row.machine + row.words" class="an-di" :href="row.href"><b>{{ row.n }}</b><span class="id"><span class="mono">{{ row.step || 'whole run' }}</span> <span class="t2">{{ row.machine }}</span></span><span v-if="row.said" class="vv"><Outcome :mark="row.said" size="13"/><Icon class="t3" name="differs" size="13"/><Outcome :mark="row.ours" size="13"/></span><em>{{ row.words }}</em></a></div>
</Panel>`,
  data: () => ({ most: LISTED }),
  created() { this.asks = question("/api/v1/disagreements", () => ({ limit: 1 })); },
  computed: {
    what: () => "Measurements whose outcome the tester reported otherwise than the arithmetic or the rule says: left the tester's word, right ours. A row opens the runs in question.",
    differing() { return rowsOf(this.asks.data).reduce((sum, each) => sum + each.count, 0); },
    runs() { return (this.asks.data?.machines ?? []).reduce((sum, each) => sum + each.runs, 0); },
    note() { return this.asks.data ? `${thousands(this.differing)} difference${this.differing === 1 ? "" : "s"}` : ""; },
    rows() { return this.asks.data ? rowsOf(this.asks.data).map((each) => ({ ...each, n: thousands(each.count), href: resultsLink(each.filters) })) : []; },
    empty() { return this.rows.length || !this.asks.data ? null : nothing("Rule and tester agree in every run."); },
  },
  methods: {
    csv() { return { name: "yieldline-rule-against-tester", head: ["step", "machine", "count", "what"], rows: this.rows.map((each) => [each.step, each.machine, each.count, each.words]) }; },
  },
};
