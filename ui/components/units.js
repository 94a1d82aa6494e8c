// A barcode that nobody has tested, or none yet: what is near it, what was rejected, what came last.
import { Age, call, clock, Icon, live, Outcome, Trouble, unitLink, when } from "yieldline";
import { addressOf } from "yieldline/api.js";

const LOOKS_EVERY_MS = 2000;

export default {
  components: { Age, Icon, Outcome },
  props: ["barcode", "near", "rejections", "newest", "trouble"],
  template: `
<div class="us">
  <section class="panel say">
    <template v-if="trouble"><h2>This unit cannot be shown now.</h2><p>{{ trouble }}. Try again in a moment.</p><p><a class="btn" :href="unitLink(barcode)">Try again</a></p></template>
    <template v-else-if="barcode"><h2>No unit with the barcode <span class="mono">{{ barcode }}</span> has been tested.</h2><p v-if="!near.length && !rejections.length">Nothing like it is known either. Scan it again, or look whether its machine has reported. <a class="lnk" href="/units">Show the newest results</a></p><p>When its first result comes it is shown here, by itself.</p></template>
    <template v-else><h2>Scan a unit, or type its barcode above.</h2><p>A scanner works wherever the focus is.</p></template>
  </section>
  <section v-if="near.length" class="panel"><div class="ph"><h2>Barcodes like it</h2></div><ul><li v-for="each in near"><a class="lnk mono" :href="unitLink(each)">{{ each }}</a></li></ul></section>
  <section v-if="rejections.length" class="panel"><div class="ph"><h2>Rejected messages that hold it</h2></div><ul><li v-for="each in rejections"><a class="lnk" :href="'/rejects?id=' + each.rejection_id">Rejection {{ each.rejection_id }}</a> <span class="t3">{{ each.code }} · {{ moment(each.received_at) }}</span><p>{{ each.reason }}</p></li></ul></section>
  <section v-if="newest.length" class="panel feed"><div class="ph"><h2>Newest results</h2></div><a v-for="run in newest" class="fr" :class="run.outcome.toLowerCase()" :href="unitLink(run.barcode, run.run)"><Outcome :mark="run.mark"/><span class="mono bcd">{{ run.barcode }}</span><span class="t2">{{ run.machine }}</span><span class="t3 ag"><Age :at="run.at"/></span></a></section>
</div>`,
  created() {
    if (this.barcode && !this.trouble) this.$watch(() => [live.status.newest, clock.second], this.look);
  },
  methods: {
    unitLink,
    moment: (text) => when(Date.parse(text) / 1000, clock.second),
    // Results came: is one of them this unit's first? Then its page is shown.
    async look() {
      const now = performance.now();
      if (document.hidden || live.status.newest === this.lookedFor || now - (this.lookedAt ?? -LOOKS_EVERY_MS) < LOOKS_EVERY_MS) return;
      Object.assign(this, { lookedAt: now, lookedFor: live.status.newest });
      try {
        const { count } = await call(addressOf("/api/v1/results/count", { barcode: this.barcode }));
        if (count) window.location.reload();
      } catch (error) {
        if (!(error instanceof Trouble)) throw error; // the pulse says that the server is away
      }
    },
  },
};
