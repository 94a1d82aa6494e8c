// One unit: its verdict, its journey, the chosen run with every value against its limits, its message.
// It follows its unit: a new run appears by itself. Run and measurement are in the address.
import { call, change, clock, Icon, live, onKey, Outcome, query, question, setAside, thousands, Trouble, unitLink } from "yieldline";
import { addressOf } from "yieldline/api.js";
import { Among } from "yieldline-unit/among.js";
import { UnitHead } from "yieldline-unit/head.js";
import { Journey } from "yieldline-unit/journey.js";
import { Measurements } from "yieldline-unit/measurements.js";
import { Message } from "yieldline-unit/message.js";
import { Rejudged } from "yieldline-unit/rejudged.js";
import { toRaw } from "vue";

const LOOKS_EVERY_MS = 2000;
const MONTH_S = 30 * 86_400;

export default {
  components: { Among, Icon, Journey, Measurements, Message, Outcome, Rejudged, UnitHead },
  props: ["given"],
  template: `
<div class="un">
  <UnitHead :head="shown.head" :run="shown.run"/>
  <Journey :lanes="shown.lanes" :barcode="shown.head.barcode" :fresh="fresh" @choose="chooseRun" @show-fresh="chooseRun(fresh.run)"/>
  <section class="panel run" :aria-busy="isAsking ? 'true' : null">
    <div class="rh"><Outcome :mark="run.mark" size="20" class="only"/><h2>{{ run.title }}</h2><span class="t2 facts" :title="run.facts">{{ run.facts }}</span><span class="grow"></span><span class="t3">{{ run.counts }}</span></div>
    <div v-if="error" class="note" role="alert"><Icon name="offline" size="17"/><span>{{ error }}</span><button class="btn" type="button" @click="load"><Icon name="redo"/>Try again</button></div>
    <div v-if="run.disagreement" class="note" role="note"><Icon name="differs" size="17"/><span>{{ run.disagreement }}</span><a class="lnk" :href="likeThis">{{ othersLikeThis }} like this at {{ run.machine }}</a></div>
    <div v-if="run.clock_suspect" class="note" role="note"><Icon name="stale" size="17"/><span>The machine's clock is suspect: its times may be wrong.</span></div>
    <Measurements :key="run.id + '-' + shown.left_out" :rows="shown.rows" :chosen="chosen" @choose="chooseRow"/>
    <div class="ft"><span>not PASS first, then in test order</span><span class="grow"></span><a v-if="shown.left_out" class="lnk" :href="unitLink(shown.head.barcode, run.id) + '&all=1'" @click.exact.prevent="showAll">{{ shown.left_out }} more PASS, show all</a></div>
  </section>
  <aside class="ev">
    <section class="panel way"><div class="ph"><h2>Way of this result</h2></div><ol><li v-for="each in shown.way"><b>{{ each.what }}</b><span class="tm">{{ each.when }}</span><em :title="each.note">{{ each.note }}</em></li></ol></section>
    <Message :message="message" :run="run" :mark="row?.outcome"/>
    <Among :row="row" :run="run" :barcode="shown.head.barcode"><Rejudged :run="run"/></Among>
  </aside>
</div>`,
  data() {
    return { monthAgo: new Date((Math.floor(clock.second / 3600) * 3600 - MONTH_S) * 1000).toISOString(), shown: Object.freeze(toRaw(this.given)), message: null, chosen: null, error: "", isAsking: false, fresh: null };
  },
  created() {
    setAside("step");
    this.take(this.shown);
    this.others = question(() => (this.run.disagreement ? "/api/v1/results/count" : ""), () => ({ ...this.disagreeing, since: this.monthAgo }), { isFiltered: false });
    this.$watch(() => [query.run ?? "", query.all ?? ""], this.load);
    this.$watch(() => [query.step, query.nth ?? ""], this.markRow);
    this.$watch(() => [live.status.newest, clock.second], this.look);
    onKey("e", "evidence pack", () => this.$el.querySelector(".pack").click());
  },
  beforeUnmount() { this.leaving?.abort(); },
  computed: {
    run() { return this.shown.run; },
    row() { return this.shown.rows.find((each) => each.step === this.chosen.step && each.nth === this.chosen.nth); },
    disagreeing() { return { machine_id: this.run.machine, procedure: this.run.procedure, agrees: "false" }; },
    likeThis() { return addressOf("/results", { ...this.disagreeing, range: "30d" }); },
    // This run is one of them where the tester's word on the whole run is contradicted.
    othersLikeThis() {
      const { data } = this.others;
      const count = data ? data.count - (this.run.is_contradicted ? 1 : 0) : 0;
      return count > 0 ? `${thousands(count)}${data.is_complete ? "" : "+"} more` : "Others";
    },
  },
  methods: {
    unitLink,
    take(shown) {
      Object.assign(this, { shown: Object.freeze(shown), message: Object.freeze(shown.message), chosen: shown.chosen, error: "" });
    },
    // The newest run is shown as long as the address names none.
    chooseRun(run) { change({ run: String(run) }); },
    chooseRow({ step, nth }) { change({ step, nth: nth || "" }, { replaces: true }); },
    showAll() { change({ run: String(this.run.id), all: "1" }); },
    async ask(path, given) {
      this.leaving?.abort();
      const leaving = (this.leaving = new AbortController());
      this.isAsking = true;
      try {
        return await call(addressOf(path, { step: query.step, nth: query.nth, ...given }), { signal: leaving.signal });
      } catch (error) {
        if (error instanceof Trouble) this.error = error.message;
        else if (error.name !== "AbortError") throw error;
        return null;
      } finally {
        if (this.leaving === leaving) this.isAsking = false;
      }
    },
    async load() {
      const shown = await this.ask("/api/v1/pages/unit", { barcode: this.shown.head.barcode, run: query.run, all: query.all });
      if (!shown) return;
      if (this.fresh) this.fresh = { ...this.fresh, isShown: this.fresh.run === shown.run.id };
      this.take(shown);
    },
    // Another measurement of the same run: only its bytes are asked for.
    async markRow() {
      if (query.step === this.chosen.step && (Number(query.nth) || 0) === this.chosen.nth) return;
      const { head, run, message } = this.shown;
      const marked = await this.ask(`/api/v1/pages/message/${run.id}`, { barcode: head.barcode });
      if (marked && run.id === this.run.id) Object.assign(this, { message: Object.freeze({ ...marked, hash: message.hash }), chosen: { step: query.step, nth: Number(query.nth) || 0 }, error: "" });
    },
    // Results came: is one of them of this unit? Asked every 2 s at most, while someone looks.
    async look() {
      const now = performance.now();
      if (document.hidden || this.isLooking || live.status.newest === this.lookedFor || now - (this.lookedAt ?? -LOOKS_EVERY_MS) < LOOKS_EVERY_MS) return;
      Object.assign(this, { isLooking: true, lookedAt: now, lookedFor: live.status.newest });
      try {
        const { head, newest } = this.shown;
        const { count } = await call(addressOf("/api/v1/results/count", { barcode: head.barcode, after: newest }));
        if (count) await this.follow(newest);
      } catch (error) {
        if (!(error instanceof Trouble)) throw error; // the pulse says that the server is away
      } finally {
        this.isLooking = false;
      }
    },
    async follow(before) {
      await this.load();
      const card = this.shown.lanes.flatMap((lane) => lane.cards.map((each) => ({ ...each, procedure: lane.procedure }))).filter((each) => each.run > before).at(-1);
      if (card) this.fresh = { run: card.run, time: card.time, word: card.outcome.toUpperCase(), procedure: card.procedure, machine: card.machine, isShown: card.selected };
    },
  },
};
