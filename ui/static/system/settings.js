// Every setting, its value and where that comes from; secrets are hidden on the server already.
import { Panel } from "yieldline";

export const Settings = {
  components: { Panel },
  props: { settings: Array },
  template: `
<Panel class="settings" title="Settings" :note="'value and origin, ' + settings.length + ' of them'" what="The settings of this web process, read when it started. A flag beats the environment, that beats the file, that beats the default; program: it chose by itself. Services have their own." :rows="settings.length" :csv="csv" :empty="empty">
  <template #head><span class="seg"><button type="button" :aria-pressed="String(!all)" :class="{on: !all}" @click="all = false">Changed {{ changed.length }}</button><button type="button" :aria-pressed="String(all)" :class="{on: all}" @click="all = true">All</button></span></template>
  <div class="scroll" tabindex="0" aria-label="Settings"><table class="grid"><tbody><tr v-for="each in shown" :key="each.name"><td class="mono" :title="each.name">{{ each.name }}</td><td class="val" :title="each.value">{{ each.value }}</td><td class="r t3">{{ each.origin }}</td></tr></tbody></table></div>
</Panel>`,
  data: () => ({ all: true }),
  computed: {
    changed() { return this.settings.filter((each) => each.origin !== "default"); },
    shown() { return this.all ? this.settings : this.changed; },
    empty() { return this.shown.length ? null : { words: "Every setting has its default.", action: "Show all", act: () => (this.all = true) }; },
  },
  methods: {
    csv() {
      return { name: "settings", head: ["name", "value", "origin"], rows: this.shown.map((each) => [each.name, each.value, each.origin]) };
    },
  },
};
