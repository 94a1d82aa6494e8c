// A machine as a tile: id, age or sign, first pass yield, tape, units and rate or the reason.
import { Age, clock, duration, Icon, machineLink, machineStatus, Tape, thousands } from "yieldline";
import { kindWord } from "yieldline/alertwords.js";
import { attentionOf } from "yieldline/attention.js";
import { isWorse } from "yieldline/cards.js";

const QUIET = { acknowledged: "bell", shelved: "shelved" };

export const Tile = {
  components: { Age, Icon, Tape },
  props: { tile: Object, quiet: Object, loud: Object },
  template: `
<a class="tile" :class="look" :href="link" :data-machine="tile.id" :aria-label="spoken">
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
    card() { return attentionOf(this.tile, this.status); },
    own() { return this.card?.severity ?? null; },
    // An alert rings on while its trouble pauses: the newest run alone may look well.
    isByAlert() { return this.loud !== undefined && isWorse(this.loud.severity, this.rests ? null : this.own); },
    severity() { return this.isByAlert ? this.loud.severity : this.own; },
    // Somebody has seen this very trouble, or put it on a shelf: it does not call any more.
    rests() { return (this.card?.kind && this.quiet?.[this.card.kind]) || null; },
    icon() {
      if (this.rests && !this.isByAlert) return QUIET[this.rests];
      return this.status === "offline" ? "offline" : this.severity ?? (this.status === "live" && this.tile.marginal !== null ? "marginal" : null);
    },
    look() {
      const calls = !this.rests || this.isByAlert;
      return { stale: this.status === "stale", off: this.status === "offline" || this.status === "never", crit: calls && this.severity === "critical", err: calls && this.severity === "major" && this.status === "live", rests: !calls };
    },
    silence() { return duration(clock.second - (this.status === "offline" ? this.tile.offline : this.tile.last)); },
    reason() {
      if (this.isByAlert) return this.loud.step ?? kindWord(this.loud.kind).toLowerCase();
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
      return `${tile.id}${state}: first pass yield ${tile.fpy} %, ${tile.units} units, ${last}${this.rests ? `, ${this.rests}` : ""}`;
    },
  },
  methods: { n: thousands },
};
