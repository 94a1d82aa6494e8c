// First pass yield by machine, procedure …: point and interval, worst first.
import { change, Panel, query, question, thousands } from "yieldline";
import { FEW_UNITS, interval, percent } from "yieldline/shares.js";
import { nothing, resultsLink } from "./period.js";

const GROUPS = { machine: "machine_id", procedure: "procedure", product: "product_id", line: "line", fixture: "fixture", operator: "operator", panel_position: "panel_position" };
const WORDS = { panel_position: "panel position" };
const WIDE = 100; // of the picture's box

const groupOf = () => (query.group in GROUPS ? query.group : "machine");
const isFew = ({ units }) => units < FEW_UNITS;

// Few units say little: they stand after those that say something, and do not stretch the scale.
export function worstFirst(items) {
  return [...items].sort((a, b) => isFew(a) - isFew(b) || a.first_pass_yield - b.first_pass_yield || b.units - a.units);
}

function floorOf(items) {
  const sure = items.filter((each) => !isFew(each));
  const lowest = Math.min(...(sure.length ? sure : items).map((each) => each.first_pass_yield_low * 100), ...items.map((each) => each.target_fpy_percent));
  return Math.max(0, Math.floor(lowest) - 1);
}

export const Groups = {
  components: { Panel },
  template: `
<Panel class="an-by" title="FPY by" :what="what" :asks="asks" :rows="units" :csv="csv" :empty="empty">
  <template #note><span class="an-tabs" role="tablist" aria-label="Group"><button v-for="each in names" type="button" role="tab" :aria-selected="String(each === group)" :class="{on: each === group}" @click="change({group: each === 'machine' ? '' : each})">{{ word(each) }}</button></span></template>
  <div class="an-dots" tabindex="-1"><p class="an-dr head"><span>worst first</span><span :title="aims.length > 1 ? 'The stroke of each row is its own target' : null">{{ floor }} – 100 %, target {{ aims.join(' – ') }}</span><span>FPY</span><span>units</span><span>lost</span></p>
  <component :is="row.href ? 'a' : 'div'" v-for="row in rows" :key="row.name" class="an-dr" :class="{hot: row.isLow, few: row.isFew}" :href="row.href" :title="row.said"><b>{{ row.name }}</b><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><path class="tg" :d="'M' + row.target + ' 0V10'"/><path class="iv" :d="'M' + row.from + ' 5H' + row.to"/><path class="pt" :d="'M' + row.at + ' 3.2V6.8'"/></svg><span class="v">{{ row.share }}</span><span class="t2">{{ row.isFew ? row.units + ' few' : row.units }}</span><span class="l">{{ row.lost }}</span></component></div>
</Panel>`,
  data: () => ({ names: Object.keys(GROUPS) }),
  created() { this.asks = question("/api/v1/yield", () => ({ group: groupOf() })); },
  computed: {
    group: groupOf,
    what() { return `Units whose first run of a procedure was PASS, over units, by ${this.word(this.group)}; with the 95 % interval (Wilson). Red: the whole interval is below the target, which is that of the machine, the product, the line or the plant. Below ${FEW_UNITS} units it says little.`; },
    items() { return worstFirst(this.asks.data?.group === this.group ? this.asks.data.items : []); },
    units() { return this.items.reduce((sum, each) => sum + each.units, 0); },
    // One target, or the least and the greatest.
    aims() {
      const aims = this.items.map((each) => each.target_fpy_percent);
      return [...new Set([Math.min(...aims), Math.max(...aims)])];
    },
    floor() { return floorOf(this.items); },
    empty() { return this.items.length || this.asks.isAsking ? null : nothing(`No unit had its first run here.`); },
    rows() {
      const x = (share) => Math.max(0, ((share * 100 - this.floor) / (100 - this.floor)) * WIDE).toFixed(2);
      const filter = GROUPS[this.group];
      return this.items.map((each) => ({
        name: each.group ?? "not named",
        href: each.group === null ? undefined : resultsLink({ [filter]: each.group }),
        share: percent(each.first_pass_yield, each.units),
        said: `95 %: ${interval(each.first_pass_yield_low, each.first_pass_yield_high, each.units)} of ${thousands(each.units)} units, target ${each.target_fpy_percent} %`,
        from: x(each.first_pass_yield_low), to: x(each.first_pass_yield_high), at: x(each.first_pass_yield), target: x(each.target_fpy_percent / 100),
        units: thousands(each.units), lost: thousands(each.units - each.first_passed),
        isFew: isFew(each), isLow: !isFew(each) && each.first_pass_yield_high * 100 < each.target_fpy_percent,
      }));
    },
  },
  methods: {
    change,
    word: (group) => WORDS[group] ?? group,
    csv() {
      const head = [this.group, "units", "first_passed", "first_pass_yield", "low", "high", "target_percent"];
      return { name: `yieldline-fpy-by-${this.group}`, head, rows: this.items.map((each) => [each.group, each.units, each.first_passed, each.first_pass_yield, each.first_pass_yield_low, each.first_pass_yield_high, each.target_fpy_percent]) };
    },
  },
};
