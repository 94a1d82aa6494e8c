// Rejects: what was not understood, and how do I fix it? Groups, one of them, and sending it again.
import { markRaw } from "vue";
import { call, change, onKey, Empty, Failed, query, question, scope, Trouble } from "yieldline";
import { GroupList } from "yieldline-rejects/group_list.js";
import { Message } from "yieldline-rejects/message.js";
import { Resend } from "yieldline-rejects/resend.js";
import { API } from "yieldline-rejects/words.js";

const MEMBERS_MAX = 500; // as many as one call takes

export default {
  components: { Empty, Failed, GroupList, Message, Resend },
  template: `
<div class="rj" :class="{open: shownId}">
  <GroupList :version="version" @found="seeList"/>
  <template v-if="shownId">
    <p class="back"><button class="btn" type="button" @click="change({code: '', machine_id: '', id: ''})">All rejections</button></p>
    <Message ref="message" :rejection-id="shownId" :place="place" :count="members.length" :bytes="bytes" :version="version" @found="seeOne" @step="step" @correct="mode = 'copy'"/>
    <Resend v-if="one" ref="resend" :one="one" :members="open" :bytes="bytes" :mode="mode" @mode="mode = $event" @changed="version += 1"/>
    <section v-else-if="trouble" class="panel pan"><Failed :words="trouble" @again="load"/></section>
  </template>
  <section v-else class="panel pan none"><Empty words="Choose rejections on the left: arrows and Enter."/></section>
</div>`,
  data: () => ({ query, version: 0, one: null, bytes: null, trouble: "", mode: "this", first: 0 }),
  created() {
    const wanted = () => ({ code: this.group?.code, machine_id: this.group?.machine_id, since: scope.since, until: scope.until, limit: MEMBERS_MAX });
    this.asks = question(() => (this.group ? API : ""), wanted, { isFiltered: false });
    // Those to be sent: of a large group the next ones come when these are dealt with.
    this.waits = question(() => (this.group ? API : ""), () => ({ ...wanted(), open: true }), { isFiltered: false });
    this.$watch(() => this.asks.data, this.seeMembers);
    this.$watch(() => this.version, this.askAgain);
    this.$watch(() => this.shownId, this.load, { immediate: true });
    this.$watch(() => `${this.group?.code} ${this.group?.machine_id}`, () => (this.mode = "this"));
    onKey("j", "the earlier rejection", () => this.step(1));
    onKey("k", "the later rejection", () => this.step(-1));
    onKey("d", "dry run", () => this.$refs.resend?.tryIt());
    onKey("g", "resubmit the group, or this one", () => (this.mode = this.mode === "group" || this.open.length < 2 ? "this" : "group"));
    onKey("e", "write a corrected copy", () => (this.mode = "copy"));
  },
  computed: {
    // What the address names; else the group of the one that it names.
    group() {
      if (query.code) return { code: query.code, machine_id: query.machine_id };
      return this.one ? { code: this.one.code, machine_id: this.one.machine_id ?? "" } : null;
    },
    members() { return this.asks.data?.items ?? []; },
    open() { return this.waits.data?.items ?? []; },
    shownId() { return Number(query.id) || (query.code ? this.first : 0); },
    place() { return Math.max(0, this.members.findIndex((each) => each.rejection_id === this.shownId)); },
  },
  methods: {
    change,
    // Nothing chosen yet: the first group, or the first of all, where there is room for it.
    seeList(items) {
      if (this.shownId || query.code || !items.length || window.innerWidth <= 600) return;
      const [item] = items;
      if ("total" in item) change({ code: item.code, machine_id: item.machine_id ?? "" }, { replaces: true });
      else change({ id: item.rejection_id }, { replaces: true });
    },
    // A group was chosen: its newest open one is shown, and stays when it is dealt with.
    seeMembers() {
      const isShown = this.members.some((each) => each.rejection_id === this.first);
      if (query.code && !isShown) this.first = (this.members.find((each) => !each.settled) ?? this.members[0])?.rejection_id ?? 0;
    },
    askAgain() {
      this.asks.ask();
      this.waits.ask();
    },
    seeOne(one) { if (one?.rejection_id === this.shownId) this.one = one; },
    step(by) {
      const next = this.members[this.place + by];
      if (next) change({ id: next.rejection_id }, { replaces: true });
    },
    async load() {
      const id = this.shownId;
      Object.assign(this, { one: null, bytes: null, trouble: "" });
      if (!id) return;
      try {
        const answer = await call(`${API}/${id}/bytes`, { as: "answer" });
        const bytes = new Uint8Array(await answer.arrayBuffer());
        if (id === this.shownId) this.bytes = markRaw(bytes);
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        this.trouble = error.message;
      }
    },
  },
};
