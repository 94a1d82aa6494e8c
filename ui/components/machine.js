// One machine: did it pass, and is this station healthy? State, verdict, tape, values and last runs come
// with the frames; the past of the chosen time range is asked of the API.
import { clock, clockMinute, Icon, live, may, needs, onKey, query, question, refresh, scope, setAside, Trouble } from "yieldline";
import { acknowledge, attentionCards, titleOf } from "yieldline/cards.js";
import { Differing, Failing } from "yieldline-machine/steps.js";
import { LiveChart } from "yieldline-machine/livechart.js";
import { meansOf } from "yieldline-machine/means.js";
import { Peers } from "yieldline-machine/peers.js";
import { Runs } from "yieldline-machine/runs.js";
import { Agent, Facts } from "yieldline-machine/state.js";
import { Strip } from "yieldline-machine/strip.js";
import { Verdict } from "yieldline-machine/verdict.js";

const ASK_EVERY_MS = 30_000; // while runs come: the past grows slowly
const LONG_S = 172_800; // a longer range is asked once: it moves too little for what it costs
const STEPS_MAX = 100;
const ROLE = "operator"; // who may acknowledge
const ASIDE = ["line", "product_id", "procedure", "machine_id", "step", "barcode", "outcome", "agrees", "fixture", "operator", "golden", "first_failure", "differs"];

const seconds = (text) => Date.parse(text) / 1000;

export default {
  components: { Agent, Differing, Facts, Failing, Icon, LiveChart, Peers, Runs, Strip, Verdict },
  props: { topic: String },
  template: `
<div class="ma">
  <section v-if="card" class="al" :class="[card.severity, {seen: !card.isOpen}]" role="status"><Icon :class="card.isOpen ? 'c-' + card.severity : ''" :name="card.isOpen ? card.severity : 'bell'" size="22"/><span class="one"><b>{{ titleOf(card) }}</b>&ensp;<span v-if="card.step" class="mono">{{ card.step }}</span> {{ card.text }}&ensp;<span class="t2">{{ card.severity }}, {{ card.since }}</span></span><span class="grow"></span><a v-if="others" class="lnk" :href="'/alerts?machine_id=' + id">+{{ others }} more</a><span v-if="trouble" class="c-fail" role="alert">{{ trouble }}</span><a v-if="card.alertHref" class="btn" :href="card.alertHref">Show evidence{{ card.runs ? ', ' + card.runs + ' run' + (card.runs === 1 ? '' : 's') : '' }}</a><button v-if="card.id && card.isOpen" class="btn pri" type="button" v-bind="needs(role)" @click="see">Acknowledge <kbd>A</kbd></button></section>
  <Verdict :last="last" :topic="topic" :machine="id"/>
  <Facts :frame="frame" :topic="topic" :set-up="history.data?.set_up" :program-since="programSince"/>
  <Strip :machine="id" :tile="tile" :marks="frame.marks" :history="history" :rulebooks="rulebooks"/>
  <LiveChart :machine="id" :of="chosen" :steps="steps" :values="frame.values" :means="means" :books="rulebooks"/>
  <div class="col"><Failing :machine="id"/><Differing :machine="id"/></div>
  <Runs :runs="frame.runs" :machine="id"/>
  <Peers :machine="id" :peers="frame.peers" :procedure="last?.procedure" :target="tile.target" :step="chosen.step" :means="means"/>
  <Agent :frame="frame" :machine="id"/>
</div>`,
  data: () => ({ frame: live.frame, clock, query, means: {}, trouble: "", seen: new Set(), role: ROLE }),
  created() {
    setAside(...ASIDE);
    this.id = live.frame.tile.id;
    const machine = { machine_id: this.id };
    this.history = question(`/api/v1/machines/${encodeURIComponent(this.id)}/history`, () => ({ since: scope.since ?? new Date(0).toISOString(), silent_after_s: this.tile.stale }));
    this.books = question("/api/v1/rulebooks", () => ({}), { isFiltered: false });
    this.measured = question(() => (this.last ? "/api/v1/capability" : ""), () => ({ ...machine, product_id: this.last?.product, procedure: this.last?.procedure, limit: STEPS_MAX }));
    this.$watch(() => live.frame, this.take);
    this.$watch(() => [this.frame.verdict?.run, live.status.alerts_event], this.askSoon);
    this.$watch(() => this.chosen, this.watchStep, { immediate: true });
    this.$watch(() => [JSON.stringify(this.chosen), JSON.stringify(this.peerNames), scope.number], this.askMeans, { immediate: true });
    onKey("a", "acknowledge the alert above", this.see);
  },
  beforeUnmount() {
    clearTimeout(this.waiting);
    this.leaving?.abort();
  },
  computed: {
    tile() { return this.frame.tile; },
    last() { return this.frame.verdict; },
    cards() {
      const alerts = this.frame.alerts.map((each) => (this.seen.has(each.id) && each.state === "open" ? { ...each, state: "acknowledged", by: each.by ?? "you" } : each));
      return attentionCards(alerts, { [this.id]: this.tile }, clock.second);
    },
    card() { return this.cards[0] ?? null; },
    others() { return Math.max(0, this.cards.length - 1); },
    rulebooks() { return (this.books.data?.items ?? []).map((each) => ({ version: each.version, at: seconds(each.activated_at) })); },
    programSince() {
      const { programs = [] } = this.history.data ?? {};
      return programs.length > 1 ? `since ${clockMinute(seconds(programs.at(-1).since))}` : "";
    },
    // Failing ones first, then those that fit their limits worst.
    steps() { return [...new Set([...this.frame.steps.map(([step]) => step), ...(this.measured.data?.items ?? []).map((each) => each.test_step)])]; },
    chosen() { return { step: query.step || this.steps[0] || "", product: this.last?.product ?? "", procedure: this.last?.procedure ?? "" }; },
    peerNames() { return this.frame.peers.filter((each) => each.product === this.last?.product).map((each) => each.id); },
  },
  methods: {
    needs, titleOf,
    take(frame) {
      if (frame.tile) this.frame = Object.freeze(frame);
    },
    // The frames bring values of the step that the chart shows.
    watchStep({ step }) { live.view = `machine:${this.id}${step ? `/${step}` : ""}`; },
    askSoon() {
      const isLong = !scope.since || clock.second - seconds(scope.since) > LONG_S;
      if (this.waiting || isLong || scope.until !== null || document.hidden) return;
      this.waiting = setTimeout(() => {
        this.waiting = 0;
        void refresh();
      }, ASK_EVERY_MS);
    },
    async askMeans() {
      this.leaving?.abort();
      this.leaving = new AbortController();
      const { signal } = this.leaving;
      const found = this.chosen.step && this.chosen.product ? await meansOf({ machines: this.peerNames, ...this.chosen }, signal) : {};
      if (!signal.aborted) this.means = Object.freeze(found);
    },
    async see() {
      if (!this.card?.id || !this.card.isOpen || !may(ROLE)) return;
      this.trouble = "";
      try {
        await acknowledge([this.card.id]);
        this.seen = new Set([...this.seen, this.card.id]);
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        this.trouble = error.message;
      }
    },
  },
};
