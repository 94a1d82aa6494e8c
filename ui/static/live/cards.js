// Attention cards: what the service's alerts say, in the tiles' own newest words, and trouble that the
// tiles show before an alert is raised, or where none is. Worst first; what somebody saw comes last.
import { attentionOf } from "./attention.js";
import { call } from "./api.js";
import { kindWord } from "./alertwords.js";
import { machineStatus, duration, machineLink } from "./words.js";

const RANK = { critical: 0, major: 1, minor: 2 };
const AUTHOR = "web app";
const LETTER = /^[a-z]/;

const keyOf = (machine, kind) => `${machine ?? ""} ${kind}`;
const capital = (text) => text.replace(LETTER, (letter) => letter.toUpperCase());

function seenWords({ state, by }) {
  return state === "open" ? "not acknowledged" : `acknowledged by ${by}`;
}

function ofAlert(alert, tile, now) {
  const own = tile && attentionOf(tile, machineStatus(tile, now), now);
  const fresh = own && own.kind === alert.kind ? own : null; // its numbers go on, the alert's sentence does not
  return {
    key: `alert ${alert.id}`, id: alert.id, machine: alert.machine, line: alert.line, severity: alert.severity, isOpen: alert.state === "open",
    name: alert.machine ?? alert.line ?? "Plant", title: fresh?.title ?? kindWord(alert.kind).toLowerCase(), step: fresh?.step ?? "", text: fresh?.text || alert.message,
    since: `open ${duration(now - alert.opened)} · ${seenWords(alert)}`, weight: now - alert.opened, runs: alert.runs,
    href: alert.machine ? machineLink(alert.machine) : `/alerts?alert=${alert.id}`, alertHref: `/alerts?alert=${alert.id}${alert.state === "open" ? "" : `&tab=${alert.state}`}`,
  };
}

function ofTile(tile, now) {
  const card = attentionOf(tile, machineStatus(tile, now), now);
  return card && { ...card, key: `tile ${tile.id}`, id: null, line: tile.line, isOpen: true, name: tile.id, href: machineLink(tile.id), alertHref: "", runs: 0 };
}

// What a frame has of alerts without a card.
export const signsOf = (frame) => frame.signs.map(([machine, kind, state, severity, step]) => ({ machine, kind, state, severity, step }));

// `alerts`: of the frame, shelved ones too. `tiles`: a Map or object of tiles by machine. `signs`: of the
// frame, what has no card any more; trouble there that somebody has seen gets none from its tile either.
export function attentionCards(alerts, tiles, now, signs = []) {
  const seen = signs.filter((each) => each.state !== "open");
  const covered = new Set([...alerts, ...seen].map((each) => keyOf(each.machine, each.kind)));
  const isCovered = (card) => covered.has(keyOf(card.machine, card.kind)) || (card.kind === "offline" && covered.has(keyOf(null, "offline_many")));
  const stored = alerts.filter((each) => each.state !== "shelved").map((each) => ofAlert(each, tiles[each.machine], now));
  const own = Object.values(tiles).map((tile) => ofTile(tile, now)).filter((card) => card && !isCovered(card));
  return [...stored, ...own].sort((a, b) => Number(b.isOpen) - Number(a.isOpen) || RANK[a.severity] - RANK[b.severity] || b.weight - a.weight || (a.name < b.name ? -1 : 1));
}

// Which machines' trouble somebody has seen or put on a shelf: {machine: {kind: state}}.
export function quietOf(alerts) {
  const found = {};
  for (const each of alerts) if (each.state !== "open" && each.machine) (found[each.machine] ??= {})[each.kind] = each.state;
  return found;
}

// The worst alert of each machine that nobody has seen yet: {machine: alert}. They come worst first.
export function loudOf(alerts) {
  const found = {};
  for (const each of alerts) if (each.state === "open" && each.machine) found[each.machine] ??= each;
  return found;
}

export const isWorse = (severity, other) => severity !== null && (other === null || RANK[severity] < RANK[other]);

export const titleOf = (card) => capital(card.title);

export async function acknowledge(ids) {
  await call("/api/v1/alerts/acknowledge", { method: "POST", body: { author: AUTHOR, alert_ids: ids } });
}
