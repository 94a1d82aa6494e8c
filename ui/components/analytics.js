// Analytics: why did yield fall, and since when? Every panel asks the HTTP API with the page's filters.
import { AsOf, change, CopyLink, FilterBar, Icon, query, question, setAside } from "yieldline";
import { ExportBox } from "yieldline/results/export_box.js";
import { Capability, keyOf } from "yieldline-analytics/capability.js";
import { Disagreements } from "yieldline-analytics/disagreements.js";
import { Figures } from "yieldline-analytics/figures.js";
import { Groups } from "yieldline-analytics/groups.js";
import { OverTime } from "yieldline-analytics/overtime.js";
import { Pareto } from "yieldline-analytics/pareto.js";
import { askPlan, planOf } from "yieldline-analytics/plan.js";
import { bounds, compared, comparedWords, COMPARISONS } from "yieldline-analytics/period.js";
import { StepChart, StepHistogram } from "yieldline-analytics/stepcharts.js";

export default {
  components: { AsOf, Capability, CopyLink, Disagreements, ExportBox, Figures, FilterBar, Groups, Icon, OverTime, Pareto, StepChart, StepHistogram },
  props: { goals: Object },
  template: `
<div class="an">
  <div class="an-fb"><FilterBar :names="['product_id', 'procedure', 'machine_id']" :more="['fixture', 'operator', 'panel_position', 'golden']"/><label class="chip an-chip" :title="comparedWords()"><em>Compare</em><select :value="query.compare" aria-label="Compare with" @change="change({compare: $event.target.value})"><option v-for="[name, words] in comparisons" :value="name">{{ words }}</option></select><Icon name="down" size="13"/></label><span class="grow"></span><AsOf/><CopyLink/><ExportBox/></div>
  <Figures :asks="totals" :before="before" :goal="goal" :length="length" :plan="plan"/>
  <OverTime :goal="goal"/>
  <Groups/>
  <Pareto/>
  <Capability :totals="totals" :products="products" :product="product" @steps="steps = $event"/>
  <StepChart :of="chosen"/>
  <StepHistogram :of="chosen"/>
  <Disagreements/>
</div>`,
  data: () => ({ query, comparisons: COMPARISONS, steps: [] }),
  created() {
    setAside("step", "barcode", "outcome", "agrees", "first_failure");
    this.totals = question("/api/v1/yield", () => ({ group: "product" }));
    this.plans = askPlan(this.goals.planned);
    this.before = question(() => (compared() ? "/api/v1/yield" : ""), () => ({ group: "product", ...compared() }));
  },
  computed: {
    // Of a rolled yield: that of the product, or of the line; null: nobody has set one.
    goal() { return this.goals.products[query.product_id] ?? this.goals.lines[query.line] ?? null; },
    plan() { return planOf(this.plans, this.goals.planned); },
    length() { const { since, until } = bounds(); return until - since; },
    products() { return [...(this.totals.data?.items ?? [])].sort((a, b) => b.units - a.units).map((each) => each.group); },
    product() { return query.product_id || this.products[0] || ""; },
    // The step of the charts: the one in the address, else the one that fits its limits worst.
    chosen() {
      const found = query.step ? this.steps.find((each) => each.test_step === query.step && (!query.in || each.procedure === query.in)) : this.steps[0];
      const [procedure, step] = found ? keyOf(found).split("\n") : [query.in, query.step];
      return { product: this.product, step: this.product ? step : "", procedure };
    },
  },
  methods: { change, comparedWords },
};
