// The last 50 runs of a machine, new ones on top; they come with the frames.
import { clock, clockTime, Icon, Outcome, Panel, unitLink, when } from "yieldline";
import { runsOf } from "yieldline-machine/links.js";

const HALF_DAY_S = 43_200;
const WHAT = "The newest 50 runs of this machine as they arrived, whatever the time range. A barcode opens the unit with this run.";

export const Runs = {
  components: { Icon, Outcome, Panel },
  props: { runs: Array, machine: String },
  template: `
<Panel class="lruns" title="Last runs" :note="'the newest ' + runs.length + ', new ones on top'" :what="what" :of="'machine ' + machine" :url="url" :rows="runs.length" :csv="csv">
  <template #head><a class="lnk" :href="more">Results</a></template>
  <div class="scroll" tabindex="0" aria-label="Last runs"><table class="lr"><tbody>
    <tr v-for="run in runs" :key="run.run" :class="run.outcome.toLowerCase()"><td><Outcome :mark="run.mark"/></td><td class="t2" :title="clockTime(run.started)">{{ at(run.started) }}</td><td><a class="mono" :href="unitLink(run.barcode, run.run)">{{ run.barcode }}</a></td><td :class="{t3: run.attempt === 1}">{{ run.attempt === 1 ? 'first' : 'attempt ' + run.attempt }}</td><td><span class="mono">{{ run.mark === 'P' ? '' : run.step }}</span></td><td class="t2">{{ run.mark === 'P' ? '' : run.detail }}</td><td class="r"><span v-if="run.agrees === false" class="o c-marg"><Icon name="differs" size="13"/>{{ run.reported }}</span></td></tr>
  </tbody></table><p v-if="!runs.length" class="none t3">No run yet.</p></div>
</Panel>`,
  data: () => ({ what: WHAT }),
  computed: {
    more() { return runsOf(this.machine); },
    url() { return `/api/v1/results?machine_id=${encodeURIComponent(this.machine)}&limit=50`; },
  },
  methods: {
    clockTime, unitLink,
    at(seconds) { return clock.second - seconds < HALF_DAY_S ? clockTime(seconds) : when(seconds, clock.second); },
    csv() {
      const head = ["run_id", "start", "barcode", "attempt", "outcome", "step", "detail", "tester_said", "agrees"];
      const rows = this.runs.map((run) => [run.run, new Date(run.started * 1000).toISOString(), run.barcode, run.attempt, run.outcome, run.step, run.detail, run.reported, run.agrees === null ? "" : String(run.agrees)]);
      return { name: `yieldline-${this.machine}-last-runs`, head, rows };
    },
  },
};
