// Failing steps: a Pareto of first failures, with the cumulative share, and where.
import { Panel, question, thousands } from "yieldline";
import { percent } from "yieldline/shares.js";
import { nothing, resultsLink } from "./period.js";

const LISTED = 8;
const MOSTLY = 0.6; // of a step's failures at one machine: they are there, not spread

function whereOf({ machines, first_failures: all }) {
  const [worst] = machines;
  if (machines.length === 1) return { words: worst.machine_id, machine: worst.machine_id };
  if (worst.first_failures < MOSTLY * all) return { words: `${machines.length} machines`, machine: "" };
  return { words: `${worst.machine_id} ${worst.first_failures}`, machine: worst.machine_id };
}

export const Pareto = {
  components: { Panel },
  template: `
<Panel class="an-steps" title="Failing steps" :note="note" :what="what" :asks="asks" :rows="asks.data?.total_first_failures" :csv="csv" :empty="empty">
  <div class="an-pa"><p v-for="row in rows" :key="row.step" class="an-pr"><a class="mono" :href="row.href" :title="row.step">{{ row.step }}</a><a class="an-bar" :href="row.href" tabindex="-1" aria-hidden="true"><i :class="{hot: row.isWorst}" :style="{width: row.width + '%'}"></i></a><b>{{ row.count }}</b><span class="t2">{{ row.share }} %</span><a v-if="row.machine" class="t2 w" :href="row.there">{{ row.where }}</a><span v-else class="t3 w">{{ row.where }}</span></p>
  <p v-if="others" class="an-pr"><span class="t2">{{ others.steps }} other step{{ others.steps === 1 ? '' : 's' }}</span><span class="an-bar"><i class="oth" :style="{width: others.width + '%'}"></i></span><b>{{ others.count }}</b><span class="t2">100 %</span></p></div>
</Panel>`,
  created() { this.asks = question("/api/v1/pareto", () => ({ limit: LISTED })); },
  computed: {
    what: () => "Runs by the first step that failed in them, or that was required and is missing: what to repair first. The percentage is the share of this step and all above it. A row opens the runs in which the step failed first.",
    total() { return this.asks.data?.total_first_failures ?? 0; },
    note() { return this.asks.data ? `${thousands(this.total)} run${this.total === 1 ? "" : "s"}, by first failure` : ""; },
    items() { return (this.asks.data?.items ?? []).filter((each) => each.first_failures > 0); },
    most() { return Math.max(1, ...this.items.map((each) => each.first_failures)); },
    empty() { return this.items.length || !this.asks.data ? null : nothing("No step failed."); },
    rows() {
      return this.items.map((each, i) => {
        const { words, machine } = whereOf(each);
        const filters = { first_failure: each.test_step };
        return {
          step: each.test_step, count: thousands(each.first_failures), isWorst: i === 0 && this.items.length > 1,
          width: Math.max(1, (each.first_failures / this.most) * 100), share: percent(each.cumulative_share, 0).replace(/\.\d+$/, ""),
          where: words, machine, href: resultsLink(filters), there: resultsLink({ ...filters, machine_id: machine }),
        };
      });
    },
    others() {
      const { others } = this.asks.data ?? {};
      return others?.first_failures ? { steps: others.steps, count: thousands(others.first_failures), width: Math.min(100, (others.first_failures / this.most) * 100) } : null;
    },
  },
  methods: {
    csv() {
      const rows = (this.asks.data?.items ?? []).flatMap((each) => each.machines.map((at) => [each.test_step, each.first_failures, each.share, each.cumulative_share, at.machine_id, at.first_failures]));
      return { name: "yieldline-failing-steps", head: ["step", "first_failures", "share", "cumulative_share", "machine", "first_failures_there"], rows };
    },
  },
};
