// One alert at the side: what it is about, the runs behind it, and what happened to it.
import { clock, Icon, machineLink, needs, Outcome, question, Sheet, unitLink } from "yieldline";
import { eventWords, kindWord, momentWords, secondsOf, stateWords } from "yieldline/alertwords.js";

const MARKS = { PASS: "P", FAIL: "F", ERROR: "E", UNJUDGED: "U" };

export const AlertSheet = {
  components: { Icon, Outcome, Sheet },
  props: { alertId: Number, version: Number },
  emits: ["close", "acknowledge", "shelve"],
  template: `
<Sheet :title="'Alert ' + alertId" quiet @close="$emit('close')">
  <p v-if="asks.error" class="c-fail" role="alert">{{ asks.error }}</p>
  <template v-if="alert">
    <p class="lead"><Icon :class="'c-' + alert.severity" :name="alert.severity" size="22"/><b>{{ alert.message }}</b></p>
    <dl class="facts">
      <div><dt>Kind</dt><dd>{{ kindWord(alert.kind) }}, {{ alert.severity }}</dd></div>
      <div><dt>State</dt><dd>{{ stateWords(alert, clock.second) }}</dd></div>
      <div><dt>Opened</dt><dd>{{ moment(alert.opened_at) }}</dd></div>
      <div v-if="alert.subject.machine"><dt>Machine</dt><dd><a class="lnk" :href="machineLink(alert.subject.machine)">{{ alert.subject.machine }}</a></dd></div>
      <div v-if="alert.line"><dt>Line</dt><dd>{{ alert.line }}</dd></div>
      <div v-if="alert.subject.product"><dt>Product</dt><dd>{{ alert.subject.product }}</dd></div>
      <div v-if="alert.subject.procedure"><dt>Procedure</dt><dd>{{ alert.subject.procedure }}</dd></div>
      <div v-if="alert.subject.step"><dt>Step</dt><dd class="mono">{{ alert.subject.step }}</dd></div>
      <div v-if="alert.barcode"><dt>Unit</dt><dd><a class="lnk mono" :href="unitLink(alert.barcode)">{{ alert.barcode }}</a></dd></div>
    </dl>
    <p v-if="alert.state !== 'closed'" class="acts"><button v-if="alert.state !== 'acknowledged'" class="btn" type="button" v-bind="needs('operator')" @click="$emit('acknowledge')">Acknowledge</button><button class="btn" type="button" v-bind="needs('engineer')" @click="$emit('shelve')">Shelve…</button></p>
    <h3>Evidence</h3>
    <p v-if="!alert.runs.length" class="t3">{{ alert.evidence.length ? 'Its runs are no longer stored.' : 'No run stands behind it.' }}</p>
    <table v-else class="grid"><tbody><tr v-for="run in alert.runs" :key="run.run_id"><td><Outcome :mark="marks[run.outcome]"/></td><td>{{ moment(run.timestamp) }}</td><td><a class="mono lnk" :href="unitLink(run.barcode, run.run_id)">{{ run.barcode }}</a></td><td class="t2">{{ run.procedure }}</td><td class="mono">{{ run.first_failure }}</td></tr></tbody></table>
    <h3>History</h3>
    <ol class="history"><li v-for="event in alert.history"><span class="t3">{{ moment(event.at) }}</span> {{ eventWords(event) }}</li></ol>
  </template>
</Sheet>`,
  data: () => ({ clock, marks: MARKS }),
  created() {
    this.asks = question(() => `/api/v1/alerts/${this.alertId}`, () => ({}), { isFiltered: false });
    this.$watch(() => this.version, () => this.asks.ask());
  },
  computed: {
    alert() { return this.asks.data; },
  },
  methods: {
    eventWords,
    kindWord,
    machineLink,
    needs,
    stateWords,
    unitLink,
    moment: (text) => momentWords(secondsOf(text), clock.second),
  },
};
