// Sizes, times and signs of the System page.
import { h } from "vue";
import { Icon, thousands } from "yieldline";

const ICONS = { ok: "pass-line", warn: "major", bad: "critical", off: "offline" };
const UNITS = ["B", "kB", "MB", "GB", "TB"];

// How a part does: a shape and a word; what it means stands beside it.
export const Light = ({ light }) => h("span", { class: ["lamp", light.look], title: light.meaning }, [Icon({ name: ICONS[light.look], size: 15 }), light.word]);
Light.props = ["light"];

export function bytes(count) {
  if (count === null) return "–";
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, count)) / 3)));
  const value = count / 1000 ** power;
  return `${value >= 100 || power === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`;
}

export function ms(value) {
  if (value === null) return "–";
  if (value < 10) return `${value.toFixed(1)} ms`;
  return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

export const counted = (value) => (value === null ? "–" : thousands(value));

// Runs a second between two answers; null: a service that is new or was started anew.
export function rateOf(after, before) {
  const seconds = before ? (Date.parse(after.reported_at) - Date.parse(before.reported_at)) / 1000 : 0;
  return seconds > 0 && after.runs >= before.runs ? (after.runs - before.runs) / seconds : null;
}
