// The floor: what needs attention, the shift's figures, a tile a machine, trend, failing steps, live results.
import { clock, duration, live, machineLink, machineStatus, query, Age, Icon, Outcome, Spark, Tape, thousands, unitLink } from "yieldline";
import { attentionOf } from "yieldline/attention.js";
import { Trend } from "yieldline/trend.js";
import { shallowReactive } from "vue";

const LIVE_RUNS = 40;
const CARDS = 4;
const COMPACT_FROM = 61;
const FOLD_FROM = 201;

// A product of yields is as sure as the one of the fewest units.
function doubtOf({ rty_interval: interval, least, units }) {
  const few = least ? `, few: ${least.units} unit${least.units === 1 ? "" : "s"} at ${least.procedure}` : "";
  return interval ? `95 % interval ${interval}, ${units} unit${units === 1 ? "" : "s"} on the line${few}` : "no unit in this shift yet";
}

const Tile = {
  components: { Age, Icon, Tape },
  props: { tile: Object },
  template: `
<a class="tile" :class="look" :href="link" :aria-label="spoken">
  <span class="t1"><b>{{ tile.id }}</b><Icon v-if="icon" :name="icon" size="17" :class="'c-' + icon"/><span v-else-if="tile.last !== null" class="age"><Age :at="tile.last"/></span></span>
  <span class="t2r" :class="{low: tile.low, few: tile.few}"><b>{{ tile.fpy }}</b><i v-if="tile.units">%</i></span>
  <Tape :marks="tile.tape"/>
  <span class="t3r">
    <span v-if="status === 'stale'" class="why c-stale"><Icon name="stale" size="13"/>stale {{ silence }}</span>
    <span v-else-if="status === 'offline'" class="why c-off"><Icon name="offline" size="13"/>offline {{ silence }}</span>
    <span v-else-if="status === 'never'" class="why c-off"><Icon name="stale" size="13"/>no result yet</span>
    <template v-else><span v-if="reason" class="why">{{ reason }}</span><span v-else>{{ n(tile.units) }} unit{{ tile.units === 1 ? '' : 's' }}</span><Age v-if="icon && tile.last !== null" :at="tile.last"/><span v-else-if="tile.rate !== null">{{ tile.rate }}/h</span></template>
  </span>
</a>`,
  computed: {
    link() { return machineLink(this.tile.id); },
    status() { return machineStatus(this.tile, clock.second); },
    severity() { return attentionOf(this.tile, this.status)?.severity ?? null; },
    icon() { return this.status === "offline" ? "offline" : this.severity ?? (this.status === "live" && this.tile.marginal !== null ? "marginal" : null); },
    look() {
      return { stale: this.status === "stale", off: this.status === "offline" || this.status === "never", crit: this.severity === "critical", err: this.severity === "major" && this.status === "live" };
    },
    silence() { return duration(clock.second - (this.status === "offline" ? this.tile.offline : this.tile.last)); },
    reason() {
      if (this.severity === "critical") return this.tile.why?.step;
      if (this.severity && !this.tile.low) return this.tile.odd?.detail;
      if (this.severity) return `under ${this.tile.target.toFixed(1)} %`;
      return this.tile.marginal === null ? null : `${this.tile.marginal} % marginal`;
    },
    spoken() {
      const { tile } = this;
      const now = clock.second - (clock.second % 10);
      const state = this.status === "live" ? "" : `, ${this.status}`;
      const last = tile.last === null ? "no result yet" : `last result ${duration(now - tile.last)} ago`;
      return `${tile.id}${state}: first pass yield ${tile.fpy} %, ${tile.units} units, ${last}`;
    },
  },
  methods: { n: thousands },
};

export default {
  components: { Age, Icon, Outcome, Spark, Tile, Trend },
  template: `
<div v-if="!count" class="empty panel">
  <h2>No machine has reported yet.</h2>
  <p>Publish a result to the MQTT topic <span class="mono">{{ topic }}</span>, or send the first one from a shell:</p>
  <pre class="mono" tabindex="0">{{ command }}</pre>
  <p><button class="btn" type="button" @click="copy"><Icon name="copy"/>{{ copied ? 'Copied' : 'Copy the command' }}</button></p>
</div>
<div v-else class="floor" :class="{compact: count >= compactFrom}">
  <section class="att" aria-label="Needs attention">
    <a v-for="card in shown" class="al" :class="card.severity" :href="machineLink(card.machine)"><Icon :class="'c-' + card.severity" :name="card.severity" size="22"/><div><h3><b>{{ card.machine }}</b> {{ card.title }}</h3><p><span v-if="card.step" class="mono">{{ card.step }}</span> {{ card.text }}</p><p class="m"><span class="w">{{ card.severity }}</span>{{ card.since }}</p></div></a>
    <div v-if="!cards.length" class="al calm"><Icon name="pass-line" size="22"/><div><h3>Nothing needs attention. {{ reporting }} machine{{ reporting === 1 ? '' : 's' }} reporting.</h3></div></div>
    <button v-if="cards.length > 4" class="btn more" type="button" @click="all = !all">{{ all ? 'fewer' : '+' + (cards.length - 4) + ' more' }}</button>
  </section>
  <section class="kpis" aria-label="This shift">
    <div class="kpi"><div><h3>First pass yield</h3><p class="v" :class="{low: kpi.low, few: kpi.few}">{{ kpi.fpy }}<i v-if="kpi.units">%</i></p><p class="s"><span v-if="kpi.few">few: {{ kpi.units }} units</span><span v-else :title="'95 % interval ' + kpi.interval">target {{ kpi.target.toFixed(1) }} · {{ kpi.interval }}</span></p></div><Spark :points="kpi.fpy_spark" :width="104" :height="36"/></div>
    <div class="kpi"><div><h3>Final yield</h3><p class="v" :class="{few: kpi.few}">{{ kpi.final }}<i v-if="kpi.units">%</i></p><p class="s">{{ kpi.open ? n(kpi.open) + ' not passed' : 'all passed' }}</p></div><Spark :points="kpi.final_spark" :width="72" :height="30"/></div>
    <div class="kpi"><div><h3>Units</h3><p class="v">{{ n(kpi.parts) }}</p><p class="s">{{ kpi.procedures }} procedure{{ kpi.procedures === 1 ? '' : 's' }} · {{ n(kpi.runs) }} run{{ kpi.runs === 1 ? '' : 's' }}</p></div><Spark :points="kpi.unit_spark" :width="92" :height="30"/></div>
    <div class="kpi"><div><h3>Retests</h3><p class="v">{{ kpi.retest_percent }}<i v-if="kpi.runs">%</i></p><p class="s">{{ n(kpi.retests) }} of {{ n(kpi.runs) }} runs</p></div><Spark :points="kpi.retest_spark" :width="72" :height="30"/></div>
    <div class="kpi"><div><h3>Without verdict</h3><p class="v">{{ n(kpi.errors + kpi.unjudged) }}</p><p class="s"><span :class="{'c-error': kpi.errors}"><Icon name="error" size="13"/>{{ n(kpi.errors) }} ERROR</span> <span :class="{'c-unj': kpi.unjudged}"><Icon name="unjudged" size="13"/>{{ n(kpi.unjudged) }} UNJUDGED</span></p></div></div>
    <div class="kpi"><div><h3>Machines live</h3><p class="v">{{ reporting }}<i> of {{ count }}</i></p><p class="s"><span v-if="states.stale" class="c-stale"><Icon name="stale" size="13"/>{{ states.stale }} stale</span><span v-if="states.offline" class="c-off"><Icon name="offline" size="13"/>{{ states.offline }} offline</span><span v-if="states.never" class="c-off">{{ states.never }} never</span><span v-if="reporting === count">all of them</span></p></div>
      <span class="dots" aria-hidden="true"><i v-for="state in dots" :class="state"></i></span></div>
  </section>
  <div class="lines" :style="{'--columns': columns}"><section v-for="each in visible" class="lrow" :aria-label="'Line ' + each.line">
    <div class="lh"><span class="l1"><b>{{ each.line }}</b><span :title="each.product">{{ each.products > 1 ? each.products + ' products' : each.product }}</span></span>
      <span class="l2" :class="{few: each.few}" :title="doubtOf(each)"><b>{{ each.rty }}</b><i><template v-if="each.units">% </template>RTY<template v-if="each.few && each.units">, few</template></i></span>
      <Spark :points="each.spark" :width="128" :height="26"/>
      <span class="l3"><span v-if="each.least" :title="doubtOf(each)">few: {{ each.least.procedure }} {{ each.least.units }}</span><span v-else>{{ n(each.units) }} unit{{ each.units === 1 ? '' : 's' }}</span><span>{{ each.rate }}/h</span></span></div>
    <div class="tiles"><Tile v-for="id in each.machines" :key="id" :tile="tiles[id]"/></div>
  </section></div>
  <button class="drawer" type="button" :aria-expanded="String(drawer)" aria-label="Trend, failing steps and live results" @click="drawer = !drawer"><Icon name="right" size="16"/></button>
  <aside class="side" :class="{open: drawer}">
    <section class="panel trend"><div class="ph"><h2>First pass yield</h2><small>15 min · band = 95 % interval</small></div><Trend :trend="trend"/></section>
    <section class="panel"><div class="ph"><h2>Failing steps</h2><small>last 60 min · units</small></div><div class="steps">
      <a v-for="([step, units, where, there], i) in steps" class="sr" :href="machineLink(where)"><span class="mono" :title="step">{{ step }}</span><span class="sb"><i :style="{width: units / steps[0][1] * 100 + '%'}" :class="{hot: i === 0 && units >= 3}"></i></span><b>{{ units }}</b><span class="t3">{{ there }} at {{ where }}</span></a>
      <p v-if="!steps.length" class="none t3">No unit failed in the last hour.</p></div></section>
    <section class="panel feed"><div class="ph"><h2>Live results</h2><small>{{ live.status.per_second }} per second</small><span class="grow"></span><button class="btn" type="button" @click="togglePause"><Icon :name="paused ? 'play' : 'pause'" size="13"/>{{ paused ? 'Resume' : 'Pause' }}</button></div>
      <a v-for="run in runs" :key="run.run" class="fr" :class="run.outcome.toLowerCase()" :href="unitLink(run.barcode, run.run)"><Outcome :mark="run.mark"/><span class="mono bcd" :title="run.barcode">{{ run.barcode }}</span><span class="t2">{{ run.machine }}</span><span class="t3 ag"><Age :at="run.at" tenths/></span><em v-if="run.mark !== 'P' && (run.step || run.detail)">{{ run.step }} {{ run.detail }}</em></a></section>
  </aside>
</div>`,
  props: { topic: String },
  data: () => ({
    live,
    tiles: shallowReactive({}),
    lines: [], kpi: {}, trend: null, steps: [], runs: [],
    all: false, paused: false, drawer: false, copied: false,
    compactFrom: COMPACT_FROM,
  }),
  created() {
    this.take(live.frame);
    this.$watch(() => live.frame, (frame) => this.take(frame));
    window.addEventListener("yieldline-pause", this.togglePause);
  },
  unmounted() { window.removeEventListener("yieldline-pause", this.togglePause); },
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
    columns() { return Math.min(9, Math.max(6, ...this.lines.map((each) => each.machines.length))); },
    reporting() { return this.states.live; },
    cards() {
      const rank = { critical: 0, major: 1, minor: 2 };
      const cards = this.list.map((tile) => attentionOf(tile, machineStatus(tile, clock.second), clock.second));
      return cards.filter(Boolean).sort((a, b) => rank[a.severity] - rank[b.severity] || b.weight - a.weight || (a.machine < b.machine ? -1 : 1));
    },
    shown() { return this.all ? this.cards : this.cards.slice(0, CARDS); },
    visible() {
      const lines = this.lines.filter((each) => !this.line || each.line === this.line);
      if (this.count < FOLD_FROM || this.line) return lines;
      const noisy = new Set(this.cards.map((card) => card.machine));
      return lines.map((each) => (each.machines.some((id) => noisy.has(id)) ? each : { ...each, machines: [] }));
    },
    command() {
      const body = { barcode: "SN-1001", machine_id: "MACH-01", product_id: "PROD-A", test_step: "voltage_test", measured_value: 85.5, timestamp: new Date(clock.second * 1000).toISOString().slice(0, 16) + ":00Z" };
      return `curl -X POST ${window.location.origin}/ingest \\\n  -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(body)}'`;
    },
  },
  methods: {
    machineLink,
    unitLink,
    n: thousands,
    doubtOf,
    take(frame) {
      if (!frame.tiles) return;
      if (frame.base === null) {
        const names = new Set(frame.tiles.map((tile) => tile.id));
        for (const id of Object.keys(this.tiles)) if (!names.has(id)) delete this.tiles[id];
      }
      for (const tile of frame.tiles) this.tiles[tile.id] = Object.freeze(tile);
      Object.assign(this, { lines: frame.lines, kpi: frame.kpi, trend: frame.trend, steps: frame.steps });
      const fresh = frame.live.map(Object.freeze);
      this.arrived = frame.base === null ? fresh : [...fresh, ...this.arrived].slice(0, LIVE_RUNS);
      if (!this.paused) this.runs = this.arrived;
    },
    togglePause() {
      this.paused = !this.paused;
      if (!this.paused) this.runs = this.arrived;
    },
    async copy() {
      await navigator.clipboard.writeText(this.command);
      this.copied = true;
    },
  },
};
