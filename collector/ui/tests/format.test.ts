import { expect, test } from 'vitest';
import { ago, bytes, confidence, count, duration, durationWord, millis, nanos, rate, share } from '../src/lib/format';

test.each([
  [0, '0 ns'], [999, '999 ns'], [1500, '1.50 µs'], [999_600, '1.00 ms'], [12_345_678, '12.3 ms'], [1.5e9, '1.50 s'],
  [90e9, '1 min 30 s'], [3.6e12 * 5 + 60e9 * 7, '5 h 7 min'], [86400e9 * 7, '7.00 d'],
])('%d ns reads %s', (ns, said) => expect(duration(ns)).toBe(said));

test('what was not measured is a dash', () => expect(duration(null)).toBe('–'));

test('durations for the API keep four digits', () => {
  expect([1, 1234, 12_345_678, 2.5e9].map(durationWord)).toEqual(['1ns', '1.234us', '12.35ms', '2.5s']);
});

test('counts, bytes, rates and shares have units', () => {
  expect([count(12345), count(1_234_567)]).toEqual(['12,345', '1.23 M']);
  expect([bytes(512), bytes(1536), bytes(5 * 1024 ** 3)]).toEqual(['512 B', '1.50 KiB', '5.00 GiB']);
  expect([rate(0), rate(12.34), rate(0.05), rate(0.0005)]).toEqual(['0 /s', '12.3 /s', '3.00 /min', '1.80 /h']);
  expect([share(0, 9), share(1, 10000), share(1, 30), share(1, 2)]).toEqual(['0 %', '< 0.1 %', '3.3 %', '50 %']);
});

test('a confidence is not rounded up to certainty', () => {
  expect([1, 0.9999, 0.979].map(confidence)).toEqual(['100 %', '99.9 %', '97.9 %']);
});

test('times keep microseconds on the way to milliseconds and back', () => {
  expect(millis('1763751000123456789')).toBeCloseTo(1763751000123.456, 3);
  expect(nanos(millis('1763751000123456000'))).toBe('1763751000123456000');
});

test('how long ago', () => {
  expect([5e3, 120e3, 7.2e6, 2e8].map((ms) => ago(0, ms))).toEqual(['5 s ago', '2 min ago', '2 h ago', '2 d ago']);
});
