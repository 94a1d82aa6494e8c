// Yield over time: RTY with its interval, FPY, final, the target, the period before, and what happened.
import { change, Icon, Panel, query, question } from "yieldline";
import { Chart } from "yieldline/chart.js";
import { bounds, bucketOf, compared, isShort, nothing, resultsLink } from "./period.js";
import { moved, optionsOf, summaryOf, tableOf } from "./series.js";

const BUCKETS = ["15min", "hour", "shift", "day"];
const LONG_S = 36 * 3600;

const seconds = (text) => Date.parse(text) / 1000;

export const OverTime = {
  components: { Chart, Icon, Panel },
  props: { goal: Number },
  template: `
<Panel class="an-time" title="Yield over time" :what="what" :asks="asks" :rows="units" :csv="csv" :empty="empty" shape="chart">
  <template #note><span class="an-key" aria-hidden="true"><span><svg width="22" height="8"><path d="M0 4H22" stroke="var(--text)" stroke-width="2.6"/></svg>RTY with 95 % interval</span><span><svg width="22" height="8"><path d="M0 4H22" stroke="var(--text-2)" stroke-width="1.5"/></svg>FPY</span><span><svg width="22" height="8"><path d="M0 4H22" stroke="var(--text-2)" stroke-width="1.5" stroke-dasharray="5 3"/></svg>Final</span><span v-if="earlier.length"><svg width="22" height="8"><path d="M0 4H22" stroke="var(--text-3)" stroke-width="1.5" stroke-dasharray="2 3"/></svg>RTY before</span><span>bars: units</span></span></template>
  <template #head><span class="seg an-seg" role="group" aria-label="Points by"><button v-for="each in buckets" type="button" :aria-pressed="String(each === bucket)" :class="{on: each === bucket}" :disabled="each === '15min' && !isShort()" :title="each === '15min' && !isShort() ? 'Of 25 hours at most' : null" @click="change({by: each})">{{ each === '15min' ? '15 min' : each }}</button></span><button class="ib" type="button" title="Save as PNG" aria-label="Save Yield over time as PNG" @click="$refs.chart?.savePng('yieldline-yield-over-time')"><Icon name="export"/></button></template>
  <Chart v-if="items.length" ref="chart" :options="options" :summary="summary" :table="table" @pick="open"/>
</Panel>`,
  data: () => ({ query, buckets: BUCKETS }),
  created() {
    this.asks = question("/api/v1/yield", () => ({ group: bucketOf() }));
    this.before = question(() => (compared() ? "/api/v1/yield" : ""), () => ({ group: bucketOf(), ...compared() }));
    // Programs are counted run by run: of short ranges alone.
    this.programs = question(() => (isShort() ? "/api/v1/programs" : ""));
    this.books = question("/api/v1/rulebooks", () => ({}), { isFiltered: false });
  },
  computed: {
    bucket: bucketOf,
    what() { return `Units by the ${this.bucket === "15min" ? "15 minutes" : this.bucket} of their first run. RTY: product of the procedures' first pass yields, with its 95 % interval; FPY: units good at the first run of every procedure; final: good in the end. Blue lines: a rulebook came into force; grey lines, of 25 hours at most: a machine changed its program. Red points: the whole interval of the FPY is below the target. Diamonds: results that came more than an hour late and corrected what was shown. A mark opens its runs.`; },
    items() { return this.asks.data?.group === this.bucket ? this.asks.data.items : []; },
    units() { return this.items.reduce((sum, each) => sum + each.units, 0); },
    empty() { return this.items.length || this.asks.isAsking ? null : nothing("No unit had its first run here."); },
    span() {
      const { since, until } = bounds();
      const [first, last] = [seconds(this.items[0].since), seconds(this.items.at(-1).until)];
      return { from: Math.min(since ?? first, first), until: Math.max(last, Math.min(until, last)) };
    },
    earlier() {
      const period = compared();
      if (!period || !this.items.length || this.before.data?.group !== this.bucket) return [];
      return moved(this.before.data.items, bounds().since - seconds(period.since));
    },
    options() {
      return optionsOf({ items: this.items, compared: this.earlier, target: this.asks.data.target_fpy_percent, goal: this.goal ?? null, versions: this.books.data?.items ?? [], programs: isShort() ? (this.programs.data?.items ?? []) : [], ...this.span });
    },
    table() { return tableOf(this.items, this.span.until - this.span.from > LONG_S, this.linkOf); },
    summary() { return summaryOf(this.items); },
  },
  methods: {
    change, isShort,
    linkOf(each) {
      const { since, until } = bounds();
      const [from, to] = [Math.max(seconds(each.since), since ?? 0), Math.min(seconds(each.until), until)];
      return resultsLink({ since: new Date(from * 1000).toISOString(), until: new Date(to * 1000).toISOString() });
    },
    open({ data }) {
      const href = data?.href ?? (typeof data?.bucket === "number" ? this.linkOf(this.items[data.bucket]) : "");
      if (href) window.location.assign(href);
    },
    csv() {
      const head = ["since", "until", "units", "rolled_throughput_yield", "rty_low", "rty_high", "first_pass_yield", "final_yield", "late_runs"];
      return { name: "yieldline-yield-over-time", head, rows: this.items.map((each) => [each.since, each.until, each.units, each.rolled_throughput_yield, each.rolled_throughput_yield_low, each.rolled_throughput_yield_high, each.first_pass_yield, each.final_yield, each.late_runs]) };
    },
  },
};
