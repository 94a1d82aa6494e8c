// The floor: what needs attention, the shift's figures, a tile a machine, trend, failing steps, live results.
import { change, clock, Icon, live, lookAt, machineStatus, query, Spark, thousands, copyText } from "yieldline";
import { attentionCards, loudOf, quietOf, signsOf } from "yieldline/cards.js";
import { addressOf } from "yieldline/api.js";
import { Attention } from "yieldline-floor/attention.js";
import { Figures } from "yieldline-floor/figures.js";
import { LastTen } from "yieldline-floor/lastten.js";
import { LivePanel, StepsPanel, TrendPanel } from "yieldline-floor/side.js";
import { Tile } from "yieldline-floor/tile.js";
import { shallowReactive } from "vue";

const LIVE_RUNS = 40;
const COMPACT_FROM = 61;
const FOLD_FROM = 201;

// A product of yields is as sure as the one of the fewest units.
function doubtOf({ rty_interval: interval, least, units }) {
  const few = least ? `, few: ${least.units} unit${least.units === 1 ? "" : "s"} at ${least.procedure}` : "";
  return interval ? `95 % interval ${interval}, ${units} unit${units === 1 ? "" : "s"} on the line${few}` : "no unit in this shift yet";
}

export default {
  components: { Attention, Figures, Icon, LastTen, LivePanel, Spark, StepsPanel, Tile, TrendPanel },
  template: `
<div v-if="!count" class="empty panel">
  <h2>No machine has reported yet.</h2>
  <p>Publish a result to the MQTT topic <span class="mono">{{ topic }}</span>, or send the first one from a shell:</p>
  <pre class="mono" tabindex="0">{{ command }}</pre>
  <p><button class="btn" type="button" @click="copy"><Icon name="copy"/>{{ copied ? 'Copied' : 'Copy the command' }}</button></p>
</div>
<div v-else class="floor" :class="{compact: count >= compactFrom, folding: isFolding}">
  <Attention :cards="cards" :has-more="signs.some((each) => each.state === 'open')" :reporting="states.live" :line="line" @seen="seen = new Set([...seen, $event])"/>
  <Figures :kpi="figures" :states="states" :dots="dots" :line="line" :shift="live.status.shift" :csv="csv"/>
  <div class="lines" :style="{'--columns': columns}"><section v-for="each in visible" :key="each.line" class="lrow" :class="{folded: each.isFolded}" :aria-label="'Line ' + each.line">
    <div class="lh"><span class="l1"><button v-if="isFolding" class="ib fold" type="button" :aria-expanded="String(!each.isFolded)" :aria-label="(each.isFolded ? 'Unfold ' : 'Fold ') + each.line" @click="toggle(each)"><Icon :name="each.isFolded ? 'right' : 'down'" size="14"/></button><a :href="lineLink(each.line)" :title="line ? 'All lines' : 'This line alone'" @click.prevent="change({line: line ? '' : each.line})"><b>{{ each.line }}</b></a><span :title="each.product">{{ each.products > 1 ? each.products + ' products' : each.product }}</span></span>
      <a class="l2" :class="{few: each.few, low: each.low}" :href="yieldLink(each.line)" :title="doubtOf(each)"><b>{{ each.rty }}</b><i><template v-if="each.units">% </template>RTY<template v-if="each.few && each.units">, few</template></i></a>
      <Spark :points="each.spark" :width="128" :height="26"/>
      <span class="l3"><span v-if="each.least" :title="doubtOf(each)">few: {{ each.least.procedure }} {{ each.least.units }}</span><span v-else-if="each.goal !== null" :title="doubtOf(each)">target {{ each.goal }}</span><span v-else>{{ n(each.units) }} unit{{ each.units === 1 ? '' : 's' }}</span><span>{{ each.rate }}/h</span></span></div>
    <p v-if="each.isFolded" class="sum t3">{{ each.machines.length }} machine{{ each.machines.length === 1 ? '' : 's' }}, nothing needs attention</p>
    <div v-else class="tiles"><Tile v-for="id in each.machines" :key="id" :tile="tiles[id]" :quiet="quiet[id]" :loud="loud[id]"/></div>
  </section><LastTen/></div>
  <button class="drawer" type="button" :aria-expanded="String(drawer)" aria-label="Trend, failing steps and live results" @click="drawer = !drawer"><Icon name="right" size="16"/></button>
  <aside class="side" :class="{open: drawer}"><TrendPanel :trend="trend" :line="of"/><StepsPanel :steps="steps" :line="of"/><LivePanel :runs="shownRuns" :paused="paused" :line="line" @pause="togglePause"/></aside>
</div>`,
  props: { topic: String },
  data: () => ({
    live,
    tiles: shallowReactive({}),
    lines: [], kpi: {}, trend: null, steps: [], sparks: {}, of: "", runs: [], alerts: [], signs: [],
    paused: false, drawer: false, copied: false, seen: new Set(), unfolded: new Set(),
    compactFrom: COMPACT_FROM,
  }),
  created() {
    this.take(live.frame);
    this.$watch(() => live.frame, (frame) => this.take(frame));
    this.$watch(() => this.line, (line) => lookAt(line ? `floor/${line}` : "floor"), { immediate: true });
    window.addEventListener("yieldline-pause", this.togglePause);
    window.addEventListener("keydown", this.leave);
  },
  unmounted() {
    window.removeEventListener("yieldline-pause", this.togglePause);
    window.removeEventListener("keydown", this.leave);
  },
  computed: {
    line() { return query.line; },
    count() { return Object.keys(this.tiles).length; },
    list() { return Object.values(this.tiles).filter((tile) => !this.line || tile.line === this.line); },
    dots() { return this.list.map((tile) => machineStatus(tile, clock.second)); },
    states() {
      const states = { live: 0, stale: 0, offline: 0, never: 0 };
      for (const state of this.dots) states[state] += 1;
      return states;
    },
    // Sparks come with the frames of the chosen line: until then there are none.
    figures() {
      const kpi = (this.line && this.lines.find((each) => each.line === this.line)?.kpi) || this.kpi;
      return this.of === this.line ? { ...kpi, ...this.sparks } : kpi;
    },
    columns() { return Math.min(9, Math.max(6, ...this.lines.map((each) => each.machines.length))); },
    // What was acknowledged here holds at once; the next frame says it, too.
    known() { return this.alerts.map((each) => (this.seen.has(each.id) && each.state === "open" ? { ...each, state: "acknowledged", by: "you" } : each)); },
    quiet() { return quietOf([...this.known, ...this.signs]); },
    loud() { return loudOf([...this.known, ...this.signs]); },
    cards() {
      const tiles = Object.fromEntries(this.list.map((tile) => [tile.id, tile]));
      return attentionCards(this.known.filter((each) => !this.line || !each.line || each.line === this.line), tiles, clock.second, this.signs);
    },
    isFolding() { return this.count >= FOLD_FROM && !this.line; },
    visible() {
      const lines = this.lines.filter((each) => !this.line || each.line === this.line);
      if (!this.isFolding) return lines;
      const noisy = new Set(this.cards.filter((card) => card.isOpen).map((card) => card.machine));
      return lines.map((each) => ({ ...each, isFolded: !this.unfolded.has(each.line) && !each.machines.some((id) => noisy.has(id)) }));
    },
    shownRuns() { return this.line ? this.runs.filter((run) => this.tiles[run.machine]?.line === this.line) : this.runs; },
    command() {
      const body = { barcode: "SN-1001", machine_id: "MACH-01", product_id: "PROD-A", test_step: "voltage_test", measured_value: 85.5, timestamp: new Date(clock.second * 1000).toISOString().slice(0, 16) + ":00Z" };
      return `curl -X POST ${window.location.origin}/ingest \\\n  -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(body)}'`;
    },
  },
  methods: {
    change,
    doubtOf,
    n: thousands,
    lineLink: (line) => addressOf("/", { line }),
    yieldLink: (line) => addressOf("/analytics", { line, range: "shift" }),
    take(frame) {
      if (frame.alerts) {
        this.alerts = Object.freeze(frame.alerts);
        this.signs = Object.freeze(signsOf(frame));
      }
      if (!frame.tiles) return;
      if (frame.base === null) {
        const names = new Set(frame.tiles.map((tile) => tile.id));
        for (const id of Object.keys(this.tiles)) if (!names.has(id)) delete this.tiles[id];
      }
      for (const tile of frame.tiles) this.tiles[tile.id] = Object.freeze(tile);
      Object.assign(this, { lines: Object.freeze(frame.lines), kpi: Object.freeze(frame.kpi), trend: Object.freeze(frame.trend), steps: Object.freeze(frame.steps), sparks: Object.freeze(frame.sparks), of: frame.of });
      const fresh = frame.live.map(Object.freeze);
      this.arrived = frame.base === null ? fresh : [...fresh, ...this.arrived].slice(0, LIVE_RUNS);
      if (!this.paused) this.runs = this.arrived;
    },
    toggle({ line, isFolded }) {
      const unfolded = new Set(this.unfolded);
      if (isFolded) unfolded.add(line);
      else unfolded.delete(line);
      this.unfolded = unfolded;
    },
    togglePause() {
      this.paused = !this.paused;
      if (!this.paused) this.runs = this.arrived;
    },
    leave({ key }) {
      if (key === "Escape") this.drawer = false;
    },
    csv() {
      const head = ["machine", "line", "procedure", "status", "units", "first_pass_yield_percent", "interval_95", "runs_per_hour", "last_result", "fails_in_a_row"];
      const iso = (at) => at && new Date(at * 1000).toISOString();
      return { name: "yieldline-floor", head, rows: this.list.map((tile) => [tile.id, tile.line, tile.procedure, machineStatus(tile, clock.second), tile.units, tile.units ? Number(tile.fpy) : null, tile.interval, tile.rate, iso(tile.last), tile.fails]) };
    },
    async copy() {
      await copyText(this.command);
      this.copied = true;
    },
  },
};
