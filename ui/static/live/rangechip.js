// The time range in the top bar: the names that the server knows, or two moments of one's own.
import { clock } from "./connection.js";
import { Icon } from "./pictures.js";
import { Popover } from "./panel.js";
import { chooseRange, chooseSpan, query, scope } from "./scope.js";
import { fromPlantField, plantField, zoneWords } from "./words.js";

const DAY_S = 86_400;

const Custom = {
  emits: ["chosen"],
  template: `<form class="span" @submit.prevent="apply"><label>from <input v-model="since" type="datetime-local" required :max="until"></label><label>until <input v-model="until" type="datetime-local" required :min="since"></label><p><span class="t3">{{ zone }}</span><button class="btn">Apply</button></p></form>`,
  data: () => ({
    since: plantField(scope.since ? Date.parse(scope.since) / 1000 : clock.now - DAY_S),
    until: plantField(scope.until ? Date.parse(scope.until) / 1000 : clock.now),
    zone: zoneWords(clock.now),
  }),
  methods: {
    apply() {
      chooseSpan(fromPlantField(this.since), fromPlantField(this.until));
      this.$emit("chosen");
    },
  },
};

export const RangeChip = {
  components: { Custom, Icon, Popover },
  template: `<Popover label="Time range" look="chip range"><template #button><Icon name="clock"/>{{ scope.words }}<em>{{ scope.label }}</em><Icon name="down"/></template><template #default="{ close }"><ul class="choices"><li v-for="each in scope.ranges"><button type="button" :class="{on: each.name === chosen}" :aria-current="each.name === chosen ? 'true' : null" @click="choose(each.name); close()">{{ each.words }}<em>{{ each.label }}</em></button></li></ul><Custom @chosen="close"/></template></Popover>`,
  data: () => ({ scope }),
  computed: {
    chosen: () => (query.since || query.until ? "" : query.range),
  },
  methods: { choose: chooseRange },
};
