// Right: what would become of it now, and sending it: this one, its group, or a corrected copy.
import { Icon, may, needs, Outcome, thousands, Trouble } from "yieldline";
import { textOf } from "yieldline-rejects/bytes.js";
import { CopyEditor } from "yieldline-rejects/copy_editor.js";
import { Watching, WATCHED_MAX } from "yieldline-rejects/watching.js";
import { machineIn, MARKS, post, topicOf, whyWords } from "yieldline-rejects/words.js";

const CHUNK = 25; // sent at once: after each the progress is drawn
const LISTED = 20;
const ORDER = ["rejected", "duplicate", "FAIL", "ERROR", "UNJUDGED", "PASS"]; // what needs a look first
const REASON_CHARS_MAX = 500;

export const Resend = {
  components: { CopyEditor, Icon, Outcome, Watching },
  props: { one: Object, members: Array, bytes: Object, mode: String },
  emits: ["changed", "mode"],
  template: `
<section class="panel pan resend" aria-label="Resubmit">
  <div class="ph"><h2>Resubmit</h2><span class="seg" role="tablist" aria-label="What"><button v-for="each in modes" type="button" role="tab" :aria-selected="String(each.name === mode)" :class="{on: each.name === mode}" @click="$emit('mode', each.name)">{{ each.word }}</button></span></div>
  <div class="scroll">
    <div class="form">
      <label class="why">Topic<input v-model.trim="topic" class="field mono" spellcheck="false"></label>
      <p v-if="suggestion" class="t3">The message says {{ named }}. <button class="lnk" type="button" @click="topic = suggestion">Send it to the topic of {{ named }}</button></p>
      <CopyEditor v-if="mode === 'copy'" v-model="copy"/>
      <p class="acts"><button class="btn" :class="{pri: !dry}" type="button" v-bind="needs('engineer', isBusy)" @click="tryIt"><Icon name="redo"/>{{ dry ? 'Dry run again' : 'Dry run' }} <kbd>D</kbd></button><span class="t3">{{ dry ? 'nothing is changed by it' : 'says what would become of it now; changes nothing' }}</span></p>
    </div>
    <p v-if="trouble" class="bad c-fail" role="alert">{{ trouble }}</p>
    <p v-if="progress" class="acts sending" role="status"><progress :max="progress.total" :value="progress.done"></progress><span>{{ n(progress.done) }} of {{ n(progress.total) }} sent</span><button v-if="isBusy" class="btn" type="button" @click="isCancelled = true">Stop</button></p>
    <Watching v-if="watched.length" :key="watched[0].message_id" :parts="watched" :total="sentCount"/>
    <template v-if="dry">
      <div class="nums" role="status"><div><b>{{ n(dry.accepted) }}</b> <i>{{ isMany ? 'of ' + n(dry.items.length) : '' }} would be accepted</i><p>{{ outcomeWords }}</p></div><div><b>{{ n(refused.length) }}</b> <i>would not</i><p>{{ refusedWords }}</p></div></div>
      <table class="grid rs"><thead><tr><th scope="col">would be</th><th scope="col">barcode</th><th scope="col">why</th></tr></thead><tbody><tr v-for="part in listed" :class="{no: part.fate !== 'accepted'}"><td><Outcome v-if="part.fate === 'accepted'" :mark="marks[part.outcome]"/><span v-else class="o c-stale"><Icon name="stop"/>{{ part.fate }}</span></td><td class="mono">{{ part.barcode ?? '–' }}</td><td class="wy" :title="part.reason">{{ whyWords(part) }}</td></tr></tbody></table>
      <p v-if="parts.length > listed.length" class="foot"><button class="lnk" type="button" @click="listedMax = parts.length">{{ n(parts.length - listed.length) }} more</button></p>
    </template>
  </div>
  <form class="send" @submit.prevent="send(false)">
    <label class="why">{{ isMany ? 'Reason, kept with every one' : 'Reason, kept in the audit trail' }}<input v-model="reason" class="field" :maxlength="reasonMax" placeholder="Why it may be sent again, or closed"></label>
    <p class="acts"><button class="btn pri" v-bind="needs('engineer', isBusy || !dry || !dry.accepted)">Resubmit{{ isMany && dry ? ' ' + n(dry.accepted) : mode === 'copy' ? ' the copy' : '' }}</button><button v-if="dry && !dry.accepted && mode !== 'group'" class="btn" type="button" v-bind="needs('engineer', isBusy)" @click="send(true)">Send all the same</button><button class="btn" type="button" v-bind="needs('engineer', isBusy || !closing.length || !reason.trim(), reason.trim() ? null : 'Say why first')" @click="close">{{ closeWords }}</button></p>
  </form>
</section>`,
  data: () => ({ marks: MARKS, reasonMax: REASON_CHARS_MAX, topic: "", copy: "", reason: "", dry: null, trouble: "", isBusy: false, isCancelled: false, progress: null, watched: [], sentCount: 0, listedMax: LISTED }),
  created() {
    this.$watch(() => this.subject, this.begin, { immediate: true });
    this.$watch(() => this.bytes, () => (this.copy = this.text));
    this.$watch(() => [this.topic, this.copy], () => (this.dry = null));
  },
  computed: {
    modes() {
      const many = this.members.length > 1 || this.isMany ? [{ name: "group", word: `The group, ${thousands(this.members.length)}` }] : [];
      return [{ name: "this", word: "This one" }, ...many, { name: "copy", word: "Corrected copy" }];
    },
    // Another one, and what was said of the last does not hold.
    subject() { return this.isMany ? `${this.one.code} ${this.one.machine_id}` : `${this.mode} ${this.one.rejection_id}`; },
    isMany() { return this.mode === "group"; },
    text() { return this.bytes ? textOf(this.bytes) : ""; },
    named() { return machineIn(this.mode === "copy" ? this.copy : this.text); },
    suggestion() {
      const { machine_id, topic } = this.one;
      const found = this.named && machine_id && this.named !== machine_id ? topicOf(topic, machine_id, this.named) : "";
      return found && found !== this.topic ? found : "";
    },
    otherTopic() { return this.topic && this.topic !== this.one.topic ? this.topic : undefined; },
    refused() { return this.dry.items.filter((item) => item.fate !== "accepted"); },
    parts() {
      const rank = (part) => ORDER.indexOf(part.fate === "accepted" ? part.outcome : part.fate);
      return this.dry.items.flatMap((item) => item.parts).sort((a, b) => rank(a) - rank(b));
    },
    listed() { return this.parts.slice(0, this.listedMax); },
    outcomeWords() {
      const said = Object.keys(MARKS).map((outcome) => [this.parts.filter((part) => part.fate === "accepted" && part.outcome === outcome).length, outcome]);
      return said.filter(([count]) => count).map(([count, outcome]) => `${thousands(count)} ${outcome}`).join(", ");
    },
    refusedWords() {
      const words = [[this.dry.duplicates, "stored already"], [this.dry.rejected, "rejected again"]];
      return words.filter(([count]) => count).map(([count, word]) => `${thousands(count)} ${word}`).join(", ");
    },
    closing() {
      if (!this.isMany) return this.one.settled ? [] : [this.one.rejection_id];
      return (this.dry ? this.refused : this.members).map((item) => item.rejection_id);
    },
    closeWords() { return this.isMany ? `Close the ${thousands(this.closing.length)}` : "Close this one"; },
  },
  methods: {
    n: thousands,
    needs,
    whyWords,
    begin() {
      Object.assign(this, { topic: this.one.topic, copy: this.text, dry: null, trouble: "", progress: null, watched: [], sentCount: 0, listedMax: LISTED });
    },
    // Work, with its trouble as a sentence.
    async work(action) {
      if (this.isBusy || !may("engineer")) return;
      Object.assign(this, { isBusy: true, isCancelled: false, trouble: "" });
      try {
        await action();
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        this.trouble = error.message;
      } finally {
        this.isBusy = false;
      }
    },
    tryIt() {
      return this.work(async () => {
        const ids = this.members.map((each) => each.rejection_id);
        this.dry = this.isMany ? await this.ask("resubmit", { rejection_ids: ids }, true) : this.tally(await this.ask(`${this.one.rejection_id}/resubmit`, this.correction(), true));
        this.listedMax = LISTED;
      });
    },
    ask(path, body, isDry) {
      return post(`${path}?dry_run=${isDry}`, { ...body, topic: this.otherTopic, reason: this.reason });
    },
    correction() { return this.mode === "copy" ? { payload: this.copy } : {}; },
    // One message as a group of its own.
    tally(item) {
      const is = (fate) => Number(item.fate === fate);
      return { accepted: is("accepted"), duplicates: is("duplicate"), rejected: is("rejected"), published: Number(item.published), items: [item] };
    },
    send(isForced) {
      return this.work(async () => {
        try {
          if (this.isMany) await this.sendMany(this.dry.items.filter((item) => item.fate === "accepted"));
          else this.follow([await this.ask(`${this.one.rejection_id}/resubmit`, { ...this.correction(), force: isForced }, false)]);
          this.dry = null;
        } finally {
          this.$emit("changed");
        }
      });
    },
    async sendMany(items) {
      const sent = [];
      this.progress = { done: 0, total: items.length };
      for (let at = 0; at < items.length && !this.isCancelled; at += CHUNK) {
        const ids = items.slice(at, at + CHUNK).map((item) => item.rejection_id);
        const answer = await this.ask("resubmit", { rejection_ids: ids }, false);
        sent.push(...answer.items.filter((item) => item.published));
        this.progress = { done: sent.length, total: items.length };
        this.follow(sent);
      }
    },
    follow(items) {
      const parts = items.flatMap((item) => item.parts).filter((part) => part.fate === "accepted");
      this.sentCount = parts.length;
      if (!this.watched.length) this.watched = parts.slice(0, WATCHED_MAX);
    },
    close() {
      return this.work(async () => {
        await post("close", { rejection_ids: this.closing, reason: this.reason });
        this.dry = null;
        this.$emit("changed");
      });
    },
  },
};
