// A message's bytes as people read them: as text in lines with offsets, and in hex, one place marked.
const LINE_BYTES = 56; // a line breaks behind the next comma, so that one long line can be read
const LINE_BYTES_MAX = 120;
const TEXT_LINES = 400;
const HEX_BYTES = 16;
const HEX_ROWS = 64;
const NEWLINE = 0x0a;
const COMMA = 0x2c;

const decoder = new TextDecoder("utf-8");
export const textOf = (bytes) => decoder.decode(bytes);

// Where the lines of a message begin; the last entry is its end.
function cuts(bytes) {
  const found = [0];
  for (let at = 0; at < bytes.length; at += 1) {
    const length = at + 1 - found.at(-1);
    const isInside = (bytes[at + 1] & 0xc0) === 0x80; // the next byte goes on a character
    const ends = bytes[at] === NEWLINE || (bytes[at] === COMMA && length >= LINE_BYTES) || (length >= LINE_BYTES_MAX && !isInside);
    if (ends) found.push(at + 1);
  }
  if (found.at(-1) < bytes.length || found.length === 1) found.push(bytes.length);
  return found;
}

// Three pieces: before, in and behind what is marked.
function pieces(start, end, mark, make) {
  const from = mark ? Math.min(Math.max(mark.start, start), end) : end;
  const to = mark ? Math.min(Math.max(mark.end, from), end) : end;
  return [make(start, from), make(from, to), make(to, end)];
}

// A mark of no length stands where a message broke off: on its last line.
const touches = (start, end, mark) => Boolean(mark) && mark.start < end && mark.end > start;
const brokeOff = (end, mark, size) => Boolean(mark) && mark.start === mark.end && mark.start === size && end === size;

// Lines of {at, parts, isMarked, isCut}, and whether that is all; else those around the mark.
export function textLines(bytes, mark) {
  const all = cuts(bytes);
  const marked = mark ? Math.max(0, all.findIndex((at) => at > mark.start) - 1) : 0;
  const count = all.length - 1;
  const first = count <= TEXT_LINES ? 0 : Math.min(Math.max(0, marked - TEXT_LINES / 2), count - TEXT_LINES);
  const lines = all.slice(first, first + Math.min(count, TEXT_LINES)).map((start, i) => {
    const end = all[first + i + 1];
    const isCut = brokeOff(end, mark, bytes.length);
    const text = (from, to) => textOf(bytes.subarray(from, to)).replace(/\n$/, "");
    return { at: start, parts: pieces(start, end, mark, text), isMarked: isCut || touches(start, end, mark), isCut };
  });
  return { lines, isWhole: lines.length === count };
}

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
const ascii = (bytes) => [...bytes].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·")).join("");

// Rows of {at, hex, text, isMarked}, each in three pieces.
export function hexRows(bytes, mark) {
  const count = Math.ceil(bytes.length / HEX_BYTES);
  const marked = mark ? Math.floor(mark.start / HEX_BYTES) : 0;
  const first = Math.max(0, Math.min(marked - HEX_ROWS / 4, count - HEX_ROWS));
  const rows = [];
  for (let row = first; row < Math.min(count, first + HEX_ROWS); row += 1) {
    const start = row * HEX_BYTES;
    const end = Math.min(bytes.length, start + HEX_BYTES);
    const both = (make) => pieces(start, end, mark, (from, to) => make(bytes.subarray(from, to)));
    rows.push({ at: start, hex: both(hex), text: both(ascii), isMarked: touches(start, end, mark) });
  }
  return { rows, isWhole: rows.length === count };
}
