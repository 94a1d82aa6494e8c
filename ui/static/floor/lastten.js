// The last ten runs of the machine whose tile the pointer rests on, or the focus: asked when that happens.
import { call, clock, clockTime, Outcome, Trouble } from "yieldline";
import { addressOf } from "yieldline/api.js";

const REST_MS = 350; // a pointer on its way elsewhere asks nothing
const RUNS = 10;
const APART = 6;
const MARKS = { PASS: "P", FAIL: "F", ERROR: "E", UNJUDGED: "U" };

export const LastTen = {
  components: { Outcome },
  template: `<div ref="box" popover="manual" class="popbox last10" role="tooltip"><h3>{{ machine }}, last {{ runs.length }} run{{ runs.length === 1 ? '' : 's' }}</h3><p v-if="trouble" class="c-marg">{{ trouble }}</p><table v-else class="grid"><tbody><tr v-for="run in runs" :key="run.run_id" :class="run.outcome.toLowerCase()"><td><Outcome :mark="marks[run.outcome]" size="13"/></td><td class="t2">{{ at(run) }}</td><td class="mono">{{ run.barcode }}</td><td class="mono t2">{{ run.first_failure ?? '' }}</td></tr></tbody></table></div>`,
  data: () => ({ clock, marks: MARKS, machine: "", runs: [], trouble: "" }),
  mounted() {
    this.room = this.$el.parentElement;
    for (const [name, handler] of this.handlers()) this.room.addEventListener(name, handler);
  },
  beforeUnmount() {
    clearTimeout(this.waiting);
    this.leaving?.abort();
    for (const [name, handler] of this.handlers()) this.room.removeEventListener(name, handler);
  },
  methods: {
    handlers() { return [["pointerover", this.rest], ["focusin", this.rest], ["pointerleave", this.hide], ["focusout", this.hide], ["pointerdown", this.hide]]; },
    at: (run) => clockTime(Date.parse(run.timestamp) / 1000),
    rest(event) {
      const tile = event.target.closest?.(".tile");
      if (event.pointerType === "touch" || tile === this.tile) return;
      this.hide();
      if (!tile || (event.type === "focusin" && !tile.matches(":focus-visible"))) return;
      this.tile = tile;
      this.waiting = setTimeout(() => this.show(tile), REST_MS);
    },
    hide() {
      clearTimeout(this.waiting);
      this.leaving?.abort();
      this.tile = null;
      if (this.$refs.box.matches(":popover-open")) this.$refs.box.hidePopover();
    },
    async show(tile) {
      this.leaving = new AbortController();
      const machine = tile.dataset.machine;
      const url = addressOf("/api/v1/results", { machine_id: machine, limit: RUNS, measurements: false });
      try {
        const { items } = await call(url, { signal: this.leaving.signal });
        Object.assign(this, { machine, runs: items, trouble: "" });
      } catch (error) {
        if (error.name === "AbortError") return;
        if (!(error instanceof Trouble)) throw error;
        Object.assign(this, { machine, runs: [], trouble: error.message });
      }
      if (this.tile !== tile || !tile.isConnected) return;
      this.$refs.box.showPopover();
      await this.$nextTick();
      this.place(tile.getBoundingClientRect());
    },
    place(at) {
      const { offsetWidth: width, offsetHeight: height } = this.$refs.box;
      const left = Math.max(APART, Math.min(at.left, window.innerWidth - width - APART));
      const below = at.bottom + APART;
      const top = below + height <= window.innerHeight ? below : Math.max(APART, at.top - height - APART);
      Object.assign(this.$refs.box.style, { left: `${left}px`, top: `${top}px` });
    },
  },
};
