// How well the steps of a product fit between their limits; a row chooses the step of the charts below.
import { call, change, Icon, Panel, parameters, query, question, scope, thousands, Trouble } from "yieldline";
import { addressOf } from "yieldline/api.js";
import { nothing, resultsLink } from "./period.js";
import { limitWords, scaleOfSeries } from "./values.js";

const AT_ONCE = 12;
const LISTED = 300;
const FAILS_BELOW = 1;
const MARGINAL_BELOW = 1.33;
const INDEX_MAX = 99;
const ROLLED_UP = ["machine_id", "line", "product_id", "procedure", "since", "until"];
const NOTES = { constant: "constant", few_values: "n < 50", coarse: "coarse", not_normal: "not normal", unstable: "unstable", censored: "censored by stop-on-fail" };
const LEFT = 14.5;
const RIGHT = 135.5;

export const keyOf = ({ procedure, test_step: step, unit }) => `${procedure}\n${step}\n${unit ?? ""}`;

const indexWords = (value) => (value === null || value === undefined ? "\u2013" : Math.abs(value) > INDEX_MAX ? `> ${INDEX_MAX}` : value.toFixed(2));

// Where mean and its three sigma stand, drawn against the limits.
function spread({ low, high, mean, sigma_overall: sigma }) {
  const reach = 3 * (sigma ?? 0);
  const [least, most] = [Math.min(low ?? Infinity, mean - reach), Math.max(high ?? -Infinity, mean + reach)];
  const x = (value) => LEFT + ((value - least) / (most - least || 1)) * (RIGHT - LEFT);
  return { from: x(mean - reach), wide: Math.max(2, x(mean + reach) - x(mean - reach)), mean: x(mean), limits: [low, high].filter((each) => each !== null).map(x) };
}

function rowOf(item, detail, chosen) {
  const scale = scaleOfSeries(item);
  const isBad = item.ppk !== null && item.ppk < FAILS_BELOW;
  return {
    key: keyOf(item), item, isBad, isMarginal: !isBad && item.ppk !== null && item.ppk < MARGINAL_BELOW, isChosen: keyOf(item) === chosen,
    limits: limitWords(item, scale), unit: scale.unit, mean: scale.text(item.mean), spread: spread(item), n: thousands(item.value_count),
    cp: detail ? indexWords(detail.cp) : "", cpk: detail ? indexWords(detail.cpk) : "", pp: indexWords(item.pp), ppk: indexWords(item.ppk),
    doubt: item.ppk === null ? "" : `${indexWords(item.ppk_low)} \u2013 ${indexWords(item.ppk_high)}`,
    notes: notesOf(item, detail), why: (detail?.notes ?? item.notes).map((each) => each.text).join(" "),
    href: resultsLink({ product_id: item.product_id, procedure: item.procedure, step: item.test_step }),
  };
}

function notesOf(item, detail) {
  const kinds = new Set([...item.notes, ...(detail?.notes ?? [])].map((each) => NOTES[each.kind] ?? each.kind));
  if (detail?.limits_changed) kinds.add("limits changed");
  return [...kinds].join(", ");
}

export const Capability = {
  components: { Icon, Panel },
  props: { totals: Object, products: Array, product: String },
  emits: ["steps"],
  template: `
<Panel class="an-cap" title="Capability" :note="note" :what="what" :asks="source" :rows="values" :csv="csv" :empty="empty">
  <template #head><label v-if="products.length > 1 && !query.product_id" class="chip an-chip"><select :value="product" aria-label="Product of the capability table" @change="change({product_id: $event.target.value})"><option v-for="each in products" :value="each">{{ each }}</option></select><Icon name="down" size="13"/></label></template>
  <div class="an-scroll" tabindex="-1"><table class="an-ct" @keydown="move">
    <thead><tr><th scope="col">step</th><th scope="col">limits</th><th scope="col">spread against limits</th><th scope="col" class="r">n</th><th scope="col" class="r">mean</th><th scope="col" class="r">Cp</th><th scope="col" class="r">Cpk</th><th scope="col" class="r">Pp</th><th scope="col" class="r">Ppk</th><th scope="col">95 % interval</th><th scope="col">note</th><th><span class="sr-only">runs</span></th></tr></thead>
    <tbody><tr v-for="row in rows" :key="row.key" tabindex="0" :class="{on: row.isChosen}" :aria-selected="String(row.isChosen)" @click="choose(row.item)" @keydown.enter.self="choose(row.item)">
      <td class="mono st" :title="row.item.test_step + ', ' + row.item.procedure">{{ row.item.test_step }}</td><td class="t2 lm">{{ row.limits }} <span class="t3">{{ row.unit }}</span></td>
      <td class="sp"><svg width="150" height="18" viewBox="0 0 150 18" aria-hidden="true"><path d="M0 9H150" stroke="var(--grid)"/><rect :x="row.spread.from" y="5.5" :width="row.spread.wide" height="7" rx="2" :fill="row.isBad ? 'var(--fail)' : 'var(--text-3)'" opacity=".55"/><path :d="'M' + row.spread.mean + ' 3V15'" :stroke="row.isBad ? 'var(--fail)' : 'var(--text-3)'" stroke-width="2.2"/><path v-for="x in row.spread.limits" :d="'M' + x + ' 1V17'" stroke="var(--text)" stroke-width="1.6"/></svg></td>
      <td class="r" data-of="n">{{ row.n }}</td><td class="r" data-of="mean">{{ row.mean }}</td><td class="r t2" data-of="Cp">{{ row.cp }}</td><td class="r" data-of="Cpk">{{ row.cpk }}</td><td class="r t2" data-of="Pp">{{ row.pp }}</td>
      <td class="r" data-of="Ppk"><span class="ppk" :class="{'c-fail': row.isBad, 'c-marg': row.isMarginal}"><Icon v-if="row.isBad" name="fail" size="13"/><Icon v-else-if="row.isMarginal" name="marginal" size="14"/>{{ row.ppk }}</span></td><td class="t3 db">{{ row.doubt }}</td><td class="t2 nt" :title="row.why">{{ row.notes }}</td><td class="go"><a :href="row.href" :aria-label="'Runs with ' + row.item.test_step" title="Runs with this step" @click.stop><Icon name="right" size="14"/></a></td>
    </tr></tbody>
  </table><p v-if="items.length > shown" class="an-more"><button class="btn" type="button" @click="shown += step">{{ Math.min(step, items.length - shown) }} more of {{ items.length }}</button></p></div>
</Panel>`,
  data: () => ({ query, shown: AT_ONCE, step: AT_ONCE, details: {} }),
  created() {
    const place = () => (this.product && !this.refused ? "/api/v1/capability" : "");
    this.asks = question(place, () => ({ product_id: this.product, limit: LISTED }));
    this.$watch(() => this.asks.data, this.hear, { immediate: true });
    this.$watch(() => [this.items, this.shown], this.fill, { immediate: true });
  },
  beforeUnmount() { this.leaving?.abort(); },
  computed: {
    what: () => "The limits that judged each step, and how its values fit between them: the bar is the mean with three sigma to each side, the strokes are the limits. Cp and Cpk with sigma within, from moving ranges of the newest 2 000 values; Pp and Ppk with sigma overall, of all values in the hours that the range touches, with the 95 % interval. Ppk below 1.00 fails, below 1.33 is marginal. A row chooses the step of the charts below.",
    // Roll-ups know no more than these.
    refused() { return scope.number >= 0 && Object.keys(parameters()).some((name) => !ROLLED_UP.includes(name)); },
    // Without a product there is no question yet: then it is up to the one that knows the products.
    source() {
      if (this.refused) return undefined;
      if (this.product) return this.asks;
      return this.totals.data && !this.totals.error ? undefined : this.totals;
    },
    items() { return this.product && this.asks.data && !this.refused ? this.asks.data.items : []; },
    values() { return this.items.reduce((sum, each) => sum + each.value_count, 0); },
    note() { return this.product ? `${this.product} · σ within from moving range, σ overall from all values · lowest Ppk first` : ""; },
    chosen() { const { step } = query; return step ? (this.items.map(keyOf).find((key) => key.split("\n")[1] === step && (!query.in || key.split("\n")[0] === query.in)) ?? "") : this.items.length ? keyOf(this.items[0]) : ""; },
    rows() { return this.items.slice(0, this.shown).map((each) => rowOf(each, this.details[keyOf(each)], this.chosen)); },
    empty() {
      if (this.refused) return { words: "Steps are added up by machine, line, product and procedure only.", action: "Show all fixtures and operators", act: () => change({ fixture: "", operator: "", golden: "" }) };
      return this.items.length || (this.product && !this.asks.data) ? null : nothing("No step measured a number here.");
    },
  },
  methods: {
    change,
    choose({ procedure, test_step: step }) { change({ step, in: procedure }); },
    hear() {
      Object.assign(this, { shown: AT_ONCE, details: {} });
      this.$emit("steps", this.items);
    },
    // Cp, Cpk and the notes need the values themselves: asked row by row, those that are seen.
    async fill() {
      this.leaving?.abort();
      const leaving = (this.leaving = new AbortController());
      for (const item of this.items.slice(0, this.shown)) {
        if (this.details[keyOf(item)]) continue;
        const given = { ...parameters(), product_id: item.product_id, procedure: item.procedure, step: item.test_step };
        try {
          const { items } = await call(addressOf("/api/v1/capability", given), { signal: leaving.signal });
          if (leaving.signal.aborted) return;
          this.details = { ...this.details, [keyOf(item)]: items.find((each) => each.unit === item.unit) ?? items[0] };
        } catch (error) {
          if (error.name === "AbortError") return;
          if (!(error instanceof Trouble)) throw error;
          return; // the table stays; the charts below say what is wrong
        }
      }
    },
    move(event) {
      const by = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
      const row = by && event.target.closest("tbody tr")?.[by];
      if (!row) return;
      event.preventDefault();
      row.focus();
    },
    csv() {
      const head = ["step", "procedure", "unit", "low", "high", "n", "mean", "sigma_overall", "pp", "ppk", "ppk_low", "ppk_high", "cp", "cpk"];
      return { name: "yieldline-capability", head, rows: this.items.map((each) => [each.test_step, each.procedure, each.unit, each.low, each.high, each.value_count, each.mean, each.sigma_overall, each.pp, each.ppk, each.ppk_low, each.ppk_high, this.details[keyOf(each)]?.cp, this.details[keyOf(each)]?.cpk]) };
    },
  },
};
