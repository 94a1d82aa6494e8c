// Drafts, one a version they were made from, kept in this browser at once with every edit. An edit of the
// same field within two seconds is one with the edit before, so that "undo" takes back what one sees.
import { onMounted, onUnmounted, reactive } from "vue";

const KEPT = "yieldline.draft.";
const NAME = "yieldline.author";
const TOGETHER_MS = 2000;
const UNDO_MAX = 200;

// byBase: version -> {base, toml, start, edits, editedAt, reason, tested}. `start` is the text it began with,
// `tested` the back-test: {jobId, key, edit, words}.
export const drafts = reactive({ byBase: {}, isKept: true, author: "" });
const pasts = new Map(); // base -> texts to go back to; not kept
const marks = new Map(); // base -> {mark, at} of the newest edit

function read(base) {
  const found = JSON.parse(localStorage.getItem(KEPT + base) ?? "null");
  return found && typeof found.toml === "string" ? found : null;
}

export function loadDrafts() {
  try {
    drafts.author = localStorage.getItem(NAME) ?? "";
    for (const key of Object.keys(localStorage)) {
      const base = Number(key.slice(KEPT.length));
      if (!key.startsWith(KEPT) || !Number.isInteger(base)) continue;
      const found = read(base);
      if (found) drafts.byBase[base] = found;
    }
  } catch {
    drafts.isKept = false; // storage is forbidden, or holds what is no draft of ours
  }
}

export function keep(draft) {
  try {
    localStorage.setItem(KEPT + draft.base, JSON.stringify(draft));
    drafts.isKept = true;
  } catch {
    drafts.isKept = false; // leaving the page asks first
  }
}

export function keepAuthor(name) {
  drafts.author = name;
  try {
    localStorage.setItem(NAME, name);
  } catch {
    // then it holds for this page only
  }
}

export function begin(base, start, toml = start) {
  const text = (each) => each.replaceAll("\r\n", "\n"); // as a text field has it
  drafts.byBase[base] = { base, toml: text(toml), start: text(start), edits: 0, editedAt: Date.now() / 1000, reason: "", tested: null };
  keep(drafts.byBase[base]);
  return drafts.byBase[base];
}

export function edit(draft, toml, mark = "") {
  if (toml === draft.toml) return;
  const now = Date.now();
  const last = marks.get(draft.base);
  const isSame = mark && last?.mark === mark && now - last.at < TOGETHER_MS;
  if (!isSame) {
    const past = pasts.get(draft.base) ?? [];
    pasts.set(draft.base, [...past, draft.toml].slice(-UNDO_MAX));
    draft.edits += 1;
  }
  marks.set(draft.base, { mark, at: now });
  Object.assign(draft, { toml, editedAt: now / 1000 });
  keep(draft);
}

// What is typed from now on is another edit, so that "undo" leads back to what stands now.
export const seal = (draft) => marks.delete(draft.base);

export const canUndo = (draft) => draft.edits > 0 && (pasts.get(draft.base) ?? []).length > 0;

export function undo(draft) {
  const past = pasts.get(draft.base) ?? [];
  const toml = past.pop();
  if (toml === undefined) return;
  marks.delete(draft.base);
  Object.assign(draft, { toml, edits: draft.edits - 1, editedAt: Date.now() / 1000 });
  keep(draft);
}

export function discard(base) {
  delete drafts.byBase[base];
  pasts.delete(base);
  try {
    localStorage.removeItem(KEPT + base);
  } catch {
    // it was not kept either
  }
}

// Put a draft on top of another version. Its text stays; a draft that was there goes, unless it is this.
export function rebase(draft, base, start) {
  discard(draft.base);
  const moved = begin(base, start, draft.toml);
  Object.assign(moved, { reason: draft.reason, edits: draft.edits });
  keep(moved);
  return moved;
}

// What tells a text from another one, short enough to keep.
export function keyOf(text) {
  let [one, two] = [0xdeadbeef, 0x41c6ce57];
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    one = Math.imul(one ^ code, 2654435761);
    two = Math.imul(two ^ code, 1597334677);
  }
  return `${text.length}-${(one >>> 0).toString(36)}-${(two >>> 0).toString(36)}`;
}

// Another tab's edits of a draft are ours too; text that could not be kept asks before it is lost.
export function watchDrafts() {
  const follow = (event) => {
    if (!event.key?.startsWith(KEPT)) return;
    const base = Number(event.key.slice(KEPT.length));
    if (event.newValue === null) delete drafts.byBase[base];
    else drafts.byBase[base] = JSON.parse(event.newValue);
  };
  const warn = (event) => {
    const isUnsaved = !drafts.isKept && Object.values(drafts.byBase).some((each) => each.toml !== each.start);
    if (isUnsaved) event.preventDefault();
  };
  onMounted(() => {
    window.addEventListener("storage", follow);
    window.addEventListener("beforeunload", warn);
  });
  onUnmounted(() => {
    window.removeEventListener("storage", follow);
    window.removeEventListener("beforeunload", warn);
  });
}
