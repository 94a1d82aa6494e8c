// Keys and scanners. A scanner types like a person, only faster: six or more keys, half of them less
// than 35 ms apart, then Enter or Tab. Single keys wait 50 ms, so that a scan never triggers them.
import { getCurrentInstance, onUnmounted, reactive } from "vue";

const KEYS_MIN = 6;
const GAP_MS = 35;
const BURST_MS = 200;
const WAIT_MS = 50;
const KEPT = "yieldline.keys";

// Keys of the page that is shown, for the help: key -> {words, action}.
export const pageKeys = reactive(new Map());

// Single keys may be turned off: who speaks to a computer types them without wanting to.
export const keySettings = reactive({ hasSingle: kept() !== "off" });

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // storage may be forbidden
  }
}

export function turnSingleKeys(isOn) {
  keySettings.hasSingle = isOn;
  try {
    localStorage.setItem(KEPT, isOn ? "on" : "off");
  } catch {
    // then it holds for this page only
  }
}

// Give a page's component a key of its own, until it goes: onKey("a", "acknowledge", () => …).
export function onKey(key, words, action) {
  pageKeys.set(key, { words, action });
  if (getCurrentInstance()) onUnmounted(() => pageKeys.delete(key));
}

const isField = (element) =>
  element instanceof HTMLElement && (element.matches("input, textarea, select") || element.isContentEditable);

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

// `prefix`: what scanners send first; "" where they send the barcode alone.
export function watchKeys(actions, prefix = "") {
  let keys = [];
  let times = [];
  let field = null;
  let text = "";
  let waiting = 0;

  const restart = (now) => {
    keys = [];
    times = [];
    field = isField(document.activeElement) ? document.activeElement : null;
    text = field?.value ?? "";
  };

  const isScan = () => {
    const gaps = times.slice(1).map((time, i) => time - times[i]);
    return keys.length >= KEYS_MIN && median(gaps) <= GAP_MS && keys.join("").startsWith(prefix);
  };

  window.addEventListener(
    "keydown",
    (event) => {
      clearTimeout(waiting);
      const now = performance.now();
      if ((event.key === "Enter" || event.key === "Tab") && isScan()) {
        event.preventDefault();
        event.stopPropagation();
        const barcode = keys.join("");
        if (field) {
          field.value = text; // the field under the scan gets its old text back
          field.dispatchEvent(new Event(field.matches("select") ? "change" : "input", { bubbles: true }));
        }
        restart();
        actions.onScan(barcode);
        return;
      }
      if (event.key === "Escape") {
        times = []; // what comes next is no scan's rest
        actions.Escape?.();
      }
      const digit = event.altKey && !event.ctrlKey && !event.metaKey && /^Digit([1-8])$/.exec(event.code);
      if (digit && actions.onPage(Number(digit[1]))) return void event.preventDefault();
      const hasModifier = (event.ctrlKey || event.altKey || event.metaKey) && !event.getModifierState("AltGraph"); // [ is AltGr+8 on some
      if (event.key.length !== 1 || hasModifier) return;
      if (!times.length || now - times[times.length - 1] > BURST_MS) restart();
      keys.push(event.key);
      times.push(now);
      const pressed = event.key.toLowerCase();
      const action = pageKeys.get(pressed)?.action ?? actions[event.key] ?? actions[pressed];
      if (!action || isField(document.activeElement) || keys.length > 1) return;
      if (!keySettings.hasSingle && event.key !== "?") return;
      waiting = setTimeout(action, WAIT_MS);
    },
    { capture: true },
  );
}
