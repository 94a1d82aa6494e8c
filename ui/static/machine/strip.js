// The shift as a strip: online, stale, offline, planned breaks, alerts, programs and rulebooks; and the
// last 200 runs below it.
import { clock, clockMinute, duration, live, machineStatus, Panel, question, scope, Tape } from "yieldline";
import { kindWord, secondsOf } from "yieldline/alertwords.js";
import { linkTo, runsOf } from "yieldline-machine/links.js";

const TAPE_RUNS = 200;
const APART = 9; // percent of the width: labels that are nearer would lie on each other
const STEPS_S = [900, 1800, 3600, 7200, 14_400, 43_200, 86_400, 172_800, 432_000];
const TICKS_MAX = 10;
const LOOKS = { stale: "silent", offline: "offline", break: "planned break" };
const WHAT = "States are not stored, so this is made of what is. Hatched: no result arrived for longer than makes the machine stale now; what came late fills no gap. Dashed: an alert said that its connection ended. Plain: results came. Lines name the program that runs named first there, blue ones the rulebook that came into force. Below: alerts of this machine while they were not closed.";

const bound = (text) => (text === null || text === undefined ? null : secondsOf(text));

// [since, until] in seconds of each stretch; one without an end reaches `end`.
const spansOf = (stretches, end) => (stretches ?? []).map((each) => [bound(each.since), bound(each.until) ?? end]);
const lengthOf = (spans) => spans.reduce((sum, [since, until]) => sum + Math.max(0, until - since), 0);

// What was silent while it was offline, or in a break, counts once.
function without(spans, holes) {
  return holes.reduce((parts, [from, to]) => parts.flatMap(([since, until]) => [[since, Math.min(until, from)], [Math.max(since, to), until]].filter(([a, b]) => b - a > 0)), spans);
}

function ticksOf(since, until) {
  const step = STEPS_S.find((each) => (until - since) / each <= TICKS_MAX) ?? STEPS_S.at(-1);
  const found = [];
  for (let at = Math.ceil(since / step) * step; at <= until; at += step) found.push(at);
  return found;
}

export const Strip = {
  components: { Panel, Tape },
  props: { machine: String, tile: Object, marks: String, history: Object, rulebooks: Array },
  template: `
<Panel class="sh" :title="scope.words || 'This shift'" :note="words" :what="what" :asks="history" :of="'machine ' + machine + ', ' + scope.label" :rows="segments.length" :csv="csv">
  <template #head><small class="t3">{{ tapeWords }}</small></template>
  <div class="strip" role="img" :aria-label="spoken">
    <span class="nm">state</span>
    <div class="axis"><span v-for="at in ticks" class="tick" :style="{left: x(at) + '%'}">{{ clockMinute(at) }}</span>
      <div class="track"><i v-for="each in segments" :class="each.look" :style="box(each)" :title="each.words"><b v-if="each.look === 'break' && width(each) > 3">break</b></i><i class="nowline" :style="{left: x(now) + '%'}"></i></div>
      <a v-for="each in alerts" class="alert" :class="each.severity" :href="each.href" :style="box(each)" :title="each.words"><span class="sr-only">{{ each.words }}</span></a>
      <span v-for="each in lines" class="mark" :class="[each.look, {flip: x(each.at) > 88}]" :style="{left: x(each.at) + '%'}" :title="each.words"><em v-if="each.isLabelled">{{ each.words }}</em></span>
    </div>
  </div>
  <div class="strip"><span class="nm">last {{ shown }}</span><a class="tp200" :href="runsLink" :aria-label="'The runs of ' + machine"><Tape :marks="marks" :slots="200"/></a></div>
</Panel>`,
  data: () => ({ scope, clock, what: WHAT }),
  computed: {
    runsLink() { return runsOf(this.machine); },
    now: () => clock.second,
    since() { return bound(scope.since) ?? this.now; },
    // A shift that goes on is drawn to its end: what is left of it says something, too.
    until() {
      const end = bound(scope.until);
      return end ?? (scope.ranges.find((each) => each.words === scope.words)?.name === "shift" ? live.status.shift_end : this.now);
    },
    known() { return this.history.data; },
    end() { return Math.min(this.now, this.until); },
    // Since the answer was made the machine may have fallen silent: that the browser sees by itself.
    offline() {
      const own = machineStatus(this.tile, clock.second) === "offline" && this.isRunning ? [[this.tile.offline, this.end]] : [];
      return [...without(spansOf(this.known?.offline, this.end), own), ...own];
    },
    silent() {
      const asked = bound(this.known?.until) ?? this.end;
      const past = spansOf(this.known?.silences, asked).filter(([, until]) => until < asked || !this.isRunning);
      const own = machineStatus(this.tile, clock.second) === "stale" && this.isRunning ? [[Math.max(this.since, this.tile.last), this.end]] : [];
      return without(without([...past, ...own], this.offline), this.breaks);
    },
    breaks() { return without(spansOf(this.known?.breaks, this.end), this.offline).filter(([since]) => since < this.end); },
    isRunning() { return scope.until === null; },
    online() {
      const first = bound(this.known?.first_at) ?? this.end; // before it there was no machine
      return without([[Math.max(this.since, first), this.end]], [...this.offline, ...this.silent, ...this.breaks]).filter(([since, until]) => until > since);
    },
    segments() {
      if (!this.known) return [];
      const of = (look, spans) => spans.map(([since, until]) => ({ look, since, until, words: `${LOOKS[look] ?? "online"} ${clockMinute(since)} – ${clockMinute(until)}, ${duration(until - since)}` }));
      return [...of("online", this.online), ...of("stale", this.silent), ...of("offline", this.offline), ...of("break", this.breaks)];
    },
    alerts() {
      return (this.known?.alerts ?? []).map((each) => {
        const [since, until] = [Math.max(this.since, secondsOf(each.opened_at)), bound(each.closed_at) ?? this.end];
        const tab = { open: "", acknowledged: "acknowledged", shelved: "shelved" }[each.state] ?? "closed";
        return { since, until: Math.min(until, this.end), severity: each.severity, href: linkTo("/alerts", { tab, alert: each.alert_id }), words: `${each.severity}: ${kindWord(each.kind)}, ${clockMinute(secondsOf(each.opened_at))}, ${duration(until - secondsOf(each.opened_at))}` };
      });
    },
    lines() {
      const programs = (this.known?.programs ?? []).slice(1).map((each) => ({ at: bound(each.since), look: "", words: `program ${each.program_version ?? each.program ?? "not named"}` }));
      const books = this.rulebooks.filter((each) => each.at >= this.since && each.at <= this.end).map((each) => ({ at: each.at, look: "book", words: `rulebook v${each.version}` }));
      const found = [...programs, ...books].sort((a, b) => a.at - b.at);
      let free = -Infinity;
      for (const each of found) {
        each.isLabelled = this.x(each.at) >= free;
        if (each.isLabelled) free = this.x(each.at) + APART;
      }
      return found;
    },
    ticks() { return ticksOf(this.since, this.until); },
    words() {
      if (!this.known) return scope.label;
      const parts = [["online", this.online], ["stale", this.silent], ["offline", this.offline], ["planned break", this.breaks]];
      const said = parts.map(([word, spans]) => [word, lengthOf(spans)]).filter(([, seconds]) => seconds > 0);
      const all = this.known.is_complete ? "" : " · the newest 500 of each";
      return [scope.label, ...said.map(([word, seconds]) => `${word} ${duration(seconds)}`)].join(" · ") + all;
    },
    spoken() { return `${scope.words}: ${this.words}; ${this.alerts.length} alert${this.alerts.length === 1 ? "" : "s"}`; },
    shown() { return Math.min(TAPE_RUNS, this.marks.length); },
    tapeWords() {
      const names = { P: "PASS", M: "marginal", F: "FAIL", E: "ERROR", U: "UNJUDGED" };
      const counted = Object.entries(names).map(([mark, word]) => [[...this.marks].filter((each) => each === mark).length, word]);
      const row = /F*$/.exec(this.marks)[0].length;
      return [`last ${this.shown} runs`, ...counted.filter(([number]) => number).map((pair) => pair.join(" ")), ...(row > 1 ? [`now ${row} FAIL in a row`] : [])].join(" · ");
    },
  },
  methods: {
    clockMinute,
    x(at) { return Math.min(100, Math.max(0, ((at - this.since) / (this.until - this.since || 1)) * 100)); },
    width({ since, until }) { return this.x(until) - this.x(since); },
    box(each) { return { left: `${this.x(each.since)}%`, width: `max(2px, ${this.width(each)}%)` }; },
    csv() {
      const iso = (at) => new Date(at * 1000).toISOString();
      const alerts = this.alerts.map((each) => ["alert", iso(each.since), iso(each.until), each.words]);
      return { name: `yieldline-${this.machine}-states`, head: ["what", "since", "until", "words"], rows: [...this.segments.map((each) => [each.look, iso(each.since), iso(each.until), each.words]), ...alerts] };
    },
  },
};
