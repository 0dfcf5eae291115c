// Values in, places on an axis and its ticks out.

/** A step of 1, 2 or 5 times a power of ten that makes about `wanted` of them. */
export function niceStep(span: number, wanted: number): number {
  const raw = span / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(raw));
  const ratio = raw / power;
  return power * (ratio <= 1 ? 1 : ratio <= 2 ? 2 : ratio <= 5 ? 5 : 10);
}

/** Round values between `from` and `to`. */
export function ticks(from: number, to: number, wanted: number): number[] {
  if (!(to > from)) return [from];
  const step = niceStep(to - from, wanted);
  const all: number[] = [];
  for (let at = Math.ceil(from / step); at * step <= to && all.length < 100; at += 1) all.push(at * step);
  return all;
}

const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

/** Round local times between two, in milliseconds. */
export function timeTicks(from: number, to: number, wanted: number): number[] {
  const raw = (to - from) / 1000 / Math.max(1, wanted);
  const step = (TIME_STEPS.find((step) => step >= raw) ?? Math.ceil(raw / 86400) * 86400) * 1000;
  const zone = new Date(from).getTimezoneOffset() * 60e3;
  const all: number[] = [];
  for (let at = Math.ceil((from - zone) / step) * step + zone; at <= to && all.length < 100; at += step) all.push(at);
  return all;
}

/** Powers of ten that enclose the values; at least one decade. */
export function decades(values: Iterable<number>): [number, number] {
  let [least, most] = [Infinity, 0];
  for (const value of values) {
    if (value > 0) least = Math.min(least, value);
    most = Math.max(most, value);
  }
  if (most === 0) return [1e5, 1e8];
  const low = Math.floor(Math.log10(least));
  return [10 ** low, 10 ** Math.max(low + 1, Math.ceil(Math.log10(most)))];
}

/** How many values lie in each of `bins` equal steps of the logarithm. */
export function histogram(values: Iterable<number>, [low, high]: [number, number], bins: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  const span = Math.log10(high / low);
  for (const value of values) {
    const at = Math.floor((Math.log10(Math.max(value, low) / low) / span) * bins);
    counts[Math.min(bins - 1, Math.max(0, at))] += 1;
  }
  return counts;
}
