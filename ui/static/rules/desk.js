// What the Rules page works on: the version or the draft that is chosen, its text and rules, what the
// server says of it, and what it is compared with. One a page; its parts are given it as `desk`.
import { call, change, live, query, question, Trouble } from "yieldline";
import { computed, onUnmounted, reactive, shallowReactive, watch } from "vue";
import { backtesting } from "./backtest.js";
import { begin, discard, drafts, edit, keep, keyOf, loadDrafts, rebase, watchDrafts } from "./drafts.js";
import { readRules } from "./toml.js";
import { placeOf } from "./words.js";

const TYPING_MS = 300;
export const REASON_CHARS_MIN = 10;
export const reasonLength = (draft) => draft.reason.trim().replace(/\s+/g, " ").length;

const number = (text) => (/^\d+$/.test(text) ? Number(text) : null);

// The text of versions, by number: asked for once, as a version never changes.
function shelf() {
  const texts = shallowReactive({});
  const asked = new Map();
  const state = reactive({ texts, trouble: "", fetch, again });

  function fetch(version) {
    if (version === 0) texts[0] = "";
    if (version in texts) return Promise.resolve(texts[version]);
    if (!asked.has(version)) asked.set(version, ask(version).finally(() => asked.delete(version)));
    return asked.get(version);
  }

  async function ask(version) {
    try {
      texts[version] = (await call(`/api/v1/rulebooks/${version}`)).toml;
      state.trouble = "";
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      state.trouble = error.message;
    }
    return texts[version];
  }

  function again(...versions) {
    state.trouble = "";
    for (const version of versions) void fetch(version);
  }
  return state;
}

function chosenOf(desk) {
  const items = desk.versions.data?.items;
  if (!items) return null;
  if (query.draft) return { isDraft: true, version: number(query.draft) };
  if (query.version) return { isDraft: false, version: number(query.version) };
  const isDraft = desk.active in drafts.byBase || desk.active === 0;
  return { isDraft, version: desk.active };
}

// What the server says of the draft, a moment after the last key; `last` is the newest without a fault.
function checking(desk) {
  const state = shallowReactive({ key: "", answer: null, last: null, lastEdit: 0, trouble: "", ask });
  let controller = null;
  let timer = 0;

  async function ask() {
    controller?.abort();
    const { draft, compare } = desk;
    if (!draft) return;
    const mine = (controller = new AbortController());
    const [key, edits] = [keyOf(draft.toml), draft.edits];
    try {
      const answer = await call("/api/v1/rulebooks/check", { method: "POST", body: { toml: draft.toml, against: compare }, signal: mine.signal });
      Object.assign(state, { key, answer, trouble: "" });
      if (answer.valid) Object.assign(state, { last: answer, lastEdit: edits });
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Trouble)) throw error;
      state.trouble = error.message;
    }
  }

  watch(
    () => [desk.draft?.base, desk.draft?.toml, desk.compare],
    ([base, , compare], before) => {
      clearTimeout(timer);
      const isOther = base !== before?.[0] || compare !== before?.[2];
      if (isOther) Object.assign(state, { key: "", answer: null, last: null });
      if (desk.draft) timer = setTimeout(ask, isOther ? 0 : TYPING_MS);
    },
    { immediate: true },
  );
  onUnmounted(() => {
    clearTimeout(timer);
    controller?.abort();
  });
  return state;
}

// The difference between two stored versions.
function difference(desk) {
  const state = shallowReactive({ changes: null, trouble: "", ask });

  async function ask() {
    const { chosen, compare } = desk;
    Object.assign(state, { changes: null, trouble: "" });
    if (!chosen || chosen.isDraft || !compare || !chosen.version) return;
    try {
      const found = await call(`/api/v1/rulebooks/${compare}/diff/${chosen.version}`);
      if (desk.chosen?.version === found.after && desk.compare === found.before) state.changes = found.changes;
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      state.trouble = error.message;
    }
  }

  watch(() => [desk.chosen?.isDraft, desk.chosen?.version, desk.compare], ask, { immediate: true });
  return state;
}

export function openDesk() {
  loadDrafts();
  watchDrafts();
  const desk = reactive({ versions: question("/api/v1/rulebooks", () => ({ since: undefined, until: undefined })), shelf: shelf(), said: null });
  Object.assign(desk, {
    active: computed(() => desk.versions.data?.items[0]?.version ?? 0),
    chosen: computed(() => chosenOf(desk)),
    draft: computed(() => (desk.chosen?.isDraft ? (drafts.byBase[desk.chosen.version] ?? null) : null)),
    version: computed(() => desk.versions.data?.items.find((each) => !desk.chosen?.isDraft && each.version === desk.chosen?.version) ?? null),
    compare: computed(() => {
      if (!desk.chosen) return null;
      return number(query.compare) ?? (desk.chosen.isDraft ? desk.active : Math.max(0, desk.chosen.version - 1));
    }),
    text: computed(() => (desk.chosen?.isDraft ? desk.draft?.toml : desk.shelf.texts[desk.chosen?.version]) ?? null),
    rules: computed(() => (desk.text === null ? [] : readRules(desk.text))),
    before: computed(() => readRules(desk.shelf.texts[desk.compare] ?? "")),
  });
  desk.check = checking(desk);
  desk.diff = difference(desk);
  desk.test = backtesting(desk);
  Object.assign(desk, {
    isChecked: computed(() => desk.draft !== null && desk.check.key === keyOf(desk.draft.toml)),
    fault: computed(() => {
      const error = desk.draft && desk.check.answer?.error;
      return error ? placeOf(error, desk.rules, desk.text) : null;
    }),
    changes: computed(() => (desk.chosen?.isDraft ? (desk.check.last?.changes ?? null) : desk.diff.changes)),
  });
  watch(
    () => [desk.chosen?.version, desk.compare, desk.active],
    (versions) => {
      for (const version of versions) if (Number.isInteger(version) && desk.versions.data) void desk.shelf.fetch(version);
    },
    { immediate: true },
  );
  watch(() => live.status.rulebook, (now, before) => before !== undefined && now !== desk.active && desk.versions.ask());
  return desk;
}

// -- what a person does ------------------------------------------------------------------------------

export const show = (version) => change({ version: String(version), draft: "", compare: "" });
export const showDraft = (base) => change({ draft: String(base), version: "", compare: "" });

// Write a draft on top of the version in force; with `from` it begins with the text of that version.
export async function write(desk, from = null) {
  const base = desk.active;
  const start = await desk.shelf.fetch(base);
  const text = from === null ? start : await desk.shelf.fetch(from);
  if (start === undefined || text === undefined) return;
  const draft = drafts.byBase[base] ?? begin(base, start);
  if (from !== null && from !== base) {
    edit(draft, text.replaceAll("\r\n", "\n"));
    draft.reason ||= `Back to v${from}: `;
    keep(draft);
  }
  showDraft(base);
}

export function throwAway(desk) {
  const { base } = desk.draft;
  discard(base);
  if (desk.active) show(desk.active);
  else change({ draft: "", version: "" });
}

// After somebody else activated: go on with this text on top of what is in force now.
export async function putOnTop(desk) {
  const start = await desk.shelf.fetch(desk.active);
  if (start === undefined) return;
  rebase(desk.draft, desk.active, start);
  desk.said = null;
  showDraft(desk.active);
}
