// The left column: every version and draft, or the audit trail.
import { call, change, clock, Failed, Icon, may, needs, Panel, query, Shapes, Trouble, when } from "yieldline";
import { drafts } from "./drafts.js";
import { show, showDraft, write } from "./desk.js";

const at = (text) => Date.parse(text) / 1000;

const Trail = {
  components: { Failed, Icon, Shapes },
  template: `<Failed v-if="trouble" :words="trouble" @again="more"/><Shapes v-else-if="!items"/><div v-else class="vl" tabindex="0" aria-label="Audit trail"><p v-if="!items.length" class="none">Nobody has changed anything yet.</p>
<article v-for="each in items" class="ve"><div class="a"><b>{{ each.action }}</b><span>{{ moment(each.at) }}</span></div><p><span class="t3">{{ each.subject }}</span><template v-if="each.reason">: {{ each.reason }}</template></p><ul v-if="each.details.changes?.length"><li v-for="change in each.details.changes.slice(0, 5)">{{ change }}</li><li v-if="each.details.changes.length > 5">and {{ each.details.changes.length - 5 }} more</li></ul><div class="m">{{ each.actor }}</div></article>
<button v-if="next" class="btn more" type="button" @click="more">Earlier</button></div>`,
  data: () => ({ items: null, next: null, trouble: "" }),
  created() { void this.more(); },
  methods: {
    moment: (text) => when(at(text), clock.second),
    async more() {
      this.trouble = "";
      try {
        const page = await call(`/api/v1/audit?limit=50${this.next ? `&cursor=${this.next}` : ""}`);
        this.items = [...(this.items ?? []), ...page.items];
        this.next = page.next_cursor;
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        this.trouble = error.message;
      }
    },
  },
};

export const Versions = {
  components: { Icon, Panel, Trail },
  props: { desk: Object },
  template: `
<Panel class="vers" :title="tab === 'audit' ? 'Audit trail' : 'Versions'" :asks="tab === 'audit' ? undefined : desk.versions" :empty="empty">
  <template #head><span class="seg tiny" role="group" aria-label="Versions or audit trail"><button type="button" :class="{on: tab !== 'audit'}" :aria-pressed="String(tab !== 'audit')" @click="change({tab: ''})">Versions</button><button type="button" :class="{on: tab === 'audit'}" :aria-pressed="String(tab === 'audit')" @click="change({tab: 'audit'})">Audit</button></span></template>
  <Trail v-if="tab === 'audit'"/>
  <template v-else>
    <nav class="vl" aria-label="Versions" @keydown="walk">
      <a v-for="each in kept" class="ve" :class="{sel: isChosen(true, each.base)}" :href="'?draft=' + each.base" :aria-current="isChosen(true, each.base) ? 'true' : null" @click.prevent="showDraft(each.base)"><div class="a"><b>v{{ active + 1 }}</b><i>draft</i><span>edit {{ each.edits }}, {{ moment(each.editedAt) }}</span></div><div class="m">{{ each.base ? 'from v' + each.base : 'the first' }} · in this browser, not active</div></a>
      <a v-for="each in items" class="ve" :class="{sel: isChosen(false, each.version)}" :href="'?version=' + each.version" :aria-current="isChosen(false, each.version) ? 'true' : null" @click.prevent="show(each.version)"><div class="a"><b>v{{ each.version }}</b><i v-if="each.is_active" class="act">active</i><span>{{ moment(at(each.activated_at)) }}</span></div><p>{{ each.reason }}</p><div class="m">{{ each.author }}</div></a>
    </nav>
    <div class="cmp"><label v-if="items.length > 1">Compare with <select class="field" :value="query.compare" @change="change({compare: $event.target.value})"><option value="">{{ usual }}</option><option v-for="each in others" :value="String(each.version)">v{{ each.version }}</option></select></label><button v-if="!hasDraft" class="btn tiny" type="button" v-bind="needs('engineer')" @click="write(desk)"><Icon name="plus" size="13"/>Draft</button></div>
  </template>
</Panel>`,
  data: () => ({ query }),
  computed: {
    tab: () => query.tab,
    items() { return this.desk.versions.data?.items ?? []; },
    active() { return this.desk.active; },
    kept: () => Object.values(drafts.byBase).sort((one, other) => other.base - one.base),
    hasDraft() { return this.active in drafts.byBase; },
    others() { return this.items.filter((each) => this.desk.chosen?.isDraft || each.version !== this.desk.chosen?.version); },
    usual() { return this.desk.chosen?.isDraft ? "the one in force" : "the version before"; },
    empty() {
      if (this.tab === "audit" || this.items.length || this.kept.length) return null;
      return { words: "No rulebook yet: the machines' own verdicts stand.", action: may("engineer") ? "Write the first rule" : "", act: () => write(this.desk) };
    },
  },
  methods: {
    at, change, needs, show, showDraft, write,
    moment: (seconds) => when(seconds, clock.second),
    isChosen(isDraft, version) { return this.desk.chosen?.isDraft === isDraft && this.desk.chosen.version === version; },
    walk(event) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      const links = [...event.currentTarget.querySelectorAll("a")];
      const next = links[links.indexOf(document.activeElement) + step];
      if (!next) return;
      event.preventDefault();
      next.focus();
    },
  },
};
