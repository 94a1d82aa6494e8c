// The right column: back-test the draft, and put it in force.
import { call, caller, change, clock, clockTime, duration, Empty, Icon, lacks, may, needs, onKey, Panel, thousands, Trouble } from "yieldline";
import { isOfThis, isTested } from "./backtest.js";
import { discard, drafts, keep, keepAuthor } from "./drafts.js";
import { putOnTop, REASON_CHARS_MIN, reasonLength, show, write } from "./desk.js";
import { Report } from "./report.js";
import { nameOf } from "./words.js";

const CONFLICT = 409;
const AUTHOR = "web app";
const at = (text) => Date.parse(text) / 1000;

export const Backtest = {
  components: { Empty, Icon, Panel, Report },
  props: { desk: Object },
  template: `
<Panel class="bk" title="Back-test" :note="note" what="Judges the stored history of the units in the time range again by this draft, through the same code that judges live, and changes nothing. A unit counts where its first run of a procedure is in the range; all its runs of that procedure come with it.">
  <template #head><button v-if="isRunning" class="btn tiny" type="button" v-bind="needs('engineer')" @click="test.cancel()"><Icon name="stop" size="13"/>Cancel</button><button v-else-if="desk.draft" class="btn tiny" type="button" v-bind="needs('engineer', !mayRun, mayRun ? 'Back-test this draft (B)' : 'Waits for a draft without a fault')" @click="test.start()"><Icon :name="job ? 'redo' : 'play'" size="13"/>{{ job ? 'Run again' : 'Run' }}</button></template>
  <div v-if="job" class="pg" role="status"><span class="st"><Icon :class="look.look" :name="look.icon" size="14"/><b>{{ look.word }}</b>{{ look.at }}</span><span class="bar" role="progressbar" :aria-valuenow="percent" aria-valuemin="0" aria-valuemax="100" aria-label="Runs judged again"><i :style="{width: percent + '%'}"></i></span><span>{{ progress }}</span></div>
  <p v-if="test.trouble" class="none c-fail" role="alert">{{ test.trouble }}</p>
  <p v-if="job?.error" class="none c-fail" role="alert">{{ job.error }}</p>
  <div v-if="job?.result?.procedures.length" class="body scroll" tabindex="0" aria-label="What the back-test found"><p v-if="!isCurrent" class="stale"><Icon name="stale" size="14"/>This is of edit {{ tested.edit }}; the draft is at edit {{ desk.draft.edits }}.</p><Report :report="job.result" :rules="desk.rules" :given="tested.given"/></div>
  <Empty v-else-if="job?.result" words="No run in this time range. Choose a longer one in the top bar, then run it again."/>
  <Empty v-else-if="!isRunning" :words="hint" :action="offer?.words" @act="offer.act()"/>
</Panel>`,
  created() { onKey("b", "back-test the draft", () => this.mayRun && may("engineer") && this.test.start()); },
  computed: {
    test() { return this.desk.test; },
    job() { return this.desk.draft ? this.test.job : null; },
    tested() { return this.desk.draft?.tested; },
    isRunning() { return this.job?.state === "running"; },
    isCurrent() { return isOfThis(this.desk.draft); },
    mayRun() { return !this.test.isStarting && !this.isRunning && this.desk.isChecked && this.desk.check.answer.valid; },
    note() {
      if (!this.job || !this.tested) return "against what was judged then";
      return `edit ${this.tested.edit} of the draft · ${this.tested.words}`;
    },
    hint() {
      if (!this.desk.draft) return "Write a draft: the back-test shows whom it would have failed and whom it would have rescued.";
      return "Not tried yet. Choose a time range in the top bar, then run it: nothing is changed by it.";
    },
    offer() {
      if (!may("engineer")) return null;
      if (!this.desk.draft) return this.desk.active ? { words: `Edit as draft v${this.desk.active + 1}`, act: () => write(this.desk) } : null;
      return this.mayRun ? { words: "Run the back-test", act: () => this.test.start() } : null;
    },
    percent() { return this.job.total ? Math.round((100 * this.job.done) / this.job.total) : this.job.state === "done" ? 100 : 0; },
    look() {
      const { state, ended_at: ended } = this.job;
      const when = ended ? clockTime(at(ended)) : "";
      return { running: { icon: "clock", look: "t3", word: "running", at: "" }, done: { icon: "pass-line", look: "t2", word: "finished", at: when }, failed: { icon: "critical", look: "c-critical", word: "failed", at: when }, cancelled: { icon: "stop", look: "t3", word: "cancelled", at: when } }[state];
    },
    progress() {
      const { done, total, started_at: started, ended_at: ended } = this.job;
      const spent = duration((ended ? at(ended) : clock.now) - at(started));
      return total || ended ? `${thousands(done)} of ${thousands(total)} runs · ${spent}` : "looking for its runs";
    },
  },
  methods: { needs },
};

export const Activate = {
  components: { Icon, Panel },
  props: { desk: Object },
  template: `
<Panel class="av" title="Put it in force" :note="draft ? 'every result names the version that judged it' : ''">
  <p v-if="!draft" class="none">{{ desk.version && !desk.version.is_active ? 'Going back to v' + desk.version.version + ' makes a draft with its text; activated, it gets a new number.' : 'A version never changes. Write a draft, try it on what was, give a reason.' }}</p>
  <form v-else @submit.prevent="activate">
    <div class="reason"><textarea class="field" :value="draft.reason" maxlength="500" rows="3" aria-label="Reason" placeholder="Why? It is kept with the version." @input="say($event.target.value)"></textarea><em :class="{'c-marg': draft.reason && count < min}">{{ count }} characters, at least {{ min }}</em></div>
    <ul class="ck"><li v-for="each in points" :class="{done: each.isDone}"><Icon :class="each.look" :name="each.icon" size="16"/><span>{{ each.words }}</span><button v-if="each.act" class="lnk" type="button" @click="each.act">{{ each.action }}</button></li></ul>
    <p v-if="who.isUser" class="au t3">as {{ who.name }}</p><label v-else class="au">as <input class="field" :value="drafts.author" maxlength="128" placeholder="your name" autocomplete="name" @change="keepAuthor($event.target.value)"></label>
    <div class="act"><button class="btn big" :class="{pri: isReady && !locked}" v-bind="needs('engineer', !isReady || isSending)"><Icon v-if="!isReady || locked" name="lock"/>Activate as v{{ desk.active + 1 }}</button><span>{{ hint }}</span></div>
    <p v-if="trouble" class="c-fail" role="alert">{{ trouble }}</p>
  </form>
</Panel>`,
  data: () => ({ drafts, isSending: false, trouble: "", min: REASON_CHARS_MIN, who: caller }),
  computed: {
    draft() { return this.desk.draft; },
    count() { return reasonLength(this.draft); },
    points() { return [this.ruled, this.differing, this.based, this.tried, this.reasoned].filter(Boolean); },
    ruled() {
      const { fault, check, isChecked, rules } = this.desk;
      if (fault) {
        const rule = rules[fault.index];
        return { icon: "critical", look: "c-critical", words: rule ? "1 rule in error:" : "the text is in error", action: rule && nameOf(rule), act: rule && (() => change({ view: "" }, { replaces: true })) };
      }
      return isChecked && check.answer.valid ? this.done(`${thousands(check.answer.rule_count)} rules, no fault`) : { icon: "clock", look: "t3", words: check.trouble || "being checked" };
    },
    differing() {
      const { draft, isChecked, check, compare, active } = this.desk;
      const isSame = isChecked && check.answer.valid && compare === active && !check.answer.changes.length && draft.toml === draft.start;
      return isSame ? { icon: "unjudged", look: "t3", words: active ? `nothing differs from v${active}` : "no rule yet" } : null;
    },
    based() {
      const { draft, active } = this.desk;
      if (draft.base === active) return null;
      return { icon: "major", look: "c-major", words: `made from v${draft.base}, but v${active} is in force` };
    },
    tried() {
      const { draft, test } = this.desk;
      const run = { action: "run again", act: () => test.start() };
      if (isTested(this.desk)) return this.done("back-test of this very draft");
      if (test.job?.state === "running") return { icon: "clock", look: "t3", words: isOfThis(draft) ? "back-test is running" : `back-test is of edit ${draft.tested.edit}, this is edit ${draft.edits}` };
      if (!draft.tested || !test.job) return { icon: "stale", look: "c-stale", words: "not back-tested yet", ...run, action: "run it" };
      if (isOfThis(draft)) return { icon: "stale", look: "c-stale", words: `back-test was ${test.job.state}`, ...run };
      return { icon: "stale", look: "c-stale", words: `back-test is of edit ${draft.tested.edit}, this is edit ${draft.edits}`, ...run };
    },
    reasoned() { return this.count >= this.min ? this.done("reason given") : { icon: "unjudged", look: "t3", words: "reason missing, or too short" }; },
    isReady() { return this.points.every((each) => each.isDone); },
    locked: () => lacks("engineer"),
    hint() {
      if (this.locked) return this.locked;
      const waits = this.points.filter((each) => !each.isDone).length;
      if (waits) return `Waits for the ${waits === 1 ? "point" : `${waits} points`} above.`;
      return "Results from this moment on are judged by it; stored verdicts stay.";
    },
  },
  methods: {
    keepAuthor,
    needs,
    done: (words) => ({ icon: "pass-line", look: "c-pass", words, isDone: true }),
    say(text) {
      this.draft.reason = text;
      keep(this.draft);
    },
    async activate() {
      if (!this.isReady || this.isSending || this.locked) return;
      const { desk, draft } = this;
      Object.assign(this, { isSending: true, trouble: "" });
      const body = { toml: draft.toml, reason: draft.reason, author: drafts.author.trim() || AUTHOR, based_on: draft.base };
      try {
        const made = await call("/api/v1/rulebooks", { method: "POST", body });
        await desk.versions.ask();
        show(made.version);
        discard(draft.base);
        desk.said = { look: "pass-line", words: `v${made.version} is in force since ${clockTime(at(made.activated_at))}. Results from now on are judged by it; stored verdicts stay.` };
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        if (error.status === CONFLICT) await desk.versions.ask();
        else this.trouble = error.message;
      } finally {
        this.isSending = false;
      }
    },
  },
};

// What has happened beside the draft: it was activated, or somebody else was faster.
export const Notice = {
  components: { Icon },
  props: { desk: Object },
  template: `
<div v-if="conflict" class="panel note" role="alert"><Icon class="c-major" name="major" size="20"/><p><b>v{{ desk.active }} is in force meanwhile</b> ({{ conflict.author }}: {{ conflict.reason }}), and this draft was made from v{{ desk.draft.base }}. What changes is shown against v{{ desk.active }}: what that one brought is taken back by this text unless you take it over.</p><span class="bt"><a class="btn tiny" :href="'?version=' + desk.active + (desk.draft.base ? '&compare=' + desk.draft.base : '')" target="_blank" rel="noopener">See what v{{ desk.active }} changed</a><button class="btn tiny" type="button" @click="putOnTop(desk)">Go on, on top of v{{ desk.active }}</button></span></div>
<div v-else-if="desk.said" class="panel note" role="status"><Icon :name="desk.said.look" size="18"/><p>{{ desk.said.words }}</p><button class="ib" type="button" aria-label="Close" @click="desk.said = null"><Icon name="close" size="16"/></button></div>`,
  computed: {
    conflict() {
      const { draft, active, versions } = this.desk;
      return draft && versions.data && draft.base !== active ? (versions.data.items[0] ?? null) : null;
    },
  },
  methods: { putOnTop },
};
