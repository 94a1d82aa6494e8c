// Six figures of the range, and how far they have moved since the period it is compared with.
import { Failed, query, Shapes, thousands } from "yieldline";
import { counted, FEW_UNITS, interval, percent, points, wilson } from "yieldline/shares.js";
import { compared, comparedWords, resultsLink } from "./period.js";

const COUNTS = ["units", "first_passed", "finally_passed", "retested", "retests", "opportunities", "defects", "total_tests", "late_runs"];
const SAME_LENGTH = 0.01;

// Counts of products add up: a unit is of one product. Shares come from the sums, never from shares.
export function sumOf({ items, rolled_throughput_yield: rolled, rolled_throughput_yield_low: low, rolled_throughput_yield_high: high }) {
  const sum = Object.fromEntries(COUNTS.map((name) => [name, items.reduce((all, each) => all + each[name], 0)]));
  const share = (good, all) => (all ? good / all : null);
  return {
    ...sum,
    first: share(sum.first_passed, sum.units),
    final: share(sum.finally_passed, sum.units),
    again: share(sum.retested, sum.units),
    dpmo: sum.opportunities ? (sum.defects / sum.opportunities) * 1e6 : null,
    rolled, low, high,
  };
}

const unitWords = (n) => `${thousands(n)} unit${n === 1 ? "" : "s"}${n < FEW_UNITS ? ", few" : ""}`;
const per = (value) => (value === null ? "\u2013" : thousands(Math.round(value)));

function cardsOf(now, before, { target, goal, plan }, isAsLong) {
  const n = now.units;
  const doubt = wilson(now.first_passed, n);
  const isLow = doubt !== null && doubt[1] * 100 < target;
  const isBelow = goal !== null && now.high !== null && n >= FEW_UNITS && now.high * 100 < goal;
  const yields = [
    { title: "First pass yield", value: percent(now.first, n), sign: "%", change: points(now.first, before?.first, n), note: [`target ${target.toFixed(1)}`, doubt && interval(...doubt, n), unitWords(n)], isLow, href: resultsLink() },
    { title: "Final yield", value: percent(now.final, n), sign: "%", change: points(now.final, before?.final, n), note: [`${thousands(n - now.finally_passed)} of ${thousands(n)} units still failing`], href: resultsLink({ outcome: "FAIL" }) },
    { title: "Rolled throughput yield", value: percent(now.rolled, n), sign: "%", change: points(now.rolled, before?.rolled, n), note: [interval(now.low, now.high, n), goal === null ? "product of the procedures" : `target ${goal} %`], isLow: isBelow, href: resultsLink() },
    { title: "Retest rate", value: percent(now.again, n), sign: "%", change: points(now.again, before?.again, n), note: [`${thousands(now.retested)} units retested`, `${thousands(now.retests)} retests`], href: resultsLink() },
  ];
  const [first, final, rolled, again] = yields;
  const measured = `${thousands(now.defects)} of ${thousands(now.opportunities)} measurements failed`;
  const late = now.late_runs ? `${thousands(now.late_runs)} late` : "";
  return [
    first, rolled, final, again,
    { title: "Units", value: thousands(n), sign: "", change: before && isAsLong ? counted(n, before.units) : "", note: [plan?.words, `${thousands(now.total_tests)} runs`, late], said: plan?.title, href: resultsLink() },
    { title: "DPMO", value: per(now.dpmo), sign: "", change: before?.dpmo == null || now.dpmo === null ? "" : counted(Math.round(now.dpmo), Math.round(before.dpmo)), note: [measured], href: resultsLink({ outcome: "FAIL" }) },
  ];
}

const lengthOf = ({ since, until }) => Date.parse(until) - Date.parse(since);

export const Figures = {
  components: { Failed, Shapes },
  props: { asks: Object, before: Object, goal: Number, length: Number, plan: Object },
  template: `
<section class="an-kpis" aria-label="Figures">
  <Failed v-if="asks.error" :words="asks.error" @again="asks.ask()"/>
  <Shapes v-else-if="!asks.data && asks.isSlow" kind="chart"/>
  <a v-for="each in cards" :key="each.title" class="an-kpi" :class="{few: isFew}" :href="each.href"><h3>{{ each.title }}</h3><p class="v" :class="{'c-fail': each.isLow}">{{ each.value }}<i v-if="each.sign"> {{ each.sign }}</i><span v-if="each.change" class="d" :title="against">{{ each.change }}</span></p><p class="s" :title="each.said">{{ each.note.filter(Boolean).join(' · ') }}</p></a>
</section>`,
  computed: {
    now() { return this.asks.data && sumOf(this.asks.data); },
    isFew() { return this.now.units < FEW_UNITS; },
    against: () => `against ${comparedWords()}`,
    cards() {
      if (!this.now || this.asks.error) return [];
      const period = compared();
      const earlier = period && this.before.data && query.compare !== "none" ? sumOf(this.before.data) : null;
      const isAsLong = period !== null && Math.abs(lengthOf(period) / 1000 / this.length - 1) < SAME_LENGTH;
      return cardsOf(this.now, earlier?.units ? earlier : null, { target: this.asks.data.target_fpy_percent, goal: this.goal ?? null, plan: this.plan }, isAsLong);
    },
  },
};
