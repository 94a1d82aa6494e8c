// Alerts as people say them: what kind of trouble, what state, and what they are about.
import { clockTime, duration, plantDay, weekday } from "./words.js";

const KINDS = {
  silent: "Silent",
  offline: "Offline",
  offline_many: "Many offline",
  yield_low: "Low yield",
  step_repeats: "Same step",
  retests: "Retests",
  rejections: "Rejections",
  flood: "Flood",
};
const ACTIONS = {
  opened: "opened",
  acknowledged: "acknowledged by",
  shelved: "shelved by",
  returned: "returned from its shelf",
  closed: "closed: its trouble is over",
  notified: "people were told",
  not_notified: "nobody could be told",
};

export const kindWord = (kind) => KINDS[kind] ?? kind;
export const secondsOf = (text) => Date.parse(text) / 1000;
export const about = ({ machine_id, procedure, step, barcode }) => [step ?? barcode ?? procedure, machine_id].filter(Boolean).join(" at ");

export function momentWords(at, now) {
  return weekday(at) === weekday(now) && Math.abs(now - at) < 86400 ? clockTime(at).slice(0, 5) : `${plantDay(at)} ${clockTime(at).slice(0, 5)}`;
}

// What became of it, in a few words.
export function stateWords(alert, now) {
  if (alert.state === "acknowledged") return `acknowledged by ${alert.acknowledged_by}, ${momentWords(secondsOf(alert.acknowledged_at), now)}`;
  if (alert.state === "shelved") return `shelved until ${momentWords(secondsOf(alert.shelved_until), now)}`;
  if (alert.state !== "closed") return "not acknowledged";
  const lasted = `closed after ${duration(secondsOf(alert.closed_at) - secondsOf(alert.opened_at))}`;
  return alert.acknowledged_by ? `${lasted}, acknowledged by ${alert.acknowledged_by}` : `${lasted}, never acknowledged`;
}

export function eventWords({ action, actor, note }) {
  const words = ACTIONS[action] ?? action;
  const who = words.endsWith(" by") ? ` ${actor}` : "";
  return note ? `${words}${who}: ${note}` : `${words}${who}`;
}
