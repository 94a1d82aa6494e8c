// First pass yield in steps of 15 minutes, with its 95 % interval as a band and the target dashed.
import { h } from "vue";
import { clock } from "./connection.js";
import { clockMinute } from "./words.js";

const LEFT = 34;
const RIGHT = 360;
const TOP = 14;
const BOTTOM = 166;
const FEW_UNITS = 20;

const wide = (words) => words.length * 6.2; // of a label, about

function ticks(low, high) {
  const step = [0.5, 1, 2, 5, 10, 20, 25, 50].find((each) => (high - low) / each <= 4) ?? 50;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + 1e-9; value += step) found.push(value);
  return found;
}

export const Trend = {
  props: ["trend", "marks"], // marks: moments with a word, such as a rulebook that came into force
  render() {
    const { points, start, end, step, target } = this.trend;
    const label = points.length
      ? `First pass yield in steps of 15 minutes, last ${points.at(-1)[1]} percent, target ${target}`
      : "First pass yield: no unit in this shift yet";
    const box = { width: "100%", viewBox: "0 0 372 188", role: "img", "aria-label": label };
    if (!points.length) return h("svg", box, [h("text", { x: 186, y: 94, "text-anchor": "middle" }, "No unit in this shift yet")]);
    // A band of few units would press the line flat: then it may leave the picture.
    const sure = points.filter((point) => point[4] >= FEW_UNITS);
    const seen = sure.length ? sure : points;
    const low = Math.max(0, Math.min(target, ...points.map((point) => point[1]), ...seen.map((point) => point[2])) - 0.5);
    const high = Math.min(100, Math.max(target, ...points.map((point) => point[1]), ...seen.map((point) => point[3])) + 0.3);
    const until = Math.min(end, Math.max(clock.second, start + 3600));
    const x = (at) => LEFT + ((Math.min(at, until) - start) / (until - start)) * (RIGHT - LEFT);
    const y = (value) => BOTTOM - ((Math.min(high, Math.max(low, value)) - low) / (high - low || 1)) * (BOTTOM - TOP);
    const at = points.map((point) => x(Math.min(point[0] + step / 2, until)));
    const line = (values) => values.map((value, i) => `${at[i].toFixed(1)} ${y(value).toFixed(1)}`);
    const lower = line(points.map((point) => point[2]));
    const upper = line(points.map((point) => point[3]));
    // Along the upper edge, and back along the lower one.
    const area = `M${upper.join("L")}L${[...at.keys()].reverse().map((i) => lower[i]).join("L")}Z`;
    const parts = [];
    for (const value of ticks(low, high)) {
      parts.push(h("path", { d: `M${LEFT} ${y(value)}H${RIGHT}`, stroke: "var(--grid)" }));
      parts.push(h("text", { x: LEFT - 7, y: y(value) + 4, "text-anchor": "end" }, String(value)));
    }
    const every = until - start > 5 * 3600 ? 7200 : until - start > 5400 ? 3600 : 900;
    for (let mark = start + every; mark < until; mark += every)
      parts.push(h("text", { x: x(mark), y: 182, "text-anchor": "middle" }, clockMinute(mark)));
    if (points.length > 1) parts.push(h("path", { d: area, fill: "var(--band)" }));
    else parts.push(h("path", { d: `M${upper[0]}L${lower[0]}`, stroke: "var(--band)", "stroke-width": 10 }));
    parts.push(h("path", { d: `M${LEFT} ${y(target)}H${RIGHT}`, stroke: "var(--text-2)", "stroke-dasharray": "4 4" }));
    parts.push(h("text", { x: LEFT + 4, y: y(target) + 13, style: "fill:var(--text-2)" }, `target ${target.toFixed(1)}`));
    const labels = []; // above the line
    for (const mark of (this.marks ?? []).filter((each) => each.at < until)) {
      const isLate = x(mark.at) > (LEFT + RIGHT) / 2;
      parts.push(h("path", { d: `M${x(mark.at)} ${TOP}V${BOTTOM}`, stroke: mark.look ?? "var(--accent)" }));
      const box = { x: x(mark.at) + (isLate ? -9 - wide(mark.words) : 1), y: TOP - 6, width: wide(mark.words) + 8, height: 17, rx: 3, fill: "var(--s3)" };
      labels.push(h("rect", box), h("text", { x: box.x + 4, y: TOP + 6, style: "fill:var(--text-2)" }, mark.words));
    }
    const own = line(points.map((point) => point[1]));
    parts.push(h("path", { d: `M${own.join("L")}`, fill: "none", stroke: "var(--text)", "stroke-width": 2, "stroke-linejoin": "round" }));
    parts.push(h("circle", { cx: at.at(-1), cy: y(points.at(-1)[1]), r: 3.6, fill: "var(--text)" }));
    return h("svg", box, [...parts, ...labels]);
  },
};
