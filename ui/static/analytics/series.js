// Yields over time as a chart, out of the yields by hour, shift or day.
import { clockMinute, plantDay, plantField, thousands } from "yieldline";
import { FEW_UNITS, interval, percent } from "yieldline/shares.js";
import { shiftsOf } from "./labels.js";
import { resultsLink } from "./period.js";

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 25];
const SOME_S = 36 * 3600; // a longer range has days in its labels
const SHORT_S = 4 * 3600; // has ticks at quarters of an hour
const MARKS_MAX = 3; // that have words beside them
const WORDS_MAX = 44;
const PHONE_PX = 600; // too narrow for words
const SHOWN_MAX = 60; // more points are drawn without dots
const PLOT_PX = 150; // about
const LABEL_PX = 15; // of programs, one below the other
const BAR_PX_MAX = 22;
const BARS_SHARE = 6; // the bars stand in so small a part of the height

const seconds = (text) => Date.parse(text) / 1000;
const middle = (each) => (seconds(each.since) + seconds(each.until)) / 2;
const points = (share) => (share === null || share === undefined ? null : Math.round(share * 10_000) / 100);

// The axis counts the plant's time, so that its ticks stand at the plant's hours and days.
function clockOf(start) {
  const apart = seconds(`${plantField(start)}Z`) - Math.floor(start / 60) * 60;
  return { to: (at) => (at + apart) * 1000, from: (ms) => ms / 1000 - apart };
}

// A hole in time is a hole in the line: {bucket: null} stands in it.
function withHoles(items) {
  return items.flatMap((each, i) => (i && seconds(each.since) > seconds(items[i - 1].until) + 1 ? [{ at: (seconds(items[i - 1].until) + seconds(each.since)) / 2, of: null }, { at: middle(each), of: i }] : [{ at: middle(each), of: i }]));
}

export const spanOf = (each, isLong) => {
  const [since, until] = [seconds(each.since), seconds(each.until)];
  const day = isLong ? `${plantDay(since)} ` : "";
  return `${day}${clockMinute(since)} \u2013 ${clockMinute(until)}`;
};

// Only numbers and words of ours come into it: it is HTML.
function tip(each, isLong, compared) {
  const yields = [
    ["RTY", each.rolled_throughput_yield, interval(each.rolled_throughput_yield_low, each.rolled_throughput_yield_high, each.units)],
    ["FPY", each.first_pass_yield, interval(each.first_pass_yield_low, each.first_pass_yield_high, each.units)],
    ["Final", each.final_yield, ""],
    ...(compared ? [["RTY before", compared.rolled_throughput_yield, ""]] : []),
  ];
  const lines = yields.map(([name, share, doubt]) => `${name} <b>${percent(share, each.units)} %</b>${doubt ? ` (${doubt})` : ""}`);
  const late = each.late_runs ? `<br>${thousands(each.late_runs)} late results` : "";
  return `${spanOf(each, isLong)}<br>${lines.join("<br>")}<br>${thousands(each.units)} units${each.units < FEW_UNITS ? ", few" : ""}${late}`;
}

// What the period before had at the same place.
function counterpart(each, compared) {
  const reach = (seconds(each.until) - seconds(each.since)) / 2;
  return compared.find(({ at }) => Math.abs(at - middle(each)) < reach);
}

function scaleOf(items, compared, target) {
  const sure = items.filter((each) => each.units >= FEW_UNITS);
  const seen = sure.length ? sure : items;
  const lows = seen.flatMap((each) => [each.rolled_throughput_yield_low, each.first_pass_yield]);
  const all = [...lows, ...items.map((each) => each.rolled_throughput_yield), ...compared.map((each) => each.rolled_throughput_yield), target / 100];
  const lowest = Math.min(...all.filter((each) => each !== null)) * 100;
  const span = Math.max(1, (100 - lowest) * (1 + 1 / (BARS_SHARE - 1)));
  const step = STEPS.find((each) => span / each <= 5) ?? 25;
  return { step, min: Math.max(0, 100 - step * Math.ceil(span / step)) };
}

const cut = (text) => (text.length > WORDS_MAX ? `${text.slice(0, WORDS_MAX)}…` : text);

function marksOf(versions, { from, until }, clock, c) {
  const found = versions.filter(({ activated_at: at }) => seconds(at) > from && seconds(at) < until);
  return found.map(({ version, activated_at, reason }, i) => {
    const at = seconds(activated_at);
    const isNamed = i < MARKS_MAX && window.innerWidth > PHONE_PX;
    const words = isNamed ? `Rulebook v${version}, ${clockMinute(at)}\n${cut(reason)}` : `v${version}`;
    return { xAxis: clock.to(at), href: `/rules?version=${version}`, label: { formatter: words, position: "insideMiddleTop", rotate: 0, color: c.text, backgroundColor: c.s3, borderColor: c.line2, borderWidth: isNamed ? 1 : 0, borderRadius: 4, padding: [4, 8], fontSize: 11, lineHeight: 14, align: at - from > (until - from) / 2 ? "right" : "left" } };
  });
}

const nameOf = (program, version) => [program ?? "no program", version].filter(Boolean).join(" ");

// Programs that machines changed to: a line each at its first machine, with how many followed.
function programMarksOf(changes, { from, until }, clock, c) {
  const found = new Map();
  for (const each of changes) {
    const key = nameOf(each.program, each.program_version);
    if (seconds(each.at) <= from || seconds(each.at) >= until) continue;
    if (!found.has(key)) found.set(key, { ...each, machines: new Set() });
    found.get(key).machines.add(each.machine_id);
  }
  return [...found].map(([key, first], i) => {
    const at = seconds(first.at);
    const where = first.machines.size > 1 ? `${first.machines.size} machines` : first.machine_id;
    const words = i < MARKS_MAX && window.innerWidth > PHONE_PX ? `${cut(key)}, ${where}` : "";
    return { xAxis: clock.to(at), href: resultsLink({ machine_id: first.machine_id, run: first.run_id, at: new Date((at + 1) * 1000).toISOString() }), lineStyle: { color: c.text_3, type: "dashed", width: 1 }, label: { formatter: words, position: "insideMiddleBottom", offset: [0, i * LABEL_PX], rotate: 0, color: c.text_2, fontSize: 11, align: at - from > (until - from) / 2 ? "right" : "left", padding: [0, 5] } };
  });
}

function bar(_place, api) {
  const [left, top] = api.coord([api.value(0), api.value(2)]);
  const [right, bottom] = api.coord([api.value(1), 0]);
  const width = Math.min(BAR_PX_MAX, (right - left) * 0.6);
  return { type: "rect", shape: { x: (left + right - width) / 2, y: top, width, height: bottom - top }, style: api.style() };
}

// `given`: {items, compared (moved here already), target, goal (of the RTY; null: none), versions, programs, from, until}.
export function optionsOf(given) {
  const { items, compared, target, goal, versions, programs, from, until } = given;
  const isLong = until - from > SOME_S;
  const clock = clockOf(from);
  const places = withHoles(items);
  const at = (value) => places.map(({ at: x, of }) => ({ value: [clock.to(x), of === null ? null : value(items[of])], bucket: of }));
  const dots = places.length > SHOWN_MAX ? "none" : "circle";
  const { min, step } = scaleOf(items, compared, Math.min(target, goal ?? target));
  const most = Math.max(1, ...items.map((each) => each.units));
  const last = items.at(-1);
  const named = [["Final", last.final_yield], ["FPY", last.first_pass_yield], ["RTY", last.rolled_throughput_yield]];
  const shifts = shiftsOf(named.map(([, share]) => (100 - share * 100) * (PLOT_PX / (100 - min))));
  const ends = (i, color, ground) => ({ endLabel: { show: true, formatter: `${named[i][0]} ${percent(named[i][1], last.units)}`, fontSize: 11, color, backgroundColor: ground, padding: [1, 3], textBorderWidth: 0, distance: 9, offset: [0, shifts[i]] } });
  const aims = [[target, goal === null ? "target" : "target FPY"], ...(goal === null ? [] : [[goal, "target RTY"]])].map(([share, words], i) => ({ yAxis: share, label: { formatter: `${words} ${share.toFixed(1)}`, position: (i === 0) === target >= (goal ?? 0) ? "insideStartTop" : "insideStartBottom" } }));
  return (c) => ({
    useUTC: true,
    grid: { left: 40, right: 84, top: 12, bottom: 24 },
    tooltip: {
      trigger: "axis",
      formatter: (found) => {
        const bucket = [found].flat().find((each) => typeof each.data?.bucket === "number")?.data.bucket;
        return bucket === undefined ? "" : tip(items[bucket], isLong, counterpart(items[bucket], compared));
      },
    },
    xAxis: { type: "time", min: clock.to(from), max: clock.to(until), axisLabel: { hideOverlap: true, formatter: (ms) => (isLong ? plantDay(clock.from(ms)) : clockMinute(clock.from(ms))) }, splitLine: { show: false }, minInterval: isLong ? 86_400_000 : until - from < SHORT_S ? 900_000 : 3_600_000 },
    yAxis: [
      { type: "value", min, max: 100, interval: step },
      { type: "value", min: 0, max: most * BARS_SHARE, show: false },
    ],
    series: [
      {
        name: "units", type: "custom", yAxisIndex: 1, encode: { x: [0, 1], y: 2 }, itemStyle: { color: c.quiet, opacity: 0.5 }, renderItem: bar,
        data: items.map((each, i) => ({ value: [clock.to(seconds(each.since)), clock.to(seconds(each.until)), each.units], bucket: i })),
      },
      { name: "low", type: "line", stack: "band", data: at((each) => points(each.rolled_throughput_yield_low)), symbol: "none", lineStyle: { opacity: 0 }, silent: true },
      { name: "band", type: "line", stack: "band", data: at((each) => points(each.rolled_throughput_yield_high - each.rolled_throughput_yield_low)), symbol: "none", lineStyle: { opacity: 0 }, areaStyle: { color: c.text, opacity: 0.12 }, silent: true },
      { name: "RTY before", type: "line", data: compared.map((each) => ({ value: [clock.to(each.at), points(each.rolled_throughput_yield)] })), symbol: "none", lineStyle: { color: c.text_3, type: "dotted", width: 1.4 }, silent: true },
      { name: "Final", type: "line", data: at((each) => points(each.final_yield)), symbol: dots, symbolSize: 3, lineStyle: { color: c.text_2, type: "dashed", width: 1.4 }, itemStyle: { color: c.text_2 }, ...ends(0, c.text_3, c.s1) },
      {
        name: "FPY", type: "line", symbol: dots, z: 5, lineStyle: { color: c.text_2, width: 1.4 }, itemStyle: { color: c.text_2 }, ...ends(1, isLow(last, target) ? c.fail : c.text_3, c.s1),
        data: at((each) => points(each.first_pass_yield)).map((each) => (each.bucket !== null && isLow(items[each.bucket], target) ? { ...each, symbol: "circle", symbolSize: 7, itemStyle: { color: c.fail } } : { ...each, symbolSize: 3 })),
        markLine: { z: 1, symbol: "none", silent: true, data: aims, lineStyle: { color: c.text_3, type: "dashed" }, label: { color: c.text_3, fontSize: 11 } },
      },
      {
        name: "RTY", type: "line", data: at((each) => points(each.rolled_throughput_yield)), symbol: dots, symbolSize: 5, lineStyle: { color: c.text, width: 2.4 }, itemStyle: { color: c.text }, z: 4, ...ends(2, c.text, c.s1),
        markLine: { symbol: "none", data: [...marksOf(versions, { from, until }, clock, c), ...programMarksOf(programs, { from, until }, clock, c)], lineStyle: { color: c.accent, type: "solid", width: 1.2 } },
      },
      {
        name: "late", type: "scatter", yAxisIndex: 1, symbol: "diamond", symbolSize: 8, itemStyle: { color: c.stale }, label: { show: true, position: "top", formatter: ({ data }) => `${data.late} late`, color: c.text_3, fontSize: 11 },
        data: places.filter(({ of }) => of !== null && items[of].late_runs).map(({ at: x, of }) => ({ value: [clock.to(x), most * 0.06], bucket: of, late: items[of].late_runs })),
      },
    ],
  });
}

export const isLow = (each, target) => each.units >= FEW_UNITS && each.first_pass_yield_high * 100 < target;

// Moves the buckets of the period before onto this one, so that both begin at the same place.
export function moved(items, apart_s) {
  return items.map((each) => ({ ...each, at: middle(each) + apart_s }));
}

export function tableOf(items, isLong, hrefOf) {
  const head = ["time", "units", "RTY, %", "FPY, %", "final, %", "late results"];
  return { head, rows: items.map((each) => [{ text: spanOf(each, isLong), href: hrefOf(each) }, each.units, points(each.rolled_throughput_yield), points(each.first_pass_yield), points(each.final_yield), each.late_runs]) };
}

export function summaryOf(items) {
  const [first, last] = [items[0], items.at(-1)];
  const worst = [...items].sort((a, b) => a.rolled_throughput_yield - b.rolled_throughput_yield)[0];
  const said = (each) => `${percent(each.rolled_throughput_yield, each.units)} percent (${spanOf(each, true)})`;
  return `Rolled throughput yield: ${said(first)} at first, ${said(last)} at last, lowest ${said(worst)}.`;
}
