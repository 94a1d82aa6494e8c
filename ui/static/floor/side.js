// Beside the tiles: first pass yield in steps of 15 minutes, what fails now and where, live results.
import { Age, Icon, live, machineLink, Outcome, Panel, question, unitLink } from "yieldline";
import { addressOf } from "yieldline/api.js";
import { Trend } from "yieldline/trend.js";

const HOT_FROM = 3;
const DAY_S = 86_400;

// Trend and steps are of what the frame is of: the chosen line, or all.
const whose = (line) => (line ? `line ${line}` : "all lines");
const iso = (at) => new Date(at * 1000).toISOString();

export const TrendPanel = {
  components: { Panel, Trend },
  props: { trend: Object, line: String },
  template: `<Panel class="trend" title="First pass yield" :note="note" :what="what" :of="of" :url="url" :rows="units" :csv="csv"><Trend :trend="trend" :marks="marks"/></Panel>`,
  created() {
    this.books = question("/api/v1/rulebooks", () => ({}), { isFiltered: false });
    this.$watch(() => live.status.rulebook, () => this.books.ask());
  },
  computed: {
    note() { return `${this.line ? `${this.line} · ` : ""}15 min · band = 95 % interval`; },
    what: () => "Units by the quarter of an hour in which their first run of a procedure began: how many of those runs passed, with the 95 % interval (Wilson). A line in blue is where a rulebook came into force, a grey one where a machine began to name another program.",
    of() { return `${whose(this.line)}, this shift, ${live.status.shift}`; },
    url() { return addressOf("/api/v1/yield", { group: "15min", line: this.line, since: iso(this.trend.start) }); },
    units() { return this.trend.points.reduce((sum, point) => sum + point[4], 0); },
    marks() {
      const known = (this.books.data?.items ?? []).map((each) => ({ at: Date.parse(each.activated_at) / 1000, words: `v${each.version}` }));
      const programs = this.trend.programs.map((each) => ({ at: each.at, words: `${each.machine} ${each.name}`, look: "var(--text-2)" }));
      return [...known, ...programs].filter((each) => each.at > this.trend.start && each.at < this.trend.start + DAY_S);
    },
  },
  methods: {
    csv() { return { name: "yieldline-first-pass-yield", head: ["since", "first_pass_yield_percent", "low", "high", "units"], rows: this.trend.points.map(([at, ...rest]) => [iso(at), ...rest]) }; },
  },
};

export const StepsPanel = {
  components: { Panel },
  props: { steps: Array, line: String },
  template: `
<Panel class="stp" title="Failing steps" :note="(line ? line + ' · ' : '') + 'last 60 min · units'" :what="what" :of="of" :url="url" :rows="rows" :csv="csv">
  <template #head><a class="lnk" :href="why">Why?</a></template>
  <div class="steps"><p v-for="([step, units, where, there], i) in steps" :key="step" class="sr"><a class="mono" :href="runs(step)" :title="step">{{ step }}</a><a class="sb" :href="runs(step)" tabindex="-1" :aria-label="step + ': ' + units + (units === 1 ? ' unit' : ' units')"><i :style="{width: units / steps[0][1] * 100 + '%'}" :class="{hot: i === 0 && units >= hotFrom}"></i></a><b>{{ units }}</b><a class="t3" :href="machineLink(where)">{{ there }} at {{ where }}</a></p>
  <p v-if="!steps.length" class="none t3">No unit failed {{ line ? 'on ' + line + ' ' : '' }}in the last hour.</p></div>
</Panel>`,
  data: () => ({ hotFrom: HOT_FROM }),
  computed: {
    what: () => "Units by the first step that failed in one of their runs that began in the last hour, and the machine where most of them did. A step opens its runs, a machine its page.",
    of() { return `${whose(this.line)}, the last 60 minutes`; },
    url() { return addressOf("/api/v1/pareto", { line: this.line }); },
    why() { return addressOf("/analytics", { range: "1h", line: this.line }); },
    rows() { return this.steps.reduce((sum, [, units]) => sum + units, 0); },
  },
  methods: {
    machineLink,
    runs(step) { return addressOf("/results", { range: "1h", line: this.line, first_failure: step }); },
    csv() { return { name: "yieldline-failing-steps-last-hour", head: ["step", "units", "machine", "units_there"], rows: this.steps.map(([step, units, where, there]) => [step, units, where, there]) }; },
  },
};

export const LivePanel = {
  components: { Age, Icon, Outcome, Panel },
  props: { runs: Array, paused: Boolean, line: String },
  emits: ["pause"],
  template: `
<Panel class="feed" title="Live results" :note="live.status.per_second + ' per second'" :what="what" :of="of" :url="url" :rows="runs.length" :csv="csv">
  <template #head><button class="btn" type="button" title="P" @click="$emit('pause')"><Icon :name="paused ? 'play' : 'pause'" size="13"/>{{ paused ? 'Resume' : 'Pause' }}</button></template>
  <a v-for="run in runs" :key="run.run" class="fr" :class="run.outcome.toLowerCase()" :href="unitLink(run.barcode, run.run)"><Outcome :mark="run.mark"/><span class="mono bcd" :title="run.barcode">{{ run.barcode }}</span><span class="t2">{{ run.machine }}</span><span class="t3 ag"><Age :at="run.at" tenths/></span><em v-if="run.mark !== 'P' && (run.step || run.detail)">{{ run.step }} {{ run.detail }}</em></a>
</Panel>`,
  data: () => ({ live }),
  computed: {
    what: () => "The newest results as they arrive, at most 40. A row opens the unit with this run.",
    of() { return whose(this.line); },
    url() { return addressOf("/api/v1/results", { limit: 40, measurements: false, line: this.line }); },
  },
  methods: {
    unitLink,
    csv() { return { name: "yieldline-live-results", head: ["run_id", "start", "received", "machine", "barcode", "attempt", "outcome", "step", "detail", "tester_said"], rows: this.runs.map((run) => [run.run, iso(run.started), iso(run.at), run.machine, run.barcode, run.attempt, run.outcome, run.step, run.detail, run.reported]) }; },
  },
};
