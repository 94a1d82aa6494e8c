// What needs attention at one machine, by what its tile says: the worst thing first, or nothing.
import { clockMinute, duration, when } from "./words.js";

const FAILS_IN_A_ROW = 3;
const NO_VERDICT_RUNS = 3;

// `kind` is that of the alert which the service raises for it; "" where it raises none.
export function attentionOf(tile, status, now = 0) {
  const card = (severity, kind, title, weight, words) => ({ machine: tile.id, severity, kind, title, weight, ...words });
  const last = tile.last === null ? "no result yet" : `last result ${when(tile.last, now)}`;
  const ago = tile.last !== null && now - tile.last < 3600 ? `${last} ago` : last;
  if (tile.fails >= FAILS_IN_A_ROW) {
    const { step, value, limit } = tile.why ?? {};
    const text = limit ? `${value}, limit ${limit}` : (tile.why?.detail ?? "");
    return card("critical", "step_repeats", `${tile.fails} fails in a row`, tile.fails, { step, text, since: ago });
  }
  if (status === "offline") {
    const silent = now - tile.offline;
    return card("major", "offline", `offline for ${duration(silent)}`, silent, { text: ago, since: `since ${clockMinute(tile.offline)}` });
  }
  if (status === "stale") {
    const silent = now - tile.last;
    const usual = tile.usual ? `usually every ${duration(Math.max(1, tile.usual))}` : `stale after ${duration(tile.stale)}`;
    return card("major", "silent", `silent for ${duration(silent)}`, silent, { text: usual, since: `since ${clockMinute(tile.last)}` });
  }
  const { step, detail } = tile.odd ?? {};
  if (tile.errors >= NO_VERDICT_RUNS)
    return card("major", "", `${tile.errors} results without a verdict`, tile.errors, { step, text: detail, since: `of its last ${tile.tape.length} runs` });
  if (tile.low)
    return card("major", "yield_low", `first pass yield ${tile.fpy} %`, 0, { text: `95 % interval ${tile.interval}, target ${tile.target.toFixed(1)}`, since: `${tile.units} units this shift` });
  if (tile.unjudged >= NO_VERDICT_RUNS)
    return card("minor", "", `${tile.unjudged} results unjudged`, tile.unjudged, { step, text: "no rule and no limit", since: `of its last ${tile.tape.length} runs` });
  return null;
}
