// The journey: a column a procedure, a card an attempt. Arrows walk through the cards, Enter opens one.
import { Icon, Outcome, unitLink } from "yieldline";
import { within } from "./boxes.js";

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
const LANES_MAX = 6; // side by side

export const Journey = {
  components: { Icon, Outcome },
  props: { lanes: Array, barcode: String, fresh: Object },
  emits: ["choose", "showFresh"],
  template: `
<section class="panel jr" :class="'of' + width" aria-label="Journey" :style="{gridTemplateColumns: columns}" @keydown="walk">
  <p class="fresh" role="status"><template v-if="fresh"><Icon name="redo"/>New run at {{ fresh.time }}: {{ fresh.word }} at {{ fresh.procedure }}, {{ fresh.machine }}. <button v-if="!fresh.isShown" class="lnk" type="button" @click="$emit('showFresh')">Show it</button></template></p>
  <section v-for="lane in lanes" class="lane" :aria-label="lane.procedure"><h3><b :title="lane.procedure">{{ lane.procedure }}</b><span>{{ lane.ahead ? '–' : lane.count }}</span></h3>
    <div class="cards"><p v-if="lane.hidden" class="t3">{{ lane.hidden }} earlier runs are not shown here</p>
    <div v-if="lane.ahead" class="at none" :title="lane.ahead.reason"><span class="o c-unj"><Icon name="unjudged" size="16"/>not run</span><b class="t2">{{ lane.ahead.allowed ? 'may be run' : 'refused' }}</b><em>{{ lane.ahead.reason }}</em></div>
    <a v-for="card in lane.cards" :key="card.run" class="at" :class="[card.outcome, {sel: card.selected, new: fresh?.run === card.run}]" :href="unitLink(barcode, card.run)" :aria-current="card.selected ? 'true' : null" :title="card.full" @click.exact.prevent="$emit('choose', card.run)"><Outcome :mark="card.mark" size="16"/><b>{{ card.machine }}</b><span class="t3">{{ card.time }}</span><em :class="{wr: card.retest}" :title="card.note"><span v-if="card.differs" class="c-marg" :title="'The tester said ' + card.reported">≠ </span>{{ card.note }}</em></a></div></section>
</section>`,
  computed: {
    width() { return Math.min(LANES_MAX, Math.max(3, this.lanes.length)); },
    columns() { return `repeat(${this.width}, minmax(0, 1fr))`; },
    selected() { return this.lanes.flatMap((lane) => lane.cards).find((card) => card.selected)?.run; },
  },
  mounted() { this.$watch(() => this.selected, this.showSelected, { immediate: true, flush: "post" }); },
  methods: {
    unitLink,
    showSelected() {
      for (const box of this.$el.querySelectorAll(".cards")) within(box, box.querySelector(".sel"));
    },
    walk(event) {
      const by = STEPS[event.key];
      const cards = [...this.$el.querySelectorAll("a.at")];
      const next = by && cards[cards.indexOf(document.activeElement) + by];
      if (!next || !cards.includes(document.activeElement)) return;
      event.preventDefault();
      next.focus();
    },
  },
};
