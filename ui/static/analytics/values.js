// Measured values as people read them: a readable prefix, and limits in signs.
import { unitName } from "yieldline/words.js";

const PREFIXES = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"]];
const PREFIXED = new Set(["F", "H", "V", "A", "Ohm", "Ω", "Hz", "W", "s", "S"]);
const SIGNS = { EQ: "=", NE: "≠", GT: ">", GE: "≥", LT: "<", LE: "≤" };
const DIGITS = 5;
const SHORT_DIGITS = 4; // of lines that are computed

// One prefix for values, limits and their spread: {unit, of(value), text(value), short(value)}. As ui/wording.py has it.
export function scaleOf(value, unit) {
  const name = unitName(unit);
  const size = Math.abs(value ?? 0);
  const isReadable = !PREFIXED.has(unit) || !size || (size > 1e-3 && size < 1e4);
  const [factor, prefix] = isReadable ? [1, ""] : (PREFIXES.find(([each]) => size >= each) ?? PREFIXES.at(-1));
  const of = (each) => each / factor;
  const say = (each, digits) => (each === null || each === undefined ? "\u2013" : String(Number(of(each).toPrecision(digits))));
  return { unit: `${prefix}${name}`, of, text: (each) => say(each, DIGITS), short: (each) => say(each, SHORT_DIGITS) };
}

export function limitWords({ comparator, low, high }, scale) {
  const outside = /^L[TE]G[TE]$/.test(comparator ?? "") ? "outside " : "";
  if (low !== null && high !== null) return `${outside}${scale.text(low)} \u2013 ${scale.text(high)}`;
  const single = low ?? high;
  if (single === null) return "none";
  return `${SIGNS[comparator] ?? (low === null ? "≤" : "≥")} ${scale.text(single)}`;
}

export const scaleOfSeries = (item) => scaleOf(item.high ?? item.low ?? item.mean ?? item.location?.centre, item.unit);
