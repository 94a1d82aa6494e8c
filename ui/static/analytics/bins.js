// A histogram as a picture: bins against the limits that judged, and earlier ones.
const round = (value) => Number(value.toPrecision(4));

// Bins of which more than half is beyond a limit.
function isOutside({ low, high, comparator }, from, to) {
  if (/^L[TE]G[TE]$/.test(comparator ?? "")) return false; // good is what is outside
  const middle = (from + to) / 2;
  return (low !== null && middle < low) || (high !== null && middle > high);
}

function earlierOf({ limits, low, high }) {
  const now = [low, high];
  const before = (limits ?? []).slice(1).flatMap((each) => [each.low, each.high]);
  return [...new Set(before.filter((each) => each !== null && !now.includes(each)))];
}

// Values to point out, [{value, isThis}]: `isThis` has its number beside it. One far outside stands at the edge.
function marksOf(marks, { min, max }, scale, c) {
  const data = [...marks].sort((a, b) => a.isThis - b.isThis).map(({ value, isThis }) => ({
    value: [scale.of(Math.min(max, Math.max(min, value))), 0],
    itemStyle: { color: isThis ? c.text : c.text_3, borderColor: c.s1, borderWidth: 1 },
    label: { show: isThis, formatter: `${scale.text(value)}${value < min || value > max ? ", off the scale" : ""}`, position: "top", distance: 8, color: c.text, fontSize: 11, fontWeight: 500, backgroundColor: c.s1, padding: [1, 3] },
  }));
  return { type: "scatter", name: "this unit", z: 5, silent: true, symbol: "triangle", symbolRotate: 180, symbolSize: [10, 9], symbolOffset: [0, -6], data };
}

export function histogramOptions(item, scale, marks = []) {
  const { edges, counts } = item;
  const [first, last] = [edges[0], edges.at(-1)];
  const near = (value) => value !== null && value >= first - (last - first) && value <= last + (last - first);
  const limits = [item.low, item.high].filter(near);
  const earlier = earlierOf(item).filter(near);
  const shown = marks.map((each) => each.value).filter(near);
  const [min, max] = [Math.min(first, ...limits, ...earlier, ...shown), Math.max(last, ...limits, ...earlier, ...shown)];
  const air = (max - min) * 0.04;
  return (c) => {
    const line = (value, words, color, type) => ({ xAxis: scale.of(value), lineStyle: { color, type, width: 1.6 }, label: { formatter: words, color, fontSize: 11, position: "insideEndTop", rotate: 0, align: value > (min + max) / 2 ? "right" : "left", padding: [0, 5] } });
    const lines = [...limits.map((each) => line(each, `limit ${scale.text(each)}`, c.fail, "solid")), ...earlier.map((each) => line(each, `was ${scale.text(each)}`, c.text_3, "dashed"))];
    const beyond = [...(limits.includes(item.low) ? [[scale.of(min - air), scale.of(item.low)]] : []), ...(limits.includes(item.high) ? [[scale.of(item.high), scale.of(max + air)]] : [])];
    return {
      grid: { left: 40, right: 16, top: 22, bottom: 24 },
      tooltip: { trigger: "item", formatter: ({ data }) => (data?.said ? data.said : "") },
      xAxis: { type: "value", min: scale.of(min - air), max: scale.of(max + air), splitLine: { show: false }, axisLabel: { hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: (value) => String(round(value)) } },
      yAxis: { type: "value", minInterval: 1, splitNumber: 4 },
      series: [
        {
          type: "custom", name: "count", encode: { x: [0, 1], y: 2 }, clip: true,
          renderItem: (_params, api) => {
            const [left, top] = api.coord([api.value(0), api.value(2)]);
            const [right, bottom] = api.coord([api.value(1), 0]);
            return { type: "rect", shape: { x: left + 0.5, y: top, width: Math.max(1, right - left - 1), height: bottom - top }, style: { fill: api.visual("color") } };
          },
          data: counts.map((count, i) => {
            const outside = isOutside(item, edges[i], edges[i + 1]);
            return { value: [scale.of(edges[i]), scale.of(edges[i + 1]), count], isOutside: outside, said: `${scale.text(edges[i])} to ${scale.text(edges[i + 1])}: <b>${count}</b>`, itemStyle: { color: outside ? c.fail : c.quiet } };
          }),
          markLine: { symbol: "none", silent: true, data: lines },
          markArea: { silent: true, itemStyle: { color: c.fail_tint }, data: beyond.map(([from, to]) => [{ xAxis: from }, { xAxis: to }]) },
        },
        ...(marks.length ? [marksOf(marks, { min, max }, scale, c)] : []),
      ],
    };
  };
}

export function binsTable({ edges, counts, ...item }, scale, hrefOf) {
  const name = (i) => `${scale.text(edges[i])} \u2013 ${scale.text(edges[i + 1])}`;
  return { head: [scale.unit || "value", "count"], rows: counts.map((count, i) => [{ text: name(i), href: hrefOf(isOutside(item, edges[i], edges[i + 1])) }, count]) };
}

export function histogramSummary(item, scale) {
  const beyond = item.below_low_count + item.above_high_count;
  return `Histogram of ${item.test_step}: ${item.value_count} values, mean ${scale.text(item.mean)} ${scale.unit}, ${beyond} beyond a limit.`;
}
