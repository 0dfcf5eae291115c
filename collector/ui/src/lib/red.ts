// Series of figures in, what charts and tables show out: rates, shares and percentiles over time.

import type { Figures, Red, Series } from './api';
import { millis } from './format';

/** Times in milliseconds; a point without a value is a gap. */
export interface Curve {
  name: string;
  values: (number | null)[];
}

export interface Chart {
  times: number[];
  curves: Curve[];
}

/** The steps of an answer up to now: in the running one there may be more to come, so it counts as long as it is old. */
export function steps(red: Red, now: number): { times: number[]; seconds: number[] } {
  const step = red.step_ns / 1e6;
  const [start, end] = [millis(red.start), Math.min(millis(red.end), now)];
  const times: number[] = [];
  for (let at = Math.floor(start / step) * step; at < end && times.length < 25000; at += step) times.push(at);
  return { times, seconds: times.map((at) => Math.max(1, (Math.min(at + step, end) - Math.max(at, start)) / 1000)) };
}

type Read = (point: Figures | undefined, seconds: number) => number | null;

export const RATE: Read = (point, seconds) => (point?.spans ?? 0) / seconds;
export const ERRORS: Read = (point) => (point && point.spans > 0 ? (100 * point.errors) / point.spans : null);
export const quantile = (name: 'p50_ns' | 'p90_ns' | 'p99_ns'): Read => (point) => point?.duration[name] ?? null;

/** One curve of a series. */
export function curve(red: Red, series: Series, now: number, name: string, read: Read): Curve {
  const { times, seconds } = steps(red, now);
  const points = new Map(series.points.map((point) => [millis(point.time), point]));
  return { name, values: times.map((at, place) => read(points.get(at), seconds[place])) };
}

/** Requests a second over the time in which there were any: half an hour of silence before the first is not counted. */
export function meanRate(red: Red, series: Series, now: number): number {
  const first = series.points[0];
  if (!first) return 0;
  const from = Math.max(millis(red.start), millis(first.time));
  const to = Math.min(millis(red.end), now);
  return series.total.spans / Math.max(1, (to - from) / 1000);
}
