// Which points make the control lines: all that are shown, or those before a moment that stays in the address.
import { change, clock, Icon, Popover, query } from "yieldline";
import { momentWords } from "yieldline/alertwords.js";
import { fromPlantField, plantField, utc, zoneWords } from "yieldline/words.js";

const FIRST = [25, 50, 100];
const seconds = (text) => Date.parse(text) / 1000;

export const baselineOf = () => (Number.isNaN(Date.parse(query.baseline ?? "")) ? "" : query.baseline);

export const Baseline = {
  components: { Icon, Popover },
  props: { points: Array },
  template: `<Popover label="Baseline of the control chart" look="chip an-chip"><template #button><em>Baseline</em>{{ words }}<Icon name="down" size="13"/></template><template #default="{ close }"><h3>Points that make the lines</h3><ul class="choices"><li><button type="button" :class="{on: !until}" @click="choose(''); close()">all that are shown</button></li><li v-for="each in firsts"><button type="button" @click="choose(each.until); close()">the first {{ each.count }}</button></li></ul><form class="span" @submit.prevent="choose(utcOf(at)); close()"><label>those before <input v-model="at" type="datetime-local" required></label><p><span class="t3">{{ zone }}</span><button class="btn">Apply</button></p></form></template></Popover>`,
  data() { return { at: baselineOf() ? plantField(seconds(baselineOf())) : "" }; },
  computed: {
    until: baselineOf,
    words() { return this.until ? `before ${momentWords(seconds(this.until), clock.second)}` : "all points"; },
    firsts() { return FIRST.filter((count) => count < this.points.length).map((count) => ({ count, until: this.points[count].timestamp })); },
    zone() { return zoneWords(this.points.length ? seconds(this.points[0].timestamp) : Date.now() / 1000); },
  },
  methods: {
    choose(until) { change({ baseline: until }); },
    utcOf: (field) => utc(fromPlantField(field)),
  },
};
