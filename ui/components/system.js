// System: do the books balance, and is everything up? One question, asked anew every few seconds.
import { clock, duration, Failed, Icon, question, Shapes } from "yieldline";
import { Books } from "yieldline-system/books.js";
import { Agents, Audit, Broker, Database, Services, Web } from "yieldline-system/parts.js";
import { People } from "yieldline-system/people.js";
import { Settings } from "yieldline-system/settings.js";

const EVERY_MS = 3000;

export default {
  components: { Agents, Audit, Books, Broker, Database, Failed, Icon, People, Services, Settings, Shapes, Web },
  template: `
<Failed v-if="!said && asks.error" :words="asks.error" @again="asks.ask()"/>
<Shapes v-else-if="!said"/>
<div v-else class="sys" :class="{old: asks.error}">
  <p v-if="asks.error" class="oldbar" role="alert"><Icon name="offline"/>{{ asks.error }} What stands here is {{ duration(clock.second - asks.at) }} old.</p>
  <Books :books="said.books"/>
  <div class="col"><Broker :broker="said.broker"/><Database :database="said.database"/><Services :services="said.services" :before="before" :watcher="said.watcher" :is-known="said.database.kind !== null"/><Agents :agents="said.agents"/></div>
  <div class="col"><Web :web="said.web"/><People/><Settings :settings="said.settings"/><Audit :audit="said.audit"/></div>
</div>`,
  data: () => ({ clock, before: [] }),
  created() {
    this.asks = question("/api/v1/system", () => ({}), { isFiltered: false });
    this.$watch(() => this.asks.data, (after, before) => (this.before = before?.services ?? []));
    this.timer = setInterval(() => document.hidden || this.asks.isAsking || this.asks.ask(), EVERY_MS);
  },
  unmounted() { clearInterval(this.timer); },
  computed: {
    said() { return this.asks.data; },
  },
  methods: { duration },
};
