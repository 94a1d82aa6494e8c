// What was sent, on its way to a result: the broker has it, now the service judges and stores it.
import { call, Icon, Outcome, unitLink } from "yieldline";
import { MARKS } from "yieldline-rejects/words.js";

const EVERY_MS = 500;
const GIVES_UP_MS = 30_000;
export const WATCHED_MAX = 20;

async function runOf({ machine_id, barcode, message_id }) {
  const asked = new URLSearchParams({ machine_id, barcode, limit: 100, measurements: false });
  const { items } = await call(`/api/v1/results?${asked}`);
  return items.find((each) => each.message_id === message_id) ?? null;
}

export const Watching = {
  components: { Icon, Outcome },
  props: { parts: Array, total: Number },
  template: `
<section class="watch" aria-label="What became of it">
  <h3>Sent. {{ arrived === rows.length ? 'It is a result now' : hasGivenUp ? 'Not all is a result yet' : 'Waiting for the result' }}<template v-if="rows.length > 1">: {{ arrived }} of {{ rows.length }}</template></h3>
  <ul role="status"><li v-for="row in rows"><template v-if="row.run"><Outcome :mark="marks[row.run.outcome]"/><a class="lnk mono" :href="unitLink(row.barcode, row.run.run_id)">{{ row.barcode }}</a><span class="t3">run {{ row.run.run_id }}, {{ row.machine_id }}</span></template><template v-else><Icon name="clock"/><span class="mono">{{ row.barcode }}</span><span class="t3">{{ hasGivenUp ? 'no result within 30 s: look whether the service runs' : 'not stored yet' }}</span></template></li></ul>
  <p v-if="total > rows.length" class="t3">And {{ total - rows.length }} more. <a class="lnk" :href="'/results?machine_id=' + encodeURIComponent(rows[0].machine_id) + '&range=30d'">See the results of {{ rows[0].machine_id }}</a></p>
</section>`,
  data() { return { marks: MARKS, rows: this.parts.map((part) => ({ ...part, run: null })), hasGivenUp: false }; },
  computed: {
    arrived() { return this.rows.filter((row) => row.run).length; },
  },
  mounted() {
    this.until = performance.now() + GIVES_UP_MS;
    void this.look();
  },
  beforeUnmount() { clearTimeout(this.timer); },
  methods: {
    unitLink,
    async look() {
      for (const row of this.rows.filter((each) => !each.run)) {
        row.run = await runOf(row).catch(() => null); // asked again, until it gives up
      }
      if (this.arrived === this.rows.length) return;
      this.hasGivenUp = performance.now() > this.until;
      if (!this.hasGivenUp) this.timer = setTimeout(this.look, EVERY_MS);
    },
  },
};
