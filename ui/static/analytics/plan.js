// Units against the plan of their lines: only of whole lines, in a time that has a beginning.
import { parameters, query, question, scope, thousands } from "yieldline";

const EVEN_SHARE = 0.02; // nearer to the plan than that is on plan
const OF_LINES = ["line", "since", "until"];

// `lines`: those that the settings have a plan of.
function applies(lines) {
  const isOfLines = scope.number >= 0 && Object.keys(parameters()).every((name) => OF_LINES.includes(name));
  return isOfLines && scope.since !== null && lines.some((each) => !query.line || each === query.line);
}

export const askPlan = (lines) => question(() => (applies(lines) ? "/api/v1/plan" : ""), () => ({ line: query.line, since: scope.since, until: scope.until }), { isFiltered: false });

// {words, title} of the lines that have a plan; null: there is none of what is chosen.
export function planOf({ data }, lines) {
  const planned = (data?.items ?? []).filter((each) => each.planned !== null);
  if (!planned.length || !applies(lines)) return null;
  const sum = (name) => planned.reduce((all, each) => all + each[name], 0);
  const [done, due] = [sum("units"), sum("planned")];
  const behind = Math.round(due - done);
  const words = Math.abs(behind) <= due * EVEN_SHARE ? "on plan" : `${thousands(Math.abs(behind))} ${behind > 0 ? "behind" : "ahead of"} plan`;
  const without = data.items.filter((each) => each.planned === null).map((each) => each.line);
  const names = planned.map((each) => each.line).join(", ");
  return { words, title: `${thousands(done)} of ${thousands(Math.round(due))} planned for ${data.worked_h.toFixed(1)} h of work on ${names}${without.length ? `; without a plan: ${without.join(", ")}` : ""}` };
}
