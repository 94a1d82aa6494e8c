// One run at the side: its verdict, its measurements with what is not PASS first, its message.
import { call, question, Trouble } from "../api.js";
import { Empty, Failed, Shapes, Sheet } from "../panel.js";
import { Icon, Outcome } from "../pictures.js";
import { clockTime, fullTime, plantDay, runTime, thousands, unitLink, unitName } from "../words.js";

const MARKS = { PASS: "P", FAIL: "F", ERROR: "E", UNJUDGED: "U" };
const ROWS_AT_ONCE = 200;
const MESSAGE_CHARACTERS_MAX = 20_000;
const DIGITS = 6;

const number = (value) => (typeof value === "number" ? String(Number(value.toPrecision(DIGITS))) : JSON.stringify(value));
const SIGNS = { EQ: "=", NE: "\u2260", GT: ">", GE: "\u2265", LT: "<", LE: "\u2264" };

function limits({ comparator, low, high, nominal }) {
  const outside = /^L[TE]G[TE]$/.test(comparator ?? "") ? "outside " : "";
  if (low !== null && high !== null) return `${outside}${number(low)} \u2013 ${number(high)}`;
  const single = low ?? high;
  if (single === null && nominal !== null) return `${SIGNS[comparator] ?? comparator.toLowerCase()} ${number(nominal)}`;
  if (single === null) return "";
  return `${SIGNS[comparator] ?? (low === null ? "\u2264" : "\u2265")} ${number(single)}`;
}

const Message = {
  props: { runId: Number },
  template: `<details class="raw" @toggle="read"><summary>Message as it arrived</summary><p v-if="error" class="c-marg">{{ error }}</p><pre v-else class="mono" tabindex="0">{{ text }}</pre><p v-if="isCut" class="t3">Only its beginning. <a class="lnk" :href="href" download>Save all of it</a></p></details>`,
  data: () => ({ text: "", error: "", isCut: false }),
  computed: { href() { return `/api/v1/results/${this.runId}/message`; } },
  methods: {
    async read(event) {
      if (!event.target.open || this.text) return;
      try {
        const whole = await call(this.href, { as: "text" });
        this.isCut = whole.length > MESSAGE_CHARACTERS_MAX;
        this.text = whole.slice(0, MESSAGE_CHARACTERS_MAX);
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        this.error = error.message;
      }
    },
  },
};

export const RunSheet = {
  components: { Empty, Failed, Icon, Message, Outcome, Shapes, Sheet },
  props: { runId: Number },
  emits: ["close", "step"],
  template: `
<Sheet quiet :title="'Run ' + runId" @close="$emit('close')">
  <template #title><Outcome v-if="run" :mark="mark(run)" size="18"/><h2 class="mono">{{ run?.barcode ?? '' }}</h2></template>
  <template #head><button class="ib" type="button" aria-label="Row above" title="Row above" @click="$emit('step', -1)"><Icon name="down" class="up" size="16"/></button><button class="ib" type="button" aria-label="Row below" title="Row below" @click="$emit('step', 1)"><Icon name="down" size="16"/></button></template>
  <Failed v-if="asks.error" :words="asks.error" @again="asks.ask()"/>
  <Shapes v-else-if="!run && asks.isSlow"/>
  <template v-else-if="run">
    <p class="lead"><a class="btn pri" :href="unitLink(run.barcode, run.run_id)">Open the unit</a><a class="btn" :href="'/api/v1/results/' + run.run_id + '/evidence.zip'" download title="Message, result, rulebook, receipt, hashes and a page of PDF">Evidence pack</a><a class="lnk" :href="'/machines/' + encodeURIComponent(run.machine_id)">{{ run.machine_id }}</a><span class="t2">{{ run.line }} · {{ run.procedure }}, {{ run.attempt === 1 ? 'first attempt' : 'attempt ' + run.attempt }}</span></p>
    <dl class="facts"><div><dt>Start</dt><dd :title="runTime(run)">{{ moment(run.timestamp) }}</dd></div><div><dt>Received</dt><dd :title="fullTime(seconds(run.received_at))">{{ moment(run.received_at) }}</dd></div><div><dt>Product</dt><dd>{{ run.product_id }}</dd></div><div><dt>Rulebook</dt><dd>{{ run.rulebook_version ? 'v' + run.rulebook_version : 'none' }}</dd></div><div v-if="run.first_failure"><dt>First failure</dt><dd class="mono">{{ run.first_failure }}</dd></div><div><dt>Tester said</dt><dd :class="{'c-marg': run.agrees === false}"><Icon v-if="run.agrees === false" name="differs" size="13"/>{{ run.reported_outcome ?? 'nothing' }}</dd></div><div v-for="[word, value] in circumstances"><dt>{{ word }}</dt><dd>{{ value }}</dd></div></dl>
    <p v-if="run.clock_suspect" class="c-marg">The machine's clock is suspect: its times may be wrong.</p>
    <table class="grid"><thead><tr><th>outcome</th><th>step</th><th class="r">value</th><th>limits</th><th>judged by</th></tr></thead><tbody><template v-for="each in shown"><tr :class="each.outcome.toLowerCase()"><td><Outcome :mark="each.marginal ? 'M' : mark(each)"/></td><td class="mono">{{ each.test_step }}</td><td class="r"><b :title="JSON.stringify(each.measured_value)">{{ value(each) }}</b> {{ unitName(each.unit) }}</td><td class="t2">{{ limits(each) }}</td><td class="t3">{{ each.rule_id ?? (each.reported_outcome ? 'tester' : '') }}</td></tr><tr v-if="each.reason" class="reason" :class="each.outcome.toLowerCase()"><td></td><td colspan="4">{{ each.reason }}</td></tr></template></tbody></table>
    <p v-if="sorted.length > shown.length" class="t3">{{ n(sorted.length - shown.length) }} more passed. <a class="lnk" :href="unitLink(run.barcode, run.run_id)">All on the unit's page</a></p>
    <Message :key="run.run_id" :run-id="run.run_id"/>
  </template>
</Sheet>`,
  created() {
    this.asks = question(() => `/api/v1/results/${this.runId}`, undefined, { isFiltered: false });
  },
  computed: {
    run() { return this.asks.data; },
    sorted() {
      const isGood = (each) => each.outcome === "PASS" && !each.marginal;
      const whole = this.run.measurements.map((each, i) => ({ ...each, nominal: this.run.details.measurements[i].nominal }));
      return whole.sort((a, b) => isGood(a) - isGood(b)); // stable: else in test order
    },
    shown() {
      const bad = this.sorted.filter((each) => each.outcome !== "PASS").length;
      return this.sorted.slice(0, Math.max(bad, ROWS_AT_ONCE));
    },
    circumstances() {
      const { program, program_version: version, fixture, operator, panel, source } = this.run.details;
      const words = [["Program", [program, version].filter(Boolean).join(" ")], ["Fixture", fixture], ["Operator", operator], ["Panel", panel && [panel.id, panel.position].filter(Boolean).join(", position ")], ["Source", source?.file]];
      return words.filter(([, value]) => value);
    },
  },
  methods: {
    fullTime, limits, runTime, unitLink, unitName,
    seconds: (text) => Date.parse(text) / 1000,
    n: thousands,
    mark: (each) => MARKS[each.outcome],
    value: ({ measured_value: value }) => (value === null ? "no value" : number(value)),
    moment: (text) => `${plantDay(Date.parse(text) / 1000)} ${clockTime(Date.parse(text) / 1000)}`,
  },
};
