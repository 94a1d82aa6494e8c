// The wall: is my line fine? No menu, no cursor, no scrolling; drawn at 1920 × 1080 and scaled to the screen.
import { clock, clockMinute, duration, Icon, live, lookAt, machineStatus, meet, Spark, startLive, thousands } from "yieldline";
import { signsOf } from "yieldline/cards.js";
import { keepLogin } from "yieldline/stay.js";
import "yieldline/theme.js";
import { ringing } from "yieldline-wall/ringing.js";
import { cardOf, LineTile, MachineTile } from "yieldline-wall/tiles.js";
import { columnsFor, movedBy, oneOf, takeTurns, turnAt } from "yieldline-wall/turns.js";
import { shallowReactive } from "vue";

const WIDTH = 1920;
const HEIGHT = 1080;
const LISTED = 6;

export default {
  components: { Icon, LineTile, MachineTile, Spark },
  props: { frame: Object, zone: String, plant: String, caller: Object },
  template: `
<div class="wallroom"><main class="wall" :class="{cut: live.isCut, plant: !line}" :style="place">
  <header class="wh"><h1>{{ line || plant }}</h1><span class="p">{{ product }}</span><span class="grow"></span>
    <span class="lv" :class="{lost: live.lostFor}"><Icon :name="live.lostFor ? 'stale' : 'pass-line'" size="34"/>{{ live.lostFor ? 'reconnecting' : 'live' }}</span><span class="s">{{ live.status.shift }}</span><span class="c">{{ time }}</span></header>
  <p v-if="live.isCut" class="cutoff" role="alert"><Icon name="offline" size="64"/>No connection for {{ duration(live.lostFor) }}. Numbers are not live.</p>
  <section v-if="!turns.shown.length" class="nobody"><Icon name="stale" size="96"/><p>{{ nobody }}</p></section>
  <template v-else>
    <section v-if="line" class="lf">
      <div class="bx" :class="{bad: hasCritical}"><h2>RTY, this shift</h2><p class="n" :class="{few: figures.few}">{{ figures.rty }}<i v-if="figures.units">%</i><Icon v-if="hasCritical" name="critical" size="60"/></p><Spark :points="figures.spark" :width="378" :height="78"/><p class="t">{{ figures.least ? 'few: ' + figures.least.procedure + ' ' + figures.least.units : n(figures.units) + ' units' }}</p></div>
      <div class="bx"><h2>Units</h2><p class="n">{{ n(figures.units) }}</p><p class="t">{{ figures.rate }} an hour</p></div>
      <div class="bx"><h2>One unit every</h2><p class="n">{{ every[0] }}<i>{{ every[1] }}</i></p><p class="t">{{ liveCount }} of {{ all.length }} machines live</p></div>
    </section>
    <section v-else class="lf ring"><div class="bx list"><h2>Alerts</h2><ol v-if="alerts.length"><li v-for="alert in listed" :key="alert.key"><Icon :name="alert.severity" size="48" :class="'c-' + alert.severity"/><div><b>{{ alert.name }}</b><span>{{ alert.words }}</span></div></li></ol><p v-else class="t calm"><Icon name="pass-line" size="48"/>Nothing rings.</p><p v-if="count > listed.length" class="t">and {{ n(count - listed.length) }} more</p></div></section>
    <section class="gr" :class="'c' + columns" :style="{'--columns': columns, '--rows': rows}"><template v-if="line"><MachineTile v-for="tile in turns.shown" :key="tile.id" :tile="tile"/></template><template v-else><LineTile v-for="each in turns.shown" :key="each.line" :line="each" :tiles="tilesOf(each)"/></template></section>
    <footer class="tk" :class="said ? said.severity : 'calm'"><template v-if="said"><Icon :name="said.severity" size="56"/><b>{{ said.name }}</b> <span class="msg">{{ said.words }}</span><span class="nx">{{ said.state }}</span></template><template v-else><Icon name="pass-line" size="48"/><span class="msg">Nothing needs attention.</span></template><span v-if="turns.pages > 1" class="pg">{{ turns.page + 1 }} of {{ turns.pages }}</span></footer>
  </template>
</main></div>`,
  data: () => ({ clock, live, tiles: shallowReactive({}), lines: [], rung: [], signs: [], line: new URLSearchParams(window.location.search).get("line") ?? "", scale: 1, left: 0, top: 0 }),
  created() {
    meet(this.caller);
    keepLogin();
    startLive("floor", this.frame, this.zone);
    this.shiftEnd = live.status.shift_end;
    this.take(live.frame);
    this.$watch(() => live.frame, this.take);
    lookAt(this.line ? `floor/${this.line}` : "floor"); // a line's own alerts come before those of others
  },
  mounted() {
    window.addEventListener("resize", this.fit);
    this.fit();
  },
  unmounted() {
    window.removeEventListener("resize", this.fit);
  },
  computed: {
    turn: () => turnAt(clock.second),
    time: () => clockMinute(clock.second),
    all() { return Object.values(this.tiles).filter((tile) => !this.line || tile.line === this.line); },
    figures() { return this.lines.find((each) => each.line === this.line) ?? {}; },
    product() { return this.line ? (this.figures.products > 1 ? `${this.figures.products} products` : (this.figures.product ?? "")) : `${this.lines.length} line${this.lines.length === 1 ? "" : "s"}`; },
    ordered() {
      if (!this.line) return this.lines;
      return (this.figures.machines ?? []).map((id) => this.tiles[id]).filter(Boolean);
    },
    isCritical() {
      const isBad = (tile) => cardOf(tile, clock.second)?.severity === "critical";
      return this.line ? isBad : (each) => this.tilesOf(each).some(isBad);
    },
    hasCritical() { return this.all.some((tile) => cardOf(tile, clock.second)?.severity === "critical"); },
    turns() { return takeTurns(this.ordered, this.isCritical, this.turn); },
    columns() { return columnsFor(this.turns.shown.length); },
    rows() { return Math.ceil(this.turns.shown.length / this.columns); },
    liveCount() { return this.all.filter((tile) => machineStatus(tile, clock.second) === "live").length; },
    every() {
      const seconds = this.figures.rate ? 3600 / this.figures.rate : null;
      if (seconds === null) return ["–", ""];
      return seconds < 600 ? [seconds.toFixed(seconds < 100 ? 1 : 0), "s"] : [Math.round(seconds / 60), "min"];
    },
    alerts() {
      const own = this.rung.filter((each) => !this.line || each.line === this.line);
      return ringing(own, this.signs, Object.fromEntries(this.all.map((tile) => [tile.id, tile])), clock.second);
    },
    // The plant's own count where more ring than have a card.
    count() { return Math.max(live.status.alerts_open ?? 0, this.alerts.length); },
    listed() { return this.alerts.slice(0, LISTED); },
    said() { return oneOf(this.alerts, this.turn); },
    nobody() {
      const names = this.lines.map((each) => each.line);
      if (!names.length) return "No machine has reported yet.";
      return `No machine of line ${this.line} has reported this shift. Lines that have: ${names.join(", ")}.`;
    },
    place() {
      const [right, down] = movedBy(clock.second);
      return { transform: `translate(${this.left + right}px,${this.top + down}px) scale(${this.scale})` };
    },
  },
  methods: {
    duration,
    n: (count) => (count === undefined ? "–" : thousands(count)),
    tilesOf(line) { return line.machines.map((id) => this.tiles[id]).filter(Boolean); },
    fit() {
      this.scale = Math.min(window.innerWidth / WIDTH, window.innerHeight / HEIGHT);
      this.left = Math.max(0, (window.innerWidth - WIDTH * this.scale) / 2);
      this.top = Math.max(0, (window.innerHeight - HEIGHT * this.scale) / 2);
    },
    take(frame) {
      // A new shift begins with a fresh page; the frame says so, and a frame proves there is a server.
      if (live.status.shift_end !== this.shiftEnd) return void window.location.reload();
      if (frame.alerts) Object.assign(this, { rung: Object.freeze(frame.alerts), signs: Object.freeze(signsOf(frame)) });
      if (!frame.tiles) return;
      if (frame.base === null) {
        const names = new Set(frame.tiles.map((tile) => tile.id));
        for (const id of Object.keys(this.tiles)) if (!names.has(id)) delete this.tiles[id];
      }
      for (const tile of frame.tiles) this.tiles[tile.id] = Object.freeze(tile);
      this.lines = frame.lines;
    },
  },
};
