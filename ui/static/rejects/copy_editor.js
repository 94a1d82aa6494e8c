// A corrected copy: the message's text to edit, and of a flat measurement its fields too.
const FLAT = ["barcode", "machine_id", "product_id", "test_step", "procedure", "measured_value", "unit", "timestamp", "message_id"];
const VALUES = new Set(["measured_value"]); // may be a number, a boolean or null as well as text

function flatOf(text) {
  try {
    const content = JSON.parse(text);
    return content && typeof content === "object" && !Array.isArray(content) && !("measurements" in content) ? content : null;
  } catch {
    return null;
  }
}

function valueOf(said) {
  try {
    const value = JSON.parse(said);
    return value !== null && typeof value === "object" ? said : value;
  } catch {
    return said;
  }
}

const shown = (value) => (value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value));

export const CopyEditor = {
  props: { modelValue: String },
  emits: ["update:modelValue"],
  template: `
<div class="copy" data-unsaved>
  <label class="why">The new message<textarea class="field mono" spellcheck="false" rows="12" :value="modelValue" @input="$emit('update:modelValue', $event.target.value)"></textarea></label>
  <p class="t3">{{ said }}</p>
  <fieldset v-if="flat" class="fields"><legend>Its fields</legend><label v-for="name in names"><span class="mono">{{ name }}</span><input class="field mono" :value="shown(flat[name])" @change="set(name, $event.target.value)"></label></fieldset>
</div>`,
  computed: {
    flat() { return flatOf(this.modelValue); },
    names() { return FLAT.filter((name) => name in this.flat || !["procedure", "unit", "message_id", "machine_id"].includes(name)); },
    said() {
      try {
        JSON.parse(this.modelValue);
        return `JSON, ${new TextEncoder().encode(this.modelValue).length} bytes. A dry run says whether it would be accepted.`;
      } catch (error) {
        return `No JSON yet: ${error.message}.`;
      }
    },
  },
  methods: {
    shown,
    set(name, said) {
      const content = { ...this.flat, [name]: VALUES.has(name) ? valueOf(said) : said };
      if (said === "") delete content[name];
      this.$emit("update:modelValue", JSON.stringify(content, null, 2));
    },
  },
};
