// What needs attention: four cards, the worst first, and a way to the others.
import { Icon, may, needs, onKey, Trouble } from "yieldline";
import { addressOf } from "yieldline/api.js";
import { acknowledge, titleOf } from "yieldline/cards.js";

const SHOWN = 4;
const ROLE = "operator";

export const Attention = {
  components: { Icon },
  props: { cards: Array, reporting: Number, line: String, hasMore: Boolean },
  emits: ["seen"],
  template: `
<section class="att" aria-label="Needs attention">
  <article v-for="card in shown" :key="card.key" class="al" :class="[card.severity, {seen: !card.isOpen}]" :data-alert="card.id"><Icon :class="card.isOpen ? 'c-' + card.severity : 't3'" :name="card.isOpen ? card.severity : 'bell'" size="22"/><div><h3><a class="go" :href="card.href"><b>{{ card.name }}</b> {{ card.title }}</a></h3><p :title="card.text"><span v-if="card.step" class="mono">{{ card.step }}</span> {{ card.text }}</p><p class="m"><span class="w">{{ card.severity }}</span><a v-if="card.alertHref" class="lnk ev" :href="card.alertHref">evidence</a>{{ card.since }}</p></div><button v-if="card.id && card.isOpen" class="btn" type="button" v-bind="needs(role, false, 'Acknowledge (A)')" @click="see(card)">Acknowledge</button></article>
  <div v-if="!cards.length" class="al calm"><Icon name="pass-line" size="22"/><div><h3>Nothing needs attention{{ line ? ' on ' + line : '' }}. {{ reporting }} machine{{ reporting === 1 ? '' : 's' }} reporting.</h3></div></div>
  <p v-if="cards.length > most || trouble" class="more"><a v-if="hasMore" class="lnk" :href="listed">all open alerts</a><span v-if="trouble" class="c-fail" role="alert">{{ trouble }}</span><button v-if="cards.length > most" class="btn" type="button" :aria-expanded="String(all)" @click="all = !all">{{ all ? 'fewer' : '+' + (cards.length - most) + ' more' }}</button></p>
</section>`,
  data: () => ({ all: false, trouble: "", most: SHOWN, role: ROLE }),
  created() { onKey("a", "acknowledge the card with the focus, or the worst", () => this.see(this.meant())); },
  computed: {
    listed() { return addressOf("/alerts", { line: this.line }); },
    shown() { return this.all ? this.cards : this.cards.slice(0, SHOWN); },
  },
  methods: {
    needs, titleOf,
    meant() {
      const focused = Number(document.activeElement?.closest("[data-alert]")?.dataset.alert);
      return this.cards.find((card) => card.id === focused) ?? this.cards.find((card) => card.id && card.isOpen);
    },
    async see(card) {
      if (!card?.id || !card.isOpen || !may(ROLE)) return;
      this.trouble = "";
      try {
        await acknowledge([card.id]);
        this.$emit("seen", card.id);
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        this.trouble = error.message;
      }
    },
  },
};
