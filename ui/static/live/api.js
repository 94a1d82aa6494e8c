// The HTTP API from a page's component. In `created`:
//
//     this.steps = question("/api/v1/pareto", () => ({ group: this.group }));
//
// asks with the page's filters and range, and again whenever those or the given parameters change, or
// the page is refreshed. `steps.data`, `.error` (a sentence), `.isSlow`, `.url`; `steps.ask()` asks anew.
import { getCurrentInstance, onUnmounted, shallowReactive, watch } from "vue";
import { clock } from "./connection.js";
import { goToLogin } from "./rights.js";
import { parameters, scope } from "./scope.js";

const UNAUTHORIZED = 401;
const SLOW_MS = 150; // before that nothing is drawn for it
const TIMEOUT_MS = 30_000;

// Its message is a sentence for people; `status` is the answer's, 0 where none came.
export class Trouble extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

export function addressOf(path, given = {}) {
  const said = Object.entries(given).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return said.length ? `${path}?${new URLSearchParams(said)}` : path;
}

async function sentence(answer, path) {
  const said = await answer.json().catch(() => ({}));
  return said.detail ?? `${path} answered ${answer.status}. Try again, or look at the System page.`;
}

// Ask, and return what the answer's JSON says. Throws Trouble; an abort passes as it is. `as: "text"` and
// `"answer"` return its text, or itself; `isEndless` waits as long as it takes.
export async function call(path, { method = "GET", body, signal, as = "json", isEndless = false } = {}) {
  const signals = [signal, isEndless ? undefined : AbortSignal.timeout(TIMEOUT_MS)].filter(Boolean);
  const request = { method, signal: AbortSignal.any(signals) };
  if (body !== undefined) Object.assign(request, { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  let answer;
  try {
    answer = await fetch(path, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (error.name === "TimeoutError") throw new Trouble(`No answer to ${path.split("?")[0]} within 30 s. Choose a shorter time range, or try again.`);
    throw new Trouble("The server does not answer. Look whether it runs, then try again.");
  }
  if (answer.status === UNAUTHORIZED) goToLogin(); // the login is over; the page comes back after the next
  if (!answer.ok) throw new Trouble(await sentence(answer, path.split("?")[0]), answer.status);
  if (as !== "json") return as === "text" ? answer.text() : answer;
  return answer.status === 204 ? null : answer.json();
}

// `path` may be a function; an empty one asks nothing. `isFiltered: false` leaves the page's filters out.
export function question(path, given = () => ({}), { isFiltered = true } = {}) {
  const place = () => (typeof path === "function" ? path() : path);
  let controller = null;
  let slow = 0;
  const state = shallowReactive({ data: null, error: "", isSlow: false, isAsking: false, url: "", at: 0, ask, stop });

  function stop() {
    controller?.abort();
    clearTimeout(slow);
  }

  async function ask() {
    stop();
    if (!place()) return;
    const mine = new AbortController();
    controller = mine;
    slow = setTimeout(() => (state.isSlow = true), SLOW_MS);
    const url = addressOf(place(), { ...(isFiltered ? parameters() : {}), ...given() });
    Object.assign(state, { isAsking: true, url });
    try {
      const data = await call(url, { signal: mine.signal });
      if (controller === mine) Object.assign(state, { data: Object.freeze(data), error: "", at: clock.now });
    } catch (error) {
      if (error.name === "AbortError" || controller !== mine) return;
      if (!(error instanceof Trouble)) throw error;
      state.error = error.message;
    } finally {
      if (controller === mine) {
        clearTimeout(slow);
        Object.assign(state, { isSlow: false, isAsking: false });
      }
    }
  }

  if (getCurrentInstance()) onUnmounted(stop);
  watch(() => [scope.number, place(), JSON.stringify(given())], ask, { immediate: true });
  return state;
}
