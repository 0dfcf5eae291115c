// Numbers in, what a person reads out: every number with its unit, three significant digits.

const MINUTE = 60e9;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

function digits(value: number): string {
  const size = Math.abs(value);
  return size >= 100 || value === 0 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** A duration in nanoseconds, such as `1.25 ms`. */
export function duration(ns: number | null | undefined): string {
  if (ns === null || ns === undefined) return '–';
  const size = Math.abs(ns);
  if (size < 999.5) return `${Math.round(ns)} ns`;
  if (size < 999.5e3) return `${digits(ns / 1e3)} µs`;
  if (size < 999.5e6) return `${digits(ns / 1e6)} ms`;
  if (size < MINUTE) return `${digits(ns / 1e9)} s`;
  if (size < HOUR) return `${Math.floor(ns / MINUTE)} min ${Math.round((ns % MINUTE) / 1e9)} s`;
  if (size < DAY) return `${Math.floor(ns / HOUR)} h ${Math.round((ns % HOUR) / MINUTE)} min`;
  return `${digits(ns / DAY)} d`;
}

/** The same as the query language and the API read it. */
export function durationWord(ns: number): string {
  for (const [unit, size] of [['s', 1e9], ['ms', 1e6], ['us', 1e3]] as const) {
    if (ns >= size) return `${+(ns / size).toPrecision(4)}${unit}`;
  }
  return `${Math.round(ns)}ns`;
}

/** A count, such as `12,345` or `1.23 M`. */
export function count(number: number): string {
  if (number < 1e5) return number.toLocaleString('en');
  if (number < 999.5e3) return `${digits(number / 1e3)} k`;
  return number < 999.5e6 ? `${digits(number / 1e6)} M` : `${digits(number / 1e9)} G`;
}

/** Bytes in powers of 1024. */
export function bytes(number: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  while (number >= 1024 && at < units.length - 1) {
    number /= 1024;
    at += 1;
  }
  return `${at === 0 ? number : digits(number)} ${units[at]}`;
}

/** A rate, in its most readable unit. */
export function rate(perSecond: number): string {
  if (perSecond === 0) return '0 /s';
  if (perSecond >= 0.1) return `${digits(perSecond)} /s`;
  return perSecond * 60 >= 0.1 ? `${digits(perSecond * 60)} /min` : `${digits(perSecond * 3600)} /h`;
}

/** `part` of `whole` in percent; a small share is not rounded to nothing. */
export function share(part: number, whole: number): string {
  if (whole === 0 || part === 0) return '0 %';
  const percent = (100 * part) / whole;
  return percent < 0.1 ? '< 0.1 %' : `${percent < 10 ? +percent.toFixed(1) : Math.round(percent)} %`;
}

/** A confidence between 0 and 1: never rounded up to certainty. */
export function confidence(value: number): string {
  return value >= 1 ? '100 %' : `${Math.min(99.9, +(value * 100).toFixed(1))} %`;
}

/** Nanoseconds since 1970, as the API writes them, in milliseconds. */
export function millis(time: string): number {
  return Number(BigInt(time) / 1000n) / 1000;
}

/** Milliseconds since 1970 as the API writes times. */
export function nanos(ms: number): string {
  return (BigInt(Math.round(ms * 1000)) * 1000n).toString();
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}

/** The time of day, local, with milliseconds. */
export function clock(ms: number, precise = true): string {
  const at = new Date(ms);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return precise ? `${time}.${String(at.getMilliseconds()).padStart(3, '0')}` : time;
}

/** The day, local: `2026-11-21`. */
export function day(ms: number): string {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** The time of day, and the day before it where that is not today's. */
export function moment(ms: number, today: number = Date.now(), precise = true): string {
  const time = clock(ms, precise);
  return day(ms) === day(today) ? time : `${day(ms)} ${time}`;
}

/** How long ago, roughly. */
export function ago(ms: number, now: number = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - ms) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 86400 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86400)} d ago`;
}

/** `1 span`, `2 spans`. */
export function many(number: number, noun: string): string {
  return `${count(number)} ${noun}${number === 1 ? '' : 's'}`;
}
