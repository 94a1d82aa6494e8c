// Which rule would judge a measurement, how specific it is, and which others it beats.
import { call, Icon, Panel, query, Trouble } from "yieldline";
import { addressOf } from "yieldline/api.js";
import { limitWords } from "./words.js";

const FIELDS = [["machine_id", "machine"], ["product_id", "product"], ["procedure", "procedure"], ["step", "step"]];

// A rule of the API as the words take one of the table.
const shown = (rule) => ({ values: rule, raw: Object.fromEntries(Object.entries(rule).map(([key, value]) => [key, String(value)])) });

const Field = {
  props: { name: String, word: String, modelValue: String },
  emits: ["update:modelValue"],
  template: `<label class="fd"><span>{{ word }}</span><input class="field" :value="modelValue" :list="'which-' + name" required maxlength="128" autocomplete="off" spellcheck="false" @input="type($event.target.value)" @focus="find"><datalist :id="'which-' + name"><option v-for="each in names" :value="each"></option></datalist></label>`,
  data: () => ({ names: [] }),
  methods: {
    type(text) {
      this.$emit("update:modelValue", text);
      void this.find(text);
    },
    async find(text) {
      const contains = typeof text === "string" ? text : "";
      try {
        const { items } = await call(addressOf(`/api/v1/names/${this.name}`, { contains, limit: 20 }));
        this.names = items;
      } catch (error) {
        if (!(error instanceof Trouble)) throw error; // a name can be typed without a list, too
      }
    },
  },
};

export const Which = {
  components: { Field, Icon, Panel },
  props: { desk: Object },
  template: `
<Panel class="wh" title="Which rule would judge" :note="found ? (found.version ? 'v' + found.version : 'no rulebook yet') : ''" what="The most specific rule of the version that applies to a machine, product, procedure and step. Selectors are compared in the order step, product, procedure, machine; an exact text beats a pattern, and of two patterns the one with more literal characters.">
  <form class="wf" @submit.prevent="ask"><Field v-for="[name, word] in fields" :key="name" v-model="place[name]" :name="name" :word="word"/><div class="acts"><button class="btn tiny">Find it</button></div></form>
  <p v-if="trouble" class="none c-fail" role="alert">{{ trouble }}</p>
  <div v-else-if="found" class="found" role="status">
    <p v-if="found.rule"><b class="mono">{{ found.rule.id }}</b> {{ limits(found.rule) }}<span class="t3"> · {{ found.specificity }}</span></p>
    <p v-else>No rule: the limits in the message judge, or else the machine's own word stands.</p>
    <p v-if="found.makes_its_own" class="t2">It judges a value of its own; what a machine sends under this step is left to the machine.</p>
    <ul v-if="found.competitors.length"><li v-for="each in found.competitors"><span class="mono">{{ each.rule.id }}</span> {{ limits(each.rule) }}<span class="t3"> · {{ each.reason }}</span></li></ul>
    <p v-else-if="found.rule" class="t3">No other rule applies.</p>
  </div>
</Panel>`,
  data: () => ({ fields: FIELDS, found: null, trouble: "", place: { machine_id: "", product_id: query.product_id, procedure: query.procedure, step: query.step } }),
  methods: {
    limits: (rule) => limitWords(shown(rule)),
    async ask() {
      const version = this.desk.version?.version;
      try {
        this.found = await call(addressOf("/api/v1/rule", { ...this.place, version }));
        this.trouble = "";
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        this.trouble = error.message;
      }
    },
  },
};
