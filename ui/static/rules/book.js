// The rules of a version or a draft: as a table with a form, or as TOML. Both are the same text.
import { change, clock, clockTime, Icon, may, needs, onKey, Panel, Popover, query, thousands } from "yieldline";
import { canUndo, drafts, edit, undo } from "./drafts.js";
import { throwAway, write } from "./desk.js";
import { RuleForm } from "./form.js";
import { addRule, lineOf, quoted } from "./toml.js";
import { limitWords, nameOf, stepOf } from "./words.js";

const ROWS_AT_ONCE = window.innerWidth < 600 ? 20 : 200;
const LINE_PX = 19;
const MARKS = { added: "+", removed: "−", changed: "~" };

// The text itself, with its lines numbered and the one at fault marked.
const Text = {
  props: { desk: Object, at: Number },
  template: `
<div class="tx"><pre ref="lines" class="ln" aria-hidden="true">{{ numbers }}</pre><div class="tw"><i v-if="bad" ref="mark" class="bad" :style="{top: (bad - 1) * 19 + 6 - scrolled + 'px'}"></i><textarea ref="text" :value="desk.text" :readonly="!desk.draft" wrap="off" spellcheck="false" autocomplete="off" autocapitalize="off" :aria-label="desk.draft ? 'The draft as TOML' : 'The rulebook as TOML, not to be changed'" :aria-invalid="bad ? 'true' : null" @input="type($event.target.value)" @scroll="follow"></textarea></div></div>`,
  data: () => ({ scrolled: 0 }),
  computed: {
    numbers() { return Array.from({ length: this.desk.text.split("\n").length }, (_, i) => i + 1).join("\n"); },
    bad() {
      const { fault, rules, text } = this.desk;
      if (!fault) return 0;
      const rule = rules[fault.index];
      return fault.line ?? (rule ? lineOf(text, rule.headerTo - 1) : 0);
    },
  },
  mounted() { if (this.at) this.goTo(this.at); },
  methods: {
    type(toml) { edit(this.desk.draft, toml, "text"); },
    follow() {
      this.scrolled = this.$refs.text.scrollTop;
      this.$refs.lines.scrollTop = this.scrolled;
    },
    goTo(position) {
      const { text } = this.$refs;
      text.focus();
      text.setSelectionRange(position, position);
      text.scrollTop = Math.max(0, (lineOf(this.desk.text, position) - 4) * LINE_PX);
    },
  },
};

const Row = {
  components: { Icon },
  props: { row: Object, isOpen: Boolean, canEdit: Boolean },
  emits: ["open"],
  template: `<tr :class="[row.look, {open: isOpen}]"><td><Icon v-if="row.isBad" class="c-critical" name="critical" size="18"/><span v-else-if="row.mark" class="mk" :title="row.kind">{{ row.mark }}</span></td><td><button v-if="canEdit && !row.isGone" class="rid mono" type="button" :aria-expanded="String(isOpen)" @click="$emit('open', row.index)">{{ row.name }}</button><span v-else class="mono rid" tabindex="0">{{ row.name }}</span></td><td class="mono" :title="row.expression || row.step">{{ row.step }}<i v-if="row.expression"> = {{ row.expression }}</i></td><td class="mono" :class="{z: row.product === '*'}">{{ row.product }}</td><td :class="{z: row.procedure === '*'}">{{ row.procedure }}</td><td :class="{z: row.machine === '*'}">{{ row.machine }}</td><td class="lim"><template v-if="row.old"><span class="old">{{ row.old }}</span> <span class="ac">→</span> </template>{{ row.limit }}</td><td class="t3">{{ row.severity }}<template v-if="row.required">, required</template></td></tr>`,
};

export const Book = {
  components: { Icon, Panel, Popover, Row, RuleForm, Text },
  props: { desk: Object },
  template: `
<Panel class="book" :title="title" :asks="waiting" :empty="empty">
  <template #note><span class="seg tiny" role="group" aria-label="Table or TOML"><button type="button" :class="{on: !isText}" :aria-pressed="String(!isText)" @click="turn('')">Table</button><button type="button" :class="{on: isText}" :aria-pressed="String(isText)" @click="turn('toml')">TOML</button></span><small v-if="!isText">changed first, then as in the file</small></template>
  <template #head>
    <span v-if="draft && fault" class="o c-fail" role="status"><Icon class="c-critical" name="critical" size="16"/>1 error</span><span v-else-if="draft && desk.isChecked" class="o q" role="status"><Icon name="pass-line" size="14"/>valid</span>
    <template v-if="draft"><button class="btn tiny" type="button" title="Add a rule (N)" @click="add"><Icon name="plus" size="13"/>Rule</button><button class="btn tiny" type="button" title="Undo (U)" :disabled="!mayUndo" @click="back"><Icon name="redo" size="13"/>Undo<template v-if="mayUndo"> edit {{ draft.edits }}</template></button><Popover look="btn tiny" label="Discard the draft"><template #button>Discard</template><template #default="{ close }"><h3>Discard the draft?</h3><p>Its text of edit {{ draft.edits }} is gone then. Versions stay.</p><p class="acts"><button class="btn" type="button" @click="close(); discard()">Discard it</button><button class="btn" type="button" @click="close">Keep it</button></p></template></Popover></template>
    <button v-else-if="desk.version?.is_active" class="btn tiny" type="button" v-bind="needs('engineer', false, 'Edit (E)')" @click="write(desk)">Edit as draft v{{ desk.active + 1 }}</button>
    <button v-else-if="desk.version" class="btn tiny" type="button" v-bind="needs('engineer')" @click="write(desk, desk.version.version)"><Icon name="redo" size="13"/>Go back to v{{ desk.version.version }}</button>
  </template>
  <div v-if="loose" class="loose" role="alert"><Icon class="c-critical" name="critical" size="18"/><p>{{ loose }}</p></div>
  <Text v-if="isText" :desk="desk" :at="at"/>
  <div v-else class="scroll" @keydown="walk">
    <table class="dt"><thead><tr><th></th><th>rule</th><th>step</th><th>product</th><th>procedure</th><th>machine</th><th>limit</th><th>severity</th></tr></thead>
      <tbody><template v-for="row in shown" :key="row.key"><Row :row="row" :is-open="open === row.index && row.index !== null" :can-edit="!!draft" @open="toggle"/><tr v-if="row.isBad || (row.index !== null && open === row.index)" class="ex" :class="row.look"><td></td><td colspan="7"><p v-if="row.isBad" class="why" role="alert">{{ fault.words }}</p><p v-if="row.isBroken && draft" class="bt"><button class="btn tiny" type="button" @click="showText(row)">Correct it in TOML</button></p><RuleForm v-else-if="open === row.index" :key="row.index" :desk="desk" :rule="desk.rules[row.index]" @close="close" @removed="open = null"/><p v-else-if="draft" class="bt"><button class="btn tiny" type="button" @click="toggle(row.index)">Correct it</button><button class="btn tiny" type="button" @click="showText(row)">Show it in TOML</button></p></td></tr></template></tbody>
    </table>
    <p v-if="!rows.length" class="none">No rule: the machines' own verdicts stand.<template v-if="draft"> Add the first with “Rule”.</template></p>
  </div>
  <div class="ft"><span>{{ saved }}</span><span class="grow"></span><button v-if="!isText && rows.length > shown.length" class="lnk" type="button" @click="shownMax += 1000">{{ n(rows.length - shown.length) }} more rules</button></div>
</Panel>`,
  data: () => ({ query, drafts, open: null, at: 0, shownMax: ROWS_AT_ONCE, ranks: new Map() }),
  created() {
    onKey("e", "edit the rulebook in force", () => this.desk.versions.data && may("engineer") && write(this.desk));
    onKey("n", "add a rule to the draft", () => this.draft && this.add());
    onKey("u", "undo the last edit of the draft", () => this.draft && this.back());
    onKey("t", "table or TOML", () => this.turn(this.isText ? "" : "toml"));
    this.$watch(() => [this.desk.chosen?.isDraft, this.desk.chosen?.version], () => Object.assign(this, { open: null, at: 0, shownMax: ROWS_AT_ONCE }));
    this.$watch(() => [this.open, this.desk.changes, this.fault?.index, this.desk.chosen?.version], this.rank, { immediate: true });
  },
  computed: {
    draft() { return this.desk.draft; },
    fault() { return this.desk.fault; },
    isText: () => query.view === "toml",
    mayUndo() { return canUndo(this.draft); },
    title() {
      const { chosen } = this.desk;
      if (!chosen) return "Rules";
      return chosen.isDraft ? `Draft v${this.desk.active + 1}` : `Rules of v${chosen.version}`;
    },
    waiting() {
      if (this.desk.text !== null || this.empty) return undefined;
      const { versions, shelf } = this.desk;
      return { data: null, error: versions.error || shelf.trouble, isSlow: true, isAsking: true, ask: () => (versions.error ? versions.ask() : shelf.again(this.desk.chosen.version, this.desk.active)) };
    },
    empty() {
      const { chosen, versions, active } = this.desk;
      if (!versions.data || !chosen) return null;
      if (chosen.isDraft && !this.draft) {
        const words = active ? "This browser keeps no such draft." : "No rulebook yet: the machines' own verdicts stand.";
        return { words, action: !may("engineer") ? "" : active ? `Edit v${active}` : "Write the first rule", act: () => write(this.desk) };
      }
      if (chosen.isDraft || this.desk.version) return null;
      return { words: `There is no rulebook v${chosen.version ?? query.version}.`, action: `Show v${active}`, href: "/rules" };
    },
    loose() { return this.fault && this.fault.index === null ? this.fault.words : this.draft ? this.desk.check.trouble : ""; },
    kinds() { return new Map((this.desk.changes ?? []).map((each) => [each.rule_id, each])); },
    olds() { return new Map(this.desk.before.map((rule) => [nameOf(rule), rule])); },
    rows() {
      const { rules } = this.desk;
      const gone = [...this.kinds.values()].filter((each) => each.kind === "removed" && !rules.some((rule) => nameOf(rule) === each.rule_id));
      const all = [...rules.map(this.rowOf), ...gone.map((each) => this.goneRow(each)).filter(Boolean)];
      const rankOf = (row) => (row.index === null ? 2 : (this.ranks.get(row.index) ?? 1));
      return all.toSorted((one, other) => rankOf(one) - rankOf(other) || one.place - other.place);
    },
    shown() { return this.rows.slice(0, this.shownMax); },
    saved() {
      if (!this.draft) return this.desk.version ? `${this.desk.rules.length} rules · never changed` : "";
      const kept = drafts.isKept ? `draft kept in this browser ${clockTime(this.draft.editedAt)}` : "this browser keeps nothing: leaving the page loses the draft";
      return `${kept} · nothing is judged by it`;
    },
  },
  methods: {
    needs,
    write,
    n: thousands,
    rowOf(rule) {
      const name = nameOf(rule);
      const change = this.kinds.get(name);
      const isBad = this.fault !== null && this.fault.index === rule.index;
      const old = change?.kind === "changed" && this.olds.get(name);
      const limit = limitWords(rule);
      const text = (key) => String(rule.values[key] ?? "*");
      const look = isBad ? "bad" : this.fault?.other === rule.index && this.fault ? "tie" : change ? "ch" : "";
      const { expression = "", severity = "major", required } = rule.values;
      return {
        key: `r${rule.index}`, index: rule.index, place: rule.index, name, isBad, look, isBroken: rule.isBroken, kind: change?.kind, mark: MARKS[change?.kind],
        step: stepOf(rule), expression, product: text("product"), procedure: text("procedure"), machine: text("machine"),
        limit: rule.isBroken ? "cannot be read" : limit, old: old && limitWords(old) !== limit ? limitWords(old) : "", severity, required: required === true,
      };
    },
    goneRow(change) {
      const rule = this.olds.get(change.rule_id);
      if (!rule) return null;
      return { ...this.rowOf(rule), key: `g${rule.index}`, index: null, place: rule.index, isGone: true, isBad: false, look: "del", old: limitWords(rule), limit: "no rule" };
    },
    // Rows keep their places while a form is open, so that nothing jumps away under the hand.
    rank() {
      if (this.open !== null && this.ranks.size) return;
      const rank = (rule) => (this.fault?.index === rule.index ? 0 : this.kinds.has(nameOf(rule)) ? 1 : 3);
      this.ranks = new Map(this.desk.rules.map((rule) => [rule.index, rank(rule)]));
    },
    turn(view) { change({ view }, { replaces: true }); },
    back() { undo(this.draft); },
    discard() { throwAway(this.desk); },
    toggle(index) { this.open = this.open === index ? null : index; },
    async close() {
      const { open } = this;
      this.open = null;
      await this.$nextTick();
      const name = nameOf(this.desk.rules[open] ?? { values: {}, index: -1 });
      [...this.$el.querySelectorAll(".rid")].find((each) => each.textContent === name)?.focus();
    },
    async add() {
      const taken = new Set(this.desk.rules.map(nameOf));
      let id = "new-rule";
      for (let i = 2; taken.has(id); i += 1) id = `new-rule-${i}`;
      edit(this.draft, addRule(this.draft.toml, [["id", quoted(id)], ["test_step", quoted("step")]]));
      this.turn("");
      this.open = this.desk.rules.length - 1;
      this.ranks.set(this.open, 0);
      await this.$nextTick();
      const field = this.$el.querySelector('.rf [data-key="id"]');
      field?.focus();
      field?.select();
    },
    showText(row) {
      this.at = this.desk.rules[row.index].from + 1;
      this.turn("toml");
    },
    walk(event) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step || !document.activeElement.classList.contains("rid")) return;
      const names = [...this.$el.querySelectorAll(".rid")];
      const next = names[names.indexOf(document.activeElement) + step];
      if (!next) return;
      event.preventDefault();
      next.focus();
    },
  },
};
