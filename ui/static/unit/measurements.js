// The measurements of a run, each as a bar against its limits. Choosing one marks its bytes in the message.
import { Icon, Outcome } from "yieldline";
import { shallowReactive, toRaw } from "vue";

const ROWS_AT_ONCE = 250;
const CHOOSES_MS = 120; // who holds an arrow down asks once, at the end

// Some rows of the table. Thousands are drawn part by part, so that the page never freezes.
const Rows = {
  components: { Icon, Outcome },
  props: { rows: Array, chosen: Object },
  emits: ["choose"],
  template: `<tbody><tr v-for="row in rows" :class="[row.outcome, {on: isChosen(row)}]" tabindex="-1" :aria-selected="String(isChosen(row))" @click="$emit('choose', row)" @keydown.enter="$emit('choose', row)"><td><Outcome :mark="row.mark" size="16"/></td><td><span class="mono" :title="row.step">{{ row.step }}</span></td><td class="r"><b :title="row.raw">{{ row.value }}</b> <i>{{ row.unit }}</i></td>
      <td class="bars"><svg width="210" height="22" viewBox="0 0 210 22" aria-hidden="true"><path d="M0 11H210" stroke="var(--grid)" stroke-width="6"/><template v-if="row.bar"><path :d="'M' + (row.bar.low ?? 0) + ' 11H' + (row.bar.high ?? 210)" stroke="var(--s3)" stroke-width="6"/><path v-for="at in [row.bar.low, row.bar.high].filter((each) => each !== null)" :d="'M' + at + ' 4V18'" stroke="var(--text-2)" stroke-width="1.6"/><template v-if="row.mark === 'F'"><path :d="'M' + near(row.bar) + ' 11H' + row.bar.value" stroke="var(--fail)" stroke-width="2"/><rect :x="row.bar.value - 5" y="6" width="10" height="10" rx="1.5" fill="var(--fail)"/></template><circle v-else-if="row.mark === 'M'" :cx="row.bar.value" cy="11" r="4.6" fill="var(--s1)" stroke="var(--marginal)" stroke-width="2.2"/><circle v-else :cx="row.bar.value" cy="11" r="4" fill="var(--text)"/></template></svg></td>
      <td class="t2 lm">{{ row.limits }}</td><td class="t2 by">{{ row.by }}</td><td><span class="sd" :class="{dif: row.differs}"><Icon v-if="row.differs" name="differs" size="13"/><span v-if="row.differs" class="sr-only">differs: </span>{{ row.reported || '–' }}</span></td><td class="t2 wy" :title="row.why">{{ row.why }}</td></tr></tbody>`,
  methods: {
    isChosen(row) { return row.step === this.chosen.step && row.nth === this.chosen.nth; },
    near(bar) {
      const limits = [bar.low, bar.high].filter((each) => each !== null);
      return limits.reduce((best, each) => (Math.abs(each - bar.value) < Math.abs(best - bar.value) ? each : best));
    },
  },
};

export const Measurements = {
  components: { Rows },
  props: { rows: Array, chosen: Object },
  emits: ["choose"],
  template: `<div class="scroll" tabindex="0" aria-label="Measurements, arrows choose one" @keydown="walk"><table><thead><tr><th>outcome</th><th>step</th><th class="r val">value</th><th class="bars">against limits</th><th>limits</th><th>judged by</th><th>tester said</th><th></th></tr></thead>
      <Rows v-for="(part, i) in parts" :key="i" :rows="part" :chosen="chosen" @choose="$emit('choose', $event)"/>
    </table></div>`,
  data: () => ({ parts: shallowReactive([]) }),
  created() {
    this.waiting = [...toRaw(this.rows)]; // rows never change: they need no reactivity
    this.drawMore();
  },
  beforeUnmount() {
    this.isGone = true;
    clearTimeout(this.choosing);
  },
  methods: {
    drawMore() {
      if (this.isGone) return;
      this.parts.push(this.waiting.splice(0, ROWS_AT_ONCE).map(Object.freeze));
      if (this.waiting.length) setTimeout(() => requestAnimationFrame(this.drawMore));
    },
    walk(event) {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!by) return;
      const rows = [...this.$el.querySelectorAll("tbody tr")];
      const focused = rows.indexOf(document.activeElement);
      const now = focused >= 0 ? focused : rows.findIndex((row) => row.classList.contains("on"));
      const next = rows[now + by];
      event.preventDefault();
      if (!next) return;
      next.focus();
      clearTimeout(this.choosing);
      this.choosing = setTimeout(() => this.$emit("choose", this.rows[rows.indexOf(next)]), CHOOSES_MS);
    },
  },
};
