// Chips that say and change the filters: <FilterBar :names="['product_id', 'outcome']" :more="['fixture']"/>.
// Those in `names` are always there, those in `more` while they are set, and behind "More".
import { addressOf, call, Trouble } from "./api.js";
import { Icon } from "./pictures.js";
import { Popover } from "./panel.js";
import { change, filterChoices, filterNames, query } from "./scope.js";

const TYPED = ["barcode", "panel_position"]; // too many to choose from
const KINDS = { first_failure: "step" }; // whose names these are
const WAIT_MS = 150;

const capital = (text) => text[0].toUpperCase() + text.slice(1);
const wordOf = (name) => capital({ agrees: "tester", differs: "differences", outcome: "outcome" }[name] ?? filterNames[name]);
const said = (name, value) => filterChoices[name]?.find(([each]) => each === value)?.[1] ?? value;

// What one filter may be: a list to choose from, found by typing.
const Choice = {
  props: { name: String },
  emits: ["chosen"],
  template: `
<form class="choice" @submit.prevent="choose(isTyped ? text : items[0]?.[0] ?? text)" @keydown.down.prevent="move(1)" @keydown.up.prevent="move(-1)">
  <input v-if="!fixed" ref="input" v-model="text" class="field" :placeholder="isTyped ? 'the whole ' + word : 'part of the name'" :aria-label="word" autocomplete="off" spellcheck="false" maxlength="128">
  <ul class="choices"><li v-for="[value, words] in items"><button type="button" :class="{on: value === now}" @click="choose(value)">{{ words }}</button></li></ul>
  <p v-if="note" class="t3">{{ note }}</p>
</form>`,
  data: () => ({ text: "", items: [], note: "" }),
  created() {
    this.fixed = filterChoices[this.name];
    this.isTyped = TYPED.includes(this.name);
    this.word = filterNames[this.name];
    this.now = query[this.name];
    if (this.fixed) this.items = this.fixed;
    else if (this.isTyped) this.text = this.now;
    else void this.find();
  },
  mounted() { (this.$refs.input ?? this.$el.querySelector("button"))?.focus(); },
  beforeUnmount() { clearTimeout(this.waiting); },
  watch: {
    text() {
      if (this.isTyped) return;
      clearTimeout(this.waiting);
      this.waiting = setTimeout(this.find, WAIT_MS);
    },
  },
  methods: {
    async find() {
      const text = this.text;
      try {
        const { items } = await call(addressOf(`/api/v1/names/${KINDS[this.name] ?? this.name}`, { contains: text }));
        if (text !== this.text) return;
        this.items = items.map((each) => [each, each]);
        this.note = items.length ? "" : "No such name was ever stored.";
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        this.note = error.message;
      }
    },
    move(by) {
      const stops = [...this.$el.querySelectorAll("input, button")];
      stops[stops.indexOf(document.activeElement) + by]?.focus();
    },
    choose(value) {
      change({ [this.name]: value.trim() });
      this.$emit("chosen");
    },
  },
};

export const FilterBar = {
  components: { Choice, Icon, Popover },
  props: { names: Array, more: { type: Array, default: () => [] } },
  template: `
<div class="filterbar" role="group" aria-label="Filters">
  <span v-for="name in shown" :key="name" class="pair" :class="{set: query[name]}"><Popover :label="wordOf(name) + ' filter'" :look="query[name] ? 'chip f' : 'chip f off'"><template #button><em>{{ wordOf(name) }}</em>{{ query[name] ? said(name, query[name]) : 'all' }}<Icon v-if="!query[name]" name="down" size="13"/></template><template #default="{ close }"><Choice :name="name" @chosen="close"/></template></Popover><button v-if="query[name]" class="chip out" type="button" :aria-label="'Clear ' + wordOf(name)" :title="'Clear ' + wordOf(name)" @click="change({[name]: ''})"><Icon name="close" size="12"/></button></span>
  <Popover v-if="hidden.length" label="More filters" look="chip f off"><template #button>More<Icon name="down" size="13"/></template><template #default="{ close }"><Choice v-if="picked" :key="picked" :name="picked" @chosen="close(); picked = ''"/><ul v-else class="choices"><li v-for="name in hidden"><button type="button" @click="picked = name">{{ wordOf(name) }}</button></li></ul></template></Popover>
  <button v-if="isSet" class="btn" type="button" @click="clear">Clear all</button>
</div>`,
  data: () => ({ query, picked: "" }),
  computed: {
    shown() { return [...this.names, ...this.more.filter((name) => query[name])]; },
    hidden() { return this.more.filter((name) => !query[name]); },
    isSet() { return this.shown.filter((name) => query[name]).length > 1; },
  },
  methods: {
    change, said, wordOf,
    clear() { change(Object.fromEntries(this.shown.map((name) => [name, ""]))); },
  },
};
