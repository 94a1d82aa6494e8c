// Alerts: what must I do next? The list is asked again when the status frame says that one changed.
import { Age, call, change, clock, duration, Icon, live, machineLink, may, needs, onKey, Panel, query, question, thousands, Trouble } from "yieldline";
import { about, kindWord, momentWords, secondsOf as seconds, stateWords } from "yieldline/alertwords.js";
import { AlertSheet } from "yieldline-alerts/alert_sheet.js";
import { ShelveBox } from "yieldline-alerts/shelve_box.js";

const STATES = ["open", "acknowledged", "shelved", "closed"];
const RANK = { critical: 0, major: 1, minor: 2 };
const GOAL_PER_HOUR = 6;
const LISTED = 200;
const AUTHOR = "web app";

export default {
  components: { Age, AlertSheet, Icon, Panel, ShelveBox },
  template: `
<div class="as">
  <section class="panel load" aria-label="Load">
    <div><h3>Open</h3><p class="v">{{ openCount }}</p><p class="s"><template v-if="isCut">of the newest {{ waiting.length }}: </template><span v-for="[severity, count] in bySeverity"><Icon :class="'c-' + severity" :name="severity" size="14"/>{{ count }} {{ severity }}</span><template v-if="waiting && !waiting.length">nothing rings</template></p></div>
    <div><h3>Waits longest</h3><p class="v">{{ longest && !isCut ? duration(clock.second - seconds(longest.opened_at)) : '–' }}</p><p class="s"><template v-if="isCut">more are open than are listed here</template><template v-else-if="longest">{{ kindWord(longest.kind) }} <span class="mono">{{ longest.subject.machine ?? longest.line }}</span></template><template v-else>all are seen</template></p></div>
    <div><h3>Alerts per hour</h3><p class="v" :class="{'c-marg': load && load.per_hour > goal}"><Icon v-if="load && load.per_hour > goal" name="major" size="20"/>{{ load ? load.per_hour.toFixed(1) : '–' }}</p><p class="s">{{ load ? n(load.opened) + ' in 24 h' : '' }} · goal: at most {{ goal }}</p></div>
    <div class="ringing"><h3>Ring most, last 24 h</h3><ol v-if="load?.ringing.length"><li v-for="each in load.ringing"><b>{{ each.opened }} ×</b> {{ kindWord(each.kind) }} <span class="mono">{{ about(each) }}</span></li></ol><p v-else-if="load" class="s">none rang twice</p></div>
  </section>
  <Panel title="Alerts" :what="what" :asks="asks" :rows="alerts.length" :csv="csv" :empty="empty">
    <template #note><span class="seg" role="tablist" aria-label="State"><button v-for="state in states" type="button" role="tab" :aria-selected="String(state === tab)" :class="{on: state === tab}" @click="show(state)">{{ state }}<b v-if="counted(state)"> {{ counted(state) }}</b></button></span></template>
    <template #head><span v-if="trouble" class="c-fail" role="alert">{{ trouble }}</span><template v-if="canAct"><span class="t3">{{ chosen.size ? chosen.size + ' chosen' : '' }}</span><button v-if="tab !== 'acknowledged'" class="btn" type="button" v-bind="needs('operator', !chosen.size)" @click="acknowledge([...chosen])">Acknowledge <kbd>A</kbd></button><button class="btn" type="button" v-bind="needs('engineer', !chosen.size)" @click="askShelve([...chosen])">Shelve…</button></template></template>
    <div class="scroll" tabindex="-1"><table class="grid alerts" @keydown="move">
      <thead><tr><th v-if="canAct"><input type="checkbox" aria-label="Choose all" :checked="isAllChosen" @change="chooseAll($event.target.checked)"></th><th scope="col">severity</th><th scope="col">what</th><th scope="col">machine</th><th scope="col">line</th><th scope="col" class="r" title="Runs behind it">runs</th><th scope="col" class="r">opened</th><th scope="col">state</th></tr></thead>
      <tbody><tr v-for="alert in alerts" :key="alert.alert_id" tabindex="0" :class="[alert.severity, {on: alert.alert_id === openId, seen: alert.state !== 'open'}]" @click="open(alert)" @keydown.enter.self="open(alert)">
        <td v-if="canAct" class="pick" @click.stop><input type="checkbox" :aria-label="'Choose alert ' + alert.alert_id" :checked="chosen.has(alert.alert_id)" @change="choose(alert.alert_id, $event.target.checked)"></td>
        <td class="sev"><span class="o" :class="{q: tab !== 'open'}"><Icon :class="tab === 'open' ? 'c-' + alert.severity : ''" :name="icon(alert)" size="16"/>{{ alert.severity }}</span></td>
        <td class="what"><b class="kind">{{ kindWord(alert.kind) }}</b> <span class="t2">{{ alert.message }}</span></td>
        <td class="mono"><a v-if="alert.subject.machine" :href="machineLink(alert.subject.machine)" @click.stop>{{ alert.subject.machine }}</a></td>
        <td>{{ alert.line }}</td>
        <td class="r">{{ alert.evidence.length || '' }}</td>
        <td class="r age"><Age :at="seconds(alert.opened_at)"/></td>
        <td class="st" :class="{'c-marg': isNeverSeen(alert)}"><span>{{ stateWords(alert, clock.second) }}</span><button v-if="alert.state === 'open'" class="btn" type="button" v-bind="needs('operator')" @click.stop="acknowledge([alert.alert_id])">Acknowledge</button></td>
      </tr></tbody>
    </table></div>
    <p class="ft t3">{{ tab === 'closed' ? 'newest first' : (asks.data?.next_cursor ? 'of the newest ' + alerts.length + ': ' : '') + 'critical first, then the newest · each closes by itself when its trouble is over' }}</p>
    <p v-if="asks.data?.next_cursor" class="more"><button class="btn" type="button" @click="change({until: alerts.at(-1).opened_at})">Older</button><button v-if="query.until" class="btn" type="button" @click="change({until: ''})">From the newest</button></p>
  </Panel>
  <span class="sr-only" role="status" aria-live="polite">{{ announced }}</span>
  <AlertSheet v-if="openId" :key="openId" :alert-id="openId" :version="live.status.alerts_event" @close="change({alert: ''})" @acknowledge="acknowledge([openId])" @shelve="askShelve([openId])"/>
  <ShelveBox ref="shelve" :count="shelving.length" :error="shelveTrouble" @shelve="shelve"/>
</div>`,
  data: () => ({ clock, live, query, goal: GOAL_PER_HOUR, states: STATES, chosen: new Set(), shelving: [], trouble: "", shelveTrouble: "", announced: "" }),
  created() {
    const wanted = () => ({ state: this.tab, line: query.line, machine_id: query.machine_id, until: query.until, limit: LISTED });
    this.asks = question("/api/v1/alerts", wanted, { isFiltered: false });
    // The head says what is open, whatever is listed; where the list is just that, it is not asked twice.
    this.opens = question(() => (this.isAllOpen ? "" : "/api/v1/alerts"), () => ({ state: "open", line: query.line, limit: LISTED }), { isFiltered: false });
    this.loads = question("/api/v1/alerts/load", () => ({}), { isFiltered: false });
    this.$watch(() => live.status.alerts_event, () => this.askAgain());
    this.$watch(() => this.asks.data, this.seeNew);
    onKey("a", "acknowledge what is chosen, or the row with the focus", () => this.acknowledge(this.meant()));
  },
  computed: {
    tab: () => (STATES.includes(query.tab) ? query.tab : "open"),
    openId: () => Number(query.alert) || 0,
    canAct() { return this.tab !== "closed"; },
    load() { return this.loads.data; },
    isAllOpen() { return this.tab === "open" && !query.until && !query.machine_id; },
    waiting() { return (this.isAllOpen ? this.asks : this.opens).data?.items ?? null; },
    isCut() { return Boolean((this.isAllOpen ? this.asks : this.opens).data?.next_cursor); },
    openCount() {
      if (!this.waiting) return "–";
      if (!this.isCut) return thousands(this.waiting.length);
      return query.line ? `${thousands(this.waiting.length)}+` : thousands(live.status.alerts_open ?? this.waiting.length);
    },
    longest() { return [...(this.waiting ?? [])].sort((a, b) => seconds(a.opened_at) - seconds(b.opened_at))[0]; },
    bySeverity() {
      const count = (severity) => (this.waiting ?? []).filter((alert) => alert.severity === severity).length;
      return Object.keys(RANK).map((severity) => [severity, count(severity)]).filter(([, found]) => found);
    },
    alerts() {
      const found = [...(this.asks.data?.items ?? [])];
      return this.tab === "closed" ? found : found.sort((a, b) => RANK[a.severity] - RANK[b.severity]); // newest first among its like
    },
    isAllChosen() { return this.alerts.length > 0 && this.alerts.every((alert) => this.chosen.has(alert.alert_id)); },
    what: () => "Trouble that the service found in what is stored. It closes by itself when it is over; a shelved one returns by itself.",
    empty() {
      if (!this.asks.data || this.alerts.length) return null;
      const where = query.line ? ` on ${query.line}` : "";
      const words = { open: `Nothing rings${where}: no alert is open.`, acknowledged: `No alert${where} is acknowledged and still lives.`, shelved: `No alert${where} is shelved.`, closed: `No alert${where} was ever closed.` };
      const action = query.line || query.until || query.machine_id ? "Show all" : "";
      return { words: words[this.tab], action, act: () => change({ line: "", machine_id: "", until: "" }) };
    },
  },
  methods: {
    about,
    change,
    duration,
    kindWord,
    n: thousands,
    machineLink,
    needs,
    stateWords,
    seconds,
    counted: (state) => thousands(live.status[`alerts_${state}`] || 0).replace(/^0$/, ""),
    icon: ({ state, severity }) => (state === "shelved" ? "shelved" : state === "acknowledged" ? "bell" : severity),
    isNeverSeen: (alert) => alert.state === "closed" && !alert.acknowledged_by,
    show(state) {
      this.chosen = new Set();
      change({ tab: state === "open" ? "" : state, until: "" });
    },
    open(alert) { change({ alert: alert.alert_id }); },
    choose(id, isChosen) {
      const chosen = new Set(this.chosen);
      if (isChosen) chosen.add(id);
      else chosen.delete(id);
      this.chosen = chosen;
    },
    chooseAll(isChosen) { this.chosen = new Set(isChosen ? this.alerts.map((alert) => alert.alert_id) : []); },
    meant() {
      if (this.chosen.size) return [...this.chosen];
      const row = [...this.$el.querySelectorAll("tbody tr")].indexOf(document.activeElement?.closest("tr"));
      if (row >= 0) return [this.alerts[row].alert_id];
      return this.openId ? [this.openId] : [];
    },
    move(event) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const row = step && event.target.closest("tbody tr");
      const next = row && (step > 0 ? row.nextElementSibling : row.previousElementSibling);
      if (!next) return;
      event.preventDefault();
      next.focus();
    },
    // New critical alerts are spoken; others wait until somebody looks.
    seeNew(after, before) {
      const known = new Set((before?.items ?? []).map((alert) => alert.alert_id));
      const found = before && this.tab === "open" ? after.items.filter((alert) => alert.severity === "critical" && !known.has(alert.alert_id)) : [];
      if (found.length) this.announced = `critical: ${found[0].message}`;
      const listed = new Set(after.items.map((alert) => alert.alert_id));
      this.chosen = new Set([...this.chosen].filter((id) => listed.has(id)));
    },
    askAgain() {
      for (const each of [this.asks, this.opens, this.loads]) each.ask();
    },
    async act(path, body) {
      await call(path, { method: "POST", body: { author: AUTHOR, ...body } });
      this.chosen = new Set();
      this.askAgain();
    },
    async acknowledge(ids) {
      if (!ids.length || !this.canAct || !may("operator")) return;
      this.trouble = "";
      try {
        await this.act("/api/v1/alerts/acknowledge", { alert_ids: ids });
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        this.trouble = error.message;
      }
    },
    askShelve(ids) {
      Object.assign(this, { shelving: ids, shelveTrouble: "" });
      this.$refs.shelve.open();
    },
    async shelve(said) {
      try {
        await this.act("/api/v1/alerts/shelve", { alert_ids: this.shelving, ...said });
        this.$refs.shelve.close();
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        this.shelveTrouble = error.message;
      }
    },
    csv() {
      const moment = (text) => text && momentWords(seconds(text), clock.second);
      return {
        name: `alerts-${this.tab}`,
        head: ["alert_id", "severity", "kind", "machine_id", "line", "message", "opened_at", "opened", "state", "acknowledged_by", "shelved_until", "closed_at"],
        rows: this.alerts.map((a) => [a.alert_id, a.severity, a.kind, a.subject.machine, a.line, a.message, a.opened_at, moment(a.opened_at), a.state, a.acknowledged_by, a.shelved_until, a.closed_at]),
      };
    },
  },
};
