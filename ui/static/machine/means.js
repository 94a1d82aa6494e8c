// What the same step measures at other machines: the mean of the newest 50 values of each, and all of
// them together as a band for the chart.
import { call, Trouble } from "yieldline";
import { addressOf } from "yieldline/api.js";

const VALUES = 50;
const ASKED_MAX = 6; // machines: each is a question of its own
const BAND_SIGMAS = 2;

// {machine: {mean, sigma, n, unit, text}}; machines without a number are not in it. Trouble leaves them
// out as well: the chart and the yields stand without.
export async function meansOf({ machines, product, procedure, step }, signal) {
  const asked = machines.slice(0, ASKED_MAX).map(async (machine) => {
    const url = addressOf("/api/v1/histogram", { machine_id: machine, product_id: product, procedure, step, values: VALUES });
    const { item } = await call(url, { signal });
    return item && [machine, { mean: item.mean, sigma: item.sigma_overall ?? 0, n: item.value_count, unit: item.unit, text: String(Number(item.mean.toPrecision(4))) }];
  });
  const found = await Promise.allSettled(asked);
  const broken = found.find((each) => each.status === "rejected" && each.reason.name !== "AbortError" && !(each.reason instanceof Trouble));
  if (broken) throw broken.reason;
  return Object.fromEntries(found.map((each) => each.value).filter(Boolean));
}

// Mean and spread of all values of all peers, as if they were one: {mean, low, high, names}; null of none.
export function bandOf(means, machine, unit) {
  const others = Object.entries(means).filter(([id, each]) => id !== machine && each.unit === unit);
  const n = others.reduce((sum, [, each]) => sum + each.n, 0);
  if (n < 2) return null;
  const mean = others.reduce((sum, [, each]) => sum + each.n * each.mean, 0) / n;
  const squares = others.reduce((sum, [, each]) => sum + (each.n - 1) * each.sigma ** 2 + each.n * (each.mean - mean) ** 2, 0);
  const reach = BAND_SIGMAS * Math.sqrt(squares / (n - 1));
  return { mean, low: mean - reach, high: mean + reach, names: others.map(([id]) => id) };
}
