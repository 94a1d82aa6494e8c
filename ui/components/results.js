// Exactly these runs: a grid over the HTTP API, a run at the side, new ones announced and never pushed in.
import { markRaw } from "vue";
import { AsOf, change, clock, CopyLink, Empty, Failed, FilterBar, filterWords, Icon, live, parameters, query, question, refresh, scope, thousands } from "yieldline";
import { addressOf, call } from "yieldline/api.js";
import { CARD_COLUMN, COLUMNS, LOOK } from "yieldline/results/columns.js";
import { ExportBox } from "yieldline/results/export_box.js";
import { BLOCK_ROWS, rowSource } from "yieldline/results/rows.js";
import { RunSheet } from "yieldline/results/run_sheet.js";
import { chooseRange } from "yieldline/scope.js";
import { fromPlantField, plantField, utc, zoneWords } from "yieldline/words.js";

const BLOCKS_MAX = 50;
const CARD_HEIGHT = 62;
const NEW_EVERY_MS = 3000;
const narrow = window.matchMedia("(max-width: 600px)");

export default {
  components: { AsOf, CopyLink, Empty, ExportBox, Failed, FilterBar, Icon, RunSheet },
  template: `
<div class="rs">
  <div class="fb"><FilterBar :names="['product_id', 'procedure', 'machine_id', 'step', 'outcome']" :more="['first_failure', 'barcode', 'agrees', 'differs', 'fixture', 'operator', 'panel_position', 'golden']"/><span class="grow"></span><AsOf/><CopyLink/><ExportBox/></div>
  <section class="panel pan" aria-label="Runs">
    <div class="ph"><h2>{{ count }}</h2><small>{{ isOldestFirst ? 'oldest first' : 'newest first' }}{{ query.at ? ', from ' + atWords + ' on' : '' }}</small><button v-if="fresh" class="btn new" type="button" @click="showNew">{{ fresh }} new, show</button><span class="sr-only" role="status">{{ fresh ? fresh + ' new runs' : '' }}</span><span class="grow"></span>
      <form class="goto" @submit.prevent="goTo"><label>go to <input v-model="at" class="field" type="datetime-local" required :title="zone" :aria-label="'Go to a time, ' + zone"></label><button class="btn">Go</button><button v-if="query.at" class="btn" type="button" @click="change({at: ''})">From the top</button></form>
      <button class="btn" type="button" :aria-pressed="String(isOldestFirst)" @click="change({sort: isOldestFirst ? '' : 'asc'})">{{ isOldestFirst ? 'Newest first' : 'Oldest first' }}</button></div>
    <Failed v-if="error" :words="error" @again="load"/>
    <Empty v-else-if="isEmpty" :words="emptyWords" :action="emptyAction.words" @act="emptyAction.act"/>
    <div v-show="!error && !isEmpty" ref="grid" class="aggrid"></div>
  </section>
  <RunSheet v-if="runId" :run-id="runId" @close="close" @step="step"/>
</div>`,
  data: () => ({ query, scope, error: "", isEmpty: false, newCount: null, at: "" }),
  created() {
    this.counts = question("/api/v1/results/count");
    this.$watch(() => [scope.number, query.sort, query.at], this.load);
    this.$watch(() => [live.status.newest, clock.second], this.lookForNew);
  },
  async mounted() {
    const ag = await import("nicegui-aggrid");
    if (!this.$refs.grid) return; // gone meanwhile
    ag.ModuleRegistry.registerModules([ag.AllCommunityModule]);
    this.ag = markRaw(ag);
    this.build();
    narrow.addEventListener("change", this.build);
  },
  beforeUnmount() {
    narrow.removeEventListener("change", this.build);
    this.api?.destroy();
  },
  computed: {
    isOldestFirst: () => query.sort === "asc",
    runId: () => Number(query.run) || 0,
    count() {
      const { data } = this.counts;
      return data ? `${thousands(data.count)}${data.is_complete ? "" : "+"} run${data.count === 1 ? "" : "s"}` : "Runs";
    },
    fresh() {
      const found = this.newCount;
      return found?.count ? `${thousands(found.count)}${found.is_complete ? "" : "+"}` : "";
    },
    zone: () => zoneWords(clock.second),
    atWords: () => plantField(Date.parse(query.at) / 1000).replace("T", " "),
    emptyWords: () => `No runs: ${filterWords()}.`,
    emptyAction() {
      if (this.filters.length) return { words: "Clear the filters", act: () => change(Object.fromEntries(this.filters.map((name) => [name, ""]))) };
      if (query.at) return { words: "From the top", act: () => change({ at: "" }) };
      if (query.range === "shift") return { words: "Show last shift", act: () => chooseRange("last-shift") };
      return { words: "Show 30 days", act: () => chooseRange("30d") };
    },
    filters: () => Object.keys(parameters()).filter((name) => !["line", "since", "until"].includes(name)),
  },
  methods: {
    change,
    build() {
      this.api?.destroy();
      this.api = markRaw(this.ag.createGrid(this.$refs.grid, this.options()));
      this.load();
    },
    options() {
      const isCards = narrow.matches;
      return {
        theme: this.ag.themeQuartz.withParams(LOOK),
        columnDefs: isCards ? [CARD_COLUMN] : COLUMNS,
        headerHeight: isCards ? 0 : LOOK.headerHeight,
        rowHeight: isCards ? CARD_HEIGHT : LOOK.rowHeight,
        defaultColDef: { sortable: false, suppressMovable: true, resizable: true },
        rowModelType: "infinite",
        cacheBlockSize: BLOCK_ROWS,
        maxBlocksInCache: BLOCKS_MAX,
        maxConcurrentDatasourceRequests: 1,
        infiniteInitialRowCount: BLOCK_ROWS,
        getRowId: ({ data }) => String(data.run_id),
        rowSelection: { mode: "singleRow", checkboxes: false, enableClickSelection: true },
        rowClassRules: { fail: ({ data }) => !query.outcome && data?.outcome === "FAIL", error: ({ data }) => !query.outcome && data?.outcome === "ERROR" }, // all red says nothing
        suppressCellFocus: false,
        tabToNextCell: () => false, // Tab leaves the grid: arrows walk in it
        tabToNextHeader: () => false,
        enableBrowserTooltips: true,
        onRowClicked: ({ data, event }) => data && !event.target.closest("a") && this.open(data.run_id),
        onCellKeyDown: ({ data, event }) => event.key === "Enter" && data && this.open(data.run_id),
        onCellFocused: ({ rowIndex }) => this.follow(rowIndex),
      };
    },
    load() {
      if (!this.api) return;
      Object.assign(this, { error: "", isEmpty: false, newCount: null });
      const { since, until } = scope;
      const from = this.isOldestFirst ? { since: query.at || since } : { until: query.at || until };
      const given = { ...parameters(), ...from, sort: this.isOldestFirst ? "asc" : undefined };
      this.newest = 0;
      this.api.setGridOption("datasource", rowSource(given, this.hear));
    },
    hear({ first, error }) {
      if (error) this.error = error;
      if (!first) return;
      this.isEmpty = first.length === 0;
      this.newest = Math.max(0, ...first.map((run) => run.run_id));
    },
    // How many came since: asked at most every 3 s, when results came at all, while someone looks.
    async lookForNew() {
      const now = performance.now();
      const known = Math.max(this.newest ?? 0, this.counts.data?.newest_run_id ?? 0);
      const isOver = scope.until !== null || document.hidden || !this.counts.data;
      if (isOver || this.isLooking || now - (this.lookedAt ?? 0) < NEW_EVERY_MS || live.status.newest === this.lookedFor) return;
      Object.assign(this, { lookedAt: now, lookedFor: live.status.newest, isLooking: true });
      try {
        const found = await call(addressOf("/api/v1/results/count", { ...parameters(), after: known }));
        if (known >= (this.newest ?? 0)) this.newCount = found;
      } catch {
        // the pulse says that the server is away
      } finally {
        this.isLooking = false;
      }
    },
    showNew() {
      change({ at: "" }, { replaces: true });
      void refresh();
    },
    goTo() { change({ at: utc(fromPlantField(this.at)) }); },
    open(run) { change({ run }, { replaces: this.runId !== 0 }); },
    close() { if (this.runId) change({ run: "" }); },
    // With the sheet open, it shows the row that the arrows reach.
    follow(rowIndex) {
      const row = rowIndex === null ? undefined : this.api.getDisplayedRowAtIndex(rowIndex);
      if (!row?.data) return;
      row.setSelected(true);
      if (this.runId) this.open(row.data.run_id);
    },
    step(by) {
      const now = this.api.getRowNode(String(this.runId))?.rowIndex ?? -1;
      const next = Math.max(0, now + by);
      if (!this.api.getDisplayedRowAtIndex(next)?.data) return;
      this.api.ensureIndexVisible(next);
      this.api.setFocusedCell(next, narrow.matches ? "card" : "outcome");
    },
  },
};
