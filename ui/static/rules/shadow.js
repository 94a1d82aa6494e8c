// The shadow: a draft that judges live runs too, without any effect. Where it differs, and stopping it.
import { call, clock, Failed, Icon, needs, Panel, Sheet, thousands, Trouble, unitLink, when } from "yieldline";
import { onUnmounted } from "vue";
import { drafts } from "./drafts.js";
import { REASON_CHARS_MIN, reasonLength } from "./desk.js";
import { sinceWords } from "./words.js";

const ASK_MS = 4000;
const SHOWN = 5;
const at = (text) => Date.parse(text) / 1000;

const Runs = {
  props: { items: Array },
  template: `<div class="scroll"><table class="lt"><thead><tr><th>run</th><th>barcode</th><th>machine</th><th>in force</th><th>shadow</th><th>first failure</th></tr></thead><tbody><tr v-for="each in items"><td class="t3">{{ moment(each.timestamp) }}</td><td><a class="mono lnk" :href="unitLink(each.barcode, each.run_id)">{{ each.barcode }}</a></td><td class="t2">{{ each.machine_id }}</td><td>{{ each.outcome }}</td><td><span class="ac">→</span> <b :class="{'c-fail': each.shadow_outcome === 'FAIL'}">{{ each.shadow_outcome }}</b></td><td class="mono t2">{{ each.shadow_first_failure ?? each.first_failure }}</td></tr></tbody></table></div>`,
  methods: { unitLink, moment: (text) => when(at(text), clock.second) },
};

export const Shadow = {
  components: { Failed, Icon, Panel, Runs, Sheet },
  props: { desk: Object },
  template: `
<Panel class="sha" title="Shadow" :note="note" what="A draft that judges every new run beside the rulebook in force. It decides nothing and is published nowhere; the runs on which the two differ are kept.">
  <template #head><button v-if="isRunning" class="btn tiny" type="button" v-bind="needs('engineer', isSending)" @click="stop"><Icon name="stop" size="13"/>Stop</button><button v-if="desk.draft && !isSame" class="btn tiny" type="button" v-bind="needs('engineer', !mayStart || isSending, waits || 'Let this draft judge live runs too')" @click="start"><Icon name="play" size="13"/>{{ isRunning ? 'Replace by this draft' : 'Start this draft as shadow' }}</button></template>
  <Failed v-if="trouble && !shadow" :words="trouble" @again="ask"/>
  <p v-else-if="trouble" class="none c-fail" role="alert">{{ trouble }}</p>
  <p v-if="shadow" class="cnts"><b>{{ n(shadow.judged) }}</b> run{{ shadow.judged === 1 ? '' : 's' }} judged, <b>{{ n(shadow.differed) }}</b> differ{{ shadow.differed === 1 ? 's' : '' }}<template v-if="shadow.judged">, {{ share }} %</template><span class="t3"> · {{ shadow.author }}: {{ shadow.reason }}</span><span class="grow"></span><button v-if="shadow.next_cursor || shadow.items.length > 5" class="lnk" type="button" @click="openAll">all {{ n(shadow.differed) }}</button></p>
  <Runs v-if="shadow?.items.length" :items="shadow.items.slice(0, 5)"/>
  <p v-if="!shadow && !trouble && isAsked" class="none">None ever ran.{{ desk.draft && waits ? ' To start this draft as one: ' + waits + '.' : '' }}</p>
  <Sheet v-if="all" :title="'Runs on which the shadow differs'" @close="all = null"><Runs :items="all"/><button v-if="next" class="btn" type="button" @click="more">Earlier</button></Sheet>
</Panel>`,
  data: () => ({ shadow: null, isAsked: false, isSending: false, trouble: "", all: null, next: null }),
  created() {
    void this.ask();
    const timer = setInterval(() => this.isRunning && !document.hidden && this.ask(), ASK_MS);
    onUnmounted(() => clearInterval(timer));
  },
  computed: {
    isRunning() { return this.shadow !== null && this.shadow.stopped_at === null; },
    isSame() { return this.isRunning && this.desk.draft?.toml === this.shadow.toml; },
    note() {
      if (!this.shadow) return "";
      const { shadow_id: id, started_at: from, stopped_at: to } = this.shadow;
      return to ? `no. ${id}, stopped ${sinceWords(at(to), clock.second)}` : `no. ${id} runs since ${sinceWords(at(from), clock.second)}`;
    },
    share() { return ((100 * this.shadow.differed) / this.shadow.judged).toFixed(1); },
    waits() {
      if (!this.desk.isChecked || !this.desk.check.answer.valid) return "it must be without a fault";
      return reasonLength(this.desk.draft) < REASON_CHARS_MIN ? `give a reason of ${REASON_CHARS_MIN} characters` : "";
    },
    mayStart() { return this.waits === ""; },
  },
  methods: {
    n: thousands,
    needs,
    unitLink,
    async attempt(action) {
      try {
        await action();
        this.trouble = "";
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        this.trouble = error.message;
      }
    },
    ask() {
      return this.attempt(async () => {
        const newest = await call(`/api/v1/shadow?limit=${SHOWN + 1}`);
        Object.assign(this, { shadow: newest.shadow_id === null ? null : newest, isAsked: true });
      });
    },
    async change(request) {
      this.isSending = true;
      await this.attempt(() => call("/api/v1/shadow", request));
      this.isSending = false;
      if (!this.trouble) await this.ask();
    },
    start() {
      const { toml, reason } = this.desk.draft;
      return this.change({ method: "POST", body: { toml, reason, author: drafts.author.trim() || "web app" } });
    },
    stop() { return this.change({ method: "DELETE" }); },
    openAll() {
      Object.assign(this, { all: [], next: null });
      return this.more();
    },
    more() {
      return this.attempt(async () => {
        const page = await call(`/api/v1/shadow?limit=100${this.next ? `&cursor=${this.next}` : ""}`);
        Object.assign(this, { all: [...this.all, ...page.items], next: page.next_cursor });
      });
    },
  },
};
