// The tiles of a wall: a machine, or a line. Read from 6 m: a figure, a name, few words.
import { Age, clock, Icon, machineStatus, Spark, Tape, thousands } from "yieldline";
import { attentionOf } from "yieldline/attention.js";
import { silence } from "yieldline-wall/turns.js";

export const cardOf = (tile, second) => attentionOf(tile, machineStatus(tile, second), second);

export const MachineTile = {
  components: { Age, Icon, Tape },
  props: { tile: Object },
  template: `
<article class="w" :class="look" :aria-label="tile.id">
  <header><b>{{ tile.id }}</b><Icon v-if="icon" :name="icon" size="52"/></header>
  <p v-if="silent" class="v sil"><span>silent</span> <b>{{ silent }}</b></p>
  <p v-else class="v" :class="{low: tile.low, few: tile.few}">{{ tile.fpy }}<i v-if="tile.units">%</i></p>
  <Tape :marks="tile.tape"/>
  <footer><span class="why">{{ reason }}</span><span v-if="silent && look.crit">silent</span><span v-else-if="silent">{{ tile.units ? 'was ' + tile.fpy + ' %' : '' }}</span><span v-else-if="card?.severity === 'critical'">{{ tile.fails }} in a row</span><Age v-else-if="tile.last !== null" :at="tile.last"/></footer>
</article>`,
  computed: {
    status() { return machineStatus(this.tile, clock.second); },
    card() { return cardOf(this.tile, clock.second); },
    silent() {
      const since = { stale: this.tile.last, offline: this.tile.last ?? this.tile.offline }[this.status];
      return since === undefined ? null : silence(clock.second - since);
    },
    look() { return { crit: this.card?.severity === "critical", stale: this.silent !== null && this.card?.severity !== "critical", off: this.status === "offline" }; },
    icon() {
      if (this.card?.severity === "critical") return "critical";
      if (this.silent !== null) return this.status;
      return this.card?.severity ?? (this.tile.marginal === null ? null : "marginal");
    },
    reason() {
      const { tile } = this;
      if (this.card?.severity === "critical") return tile.why?.step ?? "";
      if (this.silent !== null) return this.status.toUpperCase();
      if (this.status === "never") return "no result yet";
      if (this.card?.severity) return tile.low ? `under ${tile.target.toFixed(1)} %` : `${tile.errors || tile.unjudged} no verdict`;
      if (tile.marginal !== null) return `${tile.marginal} % marginal`;
      return tile.few && tile.units ? `few: ${tile.units}` : `${thousands(tile.units)} units`;
    },
  },
};

export const LineTile = {
  components: { Icon, Spark },
  props: { line: Object, tiles: Array },
  template: `
<article class="w" :class="{crit: severity === 'critical', stale: isSilent && severity !== 'critical'}" :aria-label="'Line ' + line.line">
  <header><b>{{ line.line }}</b><Icon v-if="icon" :name="icon" size="52"/></header>
  <p v-if="isSilent" class="v sil"><span>silent</span> <b>{{ silent }}</b></p>
  <p v-else class="v" :class="{few: line.few}">{{ line.rty }}<i v-if="line.units">% <small>RTY</small></i></p>
  <Spark :points="line.spark" :width="380" :height="38"/>
  <footer><span class="why">{{ reason }}</span><span>{{ line.least ? 'few: ' + line.least.procedure + ' ' + line.least.units : n(line.units) + ' units' }}</span></footer>
</article>`,
  computed: {
    cards() { return this.tiles.map((tile) => cardOf(tile, clock.second)).filter(Boolean); },
    severity() { return ["critical", "major", "minor"].find((each) => this.cards.some((card) => card.severity === each)) ?? null; },
    live() { return this.tiles.filter((tile) => machineStatus(tile, clock.second) === "live").length; },
    isSilent() { return this.tiles.length > 0 && this.live === 0; },
    silent() { return silence(clock.second - Math.max(...this.tiles.map((tile) => tile.last ?? tile.offline ?? clock.second))); },
    icon() { return this.severity === "critical" ? "critical" : this.isSilent ? "stale" : this.severity; },
    reason() {
      const worst = this.cards.find((card) => card.severity === "critical");
      if (worst) return `${worst.machine} ${worst.title}`;
      return this.isSilent ? "STALE" : `${this.live} of ${this.tiles.length} live`;
    },
  },
  methods: { n: thousands },
};
