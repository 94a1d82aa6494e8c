// First pass yield over time, then and with the draft, out of the yields by hour and the runs that change.
import { clockMinute, weekday, zoneName } from "yieldline";

const HOUR_S = 3600;
const HOURS_MAX = 49; // more are drawn by day
const STEPS = [0.5, 1, 2, 5, 10, 20];

const at = (text) => Date.parse(text) / 1000;
const empty = (label) => ({ label, units: 0, passed: 0, low: 0, high: 0, failing: new Set(), rescued: new Set() });

// `hours`: items of /api/v1/yield?group=hour of one procedure. Returns buckets by time, where units were
// first tested: {label, units, passed, low, high, failing, rescued}; low and high are units that pass with
// the draft, which differ where a run stopped at the failure.
export function seriesOf(report, hours, procedure) {
  const moments = hours.map((each) => at(each.group));
  const isByDay = moments.length > 0 && Math.max(...moments) - Math.min(...moments) > HOURS_MAX * HOUR_S;
  const labelOf = (seconds) => (isByDay ? weekday(seconds) : `${weekday(seconds).split(" ")[0]} ${clockMinute(seconds - (seconds % HOUR_S))}`);
  const buckets = new Map();
  hours.forEach((each, i) => {
    const label = labelOf(moments[i]);
    const bucket = buckets.get(label) ?? empty(label);
    const passed = Math.round((each.first_pass_yield ?? 0) * each.units);
    for (const key of ["passed", "low", "high"]) bucket[key] += passed;
    bucket.units += each.units;
    buckets.set(label, bucket);
  });
  for (const run of [...report.rescued, ...report.newly_failing]) {
    const bucket = buckets.get(labelOf(at(run.timestamp)));
    if (run.procedure !== procedure || !bucket) continue;
    const isRescued = run.outcome_after === "PASS";
    bucket[isRescued ? "rescued" : "failing"].add(`${run.barcode}\n${run.product_id}`);
    if (!run.is_first) continue;
    bucket.high += isRescued ? 1 : -1;
    bucket.low += isRescued ? (run.is_unfinished ? 0 : 1) : -1;
  }
  return { isByDay, buckets: [...buckets.values()], zone: moments.length ? zoneName(moments[0]) : "" };
}

const percent = (good, units) => (units ? Math.round((good / units) * 10_000) / 100 : null);

export function tableOf({ buckets, isByDay }) {
  const head = [isByDay ? "day" : "hour", "units", "FPY then, %", "FPY with it at least, %", "at most, %", "newly failing", "rescued"];
  return { head, rows: buckets.map((each) => [each.label, each.units, percent(each.passed, each.units), percent(each.low, each.units), percent(each.high, each.units), each.failing.size, each.rescued.size]) };
}

export function optionsOf(series) {
  const { head, rows } = tableOf(series);
  const column = (i) => rows.map((row) => row[i]);
  const [then, low, high, failing, rescued] = [2, 3, 4, 5, 6].map(column);
  const lowest = Math.min(...[...then, ...low].filter((each) => each !== null), 100);
  const most = Math.max(1, ...failing, ...rescued);
  // The bars stand in the lowest quarter, below the lines.
  const span = Math.max(1, (100 - lowest) * 1.4);
  const step = STEPS.find((each) => span / each <= 5) ?? 25;
  const floor = Math.max(0, 100 - step * Math.ceil(span / step));
  return (c) => ({
    grid: { left: 46, right: 12, top: 10, bottom: 24 },
    tooltip: { trigger: "axis" },
    xAxis: { type: "category", data: column(0), axisTick: { show: false } },
    yAxis: [
      { type: "value", min: floor, max: 100, interval: step, axisLabel: { formatter: "{value} %" } },
      { type: "value", min: 0, max: most * 5, show: false },
    ],
    series: [
      { name: head[2], type: "line", data: then, symbol: "none", lineStyle: { color: c.text_3, type: "dashed", width: 1.6 }, itemStyle: { color: c.text_3 } },
      { name: head[3], type: "line", data: low, stack: "doubt", symbol: rows.length > 40 ? "none" : "circle", itemStyle: { color: c.text }, lineStyle: { color: c.text, width: 2.2 } },
      { name: "cannot be answered, points", type: "line", data: high.map((each, i) => (each === null ? null : Math.round((each - low[i]) * 100) / 100)), stack: "doubt", symbol: "none", lineStyle: { opacity: 0 }, itemStyle: { color: c.text_3 }, areaStyle: { color: c.text, opacity: 0.22 } },
      { name: head[5], type: "bar", yAxisIndex: 1, data: failing, itemStyle: { color: c.fail }, barMaxWidth: 14 },
      { name: head[6], type: "bar", yAxisIndex: 1, data: rescued, itemStyle: { color: c.text_3 }, barMaxWidth: 14 },
    ],
  });
}

export function summaryOf({ buckets }, procedure) {
  const sum = (key) => buckets.reduce((all, each) => all + each[key], 0);
  const worst = buckets.filter((each) => each.units).sort((one, other) => (one.low - one.passed) / one.units - (other.low - other.passed) / other.units)[0];
  if (!worst) return `First pass yield of ${procedure}: no unit in this range.`;
  const [before, low, high] = ["passed", "low", "high"].map((key) => percent(sum(key), sum("units")));
  const now = low === high ? `${low}` : `${low} to ${high}`;
  return `First pass yield of ${procedure}: ${before} percent as judged then, ${now} with the draft. Most changes: ${worst.label}.`;
}
