// Numbers, times and links as people read them.
const SPACE = "\u202f"; // thin, does not break
const KEPT = "yieldline.zone";
const COOKIE = "yieldline_zone"; // what the server writes itself follows it
const YEAR_S = 31_536_000;

let formats = {};

// Whose clock times are shown by: the plant's, or the reader's own where they have switched.
export const zones = { plant: "UTC", own: Intl.DateTimeFormat().resolvedOptions().timeZone, isOwn: false };

// `mayBeOwn`: the page follows a reader who has switched; a wall does not.
export function setZone(name, mayBeOwn = false) {
  Object.assign(zones, { plant: name, isOwn: mayBeOwn && zones.own !== name && kept() === "own" });
  if (zones.isOwn) tellServer(zones.own); // who travels has another one by now
  const zone = zones.isOwn ? zones.own : name;
  const make = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options });
  formats = {
    time: make({ hour: "2-digit", minute: "2-digit", second: "2-digit" }),
    minute: make({ hour: "2-digit", minute: "2-digit" }),
    day: make({ weekday: "short", day: "numeric", month: "short" }),
    date: make({ day: "numeric", month: "short" }),
    year: make({ day: "numeric", month: "long", year: "numeric" }),
    zone: make({ timeZoneName: "short" }),
    plant: new Intl.DateTimeFormat("en-GB", { timeZone: name, weekday: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" }),
    field: make({ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" }),
  };
}
setZone(zones.plant);

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // storage may be forbidden
  }
}

function tellServer(name) {
  document.cookie = `${COOKIE}=${encodeURIComponent(name)}; path=/; SameSite=Lax; max-age=${name ? YEAR_S : 0}`;
}

// "My time" or the plant's, kept in this browser; the page is drawn anew.
export function turnOwnTime(isOn) {
  try {
    localStorage.setItem(KEPT, isOn ? "own" : "plant");
  } catch {
    return; // nothing would be kept, so nothing changes
  }
  tellServer(isOn ? zones.own : "");
  window.location.reload();
}

const date = (seconds) => new Date(seconds * 1000);

export const clockTime = (seconds) => formats.time.format(date(seconds));
export const clockMinute = (seconds) => formats.minute.format(date(seconds));
export const weekday = (seconds) => formats.day.format(date(seconds)).replace(",", "");
export const plantDay = (seconds) => formats.date.format(date(seconds)); // 24 Nov
export const zoneName = (seconds) =>
  formats.zone.formatToParts(date(seconds)).find((part) => part.type === "timeZoneName").value;
export const utc = (seconds) => date(seconds).toISOString();
export const zoneWords = (seconds) => `${zones.isOwn ? "my" : "plant"} time, ${zoneName(seconds)}`;

// All that a clock says of a moment, to hover over: "Wed 25 Nov 17:55:45 CET · 16:55:45 UTC".
export function fullTime(seconds) {
  const said = [`${weekday(seconds)} ${clockTime(seconds)} ${zoneName(seconds)}`, `${utc(seconds).slice(11, 19)} UTC`];
  if (zones.isOwn) said.push(`${formats.plant.format(date(seconds)).replace(",", "")} at the plant`);
  return said.join(" \u00b7 ");
}

// The same of a run: it is the machine's word, and we know when it reached us.
export function runTime({ timestamp, received_at: received, clock_suspect: isSuspect }) {
  const [begun, taken] = [timestamp, received].map((text) => Date.parse(text) / 1000);
  const apart = `received ${duration(Math.abs(taken - begun))} ${taken < begun ? "before" : "later"} by our clock`;
  return `${fullTime(begun)}\nby the machine's clock${isSuspect ? ", which is suspect" : ""}; ${apart}`;
}

// What stands in a field for date and time, by the clock that is shown: 2026-11-24T06:00.
export function plantField(seconds) {
  const part = {};
  for (const { type, value } of formats.field.formatToParts(date(seconds))) part[type] = value;
  return `${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}`;
}

// The moment that such a field means, in seconds. In an hour that a clock change repeats, the first.
export function fromPlantField(text) {
  const wanted = Date.parse(`${text}Z`) / 1000;
  const shown = (seconds) => Date.parse(`${plantField(seconds)}Z`) / 1000;
  const guesses = [-86400, 86400].map((apart) => wanted - (shown(wanted + apart) - (wanted + apart)));
  const exact = guesses.filter((guess) => shown(guess) === wanted);
  return Math.min(...(exact.length ? exact : guesses));
}

// A span by the clock that is shown, as short as it can be said.
export function spanWords(since, until, now) {
  const day = (at) => formats.date.format(date(at));
  const dated = (at) => (day(at) === day(now) ? clockMinute(at) : `${day(at)} ${clockMinute(at)}`);
  if (since === null) return until === null ? "all time" : `until ${dated(until)}`;
  if (until === null) return `since ${dated(since)}`;
  return `${dated(since)} \u2013 ${day(since) === day(until) ? clockMinute(until) : dated(until)}`;
}

export function thousands(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, SPACE);
}

// A unit of measure as people write it: uA is µA, kOhm kΩ, degC °C. As ui/wording.py has it.
export const unitName = (unit) => (unit ?? "").replace("Ohm", "Ω").replace(/^u(?=(?:[AFHVWSsmg]|Hz|Ω)$)/, "µ").replace(/^deg ?(?=[CF]$)/, "°");

// How long something has lasted: 6 s, 14 min, 2 h 5 min, 3 days.
export function duration(seconds) {
  const s = Math.max(0, seconds);
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) {
    const minutes = Math.floor((s % 3600) / 60);
    return minutes ? `${Math.floor(s / 3600)} h ${minutes} min` : `${Math.floor(s / 3600)} h`;
  }
  const days = Math.floor(s / 86400);
  return `${days} day${days > 1 ? "s" : ""}`;
}

// When something was: an age under 60 min, then a clock time, then a date.
export function when(at, now, tenths) {
  const age = Math.max(0, now - at);
  if (tenths && age < 10) return `${age.toFixed(1)} s`;
  if (age < 3600) return duration(age);
  if (age < 43200) return clockMinute(at);
  return age < 300 * 86400 ? `${formats.date.format(date(at))} ${clockMinute(at)}` : formats.year.format(date(at));
}

export const machineLink = (id) => `/machines/${encodeURIComponent(id)}`;
export const unitLink = (barcode, run) =>
  `/units/${encodeURIComponent(barcode)}${run === undefined ? "" : `?run=${run}`}`;

// What a machine's silence means. The same rule as on the server, so that it holds without one.
export function machineStatus(tile, now) {
  if (tile.offline !== null) return "offline";
  if (tile.last === null) return "never";
  return now - tile.last > tile.stale ? "stale" : "live";
}
