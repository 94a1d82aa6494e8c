// Rejections in words, and the small things that several parts of the page need.
import { call, clock, clockMinute, clockTime, plantDay } from "yieldline";

export const AUTHOR = "web app";
export const API = "/api/v1/rejections";
export const MARKS = { PASS: "P", FAIL: "F", ERROR: "E", UNJUDGED: "U" };

export const secondsOf = (text) => Date.parse(text) / 1000;

// When something arrived: the clock time today, else the day too.
export function arrived(text, isExact = false) {
  const at = secondsOf(text);
  const time = isExact ? clockTime(at) : clockMinute(at);
  return plantDay(at) === plantDay(clock.second) ? time : `${plantDay(at)} ${time}`;
}

export function span(first, last) {
  const [from, to] = [arrived(first), arrived(last)];
  return from === to ? to : `${from} – ${to}`;
}

export const settledWords = ({ action, actor, at, reason }) =>
  `${action === "close" ? "closed" : "resubmitted"} by ${actor}, ${arrived(at)}${reason ? `: ${reason}` : ""}`;

// What a sentence says, without what to do: enough for a list.
export const short = (reason) => reason.split(/\.\s/)[0];

export const post = (path, body) => call(`${API}/${path}`, { method: "POST", body: { author: AUTHOR, ...body } });

// Why a part of a dry run is what it is.
export function whyWords(part) {
  if (part.fate === "rejected") return `${part.code}: ${short(part.reason)}`;
  if (part.fate === "duplicate") return part.run_id ? `stored already, as run ${part.run_id}` : "sent twice, the first is taken";
  return part.first_failure ? `${part.first_failure} fails` : "";
}

// The machine that a message names, where it can be read.
export function machineIn(text) {
  try {
    const content = JSON.parse(text);
    return typeof content?.machine_id === "string" ? content.machine_id : "";
  } catch {
    return "";
  }
}

// The same topic, of another machine.
export function topicOf(topic, from, to) {
  const levels = topic.split("/");
  const at = levels.lastIndexOf(from);
  return at < 0 ? "" : levels.with(at, to).join("/");
}
