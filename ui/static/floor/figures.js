// Six figures of the shift, of the plant or of the chosen line; each opens what it counts.
import { Icon, Spark, thousands } from "yieldline";
import { About } from "yieldline/panel.js";
import { addressOf } from "yieldline/api.js";

const WHAT = "Of the units that were first seen in this shift: how many passed every procedure's first run (first pass yield) and last run (final yield), over units and procedures; ERROR and UNJUDGED count against both. Red: the whole 95 % interval is below the target. Plan: units an hour of the line's settings, planned breaks left out. Machine hours: what those retests took that say when they ended. The file has a row a machine.";
const EVEN_SHARE = 0.02; // nearer to the plan than that is on plan

export const Figures = {
  components: { About, Icon, Spark },
  props: { kpi: Object, states: Object, dots: Array, line: String, shift: String, csv: Function },
  template: `
<section class="kpis" :aria-label="'This shift' + (line ? ', line ' + line : '')">
  <a class="kpi" :href="link('/analytics')"><div><h3>First pass yield</h3><p class="v" :class="{low: kpi.low, few: kpi.few}">{{ kpi.fpy }}<i v-if="kpi.units">%</i></p><p class="s"><span v-if="kpi.few">few: {{ kpi.units }} units</span><span v-else :title="'95 % interval ' + kpi.interval">target {{ kpi.target.toFixed(1) }} · {{ kpi.interval }}</span></p></div><Spark v-if="kpi.fpy_spark" :points="kpi.fpy_spark" :width="104" :height="36"/></a>
  <a class="kpi" :href="link('/results', {outcome: 'FAIL'})"><div><h3>Final yield</h3><p class="v" :class="{few: kpi.few}">{{ kpi.final }}<i v-if="kpi.units">%</i></p><p class="s">{{ kpi.open ? n(kpi.open) + ' not passed' : 'all passed' }}</p></div><Spark v-if="kpi.final_spark" :points="kpi.final_spark" :width="72" :height="30"/></a>
  <a class="kpi" :href="link('/results')"><div><h3>Units</h3><p class="v">{{ n(kpi.parts) }}</p><p class="s" :title="planTitle">{{ planWords }}</p></div><svg v-if="kpi.plan" class="plan" width="92" height="16" viewBox="0 0 92 16" aria-hidden="true"><rect y="4" width="92" height="8" rx="2" fill="var(--s3)"/><rect y="4" :width="gauge.done" height="8" rx="2" fill="var(--text-3)"/><path :d="'M' + gauge.due + ' 1V15'" stroke="var(--text)" stroke-width="2"/></svg><Spark v-else-if="kpi.unit_spark" :points="kpi.unit_spark" :width="92" :height="30"/></a>
  <a class="kpi" :href="link('/analytics')"><div><h3>Retests</h3><p class="v">{{ kpi.retest_percent }}<i v-if="kpi.runs">%</i></p><p class="s" :title="hoursTitle">{{ n(kpi.retests) }} of {{ n(kpi.runs) }} runs{{ hours }}</p></div><Spark v-if="kpi.retest_spark" :points="kpi.retest_spark" :width="72" :height="30"/></a>
  <div class="kpi"><div><h3>Without verdict</h3><p class="v">{{ n(kpi.errors + kpi.unjudged) }}</p><p class="s"><a :class="{'c-error': kpi.errors}" :href="link('/results', {outcome: 'ERROR'})"><Icon name="error" size="13"/>{{ n(kpi.errors) }} ERROR</a> <a :class="{'c-unj': kpi.unjudged}" :href="link('/results', {outcome: 'UNJUDGED'})"><Icon name="unjudged" size="13"/>{{ n(kpi.unjudged) }} UNJUDGED</a></p></div></div>
  <div class="kpi"><div><h3>Machines live</h3><p class="v">{{ states.live }}<i> of {{ dots.length }}</i></p><p class="s"><span v-if="states.stale" class="c-stale"><Icon name="stale" size="13"/>{{ states.stale }} stale</span><span v-if="states.offline" class="c-off"><Icon name="offline" size="13"/>{{ states.offline }} offline</span><span v-if="states.never" class="c-off">{{ states.never }} never</span><span v-if="states.live === dots.length">all of them</span></p></div>
    <span class="dots" aria-hidden="true"><i v-for="state in dots" :class="state"></i></span><About title="This shift" :what="what" :of="of" :url="url" :rows="kpi.runs" :csv="csv"/></div>
</section>`,
  data: () => ({ what: WHAT }),
  computed: {
    of() { return [this.line && `line ${this.line}`, `this shift, ${this.shift}`].filter(Boolean).join(" · "); },
    url() { return addressOf("/api/v1/yield", { group: "machine", line: this.line }); },
    behind() { return Math.round(this.kpi.plan.due - this.kpi.plan.done); },
    planWords() {
      const { plan, procedures, runs } = this.kpi;
      if (!plan) return `${procedures} procedure${procedures === 1 ? "" : "s"} · ${thousands(runs)} run${runs === 1 ? "" : "s"}`;
      if (Math.abs(this.behind) <= plan.due * EVEN_SHARE) return "on plan";
      return this.behind > 0 ? `${thousands(this.behind)} behind plan` : `${thousands(-this.behind)} ahead of plan`;
    },
    planTitle() {
      const { plan } = this.kpi;
      return plan ? `${thousands(Math.round(plan.due))} were due by now, ${thousands(Math.round(plan.all))} by the end of the shift${plan.without.length ? `; without a plan: ${plan.without.join(", ")}` : ""}` : null;
    },
    gauge() {
      const most = Math.max(this.kpi.plan.all, this.kpi.plan.done, 1);
      return { done: (this.kpi.plan.done / most) * 92, due: (this.kpi.plan.due / most) * 92 };
    },
    hours() {
      const { retest_s: seconds, retests } = this.kpi;
      if (!seconds || !retests) return "";
      return seconds < 3600 ? ` · ${Math.max(1, Math.round(seconds / 60))} machine min` : ` · ${(seconds / 3600).toFixed(1)} machine h`;
    },
    hoursTitle() { return this.hours ? `What ${thousands(this.kpi.retests_timed)} of them took, by their own start and end` : null; },
  },
  methods: {
    n: thousands,
    link(path, filters = {}) { return addressOf(path, { line: this.line, range: "shift", ...filters }); },
  },
};
