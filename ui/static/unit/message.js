// What came, and what became of it: the message byte for byte, the log it was read from, the result as JSON,
// the receipt.
import { call, copyText, Icon, Trouble } from "yieldline";
import { within } from "./boxes.js";

const RESULT_CHARACTERS_MAX = 60_000;

export const Message = {
  components: { Icon },
  props: { message: Object, run: Object, mark: String },
  template: `
<section class="panel msg"><div class="ph"><span class="tb" role="tablist"><button v-for="each in tabs" type="button" role="tab" :aria-selected="String(tab === each)" :class="{on: tab === each}" @click="tab = each">{{ each }}</button></span><span class="grow"></span><small class="mono" :title="'BLAKE2b-128 of its content: ' + message.hash">blake2b {{ message.hash.slice(0, 4) }}…{{ message.hash.slice(-4) }}</small><button class="ib" type="button" :aria-label="copied ? 'Copied' : 'Copy the hash'" :title="copied ? 'Copied' : 'Copy the hash'" @click="copy"><Icon :name="copied ? 'pass-line' : 'copy'" size="16"/></button></div>
  <template v-if="tab === 'Message'"><div ref="raw" class="raw" :class="mark" tabindex="0" aria-label="The message's bytes"><div v-for="each in message.lines" :class="{hl: each.marked}"><i>{{ String(each.offset).padStart(5, '0') }}</i><code>{{ each.text }}</code></div></div><p class="of t3">{{ message.size }}, as arrived{{ message.whole ? '' : '; only what stands around the value' }} · <a class="lnk" :href="'/api/v1/results/' + run.id + '/message'" :download="'message-' + run.id + '.json'">save all of it</a></p></template>
  <div v-else-if="tab === 'Log line'" class="say"><p><span class="mono">{{ run.source.file }}</span></p><p>{{ run.source.bytes }}</p><p class="t3">The log stays at its machine; the agent read these bytes of it and sent the message.</p></div>
  <pre v-else-if="tab === 'Result'" class="raw js" tabindex="0" aria-label="The result as JSON">{{ result }}</pre>
  <div v-else class="say"><p>{{ run.receipt.words }}</p><p v-if="run.receipt.sent">It named <span class="mono">{{ run.receipt.message_id }}</span> and {{ run.receipt.received_at }}.</p></div>
</section>`,
  data: () => ({ tab: "Message", result: "", copied: false }),
  computed: {
    tabs() { return ["Message", ...(this.run.source ? ["Log line"] : []), "Result", "Receipt"]; },
  },
  mounted() {
    this.$watch(() => [this.message, this.tab], this.showMarked, { immediate: true, flush: "post" });
    this.$watch(() => [this.tab, this.run.id], this.readResult);
  },
  methods: {
    showMarked() {
      if (this.$refs.raw) within(this.$refs.raw, this.$refs.raw.querySelector(".hl"));
    },
    async readResult() {
      if (!this.tabs.includes(this.tab)) this.tab = "Message";
      if (this.tab !== "Result") return;
      const id = this.run.id;
      this.result = "";
      try {
        const { details, ...result } = await call(`/api/v1/results/${id}`);
        if (id !== this.run.id) return;
        const text = JSON.stringify(result, null, 1);
        this.result = text.length > RESULT_CHARACTERS_MAX ? `${text.slice(0, RESULT_CHARACTERS_MAX)}\n… the evidence pack has all of it` : text;
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        this.result = error.message;
      }
    },
    async copy() {
      await copyText(this.message.hash);
      this.copied = true;
      setTimeout(() => (this.copied = false), 2000);
    },
  },
};
