// A panel with its states and its ⓘ; a box that opens below a button; a sheet at the side.
import { clockTime, thousands } from "./words.js";
import { copyText } from "./copy.js";
import { saveCsv } from "./csv.js";
import { Icon } from "./pictures.js";
import { filterWords, frozenLink, refresh, scope } from "./scope.js";

const APART = 6;

// A button and a box in the browser's top layer: Esc and a click outside close it, nothing clips it.
export const Popover = {
  props: { label: String, look: { type: String, default: "chip" }, disabled: Boolean },
  template: `<button ref="button" type="button" :class="look" :disabled="disabled" :aria-label="label" :title="label" aria-haspopup="dialog" :aria-expanded="String(isOpen)" @click="box.togglePopover()"><slot name="button"></slot></button><div :ref="keep" popover="auto" class="popbox" role="dialog" :aria-label="label" @toggle="onToggle"><slot v-if="isOpen" :close="close"></slot></div>`,
  data: () => ({ isOpen: false }),
  methods: {
    keep(box) { this.box = box; },
    close() { this.box.hidePopover(); },
    async onToggle(event) {
      this.isOpen = event.newState === "open";
      if (!this.isOpen) return;
      await this.$nextTick();
      const at = this.$refs.button.getBoundingClientRect();
      const { offsetWidth: width, offsetHeight: height } = this.box;
      const left = Math.max(APART, Math.min(at.left, window.innerWidth - width - APART));
      const below = at.bottom + APART;
      const top = below + height <= window.innerHeight ? below : Math.max(APART, at.top - height - APART);
      Object.assign(this.box.style, { left: `${left}px`, top: `${top}px` });
    },
  },
};

// Grey shapes where the content will stand.
export const Shapes = {
  props: { kind: { type: String, default: "rows" } },
  template: `<div class="shapes" :class="kind" role="status" aria-label="Loading"><i v-for="n in kind === 'rows' ? 6 : 1"></i></div>`,
};

// Nothing to show: why, and one action.
export const Empty = {
  props: { words: String, action: String, href: String },
  emits: ["act"],
  template: `<div class="nothing"><p>{{ words }}</p><a v-if="href" class="btn" :href="href">{{ action }}</a><button v-else-if="action" class="btn" type="button" @click="$emit('act')">{{ action }}</button></div>`,
};

// One sentence: what, where, what to do.
export const Failed = {
  components: { Icon },
  props: { words: String },
  emits: ["again"],
  template: `<div class="nothing failed" role="alert"><p><Icon name="offline" size="16"/>{{ words }}</p><button class="btn" type="button" @click="$emit('again')"><Icon name="redo"/>Try again</button></div>`,
};

// The ⓘ of a panel: what it is, of what, from how many rows, and the way to the numbers.
export const About = {
  components: { Icon, Popover },
  props: { title: String, what: String, asks: Object, rows: Number, csv: Function, of: String, url: String },
  template: `<Popover look="ib info" :label="'About ' + title"><template #button><Icon name="info" size="16"/></template><template #default="{ close }"><h3>{{ title }}</h3><p>{{ what }}</p><dl><dt>Of</dt><dd>{{ of ?? words }}</dd><template v-if="rows !== undefined"><dt>Rows used</dt><dd>{{ n(rows) }}</dd></template><template v-if="asks?.at"><dt>As of</dt><dd>{{ clockTime(asks.at) }}</dd></template></dl><p class="acts"><button v-if="asks || url" class="btn" type="button" @click="copy"><Icon name="link"/>{{ copied ? 'Copied' : 'Copy API URL' }}</button><button v-if="csv" class="btn" type="button" @click="save(); close()"><Icon name="export"/>CSV</button></p></template></Popover>`,
  data: () => ({ copied: false }),
  computed: { words: filterWords },
  methods: {
    clockTime,
    n: thousands,
    async copy() {
      await copyText(window.location.origin + (this.asks?.url ?? this.url));
      this.copied = true;
    },
    save() {
      const { name, head, rows } = this.csv();
      saveCsv(name, head, rows);
    },
  },
};

// `asks`: a question (api.js); the default slot is drawn with its `data` once that is there.
// `what`: the definition. `rows`: how many rows the numbers come from. `csv`: returns {name, head, rows}.
// `of`: of what, where the page's filters do not say it. `url`: of a panel that asks nothing itself.
// `empty`: {words, action, href or act}, shown instead of the slot; null while there is something.
export const Panel = {
  components: { About, Empty, Failed, Shapes },
  props: { title: String, note: String, what: String, asks: Object, rows: Number, csv: Function, empty: Object, shape: String, of: String, url: String },
  template: `
<section class="panel pan" :aria-label="title" :aria-busy="asks?.isAsking ? 'true' : null">
  <div class="ph"><h2>{{ title }}</h2><small v-if="note">{{ note }}</small><slot name="note"></slot><span class="grow"></span><slot name="head"></slot><About v-if="what" :title="title" :what="what" :asks="asks" :rows="rows" :of="of" :url="url" :csv="asks?.data || !asks ? csv : undefined"/></div>
  <Failed v-if="asks?.error" :words="asks.error" @again="asks.ask()"/>
  <template v-else-if="asks && !asks.data"><Shapes v-if="asks.isSlow" :kind="shape"/></template>
  <Empty v-else-if="empty" :words="empty.words" :action="empty.action" :href="empty.href" @act="empty.act?.()"/>
  <slot v-else :data="asks?.data"></slot>
</section>`,
};

// A sheet at the side of the page; Esc closes it and gives the focus back. A quiet one leaves the focus
// where it is: in a list whose rows it shows one after the other.
export const Sheet = {
  components: { Icon },
  props: { title: String, quiet: Boolean },
  emits: ["close"],
  template: `<aside ref="sheet" class="sheet" role="dialog" :aria-label="title" tabindex="-1"><div class="ph"><slot name="title"><h2>{{ title }}</h2></slot><span class="grow"></span><slot name="head"></slot><button class="ib" type="button" aria-label="Close" title="Close (Esc)" @click="$emit('close')"><Icon name="close" size="16"/></button></div><div class="in"><slot></slot></div></aside>`,
  mounted() {
    this.before = document.activeElement;
    window.addEventListener("keydown", this.leave);
    if (!this.quiet) this.$refs.sheet.focus();
  },
  beforeUnmount() {
    window.removeEventListener("keydown", this.leave);
    if (this.$refs.sheet.contains(document.activeElement)) this.before?.focus?.();
  },
  methods: {
    leave({ key }) {
      if (key === "Escape" && !document.querySelector(":popover-open, dialog[open]")) this.$emit("close");
    },
  },
};

// "as of 10:42:17, refresh", and "Copy link", which nails a live range down.
export const AsOf = {
  components: { Icon },
  template: `<span class="asof"><span>as of {{ clockTime(scope.at) }}</span><button class="btn" type="button" @click="refresh"><Icon name="redo"/>Refresh</button></span>`,
  data: () => ({ scope }),
  methods: { clockTime, refresh },
};

export const CopyLink = {
  components: { Icon },
  template: `<button class="btn" type="button" :title="'As seen now: ' + scope.label" @click="copy"><Icon name="link"/>{{ copied ? 'Copied' : 'Copy link' }}</button>`,
  data: () => ({ scope, copied: false }),
  methods: {
    async copy() {
      await copyText(frozenLink());
      this.copied = true;
      setTimeout(() => (this.copied = false), 2000);
    },
  },
};
