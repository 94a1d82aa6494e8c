// One machine: its last verdict large, its state, its last 200 runs, what fails, its last 50 runs.
import { clock, clockTime, duration, live, machineStatus, Age, Icon, Outcome, Tape, thousands, unitLink, when } from "yieldline";
import { attentionOf } from "yieldline/attention.js";

const TAPE_RUNS = 200;
const BLOCKS = { PASS: "pass-line", FAIL: "fail", ERROR: "error", UNJUDGED: "unjudged" };
const STATES = { live: "pass-line", stale: "stale", offline: "offline", never: "stale" };

export default {
  components: { Age, Icon, Outcome, Tape },
  props: { topic: String },
  template: `
<div class="ma">
  <section v-if="card" class="al" :class="card.severity" role="status"><Icon :class="'c-' + card.severity" :name="card.severity" size="22"/><span class="one"><b>{{ card.title }}</b>&ensp;<span v-if="card.step" class="mono">{{ card.step }}</span> {{ card.text }}</span><span class="t2">{{ card.severity }}, {{ card.since }}</span></section>
  <section class="panel ver" aria-label="Last verdict">
    <template v-if="last"><div class="big" :class="last.outcome.toLowerCase()"><Icon :name="block" size="84"/><div><b :class="{long: last.outcome === 'UNJUDGED'}">{{ last.outcome }}</b><small>{{ last.mark === 'M' ? 'marginal, ' : '' }}{{ clockTime(last.started) }}, {{ last.attempt === 1 ? 'first attempt' : 'attempt ' + last.attempt }}</small></div></div>
    <div class="vx"><div class="bc"><a :href="unitLink(last.barcode, last.run)">{{ last.barcode }}</a><span>{{ last.product }}</span></div>
      <div class="st" v-if="last.mark !== 'P' && last.step"><span class="mono">{{ last.step }}</span><b :class="last.mark">{{ last.value || last.detail }}</b><span v-if="last.limit" class="t2 lim">limit {{ last.limit }}</span></div>
      <div class="st t3" v-else-if="last.mark === 'P'">no step failed</div>
      <p v-if="last.mark !== 'P' && last.detail && last.value && !last.limit" class="t2 det">{{ last.detail }}</p>
      <div class="sd"><template v-if="last.agrees === false"><Icon class="c-marg" name="differs" size="18"/><span>The tester said <b>{{ last.reported }}</b>.</span></template><span v-else-if="last.reported" class="t3">The tester said {{ last.reported }}, too.</span><span class="grow"></span><a class="lnk" :href="unitLink(last.barcode, last.run)">Open the unit</a></div></div></template>
    <div v-else class="vx"><p class="t2">No run of this machine is stored yet. It publishes to <span class="mono">{{ topic }}</span>.</p></div>
  </section>
  <section class="panel fa" aria-label="State">
    <div><em>State</em><b :class="'c-' + status"><Icon :name="stateIcon" size="14"/>{{ stateWord }}</b> <span>{{ stateSince }}</span></div>
    <div><em>Last result</em><template v-if="tile.last !== null"><b><Age :at="tile.last"/></b> <span>{{ tile.usual ? 'usually every ' + duration(Math.max(1, tile.usual)) : '' }}</span></template><b v-else>none yet</b></div>
    <div><em>Procedure, product</em><b>{{ last ? last.procedure : '–' }}</b> <span>{{ last ? last.product : '' }}</span></div>
    <div><em>First pass yield, this shift</em><b :class="{low: tile.low, few: tile.few}">{{ tile.fpy }}{{ tile.units ? ' %' : '' }}</b> <span>{{ tile.few && tile.units ? 'few, ' : tile.interval + (tile.interval ? ', ' : '') }}{{ n(tile.units) }} unit{{ tile.units === 1 ? '' : 's' }}</span></div>
    <div><em>Final yield</em><b>{{ frame.final }}{{ tile.units ? ' %' : '' }}</b> <span>{{ frame.failing ? n(frame.failing) + ' not passed' : '' }}</span></div>
    <div><em>Retests</em><b>{{ n(frame.retests) }}</b> <span>of {{ n(frame.runs_shift) }} runs</span></div>
    <div v-if="agent"><em>Agent</em><b>{{ agent.version ?? '' }}</b> <span>{{ agentWords }}</span></div>
    <div class="wide"><em>Topic</em><span class="mono">{{ topic }}</span></div>
  </section>
  <section class="panel sh"><div class="ph"><h2>Last {{ shown }} runs</h2><small>{{ tapeWords }}</small></div><div class="tp200"><Tape :marks="frame.marks" :slots="200"/></div></section>
  <section class="panel lruns"><div class="ph"><h2>Last runs</h2><small>the newest {{ frame.runs.length }}, new ones on top</small></div><div class="scroll" tabindex="0" aria-label="Last runs"><table class="lr"><tbody>
    <tr v-for="run in frame.runs" :key="run.run" :class="run.outcome.toLowerCase()"><td><Outcome :mark="run.mark"/></td><td class="t2" :title="clockTime(run.started)">{{ at(run.started) }}</td><td><a class="mono" :href="unitLink(run.barcode, run.run)">{{ run.barcode }}</a></td><td :class="{t3: run.attempt === 1}">{{ run.attempt === 1 ? 'first' : 'attempt ' + run.attempt }}</td><td><span class="mono">{{ run.mark === 'P' ? '' : run.step }}</span></td><td class="t2">{{ run.mark === 'P' ? '' : run.detail }}</td><td class="r"><span v-if="run.agrees === false" class="o c-marg"><Icon name="differs" size="13"/>{{ run.reported }}</span></td></tr>
  </tbody></table><p v-if="!frame.runs.length" class="none t3">No run yet.</p></div></section>
  <section class="panel fs"><div class="ph"><h2>Failing steps</h2><small>this shift · runs</small></div><div class="sr" v-for="([step, runs], i) in frame.steps"><span class="mono" :title="step">{{ step }}</span><span class="sb"><i :style="{width: runs / frame.steps[0][1] * 100 + '%'}" :class="{hot: i === 0 && runs >= 3}"></i></span><b>{{ runs }}</b></div><p v-if="!frame.steps.length" class="none t3">No run failed this shift.</p></section>
</div>`,
  data: () => ({ frame: live.frame, clock }),
  created() {
    this.$watch(() => live.frame, (frame) => {
      if (frame.tile) this.frame = Object.freeze(frame);
    });
  },
  computed: {
    tile() { return this.frame.tile; },
    last() { return this.frame.verdict; },
    agent() { return this.frame.agent; },
    block() { return BLOCKS[this.last.outcome]; },
    status() { return machineStatus(this.tile, clock.second); },
    stateIcon() { return STATES[this.status]; },
    stateWord() { return this.status === "live" ? (this.frame.online === null ? "reporting" : "online") : this.status; },
    stateSince() {
      const { tile, frame } = this;
      if (this.status === "offline") return `for ${duration(clock.second - tile.offline)}`;
      if (this.status === "stale") return `silent for ${duration(clock.second - tile.last)}`;
      return frame.online === null ? "" : `since ${when(frame.online, clock.second + 3600)}`;
    },
    card() { return attentionOf(this.tile, this.status, clock.second); },
    shown() { return Math.min(TAPE_RUNS, this.frame.marks.length); },
    tapeWords() {
      const count = (mark) => [...this.frame.marks].filter((each) => each === mark).length;
      const words = [[count("P"), "PASS"], [count("M"), "marginal"], [count("F"), "FAIL"], [count("E"), "ERROR"], [count("U"), "UNJUDGED"]];
      return words.filter(([number]) => number).map(([number, word]) => `${number} ${word}`).join(" · ");
    },
    agentWords() {
      const { agent } = this;
      const words = [["spool", agent.spool_depth ?? agent.spool], ["lag", agent.lag_s === undefined ? undefined : `${agent.lag_s} s`]];
      return words.filter(([, value]) => value !== undefined && value !== null).map((pair) => pair.join(" ")).join(" · ");
    },
  },
  methods: {
    clockTime, duration, unitLink,
    n: thousands,
    at(seconds) { return clock.second - seconds < 43200 ? clockTime(seconds) : when(seconds, clock.second); },
  },
};
