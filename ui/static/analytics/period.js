// The period that this one is compared with, and the way from a mark to its runs.
import { parameters, query, scope } from "yieldline";
import { addressOf } from "yieldline/api.js";
import { chooseRange } from "yieldline/scope.js";
import { fromPlantField, plantField, spanWords } from "yieldline/words.js";

const DAY_S = 86_400;
const DAYS = { day: 1, week: 7 };
const HOURS_MAX = 49; // a longer range is drawn by day
const QUARTERS_MAX = 3; // a shorter one by 15 minutes
const SHORT_MAX = 25; // what is counted run by run takes no more

export const COMPARISONS = [["", "the period before"], ["last-shift", "the last shift"], ["day", "a day before"], ["week", "a week before"], ["none", "nothing"]];

const seconds = (text) => Date.parse(text) / 1000;
const iso = (at) => new Date(at * 1000).toISOString();

// The same time of the plant's clock so many days before.
function daysBefore(at, days) {
  const field = plantField(at);
  const wanted = iso(Date.parse(`${field}Z`) / 1000 - days * DAY_S).slice(0, field.length);
  return fromPlantField(wanted) + (at - fromPlantField(field));
}

export function bounds() {
  const since = scope.since ? seconds(scope.since) : null;
  return { since, until: scope.until ? seconds(scope.until) : scope.at };
}

// {since, until} as the HTTP API takes them; null: with nothing.
export function compared() {
  const { since, until } = bounds();
  if (since === null || query.compare === "none") return null;
  if (query.compare === "last-shift") {
    const last = scope.ranges.find((each) => each.name === "last-shift");
    return last && { since: last.since, until: last.until };
  }
  const days = DAYS[query.compare];
  if (days) return { since: iso(daysBefore(since, days)), until: iso(daysBefore(until, days)) };
  return { since: iso(since - (until - since)), until: iso(since) };
}

export function comparedWords() {
  const period = compared();
  return period ? spanWords(seconds(period.since), seconds(period.until), scope.at) : "nothing";
}

function hoursLong() {
  const { since, until } = bounds();
  return since === null ? Infinity : (until - since) / 3600;
}

// Whether the range is short enough for 15 minutes, and for places of a panel.
export const isShort = () => hoursLong() <= SHORT_MAX;

export const bucketOf = () => {
  if (["hour", "shift", "day"].includes(query.by) || (query.by === "15min" && isShort())) return query.by;
  const hours = hoursLong();
  return hours <= QUARTERS_MAX ? "15min" : hours <= HOURS_MAX ? "hour" : "day";
};

// The page of results with the page's filters, and others where a mark knows better. Figures count no
// golden samples, so neither do their runs.
export function resultsLink(changes = {}) {
  const { since: _since, until: _until, ...filters } = parameters();
  const { range, since, until } = query;
  const isOther = "since" in changes || "until" in changes;
  const span = isOther ? { since: scope.since, until: scope.until } : { range, since, until };
  return addressOf("/results", { golden: "false", ...filters, ...span, ...changes });
}

// A panel without anything to show: why, and one action.
export function nothing(what) {
  const act = query.range === "shift" ? { action: "Show last shift", act: () => chooseRange("last-shift") } : { action: "Show 30 days", act: () => chooseRange("30d") };
  return { words: what, ...act };
}
