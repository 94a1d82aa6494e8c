// A login lasts as long as its pages are used: the server hears of each use, and renews it. Where it ends
// without touches (http.session_idle_minutes), it takes no notice of those that only stand open.
import { call } from "./api.js";
import { caller } from "./rights.js";

const TOUCHED_EVERY_MS = 60_000;
const OPEN_EVERY_MS = 600_000;
let toldAt = Date.now(); // opening the page was a use

function tell(touched) {
  toldAt = Date.now();
  call("/api/v1/me/renew", { method: "POST", body: { touched } }).catch(() => {}); // the next one will do
}

const noteTouch = () => Date.now() - toldAt >= TOUCHED_EVERY_MS && tell(true);

// Once a page, after `meet`.
export function keepLogin() {
  if (!caller.isUser) return;
  for (const kind of ["pointerdown", "keydown", "wheel"]) window.addEventListener(kind, noteTouch, { capture: true, passive: true });
  setInterval(() => tell(false), OPEN_EVERY_MS);
}
