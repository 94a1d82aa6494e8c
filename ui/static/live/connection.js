// One clock and one live connection a page. Frames come over NiceGUI's socket; each is painted, then
// answered with credit for the next one. A hidden tab gives no credit and so gets nothing.
import { reactive, shallowReactive, toRaw } from "vue";
import { setZone } from "./words.js";

const FRAME = "yieldline_frame";
const CREDIT = "yieldline_credit";
const ENDED = "yieldline_ended"; // what this page may show has changed, or a login comes first
const TROUBLE_S = 2;
const CUT_S = 10;
const STEP_S = 5;

export const clock = reactive({ now: Date.now() / 1000, second: Math.floor(Date.now() / 1000) });
export const live = shallowReactive({
  view: "shell",
  number: -1,
  status: {},
  frame: null, // the newest; components watch it
  lostFor: 0, // seconds without a frame or without the broker; 0: all is well
  isCut: false, // numbers are not live any more
  cutSince: 0,
});

let offset = null; // server clock minus ours, in seconds
let heardAt = performance.now();

function hear(at, isFresh) {
  const skew = at - Date.now() / 1000;
  // A frame can only be late, never early: the largest difference has the least delay in it. One
  // that is so much smaller means that our clock was set; should the frame be late, the next is not.
  const isSet = offset === null || isFresh === undefined || offset - skew > STEP_S;
  offset = isSet ? skew : Math.max(offset - 0.001, skew);
  heardAt = performance.now();
}

function tick() {
  const now = Date.now() / 1000 + (offset ?? 0);
  clock.now = now;
  if (Math.floor(now) !== clock.second) clock.second = Math.floor(now);
  if (document.hidden) return;
  const silent = (performance.now() - heardAt) / 1000;
  const broker = live.status.broker === false ? now - live.status.broker_since : 0;
  const lost = Math.max(silent > TROUBLE_S ? silent : 0, broker > TROUBLE_S ? broker : 0);
  live.lostFor = Math.floor(lost);
  live.isCut = lost > CUT_S;
  if (live.isCut && !live.cutSince) live.cutSince = now - lost;
  if (!live.isCut) live.cutSince = 0;
}

function giveCredit() {
  if (document.hidden || !window.socket?.connected) return;
  window.socket.emit(CREDIT, { client_id: window.clientId, view: live.view, seen: live.number });
}

function onFrame(frame) {
  hear(frame.at, true);
  if (frame.base !== null && frame.base !== live.number) live.number = -1; // missed one: ask for all
  else {
    live.number = frame.number;
    live.status = frame.status;
    live.frame = frame;
  }
  requestAnimationFrame(() => setTimeout(giveCredit)); // after the paint
}

// Look at something else from now on: the next frame is the whole of it.
export function lookAt(view) {
  if (view === live.view) return;
  Object.assign(live, { view, number: -1 });
  giveCredit();
}

function attach() {
  if (!window.socket) return void setTimeout(attach, 20);
  window.socket.on(FRAME, onFrame);
  window.socket.on(ENDED, () => window.location.reload());
  window.socket.on("connect", () => setTimeout(giveCredit, 50));
  // The framework reloads a page whose connection timed out; without a server that would leave
  // nothing on the screen. The socket tries again by itself, and reloads only when one answers.
  window.socket.off("connect_error");
  window.socket.on("connect_error", (error) => {
    if (error.message.includes("handshake")) window.location.reload();
  });
  if (window.socket.connected) giveCredit();
}

export function startLive(view, given, zone, mayBeOwn = false) {
  const frame = toRaw(given); // the page's own data is deeply reactive: far too slow for frames
  setZone(zone, mayBeOwn);
  Object.assign(live, { view, number: frame.number, status: frame.status, frame });
  hear(frame.at);
  tick();
  setInterval(tick, 250);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    heardAt = performance.now();
    tick();
    giveCredit();
  });
  attach();
}
