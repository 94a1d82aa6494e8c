// The head of a unit: its verdict, what it is, whether it may go on, and the evidence.
import { copyText, Icon, Outcome, Popover, unitLink } from "yieldline";

const BLOCKS = { PASS: "pass-line", FAIL: "fail", ERROR: "error", UNJUDGED: "unjudged" };

// The units of the run's panel, each with its last outcome there.
const PanelUnits = {
  components: { Outcome, Popover },
  props: { panel: Object, barcode: String },
  template: `<Popover look="lnk" :label="'Units of panel ' + panel.id"><template #button>{{ panel.units.length }} units on it</template><h3>Panel <span class="mono">{{ panel.id }}</span></h3><ul class="pu"><li v-for="each in panel.units"><Outcome :mark="each.mark"/><span class="t3">{{ each.position ?? '–' }}</span><b v-if="each.barcode === barcode" class="mono">{{ each.barcode }}</b><a v-else class="lnk mono" :href="unitLink(each.barcode, each.run)">{{ each.barcode }}</a></li></ul></Popover>`,
  methods: { unitLink },
};

export const UnitHead = {
  components: { Icon, PanelUnits },
  props: { head: Object, run: Object },
  template: `
<section class="panel hd" :aria-label="'Unit ' + head.barcode">
  <div class="vd" :class="head.outcome.toLowerCase()"><Icon :name="block" size="40"/><div><b>{{ head.outcome }}</b><small>{{ head.at }}<em v-if="head.but" class="c-marg">{{ head.but }}</em></small></div></div>
  <div class="id"><h2 class="bc">{{ head.barcode }}<button class="ib" type="button" :aria-label="copied ? 'Copied' : 'Copy the barcode'" :title="copied ? 'Copied' : 'Copy the barcode'" @click="copy"><Icon :name="copied ? 'pass-line' : 'copy'" size="20"/></button></h2><p>{{ head.product }}<template v-if="head.panel"> · panel {{ head.panel.id }}<template v-if="head.panel.position !== null">, position {{ head.panel.position }}</template><template v-if="head.panel.units.length > 1"> · <PanelUnits :panel="head.panel" :barcode="head.barcode"/></template></template> · {{ head.where }}<template v-if="head.others.length"> · the barcode also stands for {{ head.others.join(', ') }}</template></p></div>
  <dl :aria-label="'First pass ' + head.first_pass + ', final ' + head.final"><div><dt>First pass</dt> <dd>{{ head.first_pass }} <span class="t3">{{ head.first_pass_note }}</span></dd></div><div><dt>Final</dt> <dd>{{ head.final }} <span class="t3">{{ head.final_note }}</span></dd></div><div><dt>Runs</dt> <dd>{{ head.runs }} <span class="t3">{{ head.procedures }}</span></dd></div><div><dt title="Retests that no run of a procedure named repair or rework came before">Retests without repair</dt> <dd :class="{'c-marg': head.unrepaired !== '0'}">{{ head.unrepaired }} <span class="t3">of {{ head.retests }}</span></dd></div><div><dt>First seen</dt> <dd>{{ head.first_seen }} <span class="t3">{{ head.first_seen_note }}</span></dd></div><div v-if="head.may_go" class="go"><dt>May go to {{ head.may_go.procedure }}</dt> <dd :title="head.may_go.reason"><span :class="{'c-fail': !head.may_go.allowed}">{{ head.may_go.allowed ? 'yes' : 'no' }}</span> <span class="t3">{{ head.may_go.reason }}</span></dd></div></dl>
  <span class="grow"></span>
  <a class="btn pack" :href="'/api/v1/results/' + run.id + '/evidence.zip'" download title="Message, result, rulebook, receipt, hashes and a page of PDF, of the run below (E)"><Icon name="export"/>Evidence pack</a>
</section>`,
  data: () => ({ copied: false }),
  computed: {
    block() { return BLOCKS[this.head.outcome]; },
  },
  methods: {
    async copy() {
      await copyText(this.head.barcode);
      this.copied = true;
      setTimeout(() => (this.copied = false), 2000);
    },
  },
};
