// Text that somebody has typed and that is nowhere else yet: a scan must not take it away.
const HOLDS = "dialog[open], :popover-open, .sheet, [data-unsaved]";
const TYPED = "textarea, input:not([type=checkbox]):not([type=radio])";

const typed = new WeakSet(); // fields that a person has changed

export function watchTyping() {
  window.addEventListener("input", ({ target }) => target instanceof Element && target.matches(TYPED) && typed.add(target), { capture: true });
}

// The innermost open box that holds such text; null: there is none.
export function unsavedBox() {
  const fields = [...document.querySelectorAll(TYPED)].filter((field) => typed.has(field) && field.value.trim() !== "");
  return fields.map((field) => field.closest(HOLDS)).find((box) => box !== null) ?? null;
}
