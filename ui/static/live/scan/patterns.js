// What a scan is of, by the plant's patterns: {prefix, unit, golden, badge}, the last three lists of globs.

const SPECIAL = /[.+^${}()|\\/]/g;

// As fnmatch understands a glob: * ? [abc] [!abc]; all of the text, upper and lower case matter.
function matches(glob, text) {
  const source = glob.replace(/\[(!?)([^\]]+)\]|[*?[]|[^*?[]+/g, (part, not, set) => {
    if (set !== undefined) return `[${not ? "^" : ""}${set.replace(/[\\\]^]/g, "\\$&")}]`;
    return { "*": ".*", "?": ".", "[": "\\[" }[part] ?? part.replace(SPECIAL, "\\$&");
  });
  return new RegExp(`^(?:${source})$`, "su").test(text);
}

const isOneOf = (globs, text) => globs.some((glob) => matches(glob, text));

// {kind, code}: badge, golden, unit, or odd, which looks like none of them.
export function readScan(text, { prefix, unit, golden, badge }) {
  const code = text.startsWith(prefix) ? text.slice(prefix.length) : text;
  if (isOneOf(badge, code)) return { kind: "badge", code };
  if (isOneOf(golden, code)) return { kind: "golden", code };
  return { kind: !unit.length || isOneOf(unit, code) ? "unit" : "odd", code };
}
