// One rule as a form. Each key that is typed is written into the TOML at once; the form keeps nothing.
import { Icon } from "yieldline";
import { edit } from "./drafts.js";
import { numberOf, quoted, readRules, removeRule, scalarOf, setValue } from "./toml.js";
import { COMPARATORS, comparatorOf, nameOf, SEVERITIES, strangeKeys, TEXT_COMPARATORS } from "./words.js";

const WITHOUT_BOUNDS = ["EQT", "IN", "LOG", ...TEXT_COMPARATORS];
const WITH_NOMINAL = ["EQ", "NE", "EQT", "IN", ...TEXT_COMPARATORS];
const TOLERANCES = ["tolerance", "tolerance_percent", "tolerance_ppm"];
const LABELS = { id: "rule", test_step: "step", tolerance_percent: "tolerance, %", tolerance_ppm: "tolerance, ppm", marginal_percent: "marginal, %", unit: "unit of the limits", units: "units of the steps" };
const NUMBERS = ["low", "high", "marginal_percent", ...TOLERANCES];
const HINTS = { product: "*", procedure: "*", machine: "*", test_step: "*", units: '{ v_in = "V" }', expression: "v_in - v_out" };

const isToml = (key, raw) => {
  const [rule] = readRules(`[[rule]]\n${key} = ${raw}\n`);
  return !rule.isBroken && rule.entries.length === 1 && rule.raw[key] === raw;
};

// What was typed, as TOML; null takes the key away, undefined is nothing that could be written.
function rawOf(key, typed, comparator) {
  const text = typed.trim();
  if (!text) return null;
  if (NUMBERS.includes(key)) return numberOf(text) ?? quoted(text);
  if (key === "nominal") return nominalOf(text, comparator);
  return quoted(typed);
}

function nominalOf(text, comparator) {
  if (TEXT_COMPARATORS.includes(comparator)) return quoted(text);
  if (comparator === "IN") return `[${text.split(",").filter((each) => each.trim()).map(scalarOf).join(", ")}]`;
  return scalarOf(text);
}

function shownOf(rule, key) {
  const value = rule.values[key];
  if (value === undefined) return "";
  if (Array.isArray(value)) return value.join(", ");
  return typeof value === "string" ? value : (rule.raw[key] ?? JSON.stringify(value));
}

// A field that shows what the TOML says, except while somebody types into it.
const Field = {
  props: { name: String, rule: Object, raw: Boolean, isLong: Boolean, hint: String },
  emits: ["write"],
  template: `<label class="fd" :class="{long: isLong}"><span>{{ label }}</span><input class="field mono" :data-key="name" :value="isTyping ? typed : shown" :placeholder="hint" :aria-invalid="isBad ? 'true' : null" :disabled="isNested" :title="isNested ? 'Written below as a table: change it in TOML' : null" autocomplete="off" spellcheck="false" @focus="typed = shown; isTyping = true" @blur="isTyping = false; isBad = false" @input="type($event.target.value)"><em v-if="isBad" class="c-fail">no TOML value yet</em></label>`,
  data: () => ({ typed: "", isTyping: false, isBad: false }),
  computed: {
    label() { return LABELS[this.name] ?? this.name; },
    shown() { return this.raw ? (this.rule.raw[this.name] ?? "") : shownOf(this.rule, this.name); },
    isNested() { return this.rule.values[this.name] !== undefined && this.rule.raw[this.name] === undefined; },
  },
  methods: {
    type(typed) {
      this.typed = typed;
      const text = typed.trim();
      this.isBad = this.raw && text !== "" && !isToml(this.name, text);
      if (!this.isBad) this.$emit("write", this.name, this.raw ? text || null : rawOf(this.name, typed, comparatorOf(this.rule)));
    },
  },
};

export const RuleForm = {
  components: { Field, Icon },
  props: { desk: Object, rule: Object },
  emits: ["close", "removed"],
  template: `
<form class="rf" :aria-label="'Rule ' + name" @submit.prevent="$emit('close')" @keydown.esc.stop="$emit('close')">
  <Field v-for="key in ['id', 'test_step', 'product', 'procedure', 'machine']" :key="key" :name="key" :rule="rule" :hint="hints[key]" @write="write"/>
  <Field v-if="hasExpression" name="expression" :rule="rule" :hint="hints.expression" is-long @write="write"/>
  <Field v-if="hasExpression" name="units" :rule="rule" :hint="hints.units" raw @write="write"/>
  <label class="fd"><span>comparison</span><select class="field" data-key="comparator" :value="rule.values.comparator ?? ''" @change="write('comparator', $event.target.value ? quote($event.target.value) : null)"><option v-if="rule.values.comparator && !known" :value="rule.values.comparator">{{ rule.values.comparator }}</option><option v-for="[value, words] in comparators" :value="value">{{ value ? value + ' · ' + words : words }}</option></select></label>
  <Field v-for="key in bounds" :key="key" :name="key" :rule="rule" @write="write"/>
  <Field name="unit" :rule="rule" @write="write"/>
  <Field v-if="hasMarginal" name="marginal_percent" :rule="rule" @write="write"/>
  <label class="fd"><span>severity</span><select class="field" data-key="severity" :value="rule.values.severity ?? 'major'" @change="writeSeverity($event.target.value)"><option v-for="each in severities">{{ each }}</option></select></label>
  <Field v-for="key in strange" :key="key" :name="key" :rule="rule" raw @write="write"/>
  <label class="tick"><input type="checkbox" data-key="required" :checked="rule.values.required === true" @change="writeRequired($event.target.checked)"> the step must be in every run</label>
  <div class="acts"><button v-if="!hasExpression" class="btn tiny" type="button" @click="isExpression = true">Compute the value from several steps</button><span class="grow"></span><button class="btn tiny" type="button" @click="remove"><Icon name="close" size="13"/>Remove this rule</button><button class="btn tiny pri">Done</button></div>
</form>`,
  data: () => ({ comparators: COMPARATORS, severities: SEVERITIES, hints: HINTS, isExpression: false }),
  computed: {
    name() { return nameOf(this.rule); },
    comparator() { return comparatorOf(this.rule); },
    known() { return COMPARATORS.some(([value]) => value === this.rule.values.comparator); },
    hasExpression() { return this.isExpression || this.rule.values.expression !== undefined; },
    hasMarginal() { return !WITHOUT_BOUNDS.includes(this.comparator) || this.comparator === "EQT" || this.has("marginal_percent"); },
    strange() { return strangeKeys(this.rule); },
    bounds() {
      const wanted = WITHOUT_BOUNDS.includes(this.comparator) ? [] : ["low", "high"];
      if (WITH_NOMINAL.includes(this.comparator)) wanted.push("nominal");
      if (this.comparator === "EQT") wanted.push(...TOLERANCES);
      return ["low", "high", "nominal", ...TOLERANCES].filter((key) => wanted.includes(key) || this.has(key));
    },
  },
  methods: {
    quote: quoted,
    has(key) { return this.rule.values[key] !== undefined; },
    write(key, raw) {
      const { draft } = this.desk;
      edit(draft, setValue(draft.toml, this.rule.index, key, raw), `${this.rule.index} ${key}`);
    },
    writeSeverity(value) {
      this.write("severity", value === "major" && !this.has("severity") ? null : quoted(value));
    },
    writeRequired(isWanted) {
      this.write("required", isWanted ? "true" : this.has("required") ? "false" : null);
    },
    remove() {
      const { draft } = this.desk;
      this.$emit("removed");
      edit(draft, removeRule(draft.toml, this.rule.index));
    },
  },
};
