// Shares as people read them, and their doubt.
import { thousands } from "./words.js";

const Z = 1.959964;
const MANY = 10_000;
const DASH = "\u2013";

export const FEW_UNITS = 20; // below that a yield says little

// One decimal, two from 10 000; 0 and 100 only when none and all. As the server says it (ui/wording.py).
export function percent(share, count) {
  if (share === null || share === undefined) return DASH;
  if (share === 0 || share === 1) return String(share * 100);
  const digits = count >= MANY ? 2 : 1;
  const step = 10 ** -digits;
  return Math.min(Math.max(share * 100, step), 100 - step).toFixed(digits);
}

export const interval = (low, high, count) => (low === null || low === undefined ? "" : `${percent(low, count)} ${DASH} ${percent(high, count)}`);

// "▼ 0.5": how many points a share has moved; "" where one of the two is missing or they read alike.
export function points(now, before, count) {
  if (now === null || before === null || now === undefined || before === undefined) return "";
  const text = Math.abs((now - before) * 100).toFixed(count >= MANY ? 2 : 1);
  if (Number(text) === 0) return "";
  return `${now < before ? "▼" : "▲"} ${text}`;
}

export function counted(now, before) {
  if (before === null || before === undefined || now === before) return "";
  return `${now < before ? "▼" : "▲"} ${thousands(Math.abs(Math.round(now - before)))}`;
}

// Wilson's 95 % interval of a share.
export function wilson(good, n) {
  if (!n) return null;
  const share = good / n;
  const middle = (share + (Z * Z) / (2 * n)) / (1 + (Z * Z) / n);
  const half = (Z / (1 + (Z * Z) / n)) * Math.sqrt((share * (1 - share)) / n + (Z * Z) / (4 * n * n));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}
