// A control chart as a picture: points in the order of their runs, control lines, limits, signals.
import { clockMinute, plantDay } from "yieldline";
import { shiftsOf } from "./labels.js";

const NEAR = 1.5; // limits farther off than so many heights of the rest would press it flat
const DAY_S = 86_400;
const LABELLED = 8;
const PLOT_PX = 165; // about

const seconds = (text) => Date.parse(text) / 1000;
const round = (value) => Number(value.toPrecision(6));

// The rules that the location breaks, by number, each with its sentence.
export function signalsOf({ signals }) {
  return signals.filter((each) => each.of === "location" && each.points.length).sort((a, b) => a.number - b.number);
}

// Of each point the numbers of the rules that it completes.
export function numbersOf(item) {
  const found = item.points.map(() => []);
  for (const { number, points } of signalsOf(item)) for (const place of points) found[place].push(number);
  return found;
}

// The limit in force at each point; where several judged side by side, the one used last.
function limitsOf({ limits, low, high, points }, end) {
  if (!limits?.length) return points.map(() => (end === "low" ? low : high));
  return points.map(({ timestamp }) => (limits.find((each) => each.first_at <= timestamp && timestamp <= each.last_at) ?? limits.at(-1))[end]);
}

function spanOf(item, scale, limits) {
  const own = [...item.points.map((each) => each.value), item.location.lower, item.location.upper].map(scale.of);
  let [least, most] = [Math.min(...own), Math.max(...own)];
  const reach = (most - least || Math.abs(most) || 1) * NEAR;
  for (const limit of limits) {
    if (limit === null || limit < least - reach || limit > most + reach) continue;
    [least, most] = [Math.min(least, limit), Math.max(most, limit)];
  }
  const air = (most - least || Math.abs(most) || 1) * 0.06;
  return { min: round(least - air), max: round(most + air) };
}

const timesOf = (points) => {
  const isLong = seconds(points.at(-1).timestamp) - seconds(points[0].timestamp) > DAY_S;
  return points.map(({ timestamp }) => (isLong ? `${plantDay(seconds(timestamp))} ` : "") + clockMinute(seconds(timestamp)));
};

function markOf(numbers, before, c) {
  if (!numbers.length) return { symbol: "circle", symbolSize: 3.5, itemStyle: { color: c.text_2 } };
  const fresh = numbers.filter((each) => !before.includes(each));
  const look = numbers.includes(1) ? { symbol: "rect", symbolSize: 8, itemStyle: { color: c.fail } } : { symbol: "triangle", symbolSize: 9, itemStyle: { color: c.marg_fill, borderColor: c.marginal, borderWidth: 0.6 } };
  return { ...look, label: { show: fresh.length > 0, formatter: fresh.join(", "), position: "top", color: c.text, fontWeight: 700, fontSize: 11 } };
}

export function chartOptions(item, scale) {
  const { points, location } = item;
  const times = timesOf(points);
  const numbers = numbersOf(item);
  const ends = ["low", "high"].map((end) => limitsOf(item, end).map((each) => (each === null ? null : scale.of(each))));
  const { min, max } = spanOf(item, scale, ends.flat());
  const heights = [location.upper, location.centre, location.lower].map(scale.of).concat(ends.map((each) => each.at(-1) ?? -Infinity)).map((value) => ((max - value) / (max - min)) * PLOT_PX);
  const shifts = shiftsOf(heights);
  const { baseline_points: stated } = item;
  return (c) => {
    const end = stated < points.length ? [{ xAxis: stated - 1, lineStyle: { color: c.text_2, type: "dotted" }, label: { formatter: "baseline", position: "insideEndTop", rotate: 0, align: "right", color: c.text_3, fontSize: 11 } }] : [];
    const line = (name, value, type, place) => ({ yAxis: scale.of(value), lineStyle: { color: c.text_3, type }, label: { formatter: `${name} ${scale.short(value)}`, position: "end", offset: [0, shifts[place]], color: c.text_3, fontSize: 11 } });
    const isSeen = (value) => value !== null && value >= min && value <= max;
    const limit = (name, data, place) => ({ name, type: "line", step: "middle", symbol: "none", silent: true, clip: true, data, lineStyle: { color: c.fail, width: 1.6 }, endLabel: { show: isSeen(data.at(-1)), formatter: `limit ${isSeen(data.at(-1)) ? round(data.at(-1)) : ""}`, color: c.fail, fontSize: 11, textBorderWidth: 0, offset: [0, shifts[place]] }, tooltip: { show: false } });
    return {
      grid: { left: 52, right: 92, top: 16, bottom: 24 },
      tooltip: { trigger: "item", formatter: ({ data }) => (typeof data?.point === "number" ? tip(item, scale, numbers, data.point) : "") },
      xAxis: { type: "category", data: times, boundaryGap: false, axisTick: { show: false }, axisLabel: { interval: Math.max(0, Math.ceil(points.length / LABELLED) - 1), hideOverlap: true } },
      yAxis: { type: "value", min, max, axisLabel: { showMinLabel: false, showMaxLabel: false } },
      series: [
        ...ends.map((data, i) => limit(i ? "high" : "low", data, 3 + i)).filter((each) => each.data.some((value) => value !== null)),
        {
          name: "value", type: "line", z: 4, showAllSymbol: true, lineStyle: { color: c.text_3, width: 1 }, labelLayout: { hideOverlap: true },
          data: points.map((point, i) => ({ value: scale.of(point.value), point: i, ...markOf(numbers[i], numbers[i - 1] ?? [], c) })),
          markLine: { symbol: "none", silent: true, data: [line("UCL", location.upper, "dashed", 0), line("mean", location.centre, "solid", 1), line("LCL", location.lower, "dashed", 2), ...end] },
          markArea: { silent: true, itemStyle: { color: c.band, opacity: 0.55 }, data: [[{ yAxis: scale.of(location.lower) }, { yAxis: scale.of(location.upper) }]] },
        },
      ],
    };
  };
}

// HTML: numbers and words of ours only.
function tip(item, scale, numbers, place) {
  const point = item.points[place];
  const rules = numbers[place].length ? `<br>rule ${numbers[place].join(", ")}` : "";
  return `${plantDay(seconds(point.timestamp))} ${clockMinute(seconds(point.timestamp))}<br><b>${scale.text(point.value)}</b>${rules}`;
}

export function chartTable(item, scale, hrefOf) {
  const times = timesOf(item.points);
  const numbers = numbersOf(item);
  return { head: ["time", `value, ${scale.unit || "no unit"}`, "rules broken"], rows: item.points.map((each, i) => [{ text: times[i], href: hrefOf(each) }, scale.of(each.value), numbers[i].join(", ")]) };
}

export function chartSummary(item, scale) {
  const broken = numbersOf(item).filter((each) => each.length).length;
  const { centre, lower, upper } = item.location;
  return `Control chart of ${item.test_step}: ${item.points.length} points, mean ${scale.text(centre)}, control limits ${scale.text(lower)} and ${scale.text(upper)} ${scale.unit}, ${broken} points break a rule.`;
}
