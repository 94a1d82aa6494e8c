// Rules, changes and faults as people read them.
import { clockMinute, unitName, when } from "yieldline";
import { KEYS } from "./toml.js";

export { wilson } from "yieldline/shares.js";

const DASH = "\u2013";
const BOUNDS = { GE: "≥", GT: ">", LE: "≤", LT: "<", EQ: "=", NE: "≠" };
const BETWEEN = { GELE: ["", ""], GTLT: [">", "<"], GELT: ["≥", "<"], GTLE: [">", "≤"] };
const OUTSIDE = { LTGT: "outside", LEGE: "outside", LEGT: "outside", LTGE: "outside" };

// [what is written in the TOML, what it means]; "" is by the limits that are given.
export const COMPARATORS = [
  ["", "by its limits"],
  ["GE", "≥ at least"], ["GT", "> above"], ["LE", "≤ at most"], ["LT", "< below"],
  ["GELE", "low to high"], ["GTLT", "between, ends excluded"], ["GELT", "low to below high"], ["GTLE", "above low to high"],
  ["LTGT", "outside low and high"], ["LEGE", "outside, ends included"], ["LEGT", "outside, low included"], ["LTGE", "outside, high included"],
  ["EQ", "= equal"], ["NE", "≠ not equal"], ["EQT", "nominal ± tolerance"],
  ["REGEX", "matches a pattern"], ["IN", "one of a list"], ["CASESENSIT", "this text"], ["IGNORECASE", "this text, any case"],
  ["LOG", "recorded, never fails"],
];
export const WORDS_OF = Object.fromEntries(COMPARATORS);
export const TEXT_COMPARATORS = ["REGEX", "CASESENSIT", "IGNORECASE"];
export const SEVERITIES = ["critical", "major", "minor"];

const shown = (value) => (Array.isArray(value) ? value.map(shown).join(", ") : String(value));
const digits = (rule, key) => (typeof rule.values[key] === "number" ? rule.raw[key] : shown(rule.values[key]));

export function comparatorOf({ values }) {
  if (values.comparator) return values.comparator;
  if (values.low !== undefined) return values.high === undefined ? "GE" : "GELE";
  if (values.high !== undefined) return "LE";
  return values.expression === undefined ? "" : "EQ";
}

function span(rule, comparator) {
  const [low, high] = ["low", "high"].map((key) => (rule.values[key] === undefined ? "?" : digits(rule, key)));
  if (comparator in OUTSIDE) return `outside ${low} ${DASH} ${high}`;
  const [left, right] = BETWEEN[comparator];
  return left || right ? `${left} ${low}, ${right} ${high}`.replace(/^ /, "") : `${low} ${DASH} ${high}`;
}

function tolerance(rule) {
  const of = { tolerance: "", tolerance_percent: " %", tolerance_ppm: " ppm" };
  const key = Object.keys(of).find((each) => rule.values[each] !== undefined);
  return key ? ` ± ${digits(rule, key)}${of[key]}` : " ± ?";
}

function bare(rule, comparator) {
  const nominal = rule.values.nominal === undefined ? "" : digits(rule, "nominal");
  if (comparator in BETWEEN || comparator in OUTSIDE) return span(rule, comparator);
  if (comparator in BOUNDS) {
    const key = ["low", "nominal", "high"].find((each) => rule.values[each] !== undefined);
    return `${BOUNDS[comparator]} ${key ? digits(rule, key) : rule.values.expression ? "true" : "?"}`;
  }
  if (comparator === "EQT") return nominal + tolerance(rule);
  if (comparator === "REGEX") return `matches ${nominal}`;
  if (comparator === "IN") return `one of ${nominal}`;
  if (comparator === "LOG") return "recorded only";
  if (comparator === "CASESENSIT") return `= ${nominal}`;
  return comparator === "IGNORECASE" ? `= ${nominal}, any case` : "no limit";
}

// "≤ 55.0 mV": the limit with the digits that were written.
export function limitWords(rule) {
  const words = bare(rule, comparatorOf(rule));
  return typeof rule.values.unit === "string" ? `${words} ${unitName(rule.values.unit)}` : words;
}

// Where a rule applies, without the step: "ECU-* · FCT".
export function whereWords({ values }) {
  const said = ["product", "procedure", "machine"].map((key) => values[key]).filter((each) => each && each !== "*");
  return said.join(" · ") || "everywhere";
}

export const stepOf = (rule) => shown(rule.values.test_step ?? "*");
export const nameOf = (rule) => shown(rule.values.id ?? `no. ${rule.index + 1}`);

// What changed besides the limit, in words: "severity major → critical".
const LIMIT_KEYS = ["comparator", "low", "high", "nominal", "unit", "tolerance", "tolerance_percent", "tolerance_ppm"];
const said = (value) => (value === null || value === undefined ? "none" : value === true ? "yes" : value === false ? "no" : typeof value === "object" && !Array.isArray(value) ? JSON.stringify(value) : shown(value));

export function otherWords(change) {
  if (change.kind !== "changed") return "";
  const others = change.fields.filter((each) => !LIMIT_KEYS.includes(each.field));
  return others.map((each) => `${each.field} ${said(each.before)} → ${said(each.after)}`).join(", ");
}

export const hasLimitChange = (change) => change.fields.some((each) => LIMIT_KEYS.includes(each.field));

// Which rule a sentence of the server is about: {index, other, line, words}. What it cannot place
// stands above the rules.
export function placeOf(sentence, rules, text) {
  const named = /^the draft, rule (?:no\. (\d+)|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"): (.*)$/s.exec(sentence);
  if (named) {
    const [, number, single, double, words] = named;
    const found = number ? [rules[Number(number) - 1]].filter(Boolean) : rules.filter((each) => each.values.id === (single ?? double));
    const other = /^ties with rule '([^']*)'/.exec(words)?.[1];
    const rule = words.includes("stands twice") ? found.at(-1) : found[0];
    return { index: rule?.index ?? null, other: rules.find((each) => each.values.id === other)?.index ?? null, line: null, words };
  }
  const at = /\(at line (\d+), column \d+\)/.exec(sentence);
  if (!at) return { index: null, other: null, line: null, words: sentence };
  const line = Number(at[1]);
  const begins = text.split("\n").slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  const rule = rules.findLast((each) => each.from <= begins);
  return { index: rule?.index ?? null, other: null, line, words: sentence };
}

// Keys of a rule that the form has no field of its own for: new ones, and misspelt ones.
export const strangeKeys = (rule) => Object.keys(rule.raw).filter((key) => !KEYS.includes(key));

const percent = (share, digitCount) => (share === 1 ? "100" : (Math.floor(share * 100 * 10 ** digitCount) / 10 ** digitCount).toFixed(digitCount));

// Percent: one decimal, two from n = 10 000; 100 only when all.
export function shareWords(low, high, n) {
  if (low === null || low === undefined) return `${DASH}`;
  const count = n >= 10_000 ? 2 : 1;
  const [from, to] = [low, high ?? low].map((each) => percent(each, count));
  return from === to ? from : `${from} ${DASH} ${to}`;
}

// How many points it goes up or down: "0.3 to 0.7 points down".
export function moveWords(before, low, high) {
  if ([before, low, high].includes(null)) return "";
  const [least, most] = [low - before, high - before].map((each) => Math.round(each * 1000) / 10);
  if (least === 0 && most === 0) return "unchanged";
  if (least === most) return `${Math.abs(least)} points ${least < 0 ? "down" : "up"}`;
  if (least < 0 && most > 0) return `${-least} points down to ${most} up`;
  const [near, far] = [Math.abs(least), Math.abs(most)].sort((a, b) => a - b);
  return `${near} to ${far} points ${most > 0 ? "up" : "down"}`;
}

// Since when: a clock time, or a day.
export const sinceWords = (at, now) => (now - at < 43_200 ? clockMinute(at) : when(at, now));
