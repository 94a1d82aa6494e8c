// What the page is about. All of it is in the address, with the names of the HTTP API; line and range
// also follow the user, for addresses that say nothing. `scope.number` grows whenever questions must
// be asked again: another filter, another range, or a refresh.
import { reactive } from "vue";
import { clock } from "./connection.js";
import { spanWords, utc, zones } from "./words.js";

const KEPT = "yieldline.scope";
const KEPT_NAMES = ["line", "range", "since", "until"];
const FILTERS = {
  line: "line",
  product_id: "product",
  procedure: "procedure",
  machine_id: "machine",
  step: "step",
  barcode: "barcode",
  outcome: "outcome",
  agrees: "agrees",
  differs: "differs",
  first_failure: "first failure",
  fixture: "fixture",
  operator: "operator",
  panel_position: "panel position",
  golden: "golden sample",
};
const NAMES = [...Object.keys(FILTERS), "since", "until", "range", "group", "compare", "by", "sort", "tab"];

const moment = (text) => (text ? Date.parse(text) / 1000 : null);

// The server says bounds by the plant's clock; who reads by another gets them by that one.
const byShownClock = (ranges) => (zones.isOwn ? ranges.map((each) => ({ ...each, label: spanWords(moment(each.since), moment(each.until), clock.now) })) : ranges);

const aside = new Set();

// Filters that this page does not ask with: it has no use for them, or they choose something of its own,
// such as the step that a chart is of. Said when the page begins.
export const setAside = (...names) => names.forEach((name) => aside.add(name));
const filters = () => Object.keys(FILTERS).filter((name) => query[name] && !aside.has(name));

// What the address says; "" is nothing. Other names are there once the address has them.
export const query = reactive(Object.fromEntries(NAMES.map((name) => [name, ""])));
export const scope = reactive({
  number: 0,
  controls: [], // which of line and range this page has
  ranges: [], // what each name means, as of `at`
  words: "", // of the chosen range
  label: "",
  since: null, // ISO 8601, UTC
  until: null, // null: it goes on
  at: 0, // when that was said, in seconds
});

function read() {
  const said = new URLSearchParams(window.location.search);
  for (const name of new Set([...Object.keys(query), ...said.keys()])) query[name] = said.get(name) ?? "";
}

function kept() {
  try {
    const found = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    return Object.fromEntries(KEPT_NAMES.filter((name) => typeof found[name] === "string").map((name) => [name, found[name]]));
  } catch {
    return {}; // storage may be forbidden
  }
}

function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ ...kept(), ...Object.fromEntries(kinds().map((name) => [name, query[name]])) }));
  } catch {
    // then the choice holds for this address only
  }
}

const kinds = () => [...(has("line") ? ["line"] : []), ...(has("range") ? ["range", "since", "until"] : [])];

export const has = (control) => scope.controls.includes(control);

function addressOf(changes) {
  const url = new URL(window.location.href);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "" || value === null || value === undefined) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  return url;
}

function resolve() {
  scope.at = clock.now;
  if (query.since || query.until) {
    const label = spanWords(moment(query.since), moment(query.until), clock.now);
    Object.assign(scope, { words: "Custom", label, since: query.since || null, until: query.until || null });
    return;
  }
  const found = scope.ranges.find((each) => each.name === query.range) ?? scope.ranges[0];
  Object.assign(scope, { words: found.words, label: found.label, since: found.since, until: found.until });
}

// Begin: `given` are the ranges as of now, `controls` what the top bar offers here.
export function startScope(given, controls) {
  Object.assign(scope, { ranges: byShownClock(given), controls });
  read();
  const saysNothing = NAMES.every((name) => ["sort", "tab"].includes(name) || !query[name]);
  const missing = saysNothing ? Object.fromEntries(Object.entries(kept()).filter(([name]) => kinds().includes(name))) : {};
  const isCustom = query.since || query.until || missing.since || missing.until;
  if (has("range") && !isCustom) missing.range = query.range || missing.range || given[0].name;
  window.history.replaceState(window.history.state, "", addressOf(missing));
  read();
  resolve();
  window.addEventListener("popstate", () => {
    read();
    refresh();
  });
}

// Change what the address says, as a step that the browser's "back" undoes. "" takes a name away.
export function change(changes, { replaces = false } = {}) {
  const before = JSON.stringify(query);
  const url = addressOf(changes);
  if (replaces) window.history.replaceState(window.history.state, "", url);
  else if (url.href !== window.location.href) window.history.pushState(window.history.state, "", url);
  read();
  if (JSON.stringify(query) === before) return;
  keep();
  const asksAnew = Object.keys(changes).some((name) => (name in FILTERS && !aside.has(name)) || ["since", "until", "range"].includes(name));
  if (asksAnew) void refresh();
}

export const chooseRange = (name) => change({ range: name, since: "", until: "" });
export const chooseSpan = (since, until) =>
  change({ range: "", since: since === null ? "" : utc(since), until: until === null ? "" : utc(until) });

// Earlier or later by the length of what is shown; never beyond now.
export function shift(direction) {
  const now = clock.now;
  const since = scope.since ? Date.parse(scope.since) / 1000 : null;
  const until = scope.until ? Date.parse(scope.until) / 1000 : now;
  if (since === null || (direction > 0 && until >= now)) return;
  const apart = direction * (until - since);
  if (until + apart > now) return void chooseSpan(now - (until - since), now);
  chooseSpan(since + apart, until + apart);
}

// Ask everything again: what "this shift" means, then each question of the page.
export async function refresh() {
  if (has("range")) {
    try {
      const answer = await fetch("/api/v1/ranges");
      if (answer.ok) scope.ranges = byShownClock((await answer.json()).items);
    } catch {
      // the server is away: the questions themselves will say so
    }
  }
  resolve();
  scope.number += 1;
}

// The parameters of a call: the filters that are set, and the range's bounds.
export function parameters() {
  const said = Object.fromEntries(filters().map((name) => [name, query[name]]));
  if (!has("range")) return said;
  if (scope.since) said.since = scope.since;
  if (scope.until) said.until = scope.until;
  return said;
}

export const filterNames = FILTERS;

// What a filter with few values may be: [value, in words].
export const filterChoices = {
  outcome: ["PASS", "FAIL", "ERROR", "UNJUDGED"].map((each) => [each, each]),
  agrees: [["false", "rule and tester differ"], ["true", "rule and tester agree"]],
  differs: [["true", "rule and tester differ in it"], ["false", "rule and tester agree in all of it"]],
  golden: [["true", "golden samples only"], ["false", "no golden samples"]],
};

function filterWord(name) {
  const choice = name === "outcome" ? undefined : filterChoices[name]?.find(([value]) => value === query[name]);
  return choice ? choice[1] : `${FILTERS[name]} ${query[name]}`;
}

// The filters as people say them: "line L1 · this shift, 06:00 – 14:00".
export function filterWords() {
  const words = filters().map(filterWord);
  if (has("range")) words.push(`${scope.words.toLowerCase()}, ${scope.label}`);
  return words.join(" · ") || "everything";
}

// This address with the range nailed down: whoever opens it sees what is seen now.
export function frozenLink() {
  if (!has("range")) return window.location.href;
  return addressOf({ range: "", since: scope.since, until: scope.until ?? utc(scope.at) }).href;
}
