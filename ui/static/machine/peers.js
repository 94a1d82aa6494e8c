// Other machines of the same procedure: their first pass yield with its interval, what they measure in
// the step of the chart, and their last runs.
import { machineLink, Panel, query, question, Tape, thousands } from "yieldline";
import { FEW_UNITS, interval, percent } from "yieldline/shares.js";
import { linkTo, range } from "yieldline-machine/links.js";

const WIDE = 100; // of the picture's box

function worstFirst(rows, machine) {
  const few = (each) => Number(each.units < FEW_UNITS);
  return [...rows].sort((a, b) => Number(b.id === machine) - Number(a.id === machine) || few(a) - few(b) || (a.share ?? 2) - (b.share ?? 2) || (a.id < b.id ? -1 : 1));
}

// What is known of each machine: its yield from the API, its line and tape from the frame.
export function rowsOf(items, peers, machine) {
  const yields = new Map(items.map((each) => [each.group, each]));
  const known = new Map(peers.map((each) => [each.id, each]));
  const names = new Set([machine, ...yields.keys()]);
  const rows = [...names].map((id) => {
    const { units = 0, first_pass_yield: share = null, first_pass_yield_low: low = null, first_pass_yield_high: high = null, target_fpy_percent: target = null } = yields.get(id) ?? {};
    return { id, line: known.get(id)?.line ?? "", tape: known.get(id)?.tape ?? "", units, share, low, high, target };
  });
  return worstFirst(rows, machine);
}

export const Peers = {
  components: { Panel, Tape },
  props: { machine: String, peers: Array, procedure: String, target: Number, step: String, means: Object },
  template: `
<Panel class="pe" title="Peers" :note="note" :what="what" :asks="procedure ? asks : undefined" :of="of" :rows="units" :csv="csv" :empty="empty">
  <div class="scroll" tabindex="0" aria-label="Peers"><table><thead><tr><th>machine</th><th class="iv">{{ floor }} – 100 %</th><th class="r">FPY</th><th class="r">units</th><th v-if="step" class="r" :title="'mean of ' + step + ' of the last 50'">{{ step }}</th><th class="tape-h">last 30</th></tr></thead>
  <tbody><tr v-for="row in rows" :key="row.id" :class="{on: row.id === machine, few: row.isFew}"><td><a :href="row.href"><b>{{ row.id }}</b> <span class="t3">{{ row.line }}</span></a></td><td class="iv"><svg v-if="row.units" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><path class="tg" :d="'M' + row.goal + ' 0V10'"/><path class="in" :class="{low: row.isLow}" :d="'M' + row.from + ' 5H' + row.to"/><path class="pt" :class="{low: row.isLow}" :d="'M' + row.at + ' 3.8V6.2'"/></svg></td><td class="r"><a :href="row.yields" :title="row.said" :class="{low: row.isLow}">{{ row.fpy }}</a></td><td class="r t2">{{ n(row.units) }}{{ row.isFew && row.units ? ', few' : '' }}</td><td v-if="step" class="r">{{ row.mean }}</td><td class="tape-h"><Tape v-if="row.tape" :marks="row.tape"/></td></tr></tbody></table></div>
</Panel>`,
  created() {
    this.asks = question(() => (this.procedure ? "/api/v1/yield" : ""), () => ({ group: "machine", procedure: this.procedure, line: query.line }));
  },
  computed: {
    what() { return `First pass yield of every machine that ran ${this.procedure} in this time, the worst first after this one, with the 95 % interval (Wilson); under ${FEW_UNITS} units it says little. Red: the whole interval is below the machine's own target, the dashed stroke. The line above narrows it. The step is the one of the chart: mean of the newest 50 values of the same product.`; },
    of() { return [`procedure ${this.procedure}`, query.line && `line ${query.line}`].filter(Boolean).join(", "); },
    items() { return (this.procedure && this.asks.data?.items) || []; },
    units() { return this.items.reduce((sum, each) => sum + each.units, 0); },
    floor() {
      const sure = this.items.filter((each) => each.units >= FEW_UNITS);
      const lowest = Math.min(...(sure.length ? sure : this.items).map((each) => each.first_pass_yield_low * 100), ...this.items.map((each) => each.target_fpy_percent));
      return Math.max(0, Math.floor(lowest) - 1);
    },
    note() { return [this.procedure, query.line, `target ${this.target}`].filter(Boolean).join(" · "); },
    rows() {
      const x = (share) => Math.max(0, ((share * 100 - this.floor) / (100 - this.floor)) * WIDE).toFixed(2);
      return rowsOf(this.items, this.peers, this.machine).map((each) => ({
        ...each, href: machineLink(each.id), yields: linkTo("/analytics", { machine_id: each.id, procedure: this.procedure, ...range() }),
        fpy: percent(each.share, each.units), said: each.units ? `95 %: ${interval(each.low, each.high, each.units)}, target ${each.target} %` : "no unit in this time",
        from: x(each.low), to: x(each.high), at: x(each.share), goal: x(each.target / 100),
        isFew: each.units < FEW_UNITS, isLow: each.high !== null && each.units >= FEW_UNITS && each.high * 100 < each.target,
        mean: this.means[each.id]?.text ?? "–",
      }));
    },
    empty() { return this.procedure ? null : { words: "No run yet, so no procedure to compare." }; },
  },
  methods: {
    n: thousands,
    csv() {
      const head = ["machine", "line", "units", "first_pass_yield", "low", "high", "target_percent", `mean of ${this.step || "no step"}`];
      return { name: `yieldline-${this.machine}-peers`, head, rows: this.rows.map((each) => [each.id, each.line, each.units, each.share, each.low, each.high, each.target, this.means[each.id]?.mean ?? null]) };
    },
  },
};
