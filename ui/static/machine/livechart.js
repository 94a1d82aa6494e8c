// One step of one machine, live: the past from the API, new values from the frames. The browser keeps
// the newest 200; the picture is drawn once a frame.
import { change, clockMinute, clockTime, Icon, Panel, plantDay, query, question, scope, thousands } from "yieldline";
import { Chart } from "yieldline/chart.js";
import { shiftsOf } from "yieldline-analytics/labels.js";
import { limitWords, scaleOfSeries } from "yieldline-analytics/values.js";
import { runsOf } from "yieldline-machine/links.js";
import { bandOf } from "yieldline-machine/means.js";

const POINTS_MAX = 200;
const CHIPS = 5;
const ASK_AGAIN_MS = 10_000;
const DAY_S = 86_400;
const LABELLED = 7;
const NEAR = 1.5; // limits farther off than so many heights of the values would press them flat
const SLACK = 0.08;
const PLOT_PX = 160; // about

const seconds = (text) => Date.parse(text) / 1000;
const round = (value) => Number(value.toPrecision(6));

// The limit in force at a moment; where several judged side by side, the one used last.
function limitAt({ limits, low, high }, timestamp) {
  const found = limits?.find((each) => each.first_at <= timestamp && timestamp <= each.last_at) ?? limits?.at(-1);
  return found ? { low: found.low, high: found.high } : { low, high };
}

export const pointsOf = (item) => item.points.map((each) => ({ run: each.run_ids.at(-1), at: seconds(each.timestamp), value: each.value, ...limitAt(item, each.timestamp) }));

// What the frame brought that the buffer does not have. `mustAsk`: the message left a value out, or it
// is in another unit: then only the API knows.
export function takeValues(points, values, item) {
  const known = new Set(points.map((each) => each.run));
  const fresh = values.filter((each) => !known.has(each.run) && each.product === item.product_id);
  const mustAsk = fresh.some((each) => each.value === undefined || (each.unit ?? null) !== (item.unit ?? null));
  const added = mustAsk ? [] : fresh.map(({ run, at, value, low, high }) => ({ run, at, value, low, high }));
  return { points: [...points, ...added].sort((a, b) => a.at - b.at).slice(-POINTS_MAX), added: added.length, mustAsk };
}

export const isOutside = ({ value, low, high }, comparator) => !/^L[TE]G[TE]$/.test(comparator ?? "") && ((low !== null && value < low) || (high !== null && value > high));

function reachOf(values, limits, band) {
  let [least, most] = [Math.min(...values), Math.max(...values)];
  const near = (most - least || Math.abs(most) || 1) * NEAR;
  for (const each of [...limits, band?.low, band?.high]) {
    if (each === null || each === undefined || each < least - near || each > most + near) continue;
    [least, most] = [Math.min(least, each), Math.max(most, each)];
  }
  const air = (most - least || Math.abs(most) || 1) * SLACK;
  return { min: round(least - air), max: round(most + air) };
}

function timesOf(points) {
  const isLong = points.at(-1).at - points[0].at > DAY_S;
  return points.map(({ at }) => (isLong ? `${plantDay(at)} ` : "") + clockMinute(at));
}

// ECharts options of the buffer; `books` are rulebooks that came into force.
export function liveOptions({ points, item, scale, band, books }) {
  const values = points.map((each) => scale.of(each.value));
  const ends = ["low", "high"].map((end) => points.map((each) => (each[end] === null || each[end] === undefined ? null : scale.of(each[end]))));
  const shown = band && { mean: scale.of(band.mean), low: scale.of(band.low), high: scale.of(band.high) };
  const { min, max } = reachOf(values, ends.flat(), shown);
  const times = timesOf(points);
  const marks = books.map((book) => ({ book, place: points.findIndex((each) => each.at >= book.at) })).filter(({ place }) => place > 0);
  const isBad = isOutside(points.at(-1), item.comparator);
  const atEnd = [...ends.map((data) => data.at(-1) ?? -Infinity), shown?.mean ?? -Infinity, values.at(-1)];
  const shifts = shiftsOf(atEnd.map((value) => ((max - value) / (max - min)) * PLOT_PX));
  return (c) => {
    const limit = (data, place) => ({ type: "line", step: "middle", symbol: "none", silent: true, data, lineStyle: { color: c.fail, width: 1.6 }, endLabel: { show: data.at(-1) !== null && data.at(-1) >= min && data.at(-1) <= max, formatter: `limit ${round(data.at(-1) ?? 0)}`, color: c.fail, fontSize: 11, textBorderWidth: 0, offset: [0, shifts[place]] }, tooltip: { show: false } });
    const red = { symbol: "rect", symbolSize: 7, itemStyle: { color: c.fail } };
    const lines = marks.map(({ book, place }) => ({ xAxis: place, lineStyle: { color: c.accent, type: "solid" }, label: { formatter: `v${book.version}, ${clockMinute(book.at)}`, color: c.text_2, fontSize: 11, position: "insideEndBottom", rotate: 0, align: "right", padding: [0, 5] } }));
    const mean = shown ? [{ yAxis: shown.mean, lineStyle: { color: c.text_3, type: "dashed" }, label: { formatter: `peers ${scale.short(band.mean)}`, position: "end", offset: [0, shifts[2]], color: c.text_3, fontSize: 11 } }] : [];
    return {
      grid: { left: 52, right: 88, top: 14, bottom: 24 },
      tooltip: { trigger: "item", formatter: ({ data }) => (typeof data?.place === "number" ? `${clockTime(points[data.place].at)}<br><b>${scale.text(points[data.place].value)}</b>` : "") },
      xAxis: { type: "category", data: times, boundaryGap: false, axisTick: { show: false }, axisLabel: { interval: Math.max(0, Math.ceil(points.length / LABELLED) - 1), hideOverlap: true } },
      yAxis: { type: "value", min, max, axisLabel: { showMinLabel: false, showMaxLabel: false } },
      series: [
        ...ends.map(limit).filter((each) => each.data.some((value) => value !== null)),
        {
          name: "value", type: "line", z: 4, showAllSymbol: true, lineStyle: { color: c.text_3, width: 1 },
          endLabel: { show: true, formatter: `${scale.short(points.at(-1).value)} ${scale.unit}`.trim(), color: isBad ? c.fail : c.text, fontSize: 12, fontWeight: 700, textBorderWidth: 0, offset: [0, shifts[3]] },
          data: points.map((each, place) => ({ value: values[place], place, ...(isOutside(each, item.comparator) ? red : { symbol: "circle", symbolSize: place === points.length - 1 ? 7 : 3.5, itemStyle: { color: c.text_2 } }) })),
          markLine: { symbol: "none", silent: true, data: [...lines, ...mean] },
          markArea: shown ? { silent: true, itemStyle: { color: c.band, opacity: 0.6 }, data: [[{ yAxis: shown.low }, { yAxis: shown.high }]] } : undefined,
        },
      ],
    };
  };
}

export const LiveChart = {
  components: { Chart, Icon, Panel },
  props: { machine: String, of: Object, steps: Array, values: Array, means: Object, books: Array },
  template: `
<Panel class="lc" title="Live" :what="what" :asks="of.step ? asks : undefined" :of="words" :rows="points.length" :csv="csv" :empty="empty" shape="chart">
  <template #note><span class="chips" role="group" aria-label="Step"><button v-for="each in chips" type="button" class="mono" :class="{on: each === of.step}" :aria-pressed="String(each === of.step)" :title="each" @click="choose(each)">{{ each }}</button><label v-if="rest.length" class="chip an-chip"><select aria-label="Other steps" @change="choose($event.target.value); $event.target.value = ''"><option value="">{{ rest.length }} more</option><option v-for="each in rest" :value="each">{{ each }}</option></select><Icon name="down" size="13"/></label></span></template>
  <template #head><small class="t3 key"><span v-if="outside" class="c-fail">{{ outside }} outside the limit</span><span v-if="band" :title="band.names.join(', ')">band: {{ band.names.length > 2 ? band.names.length + ' peers' : band.names.join(' and ') }}, ±2 σ</span><span v-if="item">{{ scale.unit || 'no unit' }} · {{ limits }} · last {{ n(points.length) }} runs</span></small><button v-if="points.length" class="ib" type="button" title="Save as PNG" aria-label="Save Live as PNG" @click="$refs.chart?.savePng('yieldline-' + machine + '-' + of.step)"><Icon name="export"/></button></template>
  <Chart v-if="points.length" ref="chart" :options="options" :summary="summary" :table="table" @pick="open"/>
</Panel>`,
  data: () => ({ points: Object.freeze([]) }),
  created() {
    const given = () => ({ machine_id: this.machine, product_id: this.of.product, procedure: this.of.procedure, step: this.of.step, points: POINTS_MAX });
    this.asks = question(() => (this.of.step && this.of.product ? "/api/v1/control-chart" : ""), given);
    this.askedAt = 0;
    this.$watch(() => this.asks.data, this.seed);
    this.$watch(() => this.of.step, () => (this.points = Object.freeze([])));
    this.$watch(() => this.values, this.take);
  },
  computed: {
    item() { return this.of.step && this.asks.data?.item?.test_step === this.of.step ? this.asks.data.item : null; },
    scale() { return scaleOfSeries(this.item ?? { unit: null }); },
    limits() { return this.item ? limitWords(this.item, this.scale).replace(/^none$/, "no limit") : ""; },
    band() { return this.item && bandOf(this.means, this.machine, this.item.unit); },
    outside() { return this.item ? this.points.filter((each) => isOutside(each, this.item.comparator)).length : 0; },
    chips() { return [...new Set([...(this.of.step ? [this.of.step] : []), ...this.steps])].slice(0, CHIPS).sort((a, b) => this.steps.indexOf(a) - this.steps.indexOf(b)); },
    rest() { return this.steps.filter((each) => !this.chips.includes(each)); },
    words() { return `machine ${this.machine}, ${this.of.product}, ${this.of.procedure}, step ${this.of.step || "none"}, ${scope.label}`; },
    what: () => "The newest 200 values of one step at this machine, in the order of their runs; new ones come by themselves. Red squares are beyond the limit that judged them, red lines the limits, stepped where they changed. Grey: mean of the newest 50 values of each peer with the same product, and two sigma around it. A point opens its run.",
    empty() {
      if (!this.of.step) return { words: "No step to draw: no number was measured here in this time." };
      return this.asks.data && !this.asks.data.item && !this.points.length ? { words: this.asks.data.reason ?? `No number of ${this.of.step}.` } : null;
    },
    options() { return liveOptions({ points: this.points, item: this.item, scale: this.scale, band: this.band, books: this.books }); },
    summary() { return `${this.of.step}: ${this.points.length} values, last ${this.scale.text(this.points.at(-1).value)} ${this.scale.unit}, ${this.outside} outside the limit ${this.limits}.`; },
    table() { return { head: ["time", `value, ${this.scale.unit || "no unit"}`, "outside"], rows: [...this.points].reverse().map((each) => [{ text: clockTime(each.at), href: this.linkOf(each) }, round(this.scale.of(each.value)), isOutside(each, this.item.comparator) ? "outside" : ""]) }; },
  },
  methods: {
    n: thousands,
    choose(step) { if (step) change({ step }, { replaces: true }); },
    seed() {
      this.points = Object.freeze(this.item ? pointsOf(this.item) : []);
      this.take();
    },
    take() {
      if (!this.item || scope.until !== null) return; // a range that is over stays as it is
      const { points, added, mustAsk } = takeValues(this.points, this.values, this.item);
      if (added) this.points = Object.freeze(points);
      if (mustAsk && Date.now() - this.askedAt > ASK_AGAIN_MS) {
        this.askedAt = Date.now();
        this.asks.ask();
      }
    },
    linkOf(point) { return runsOf(this.machine, { step: this.of.step, run: point.run, at: new Date(point.at * 1000 + 1000).toISOString() }); },
    open({ data }) {
      const point = this.points[data?.place];
      if (point) window.location.assign(this.linkOf(point));
    },
    csv() { return { name: `yieldline-${this.machine}-${this.of.step}`, head: ["run_id", "time", "value", "low", "high"], rows: this.points.map((each) => [each.run, new Date(each.at * 1000).toISOString(), each.value, each.low, each.high]) }; },
  },
};
