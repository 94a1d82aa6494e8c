// What a machine is and does: its state, figures of the shift, set-up, and its agent.
import { Age, clock, clockTime, copyText, duration, Icon, machineStatus, Panel, question, thousands, when } from "yieldline";
import { About } from "yieldline/panel.js";
import { linkTo } from "yieldline-machine/links.js";

const STATES = { live: "pass-line", stale: "stale", offline: "offline", never: "stale" };
const AHEAD_S = 2; // a clock further off than that makes times in a unit's life misleading
const SHIFT = { range: "shift" };

// State in a word, and since when.
export function stateOf(tile, online, now) {
  const status = machineStatus(tile, now);
  const word = status === "live" ? (online === null ? "reporting" : "online") : status;
  const since = { offline: () => `for ${duration(now - tile.offline)}`, stale: () => `silent for ${duration(now - tile.last)}`, never: () => "" };
  return { status, word, icon: STATES[status], since: (since[status] ?? (() => (!online ? "" : `since ${when(online, now + 3600)}`)))() };
}

const FACTS = "State by its own word and its silence, figures of the running shift (whatever the time range), and what the newest run in the time range was set up with: program, fixture, operator, as its message said.";

export const Facts = {
  components: { About, Age, Icon },
  props: { frame: Object, topic: String, setUp: Object, programSince: String },
  template: `
<section class="panel fa" aria-label="State"><About title="State" :what="what" :of="'machine ' + tile.id" :url="url" :rows="frame.runs_shift" :csv="csv"/>
  <div><em>State</em><b :class="'c-' + state.status"><Icon :name="state.icon" size="14"/>{{ state.word }}</b> <span>{{ state.since }}</span></div>
  <div><em>Last result</em><template v-if="tile.last !== null"><b><Age :at="tile.last"/></b> <span>{{ tile.usual ? 'usually every ' + duration(Math.max(1, tile.usual)) : '' }}</span></template><b v-else>none yet</b></div>
  <div><em>Procedure, product</em><b>{{ last ? last.procedure : '–' }}</b> <span>{{ last ? last.product : '' }}</span></div>
  <div :title="tile.interval ? '95 % interval ' + tile.interval + ' %, target ' + tile.target : null"><em>First pass yield, this shift</em><a :href="link('/analytics')"><b :class="{low: tile.low, few: tile.few}">{{ tile.fpy }}{{ tile.units ? ' %' : '' }}</b> <span>{{ tile.few && tile.units ? 'few, ' : tile.interval + (tile.interval ? ', ' : '') }}{{ n(tile.units) }} unit{{ tile.units === 1 ? '' : 's' }}</span></a></div>
  <div><em>Program</em><b>{{ program || '–' }}</b> <span>{{ programSince }}</span></div>
  <div><em>Final yield</em><a :href="link('/results', {outcome: 'FAIL'})"><b>{{ frame.final }}{{ tile.units ? ' %' : '' }}</b> <span>{{ frame.failing ? n(frame.failing) + ' not passed' : '' }}</span></a></div>
  <div><em>Fixture, operator</em><b>{{ setUp?.fixture || '–' }}</b> <span>{{ setUp?.operator || '' }}</span></div>
  <div><em>Retests</em><a :href="link('/results')"><b>{{ n(frame.retests) }}</b> <span>of {{ n(frame.runs_shift) }} runs</span></a></div>
  <div class="wide"><em>Topic</em><span class="mono tpc" :title="topic">{{ topic }}</span><button class="ib" type="button" :aria-label="copied ? 'Copied' : 'Copy the topic'" :title="copied ? 'Copied' : 'Copy the topic'" @click="copy"><Icon :name="copied ? 'pass-line' : 'copy'" size="14"/></button></div>
</section>`,
  data: () => ({ copied: false, what: FACTS }),
  computed: {
    tile() { return this.frame.tile; },
    last() { return this.frame.verdict; },
    state() { return stateOf(this.tile, this.frame.online, clock.second); },
    url() { return `/api/v1/machines/${encodeURIComponent(this.tile.id)}`; },
    program() { return [this.setUp?.program, this.setUp?.program_version].filter(Boolean).join(" "); },
  },
  methods: {
    duration,
    n: thousands,
    link(path, filters = {}) { return linkTo(path, { machine_id: this.tile.id, ...SHIFT, ...filters }); },
    csv() {
      const { tile, frame, last, setUp } = this;
      const rows = [["state", this.state.word], ["last_result", tile.last && new Date(tile.last * 1000).toISOString()], ["procedure", last?.procedure], ["product", last?.product], ["program", this.program], ["fixture", setUp?.fixture], ["operator", setUp?.operator], ["units_this_shift", tile.units], ["first_pass_yield_percent", tile.fpy], ["interval_95", tile.interval], ["final_yield_percent", frame.final], ["retests", frame.retests], ["runs", frame.runs_shift], ["topic", this.topic]];
      return { name: `yieldline-${tile.id}-state`, head: ["what", "value"], rows };
    },
    async copy() {
      await copyText(this.topic);
      this.copied = true;
    },
  },
};

const count = (value) => (typeof value === "number" ? thousands(value) : "–");

export function skewWords(skew) {
  if (skew === null) return "cannot be told";
  const size = Math.abs(skew);
  if (size < 0.05) return "none";
  const text = size < 10 ? `${size.toFixed(2)} s` : duration(size);
  return `${text} ${skew > 0 ? "ahead" : "behind"}`;
}

const WHAT = "What the machine or the agent on its PC last said of itself, and what the service counted of it. Spool: messages that no receipt has confirmed yet. Clock: the time in its newest heartbeat against ours, the way included; without heartbeats only a clock that is ahead shows.";

export const Agent = {
  components: { Age, Icon, Panel },
  props: { frame: Object, machine: String },
  template: `
<Panel class="ag" :title="agent ? 'Agent' : 'Connection'" :note="agent?.version ? String(agent.version) : ''" :what="what" :asks="asks" :of="'machine ' + machine" :csv="csv">
  <template #head><a class="lnk" href="/system">System</a></template>
  <dl>
    <dt>state</dt><dd><b :class="'c-' + state.status">{{ state.word }}</b> <i>{{ frame.agent_said ? 'last word ' + ago(frame.agent_said) : state.since }}</i></dd>
    <template v-if="agent"><dt>spool</dt><dd><b :class="{'c-marg': agent.spool_depth > 100}">{{ count(agent.spool_depth) }}</b> messages <i v-if="agent.lag_s">oldest {{ duration(agent.lag_s) }}</i></dd>
    <dt>not read yet</dt><dd><b>{{ count(agent.lag_bytes) }}</b> bytes</dd>
    <dt v-if="agent.last_error">trouble</dt><dd v-if="agent.last_error" class="c-marg" :title="agent.last_error">{{ agent.last_error }}</dd></template>
    <dt>clock skew</dt><dd><b :class="{'c-marg': isOff}">{{ skewWords(frame.skew) }}</b></dd>
    <dt>received</dt><dd><b>{{ count(books.received) }}</b> <i>= stored {{ count(books.stored) }} + rejected {{ count(books.rejected) }} + duplicates {{ count(books.duplicates) }}</i></dd>
    <template v-if="agent"><dt>read</dt><dd><b>{{ count(agent.read) }}</b> <i>= refused {{ count(agent.refused) }} + spooled {{ count(agent.spooled) }}</i></dd></template>
    <template v-else><dt></dt><dd><i>no agent: the machine publishes itself</i></dd></template>
  </dl>
</Panel>`,
  data: () => ({ what: WHAT }),
  created() { this.asks = question(() => `/api/v1/machines/${encodeURIComponent(this.machine)}`, () => ({}), { isFiltered: false }); },
  computed: {
    agent() { return this.frame.agent; },
    books() { return this.asks.data?.books ?? {}; },
    state() { return stateOf(this.frame.tile, this.frame.online, clock.second); },
    isOff() { return this.frame.skew !== null && Math.abs(this.frame.skew) > AHEAD_S; },
  },
  methods: {
    clockTime, count, duration, skewWords,
    ago(at) { return clock.second - at < 3600 ? `${duration(clock.second - at)} ago` : when(at, clock.second); },
    csv() {
      const agent = Object.entries(this.agent ?? {}).map(([name, value]) => [`agent ${name}`, String(value ?? "")]);
      return { name: `yieldline-${this.machine}-connection`, head: ["what", "value"], rows: [["clock_skew_s", this.frame.skew], ...Object.entries(this.books), ...agent] };
    },
  },
};
