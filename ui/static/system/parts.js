// Broker, database, services and watcher, agents, this process: each with its light and what it means.
import { Age, clock, duration, machineLink, Panel, plantDay, Spark, thousands, when } from "yieldline";
import { bytes, counted, Light, ms, rateOf } from "yieldline-system/words.js";

const seconds = (text) => Date.parse(text) / 1000;
const perSecond = (perMinute) => (perMinute === null ? "–" : (perMinute / 60).toFixed(1));

export const Broker = {
  components: { Age, Light, Panel },
  props: { broker: Object },
  template: `
<Panel title="Broker" :note="note" what="The MQTT broker, as this process sees it. What it counts of itself comes from its $SYS topics every ten seconds, where it has them.">
  <template #head><Light :light="broker.light"/></template>
  <p class="means">{{ broker.light.meaning }}</p>
  <dl class="facts"><dt>{{ broker.connected ? 'connected' : 'away' }} for</dt><dd><b>{{ duration(clock.second - since) }}</b></dd>
    <dt>clients</dt><dd><b>{{ n(c.clients) }}</b></dd>
    <dt>dropped</dt><dd :class="{'c-marg': c.dropped}"><b>{{ n(c.dropped) }}</b> <span v-if="c.uptime_s !== null" class="t3">since it started {{ duration(c.uptime_s) }} ago</span></dd>
    <dt>held</dt><dd><b>{{ n(c.held) }}</b> <span class="t3">messages, {{ bytes(c.heap_bytes) }} memory</span></dd>
    <dt>rate</dt><dd><b>{{ perSecond(c.received_per_minute) }}/s</b> <span class="t3">in, out {{ perSecond(c.sent_per_minute) }}</span></dd></dl>
  <p v-if="broker.dropped_meaning" class="means c-marg">{{ broker.dropped_meaning }}</p>
  <p v-if="c.clients === null" class="means">This broker does not count, or does not let us read it ($SYS/broker).</p>
</Panel>`,
  data: () => ({ clock }),
  computed: {
    c() { return this.broker.counters; },
    since() { return seconds(this.broker.since); },
    note() { return [this.c.version && `Mosquitto ${this.c.version}`, `${this.broker.host}:${this.broker.port}`, this.broker.tls && "TLS"].filter(Boolean).join(", "); },
  },
  methods: { bytes, duration, perSecond, n: counted },
};

export const Database = {
  components: { Light, Panel },
  props: { database: Object },
  template: `
<Panel title="Database" :note="note" what="Answer times are those of one small question every two seconds over the last ten minutes; writes are batches of results since the services started. Rows are counted by their numbers, from the oldest kept to the newest.">
  <template #head><Light :light="database.light"/></template>
  <p class="means" :class="{'c-fail': database.light.look === 'bad'}">{{ database.light.meaning }}</p>
  <dl class="facts"><dt>answers in</dt><dd><b>{{ ms(database.answer_ms.p99) }}</b> <span class="t3">p99, median {{ ms(database.answer_ms.p50) }}, of {{ database.answer_ms.count }}</span></dd>
    <dt>writes in</dt><dd><b>{{ upTo(database.write_ms.p99) }}</b> <span class="t3">p99, median {{ upTo(database.write_ms.p50) }}, of {{ n(database.write_ms.count) }} batches</span></dd>
    <dt>size</dt><dd><b>{{ bytes(database.size_bytes) }}</b></dd>
    <dt>rows</dt><dd><b>{{ n(database.runs) }}</b> <span class="t3">runs, {{ n(database.rejections) }} rejections</span></dd>
    <dt>oldest run</dt><dd><b>{{ oldest }}</b></dd>
    <dt>last backup</dt><dd :class="{'c-marg': backup && !backup.ok}"><b>{{ backup && backup.good_at ? when(seconds(backup.good_at), clock.second) : '–' }}</b> <span class="t3">{{ backup ? backup.ok ? bytes(backup.size_bytes) : 'then one failed: ' + backup.trouble : 'none is known: yieldline db backup' }}</span></dd>
    <dt>address</dt><dd class="mono cut" :title="database.address">{{ database.address }}</dd></dl>
</Panel>`,
  computed: {
    backup() { return this.database.last_backup; },
    note() { return [this.database.kind, this.database.version].filter(Boolean).join(" "); },
    oldest() { return this.database.oldest_result_at ? when(seconds(this.database.oldest_result_at), clock.second) : "–"; },
  },
  data: () => ({ clock }),
  methods: { bytes, ms, n: counted, seconds, upTo: (value) => (value === null ? ms(value) : `≤ ${ms(value)}`), when },
};

export const Services = {
  components: { Age, Light, Panel },
  props: { services: Array, before: Array, watcher: Object, isKnown: Boolean },
  template: `
<Panel class="services" title="Services and watcher" :note="rulebooks" what="Each service process reports every few seconds. The rate is what it stored between two looks of this page. One of them watches: it raises and closes alerts." :empty="empty">
  <table class="grid"><thead><tr><th scope="col">Process</th><th scope="col">State</th><th scope="col" class="r">Rate</th><th scope="col" class="r">Pending</th><th scope="col" class="r">Rulebook</th><th scope="col" class="r">Last word</th></tr></thead>
    <tbody v-for="each in services" :key="each.service"><tr :class="{t3: each.light.look === 'off'}"><td class="id">{{ each.service }}</td><td><Light :light="each.light"/></td><td class="r">{{ rate(each) }}</td><td class="r" :class="{t3: !each.pending}">{{ n(each.pending) }}</td><td class="r">v{{ each.rulebook_version ?? '–' }}</td><td class="r"><Age :at="seconds(each.reported_at)"/></td></tr>
      <tr class="hop" :class="each.light.look"><td colspan="6">{{ each.light.meaning }}</td></tr></tbody>
    <tbody class="watcher"><tr><td class="id">watcher</td><td><Light :light="watcher.light"/></td><td colspan="4"></td></tr>
      <tr class="hop" :class="watcher.light.look"><td colspan="6">{{ watcher.light.meaning }}</td></tr></tbody></table>
</Panel>`,
  computed: {
    rulebooks() {
      const alive = this.services.filter((each) => each.light.look !== "off");
      const versions = [...new Set(alive.map((each) => each.rulebook_version))];
      return versions.length > 1 ? `judge by different rulebooks: ${versions.map((each) => `v${each}`).join(", ")}` : "";
    },
    empty() {
      if (this.services.length) return null;
      return { words: this.isKnown ? "No service has ever reported. Results wait at the broker. Start `yieldline service`." : "The database does not answer; what services last said stands there." };
    },
  },
  methods: {
    n: counted,
    seconds,
    rate(each) {
      const rate = rateOf(each, this.before.find((one) => one.service === each.service));
      return rate === null ? "–" : `${rate.toFixed(1)}/s`;
    },
  },
};

export const Agents = {
  components: { Age, Light, Panel },
  props: { agents: Array },
  template: `
<Panel class="agents" title="Agents" :note="note" what="What each edge agent last said of itself, with its machine's state: messages not confirmed yet (spool), the age of the oldest of them (lag), bytes of its files not read yet." :rows="agents.length" :csv="csv" :empty="empty">
  <div class="scroll" tabindex="0" aria-label="Agents"><table class="grid"><thead><tr><th scope="col">Machine</th><th scope="col">State</th><th scope="col">Version</th><th scope="col" class="r">Spool</th><th scope="col" class="r">Lag</th><th scope="col" class="r">Unread</th><th scope="col" class="r">Last word</th></tr></thead>
    <tbody v-for="each in sorted" :key="each.machine_id"><tr :class="{t3: each.light.look === 'off'}"><td class="id"><a :href="machineLink(each.machine_id)">{{ each.machine_id }}</a></td><td><Light :light="each.light"/></td><td>{{ each.version ?? '–' }}</td><td class="r" :title="bytes(each.spool_bytes)" :class="{t3: !each.spool_depth}">{{ n(each.spool_depth) }}</td><td class="r" :class="{t3: !each.lag_s}">{{ each.lag_s === null ? '–' : duration(each.lag_s) }}</td><td class="r" :class="{t3: !each.lag_bytes}">{{ bytes(each.lag_bytes) }}</td><td class="r"><Age v-if="each.said_at" :at="seconds(each.said_at)"/></td></tr>
      <tr v-if="each.light.look !== 'ok'" class="hop" :class="each.light.look"><td colspan="7">{{ each.light.meaning }}<template v-if="each.last_error && each.light.look !== 'bad'"> It last said: {{ each.last_error }}</template></td></tr></tbody></table></div>
</Panel>`,
  computed: {
    sorted() {
      const rank = { bad: 0, warn: 1, off: 2, ok: 3 };
      return [...this.agents].sort((a, b) => rank[a.light.look] - rank[b.light.look]);
    },
    note() { return this.agents.length ? `${this.agents.filter((each) => !["silent", "offline"].includes(each.light.word)).length} of ${this.agents.length} speak` : ""; },
    empty() { return this.agents.length ? null : { words: "No agent has spoken: every machine sends by itself, or none has an agent yet." }; },
  },
  methods: {
    bytes,
    duration,
    machineLink,
    n: counted,
    seconds,
    csv() {
      const head = ["machine_id", "line", "version", "spool_depth", "spool_bytes", "lag_s", "lag_bytes", "last_error", "said_at"];
      return { name: "agents", head, rows: this.sorted.map((each) => head.map((name) => each[name])) };
    },
  },
};

export const Web = {
  components: { Light, Panel, Spark },
  props: { web: Object },
  template: `
<Panel title="This web process" :note="web.host + ':' + web.port + ', ' + web.version" what="A frame is what changed in a quarter of a second. Skipped are frames that a viewer went without because it had not painted the last one yet, or its tab was hidden; it gets the newest one instead.">
  <template #head><Light :light="web.light"/></template>
  <p class="means">{{ web.light.meaning }}</p>
  <dl class="facts"><dt>viewers</dt><dd><b>{{ n(web.viewers) }}</b> <span class="t3">pages, {{ n(web.stream_readers) }} streams, {{ n(web.exports) }} exports</span></dd>
    <dt>frame time</dt><dd class="row"><span><b>{{ ms(web.frame_ms.p50) }}</b> <span class="t3">p99 {{ ms(web.frame_ms.p99) }}</span></span><Spark :points="web.frame_spark" :width="150" :height="18"/></dd>
    <dt>frames skipped</dt><dd><b>{{ n(web.frames_skipped) }}</b> <span class="t3">of {{ n(web.frames + web.frames_skipped) }}</span></dd>
    <dt>memory</dt><dd><b>{{ bytes(web.memory_bytes) }}</b> <span class="t3">ticks late p99 {{ ms(web.late_ms.p99) }}</span></dd>
    <dt>runs for</dt><dd><b>{{ duration(clock.second - seconds(web.started_at)) }}</b></dd></dl>
</Panel>`,
  data: () => ({ clock }),
  methods: { bytes, duration, ms, n: thousands, seconds },
};

export const Audit = {
  components: { Light, Panel },
  props: { audit: Object },
  template: `
<Panel class="audit" title="Audit" note="who changed what, when and why" what="What people changed, newest first. Each entry holds a seal over the one before it; the whole trail is checked once a minute." :empty="empty">
  <template #head><Light v-if="audit" :light="audit.light"/></template>
  <p class="means" :class="{'c-fail': audit.light.look === 'bad'}">{{ audit.light.meaning }}</p>
  <div class="scroll" tabindex="0" aria-label="Audit"><table class="grid"><tbody><tr v-for="each in audit.items" :key="each.audit_id"><td class="t3" :title="each.at">{{ moment(each.at) }}</td><td>{{ each.actor }}</td><td class="wrap">{{ each.action }} {{ each.subject }} <span class="t3">{{ each.reason }}</span></td></tr></tbody></table></div>
</Panel>`,
  computed: {
    empty() {
      if (!this.audit) return { words: "The database is away; its trail is not lost." };
      return this.audit.items.length ? null : { words: "Nobody has changed anything yet." };
    },
  },
  methods: {
    moment(text) {
      const at = seconds(text);
      const said = when(at, clock.second);
      return clock.second - at < 3600 ? `${said} ago` : clock.second - at < 43200 ? said : plantDay(at);
    },
  },
};
