// A machine's last verdict alone, for a screen beside it: read from three metres, kept until the next run.
import { caller, clock, clockTime, duration, Icon, live, meet, startLive, unitLink } from "yieldline";
import { keepLogin } from "yieldline/stay.js";
import "yieldline/theme.js";
import { stateOf } from "yieldline-machine/state.js";
import { attemptWords, iconOf, isLong } from "yieldline-machine/verdict.js";

export default {
  components: { Icon },
  props: { frame: Object, view: String, zone: String, caller: Object },
  template: `
<main class="kiosk" :class="[{cut: live.isCut, silent: state.status !== 'live'}, last ? last.outcome.toLowerCase() : 'none']">
  <p v-if="who.isGuest" class="openbar bad" role="note"><b>Nobody has to log in.</b> Everyone who reaches this address sees everything.</p>
  <header><b>{{ tile.id }}</b><span>{{ tile.procedure ?? '' }}</span><span class="grow"></span><span v-if="live.isCut" class="say" role="alert">No connection for {{ duration(live.lostFor) }}. This is not live.</span><span v-else-if="state.status !== 'live'" class="say"><Icon :name="state.icon" size="40"/>{{ state.word }} {{ state.since.replace(/^silent /, '') }}</span><span v-else>{{ duration(clock.second - tile.last) }} ago</span></header>
  <section v-if="last" role="status" :aria-label="last.outcome + ', ' + last.barcode"><Icon class="sign" :name="icon"/><p class="word" :class="{long: isLong(last.outcome)}">{{ last.outcome }}</p></section>
  <section v-else><p class="word long">no run yet</p></section>
  <footer v-if="last"><p class="unit mono"><a :href="unitLink(last.barcode, last.run)">{{ last.barcode }}</a></p>
    <p v-if="last.mark !== 'P' && last.step" class="why"><span class="mono">{{ last.step }}</span> <b>{{ last.value || last.detail }}</b> <span v-if="last.limit">limit {{ last.limit }}</span></p><p v-else class="why">{{ last.mark === 'M' ? 'marginal' : 'no step failed' }}</p>
    <p class="when">{{ clockTime(last.started) }}, {{ attemptWords(last) }}<template v-if="last.agrees === false">, the tester said {{ last.reported }}</template></p></footer>
</main>`,
  data: () => ({ clock, live, who: caller, shown: null }),
  created() {
    meet(this.caller);
    keepLogin();
    startLive(this.view, this.frame, this.zone);
    this.take(live.frame);
    this.$watch(() => live.frame, this.take);
  },
  mounted() { window.addEventListener("keydown", this.leave); },
  beforeUnmount() { window.removeEventListener("keydown", this.leave); },
  computed: {
    tile() { return this.shown.tile; },
    last() { return this.shown.verdict; },
    state() { return stateOf(this.tile, this.shown.online, clock.second); },
    icon() { return iconOf(this.last.outcome); },
  },
  methods: {
    attemptWords, clockTime, duration, isLong, unitLink,
    take(frame) {
      if (frame.tile) this.shown = Object.freeze(frame);
    },
    leave({ key }) {
      if (key === "Escape") window.location.assign(window.location.pathname);
    },
  },
};
