// What a draft or a version changes, in words.
import { Icon, Panel, clock, thousands } from "yieldline";
import { hasLimitChange, limitWords, nameOf, otherWords, sinceWords, stepOf, whereWords } from "./words.js";

const MARKS = { added: "+", removed: "−", changed: "~" };

export const Changes = {
  components: { Icon, Panel },
  props: { desk: Object },
  template: `
<Panel class="chg" title="What changes" :note="note" what="Rule by rule, what turns the one rulebook into the other. A rule is the same rule while it has the same id." :csv="csv">
  <template #head><small v-if="stay !== null">{{ n(stay) }} rule{{ stay === 1 ? ' stays as it is' : 's stay as they are' }}</small></template>
  <div v-if="desk.diff.trouble" class="nothing failed" role="alert"><p><Icon name="offline" size="16"/>{{ desk.diff.trouble }}</p><button class="btn" type="button" @click="desk.diff.ask()">Try again</button></div>
  <div v-else class="dis" tabindex="0" aria-label="What changes">
    <div v-for="each in rows" class="di"><span class="mk" :title="each.kind">{{ marks[each.kind] }}</span><span class="mono t2 id" :title="each.id">{{ each.id }}</span><span class="big"><span class="mono">{{ each.step }}</span> <s v-if="each.before">{{ each.before }}</s> <span v-if="each.before && each.after" class="ac">→</span> <b v-if="each.after">{{ each.after }}</b></span><em :title="each.more">{{ each.more }}</em></div>
    <div v-if="error" class="di er"><span class="mk er"><Icon name="critical" size="18"/></span><span class="mono t2 id">{{ error }}</span><span>in error: nothing since edit {{ desk.check.lastEdit }} is counted until it can be read</span><em></em></div>
    <p v-if="said" class="none">{{ said }}</p>
  </div>
</Panel>`,
  data: () => ({ marks: MARKS }),
  computed: {
    isDraft() { return this.desk.chosen?.isDraft ?? false; },
    note() {
      const { chosen, compare, draft } = this.desk;
      if (!chosen) return "";
      const name = this.isDraft ? (draft ? `draft v${this.desk.active + 1}` : "") : `v${chosen.version}`;
      if (!name || !compare) return name;
      const other = this.desk.versions.data?.items.find((each) => each.version === compare);
      const since = other?.is_active ? `, active since ${sinceWords(Date.parse(other.activated_at) / 1000, clock.second)}` : "";
      return `${name} against v${compare}${since}`;
    },
    changes() { return this.desk.changes ?? []; },
    rows() {
      const find = (rules) => new Map(rules.map((rule) => [nameOf(rule), rule]));
      const [before, after] = [find(this.desk.before), find(this.desk.rules)];
      return this.changes.map((change) => {
        const [old, now] = [before.get(change.rule_id), after.get(change.rule_id)];
        const isLimit = hasLimitChange(change);
        const rule = now ?? old;
        const words = {
          added: ["", now && limitWords(now)],
          removed: [old && limitWords(old), "no rule"],
          changed: isLimit ? [old && limitWords(old), now && limitWords(now)] : ["", now && limitWords(now)],
        }[change.kind];
        const more = [otherWords(change), rule && whereWords(rule), rule?.values.severity].filter(Boolean).join(" · ");
        return { id: change.rule_id, kind: change.kind, step: rule ? stepOf(rule) : "", before: words[0], after: words[1] ?? change.sentence, more };
      });
    },
    error() {
      if (!this.isDraft || !this.desk.fault) return "";
      const rule = this.desk.rules[this.desk.fault.index];
      return rule ? nameOf(rule) : "the text";
    },
    stay() {
      if (!this.desk.changes || this.error) return null;
      return this.desk.rules.length - this.changes.filter((each) => each.kind !== "removed").length;
    },
    said() {
      if (this.rows.length || this.error) return "";
      if (!this.isDraft && this.desk.compare === 0) return `The first version, with ${this.desk.rules.length} rules.`;
      if (this.desk.changes === null) return this.desk.check.trouble;
      return this.desk.compare ? `Nothing: it judges as v${this.desk.compare} does.` : "Nothing yet.";
    },
  },
  methods: {
    n: thousands,
    csv() {
      return { name: "rulebook-changes", head: ["rule", "change", "step", "before", "after", "more"], rows: this.rows.map((each) => [each.id, each.kind, each.step, each.before, each.after, each.more]) };
    },
  },
};
