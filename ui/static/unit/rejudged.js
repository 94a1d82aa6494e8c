// The run judged again by other rulebooks: each one's verdict, and the measurements it sees differently.
import { Icon, Outcome, Popover, question } from "yieldline";
import { limitWords, scaleOf } from "yieldline-analytics/values.js";

const SHOWN_MAX = 20;
const letter = (outcome) => outcome[0];

export const Rejudged = {
  components: { Icon, Outcome, Popover },
  props: { run: Object },
  template: `
<div class="vs"><span class="wd">Judged again with</span><span v-if="asks.error" class="c-marg" role="alert">{{ asks.error }}</span>
  <Popover v-for="each in items" :key="each.version" look="vchip" :label="'Rulebook ' + each.version + ': ' + each.outcome"><template #button>v{{ each.version }} <Outcome :mark="letter(each.outcome)" size="13"/></template>
    <h3>By {{ each.version ? 'rulebook v' + each.version : 'no rulebook' }}</h3><p v-if="each.judged" class="t2">It judged this run. {{ isReproduced ? 'Judged again it gives the stored verdict.' : 'Stored is ' + answer.outcome + '.' }}</p>
    <p v-else-if="!each.changes.length" class="t2">No measurement is seen differently{{ each.outcome === answer.outcome ? '.' : ', but a required step is: ' + each.first_failure + '.' }}</p>
    <dl v-else class="seen"><template v-for="change in each.changes.slice(0, most)"><dt class="mono">{{ change.test_step }}</dt><dd v-for="[version, said] in [[answer.rulebook_version, change.before], [each.version, change.after]]"><span class="t3">v{{ version }}</span><Outcome :mark="letter(said.outcome)"/><span class="t2">{{ limits(change, said) }}</span></dd></template></dl>
    <p v-if="each.changes.length > most" class="t3">{{ each.changes.length - most }} more</p><p v-if="each.version"><a class="lnk" :href="'/rules?version=' + each.version">Rulebook v{{ each.version }}</a></p></Popover>
  <span class="vchip vmore"><span aria-hidden="true">other…</span><Icon name="down" size="12"/><select aria-label="Judge again with another rulebook" title="Judge again with another rulebook" @focus="wantsList = true" @pointerdown="wantsList = true" @change="add"><option value="">other…</option><option v-for="version in others" :value="version">{{ version ? 'v' + version : 'none' }}</option></select></span>
  <em v-if="own" :title="'Judged again by v' + answer.rulebook_version + ': the stored verdict ' + (isReproduced ? 'comes out again' : 'does not come out')" :class="isReproduced ? 't3' : 'c-marg'">{{ isReproduced ? 'reproduced' : 'stored verdict not reproduced' }}</em></div>`,
  data: () => ({ added: [], wantsList: false, most: SHOWN_MAX }),
  created() {
    this.asks = question(() => `/api/v1/results/${this.run.id}/judged-by${this.versions}`, undefined, { isFiltered: false });
    this.list = question(() => (this.wantsList ? "/api/v1/rulebooks" : ""), undefined, { isFiltered: false });
  },
  computed: {
    answer() { return this.asks.data?.run_id === this.run.id ? this.asks.data : null; },
    items() { return this.answer?.items ?? []; },
    own() { return this.items.find((each) => each.judged); },
    isReproduced() { return this.own?.outcome === this.answer?.outcome; },
    // Once one was added, all that shall be shown are named.
    versions() { return this.added.length ? `?${this.added.map((each) => `version=${each}`).join("&")}` : ""; },
    others() {
      const shown = new Set(this.items.map((each) => each.version));
      const known = this.list.data?.items.map((each) => each.version) ?? [];
      return this.wantsList ? [...known, 0].filter((each) => !shown.has(each)) : [];
    },
  },
  methods: {
    letter,
    add(event) {
      if (event.target.value !== "") this.added = [...new Set([...this.items.map((each) => each.version), Number(event.target.value)])];
      event.target.value = "";
    },
    limits({ measured_value: value, unit }, said) {
      const scale = scaleOf(typeof value === "number" ? value : 0, unit);
      const words = limitWords(said, scale);
      return [words === "none" ? said.reason : `${words} ${scale.unit}`, said.rule_id].filter(Boolean).join(" · ");
    },
  },
};
