// One unit: its verdict, its journey, the selected run with every value against its limits, its message.
import { Icon, Outcome, unitLink } from "yieldline";
import { shallowReactive, toRaw } from "vue";

const ROWS_AT_ONCE = 250;
const BLOCKS = { PASS: "pass-line", FAIL: "fail", ERROR: "error", UNJUDGED: "unjudged" };

// Some rows of the table. Thousands are drawn part by part, so that the page never freezes.
const Rows = {
  components: { Icon, Outcome },
  props: ["rows"],
  template: `<tbody><tr v-for="row in rows" :class="row.outcome"><td><Outcome :mark="row.mark" size="16"/></td><td><span class="mono">{{ row.step }}</span></td><td class="r"><b :title="row.raw">{{ row.value }}</b> <i>{{ row.unit }}</i></td>
      <td class="bars"><svg width="210" height="22" viewBox="0 0 210 22" aria-hidden="true"><path d="M0 11H210" stroke="var(--grid)" stroke-width="6"/><template v-if="row.bar"><path :d="'M' + (row.bar.low ?? 0) + ' 11H' + (row.bar.high ?? 210)" stroke="var(--s3)" stroke-width="6"/><path v-for="at in [row.bar.low, row.bar.high].filter((each) => each !== null)" :d="'M' + at + ' 4V18'" stroke="var(--text-2)" stroke-width="1.6"/><template v-if="row.mark === 'F'"><path :d="'M' + near(row.bar) + ' 11H' + row.bar.value" stroke="var(--fail)" stroke-width="2"/><rect :x="row.bar.value - 5" y="6" width="10" height="10" rx="1.5" fill="var(--fail)"/></template><circle v-else-if="row.mark === 'M'" :cx="row.bar.value" cy="11" r="4.6" fill="var(--s1)" stroke="var(--marginal)" stroke-width="2.2"/><circle v-else :cx="row.bar.value" cy="11" r="4" fill="var(--text)"/></template></svg></td>
      <td class="t2">{{ row.limits }}</td><td class="t2">{{ row.by }}</td><td><span class="sd" :class="{dif: row.differs}"><Icon v-if="row.differs" name="differs" size="13"/><span v-if="row.differs" class="sr-only">differs: </span>{{ row.reported || '–' }}</span></td><td class="t2 wy" :title="row.why">{{ row.why }}</td></tr></tbody>`,
  methods: {
    near(bar) {
      const limits = [bar.low, bar.high].filter((each) => each !== null);
      return limits.reduce((best, each) => (Math.abs(each - bar.value) < Math.abs(best - bar.value) ? each : best));
    },
  },
};

export default {
  components: { Icon, Outcome, Rows },
  props: ["head", "lanes", "run", "rows", "left_out", "way", "message"],
  template: `
<div class="un">
  <section class="panel hd" :aria-label="'Unit ' + head.barcode">
    <div class="vd" :class="head.outcome.toLowerCase()"><Icon :name="block" size="40"/><div><b>{{ head.outcome }}</b><small>{{ head.at }}<em v-if="head.but" class="c-marg">{{ head.but }}</em></small></div></div>
    <div class="id"><h2 class="bc">{{ head.barcode }}<button class="ib" type="button" :aria-label="copied ? 'Copied' : 'Copy the barcode'" @click="copy"><Icon :name="copied ? 'pass-line' : 'copy'" size="20"/></button></h2><p>{{ head.product }} · {{ head.where }}<template v-if="head.others.length"> · the barcode also stands for {{ head.others.join(', ') }}</template></p></div>
    <dl :aria-label="'First pass ' + head.first_pass + ', final ' + head.final"><div><dt>First pass</dt> <dd>{{ head.first_pass }} <span class="t3">{{ head.first_pass_note }}</span></dd></div><div><dt>Final</dt> <dd>{{ head.final }} <span class="t3">{{ head.final_note }}</span></dd></div><div><dt>Runs</dt> <dd>{{ head.runs }} <span class="t3">{{ head.procedures }}</span></dd></div><div><dt>Retests</dt> <dd>{{ head.retests }}</dd></div><div><dt>First seen</dt> <dd>{{ head.first_seen }} <span class="t3">{{ head.first_seen_note }}</span></dd></div></dl>
  </section>
  <section class="panel jr" aria-label="Journey" :style="{gridTemplateColumns: columns}">
    <section v-for="lane in lanes" class="lane" :aria-label="lane.procedure"><h3><b :title="lane.procedure">{{ lane.procedure }}</b><span>{{ lane.count }}</span></h3>
      <div class="cards"><p v-if="lane.hidden" class="t3">{{ lane.hidden }} earlier runs are not shown here</p>
      <a v-for="card in lane.cards" class="at" :class="[card.outcome, {sel: card.selected}]" :href="link(card.run)" :aria-current="card.selected ? 'true' : null" :title="card.full"><Outcome :mark="card.mark" size="16"/><b>{{ card.machine }}</b><span class="t3">{{ card.time }}</span><em :class="{wr: card.retest}"><span v-if="card.differs" class="c-marg" :title="'The tester said ' + card.reported">≠ </span>{{ card.note }}</em></a></div></section>
  </section>
  <section class="panel run">
    <div class="rh"><Outcome :mark="run.mark" size="20" class="only"/><h2>{{ run.title }}</h2><span class="t2 facts" :title="run.facts">{{ run.facts }}</span><span class="grow"></span><span class="t3">{{ run.counts }}</span></div>
    <div v-if="run.disagreement" class="note" role="note"><Icon name="differs" size="17"/><span>{{ run.disagreement }}</span></div>
    <div v-if="run.clock_suspect" class="note" role="note"><Icon name="stale" size="17"/><span>The machine's clock is suspect: its times may be wrong.</span></div>
    <div class="scroll" tabindex="0" aria-label="Measurements"><table><thead><tr><th>outcome</th><th>step</th><th class="r val">value</th><th class="bars">against limits</th><th>limits</th><th>judged by</th><th>tester said</th><th></th></tr></thead>
      <Rows v-for="(part, i) in parts" :key="i" :rows="part"/>
    </table></div>
    <div class="ft"><span>not PASS first, then in test order</span><span class="grow"></span><a v-if="left_out" class="lnk" :href="link(run.id) + '&all=1'">{{ left_out }} more PASS, show all</a></div>
  </section>
  <aside class="ev">
    <section class="panel"><div class="ph"><h2>Way of this result</h2></div><ol><li v-for="each in way"><b>{{ each.what }}</b><span class="tm">{{ each.when }}</span><em :title="each.note">{{ each.note }}</em></li></ol></section>
    <section class="panel msg"><div class="ph"><h2>Message</h2><small>{{ message.size }}, as arrived{{ message.whole ? '' : '; only what stands around the value' }}</small><span class="grow"></span><small class="mono" :title="'BLAKE2b-128 of its content: ' + message.hash">blake2b {{ message.hash.slice(0, 4) }}…{{ message.hash.slice(-4) }}</small></div>
      <div class="raw" tabindex="0" aria-label="The message's bytes"><div v-for="each in lines" :class="{hl: each.marked}"><i>{{ String(each.offset).padStart(5, '0') }}</i><code>{{ each.text }}</code></div></div></section>
  </aside>
</div>`,
  data: () => ({ copied: false, parts: shallowReactive([]) }),
  created() {
    this.waiting = [...toRaw(this.rows)]; // rows never change: they need no reactivity
    this.drawMore();
    this.lines = toRaw(this.message.lines);
  },
  mounted() {
    // Inside their own boxes only: the page stays where it is.
    const show = (box, part) => {
      if (part) box.scrollTop = part.offsetTop - box.clientHeight / 2;
    };
    const raw = this.$el.querySelector(".raw");
    show(raw, raw.querySelector(".hl"));
    for (const box of this.$el.querySelectorAll(".cards")) show(box, box.querySelector(".sel"));
  },
  computed: {
    block() { return BLOCKS[this.head.outcome]; },
    columns() { return `repeat(${Math.min(6, Math.max(3, this.lanes.length))}, minmax(0, 1fr))`; },
  },
  methods: {
    link(run) { return unitLink(this.head.barcode, run); },
    drawMore() {
      this.parts.push(this.waiting.splice(0, ROWS_AT_ONCE).map(Object.freeze));
      if (this.waiting.length) setTimeout(() => requestAnimationFrame(this.drawMore));
    },
    async copy() {
      await navigator.clipboard.writeText(this.head.barcode);
      this.copied = true;
    },
  },
};
