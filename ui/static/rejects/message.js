// Middle: one rejection. Why, where it came, and its bytes as text and as hex with the trouble marked.
import { Icon, machineLink, Panel, question, thousands } from "yieldline";
import { hexRows, textLines } from "yieldline-rejects/bytes.js";
import { API, arrived, settledWords } from "yieldline-rejects/words.js";

export const Message = {
  components: { Icon, Panel },
  props: { rejectionId: Number, place: Number, count: Number, bytes: Object, version: Number },
  emits: ["found", "step", "correct"],
  template: `
<Panel class="one" :title="title" :asks="asks">
  <template #note><small v-if="one">{{ arrived(one.received_at, true) }}<template v-if="one.repeats">, came again {{ one.repeats }} ×</template></small></template>
  <template #head><button class="btn" type="button" :disabled="place + 1 >= count" title="Earlier (J)" @click="$emit('step', 1)">Earlier</button><button class="btn" type="button" :disabled="place <= 0" title="Later (K)" @click="$emit('step', -1)">Later</button></template>
  <div v-if="one" class="scroll" tabindex="0" aria-label="The message">
    <div class="why"><b>{{ sentence[0] }}</b><p v-if="sentence[1]">{{ sentence[1] }}</p></div>
    <dl class="mt"><div><dt>topic</dt><dd class="mono">{{ one.topic }}</dd></div><div><dt>code</dt><dd class="mono">{{ one.code }}</dd></div><div><dt>machine</dt><dd><a v-if="one.machine_id" class="lnk" :href="machineLink(one.machine_id)">{{ one.machine_id }}</a><template v-else>none</template></dd></div><div><dt>size</dt><dd>{{ n(one.payload_size) }} bytes</dd></div><div><dt>message_id</dt><dd class="mono">{{ one.message_id ?? 'none' }}</dd></div><div v-if="one.element !== null"><dt>element</dt><dd>{{ one.element }} of its array</dd></div></dl>
    <p v-if="one.settled" class="settled"><Icon name="pass-line"/>{{ settledWords(one.settled) }}</p>
    <div class="ph"><h2>Text</h2><small>UTF-8, as received, long lines broken</small><span class="grow"></span><small v-if="mark">trouble at byte {{ n(mark.start) }}</small></div>
    <div class="raw text"><div v-for="line in text.lines" :class="{hl: line.isMarked}"><i>{{ n(line.at) }}</i><code>{{ line.parts[0] }}<u v-if="line.parts[1]">{{ line.parts[1] }}</u>{{ line.parts[2] }}<u v-if="line.isCut" class="cut">ends here</u></code></div><p v-if="bytes && !bytes.length" class="t3">It has no bytes.</p><p v-if="!text.isWhole" class="t3">Only what stands around the trouble. Save the bytes to see all.</p></div>
    <div class="ph"><h2>Bytes</h2><span class="grow"></span><a class="btn" :href="address + '/bytes'" download><Icon name="export"/>Save the bytes</a></div>
    <div class="raw hexes"><div v-for="row in hex.rows" :class="{hl: row.isMarked}"><i>{{ offset(row.at) }}</i><code class="h">{{ row.hex[0] }}<template v-if="row.hex[1]">{{ row.hex[0] && ' ' }}<u>{{ row.hex[1] }}</u>{{ row.hex[2] && ' ' }}</template>{{ row.hex[2] }}</code><code>{{ row.text[0] }}<u v-if="row.text[1]">{{ row.text[1] }}</u>{{ row.text[2] }}</code></div><p v-if="!hex.isWhole" class="t3">{{ n(hex.rows.length * 16) }} of {{ n(bytes.length) }} bytes.</p></div>
  </div>
  <p v-if="one" class="foot"><span class="t3">Bytes are never edited. A corrected copy is a new message.</span><button class="lnk" type="button" @click="$emit('correct')">Write a corrected copy</button></p>
</Panel>`,
  created() {
    this.asks = question(() => `${API}/${this.rejectionId}`, () => ({}), { isFiltered: false });
    this.$watch(() => this.version, () => this.asks.ask());
    this.$watch(() => this.asks.data, (one) => this.$emit("found", one));
  },
  computed: {
    one() { return this.asks.data; },
    address() { return `${API}/${this.rejectionId}`; },
    title() { return this.count > 1 ? `${this.n(this.place + 1)} of ${this.n(this.count)}` : `Rejection ${this.rejectionId}`; },
    // What is wrong, and apart from it what to do.
    sentence() {
      const [, what, remedy] = /^(.*?\.)\s+(.*)$/s.exec(this.one.reason) ?? [null, this.one.reason, ""];
      return [this.one.code === "schema" ? what : what[0].toUpperCase() + what.slice(1), remedy]; // a field's name stays as it is
    },
    mark() { return this.one && this.one.error_start !== null ? { start: this.one.error_start, end: this.one.error_end } : null; },
    text() { return this.bytes ? textLines(this.bytes, this.mark) : { lines: [], isWhole: true }; },
    hex() { return this.bytes ? hexRows(this.bytes, this.mark) : { rows: [], isWhole: true }; },
  },
  methods: {
    arrived,
    machineLink,
    n: thousands,
    settledWords,
    offset: (at) => String(at).padStart(5, "0"),
  },
};
