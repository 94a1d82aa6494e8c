// Left: rejections by code and machine, those with open ones first; or one by one.
import { change, Panel, query, question, scope, thousands } from "yieldline";
import { API, arrived, settledWords, short, span } from "yieldline-rejects/words.js";

const LISTED = 200;

export const GroupList = {
  components: { Panel },
  props: { version: Number },
  emits: ["found"],
  template: `
<Panel class="groups" title="Rejections" :what="what" :asks="asks" :rows="items.length" :csv="csv" :empty="empty">
  <template #note><small>{{ scope.words.toLowerCase() }}</small></template>
  <template #head><span class="seg" role="tablist" aria-label="List"><button type="button" role="tab" :aria-selected="String(!isEach)" :class="{on: !isEach}" @click="change({tab: '', id: ''})">Grouped</button><button type="button" role="tab" :aria-selected="String(isEach)" :class="{on: isEach}" @click="change({tab: 'each'})">Each</button></span></template>
  <div class="scroll" @keydown="move">
    <template v-for="part in parts"><h3 v-if="part.items.length" class="hd3">{{ part.word }}, {{ n(part.count) }}</h3>
      <button v-for="item in part.items" :key="keyOf(item)" type="button" class="gr" :class="{sel: isShown(item), done: part.word === 'done'}" :aria-current="isShown(item) ? 'true' : null" @click="show(item)">
        <b class="n">{{ isEach ? '' : n(item.open || item.total) }}</b><span class="w"><span class="mono">{{ item.code }}</span> <span class="t3">from</span> <span class="m">{{ item.machine_id ?? 'no machine' }}</span></span><span class="t">{{ isEach ? arrived(item.received_at, true) : span(item.first_at, item.last_at) }}</span><em>{{ item.settled ? settledWords(item.settled) : short(item.reason) }}</em>
      </button>
    </template>
    <p v-if="asks.data.next_cursor" class="foot"><button class="btn" type="button" @click="change({until: items.at(-1).received_at})">Older</button></p>
  </div>
  <p class="foot t3">The bytes of every rejection are kept. Senders that gave a <span class="mono">message_id</span> have their receipt: they do not repeat it.</p>
</Panel>`,
  data: () => ({ query, scope }),
  created() {
    const wanted = () => ({ since: scope.since, until: scope.until, ...(this.isEach ? { limit: LISTED, machine_id: query.machine_id, code: query.code } : {}) });
    this.asks = question(() => (this.isEach ? API : `${API}/groups`), wanted, { isFiltered: false });
    this.$watch(() => this.version, () => this.asks.ask());
    this.$watch(() => this.asks.data, () => this.$emit("found", this.items));
  },
  computed: {
    isEach: () => query.tab === "each",
    items() {
      const items = this.asks.data?.items ?? [];
      return items.length && "total" in items[0] === this.isEach ? [] : items; // of the other list, still
    },
    what: () => "Messages that could not be understood, by what is wrong and by the machine of their topic. Done: resubmitted, or closed with a reason.",
    parts() {
      const isOpen = (item) => (this.isEach ? !item.settled : item.open > 0);
      const open = this.items.filter(isOpen);
      const done = this.items.filter((item) => !isOpen(item));
      const sum = (items, name) => (this.isEach ? items.length : items.reduce((total, item) => total + item[name], 0));
      return [{ word: "open", items: open, count: sum(open, "open") }, { word: "done", items: done, count: sum(done, "total") }];
    },
    empty() {
      if (!this.asks.data || this.items.length) return null;
      return { words: `Nothing was rejected: ${scope.words.toLowerCase()}, ${scope.label}.`, action: "Show 30 days", act: () => change({ range: "30d", since: "", until: "", code: "", machine_id: "", id: "" }) };
    },
  },
  methods: {
    arrived,
    change,
    n: thousands,
    settledWords,
    short,
    span,
    keyOf: (item) => ("total" in item ? `${item.code} ${item.machine_id}` : item.rejection_id),
    isShown(item) {
      if (this.isEach) return query.id === String(item.rejection_id);
      return query.code === item.code && query.machine_id === (item.machine_id ?? "");
    },
    show(item) {
      if (this.isEach) change({ id: item.rejection_id });
      else change({ code: item.code, machine_id: item.machine_id ?? "", id: "" });
    },
    move(event) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      const rows = [...event.currentTarget.querySelectorAll(".gr")];
      const next = rows[rows.indexOf(document.activeElement) + step];
      if (!next) return;
      event.preventDefault();
      next.focus();
    },
    csv() {
      const head = this.isEach ? ["rejection_id", "received_at", "code", "machine_id", "topic", "message_id", "payload_size", "repeats", "reason"] : ["code", "machine_id", "total", "open", "first_at", "last_at", "reason"];
      return { name: "rejections.csv", head, rows: this.items.map((item) => head.map((name) => item[name])) };
    },
  },
};
