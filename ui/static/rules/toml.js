// A rulebook's text, read tolerantly and edited in place. The text is the one source of truth: an edit
// touches the bytes of one value or one rule, so that comments and the writing of the rest stay.
//
// Whether a text is right is the server's word (POST /api/v1/rulebooks/check). Here a rule that cannot be
// read is `isBroken`, and reading goes on with the next one.

// In the order in which the service writes them; a new key is put where it belongs.
export const KEYS = ["id", "test_step", "product", "procedure", "machine", "expression", "units", "comparator", "low", "high", "nominal", "tolerance", "tolerance_percent", "tolerance_ppm", "unit", "required", "marginal_percent", "severity"];

const BARE = /[^\s,\]}#]+/y;
const KEY = /[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y;
const DOT = /[ \t]*\.[ \t]*/y;
const NUMBER = /^[+-]?(?:\d[\d_]*)(?:\.\d[\d_]*)?(?:[eE][+-]?\d[\d_]*)?$/;
const ESCAPES = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", e: "\x1b", '"': '"', "\\": "\\" };

class Fault extends Error {}

// -- reading -------------------------------------------------------------------------------------

function match(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

const lineEnd = (text, at) => {
  const found = text.indexOf("\n", at);
  return found < 0 ? text.length : found + 1;
};

function unescaped(text) {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|(\s*\n\s*)|(.))/g, (all, four, eight, two, fold, one) => {
    const code = four ?? eight ?? two;
    if (code) return String.fromCodePoint(Number.parseInt(code, 16) || 0);
    return fold ? "" : (ESCAPES[one] ?? all);
  });
}

function readString(text, at) {
  const quote = text[at];
  const isLong = text.startsWith(quote.repeat(3), at);
  const mark = isLong ? quote.repeat(3) : quote;
  let end = at + mark.length;
  while (!text.startsWith(mark, end)) {
    if (end >= text.length || (!isLong && text[end] === "\n")) throw new Fault();
    end += quote === '"' && text[end] === "\\" ? 2 : 1;
  }
  while (isLong && text[end + 3] === quote) end += 1; // """ may end with one or two quotes of the text
  const inside = text.slice(at + mark.length, end).replace(isLong ? /^\r?\n/ : /^$/, "");
  return { value: quote === '"' ? unescaped(inside) : inside, to: end + mark.length };
}

// Skip what may stand between the parts of an array or an inline table.
function skip(text, at) {
  let found = at;
  for (;;) {
    while (found < text.length && /\s/.test(text[found])) found += 1;
    if (text[found] !== "#") return found;
    found = lineEnd(text, found);
  }
}

function readArray(text, at) {
  const value = [];
  let next = skip(text, at + 1);
  while (text[next] !== "]") {
    const part = readValue(text, next);
    value.push(part.value);
    next = skip(text, part.to);
    if (text[next] === ",") next = skip(text, next + 1);
    else if (text[next] !== "]") throw new Fault();
  }
  return { value, to: next + 1 };
}

function readTable(text, at) {
  const value = {};
  let next = skip(text, at + 1);
  while (text[next] !== "}") {
    const { path, to } = readKey(text, next);
    const equals = skip(text, to);
    if (text[equals] !== "=") throw new Fault();
    const part = readValue(text, skip(text, equals + 1));
    place(value, path, part.value);
    next = skip(text, part.to);
    if (text[next] === ",") next = skip(text, next + 1);
    else if (text[next] !== "}") throw new Fault();
  }
  return { value, to: next + 1 };
}

function readValue(text, at) {
  const first = text[at];
  if (first === '"' || first === "'") return readString(text, at);
  if (first === "[") return readArray(text, at);
  if (first === "{") return readTable(text, at);
  const bare = match(BARE, text, at);
  if (!bare) throw new Fault();
  const to = at + bare.length;
  if (bare === "true" || bare === "false") return { value: bare === "true", to };
  return { value: NUMBER.test(bare) ? Number(bare.replaceAll("_", "")) : bare, to };
}

function readKey(text, at) {
  const path = [];
  let to = at;
  for (;;) {
    const part = match(KEY, text, to);
    if (!part) throw new Fault();
    path.push(/^["']/.test(part) ? readString(part, 0).value : part);
    to += part.length;
    const dot = match(DOT, text, to);
    if (!dot) return { path, to };
    to += dot.length;
  }
}

function place(values, path, value) {
  let inner = values;
  for (const part of path.slice(0, -1)) inner = inner[part] = typeof inner[part] === "object" ? inner[part] : {};
  inner[path.at(-1)] = value;
}

// One `key = value` that begins at `at`; `from` and `to` are its lines, with their end.
function readEntry(text, from, at, table) {
  const { path, to: keyTo } = readKey(text, at);
  const equals = keyTo + match(/[ \t]*/y, text, keyTo).length;
  if (text[equals] !== "=") throw new Fault();
  const valueFrom = equals + 1 + match(/[ \t]*/y, text, equals + 1).length;
  const { value, to: valueTo } = readValue(text, valueFrom);
  const to = lineEnd(text, valueTo);
  if (!/^[ \t]*(?:#.*)?\r?\n?$/.test(text.slice(valueTo, to))) throw new Fault();
  const whole = [...table, ...path];
  return { key: whole[0], isNested: whole.length > 1, path: whole, value, raw: text.slice(valueFrom, valueTo), from, valueFrom, valueTo, to };
}

const newRule = (index, from, headerTo) => ({ index, from, headerTo, to: headerTo, entries: [], values: {}, raw: {}, isBroken: false });

function take(rule, entry) {
  rule.entries.push(entry);
  rule.to = entry.to;
  place(rule.values, entry.path, entry.value);
  if (!entry.isNested) rule.raw[entry.key] = entry.raw;
}

// Read every [[rule]] of a text, in order: {index, from, to, values, raw, entries, isBroken}. `from` and
// `to` hold the comments that belong to a rule: those right above it, and right below its last line.
export function readRules(text) {
  const rules = [];
  let rule = null;
  let table = [];
  let comments = null; // where a run of comment lines began that nothing has followed yet
  let at = 0;
  while (at < text.length) {
    const start = at + match(/[ \t]*/y, text, at).length;
    const end = lineEnd(text, start);
    const line = text.slice(start, end).trim();
    if (!line || line.startsWith("#")) {
      if (!line) {
        if (rule && comments !== null && comments === rule.to) rule.to = at; // below its last line
        comments = null;
      } else comments ??= at;
      at = end;
      continue;
    }
    const header = /^\[\[\s*("?)rule\1\s*\]\]\s*(#.*)?$/.exec(line);
    if (header) {
      rule = newRule(rules.length, comments ?? at, end);
      rules.push(rule);
      table = [];
      at = end;
    } else if (line.startsWith("[")) {
      const name = /^\[\s*rule\s*\.\s*([^\]]+?)\s*\]\s*(#.*)?$/.exec(line);
      table = name ? [name[1].replace(/^["']|["']$/g, "")] : ["?"];
      if (rule) Object.assign(rule, { to: end, isBroken: rule.isBroken || !name });
      at = end;
    } else {
      at = readInto(rule, text, at, start, table);
    }
    comments = null;
  }
  if (rule && comments !== null && comments === rule.to) rule.to = text.length;
  return rules;
}

// Read the entry at `start` into its rule, and return where the next line begins.
function readInto(rule, text, at, start, table) {
  try {
    const entry = readEntry(text, at, start, table);
    if (rule) take(rule, entry);
    return entry.to;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const end = lineEnd(text, start);
    if (rule) Object.assign(rule, { isBroken: true, to: end });
    return end;
  }
}

// -- writing -------------------------------------------------------------------------------------

export function quoted(text) {
  if (/[\\"]/.test(text) && !/['\x00-\x1f\x7f]/.test(text)) return `'${text}'`;
  const escaped = text.replace(/[\\"]/g, "\\$&").replace(/[\x00-\x1f\x7f]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `"${escaped}"`;
}

// A number as TOML wants it; null: it is none. Digits stay as they were typed.
export function numberOf(text) {
  const typed = text.trim().replace(",", ".").replace(/^\u2212/, "-");
  const parts = /^([+-]?)(\d*)(?:(\.)(\d*))?([eE][+-]?\d+)?$/.exec(typed);
  if (!parts || (!parts[2] && !parts[4])) return null;
  const [, sign, whole, dot, rest, power] = parts;
  return `${sign}${whole.replace(/^0+(?=\d)/, "") || "0"}${dot ? `.${rest || "0"}` : ""}${power ?? ""}`;
}

// What somebody typed for a value whose kind is free: true, 5, "text", or text without quotes.
export function scalarOf(text) {
  const typed = text.trim();
  if (typed === "true" || typed === "false") return typed;
  if (/^"(?:[^"\\]|\\.)*"$|^'[^']*'$/.test(typed)) return typed;
  return numberOf(typed) ?? quoted(typed);
}

const newline = (text) => (text.includes("\r\n") ? "\r\n" : "\n");
const closed = (text) => (text === "" || text.endsWith("\n") ? text : text + newline(text));

// Set one key of one rule; `raw` is TOML, null takes the key away. Returns the new text.
export function setValue(text, index, key, raw) {
  const rule = readRules(text)[index];
  const entry = rule.entries.find((each) => each.key === key && !each.isNested);
  if (entry && raw === null) return text.slice(0, entry.from) + text.slice(entry.to);
  if (entry) return text.slice(0, entry.valueFrom) + raw + text.slice(entry.valueTo);
  if (raw === null) return text;
  const place = KEYS.indexOf(key);
  const before = rule.entries.filter((each) => !each.isNested && KEYS.indexOf(each.key) < place).at(-1);
  const at = before ? before.to : rule.headerTo;
  const head = closed(text.slice(0, at));
  return `${head}${key} = ${raw}${newline(text)}${text.slice(at)}`;
}

// Add a rule at the end; `raws` are [key, TOML] in order.
export function addRule(text, raws) {
  const end = newline(text);
  const before = closed(text);
  const gap = before === "" || /\n\r?\n$/.test(before) ? "" : end;
  return `${before}${gap}[[rule]]${end}${raws.map(([key, raw]) => `${key} = ${raw}${end}`).join("")}`;
}

// Take a rule away with its own comments, and the empty lines below it.
export function removeRule(text, index) {
  const rule = readRules(text)[index];
  const rest = text.slice(rule.to).replace(/^(?:[ \t]*\r?\n)+/, "");
  return text.slice(0, rule.from) + rest;
}

// The line (from 1) on which a position stands, and the position where a line begins.
export const lineOf = (text, at) => text.slice(0, at).split("\n").length;
