import { expect, test } from 'vitest';
import { address, refusal } from '../src/lib/api';
import { COLOURS, hue } from '../src/lib/colour';
import { curve, key, picture } from '../src/lib/layout';
import { rangeOf, view, withRange } from '../src/lib/place';
import { curve as redCurve, meanRate, RATE, steps } from '../src/lib/red';
import { decades, histogram, niceStep, ticks } from '../src/lib/scale';
import { EventReader } from '../src/lib/sse';
import { rowsInView, scrollTo } from '../src/lib/virtual';

test('events are put together however the text is cut', () => {
  const text = 'event: span\ndata: {"a":1}\n\n: alive\n\nevent: lost\r\ndata: {"batches":2}\r\n\r\ndata: x\ndata: y\n\n';
  const expected = [{ name: 'span', data: '{"a":1}' }, { name: 'lost', data: '{"batches":2}' }, { name: 'message', data: 'x\ny' }];
  for (const size of [1, 7, 1000]) {
    const reader = new EventReader();
    const found = [];
    for (let at = 0; at < text.length; at += size) found.push(...reader.push(text.slice(at, at + size)));
    expect(found.filter((event) => event.data !== '')).toEqual(expected);
  }
});

test('only the rows in view are drawn, the last one can be reached, however many they are', () => {
  for (const rows of [0, 1, 10, 1000, 100_000, 3_000_000]) {
    const end = rowsInView(rows, 26, 1e12, 500);
    expect(end.last).toBe(rows);
    expect(end.last - end.first).toBeLessThan(40);
    expect(Math.abs(end.top + (end.last - end.first) * 26 - end.height)).toBeLessThan(1);
  }
  expect(rowsInView(1000, 26, 2600, 500)).toMatchObject({ first: 94, top: 94 * 26 });
});

test('scrolling to a row shows it', () => {
  for (const rows of [1000, 3_000_000]) {
    for (const row of [0, 1, rows / 2, rows - 1]) {
      const shown = rowsInView(rows, 26, scrollTo(row, rows, 26, 300, 500), 500);
      expect(shown.first <= row && row < shown.last).toBe(true);
    }
  }
  expect(scrollTo(15, 1000, 26, 300, 500)).toBe(300);
});

test('paths and what they mean', () => {
  expect(['/', '/trace/ab', '/services/a%2Fb', '/compare/a/b', '/map', '/nope', '/trace/%zz/'].map(view)).toEqual([
    { name: 'traces' }, { name: 'trace', id: 'ab' }, { name: 'service', service: 'a/b' }, { name: 'compare', a: 'a', b: 'b' },
    { name: 'map' }, { name: 'nowhere' }, { name: 'trace', id: '%zz' },
  ]);
});

test('the time range goes along from view to view', () => {
  const query = new URLSearchParams('since=6h&q=x');
  expect(withRange('/map', query)).toBe('/map?since=6h');
  expect(withRange('/', query, { q: '{ a = 1 }' })).toBe('/?since=6h&q=%7B+a+%3D+1+%7D');
  expect(rangeOf(new URLSearchParams())).toEqual({ since: '1h' });
  expect(rangeOf(new URLSearchParams('start=1&end=2&since=5m'))).toEqual({ start: '1', end: '2' });
});

test('addresses and refusals of the API', () => {
  expect(address('red', { by: 'service', kind: '', step: undefined, n: 0 })).toBe('/api/v1/red?by=service&n=0');
  expect(refusal(400, '{"error":"no","at":3}')).toMatchObject({ status: 400, message: 'no', at: 3 });
  expect(refusal(401, 'the token is missing\n').message).toBe('the token is missing');
});

test('scales', () => {
  expect([0.9, 3, 7, 12].map((span) => niceStep(span, 1))).toEqual([1, 5, 10, 20]);
  expect(ticks(0, 10, 5)).toEqual([0, 2, 4, 6, 8, 10]);
  expect([decades([1500, 2e6]), decades([])]).toEqual([[1000, 1e7], [1e5, 1e8]]);
  expect(histogram([1, 10, 11, 99, 5000, 0], [1, 100], 2)).toEqual([2, 4]);
});

test('a name has one colour', () => {
  expect(hue('cart')).toBe(hue('cart'));
  expect(new Set(Array.from({ length: 200 }, (_, at) => hue(`service-${at}`))).size).toBe(COLOURS);
});

const duration = { p50_ns: 1, p90_ns: 1, p99_ns: 1, max_ns: 1, sum_ns: 1 };
const figures = (spans: number) => ({ spans, errors: 0, duration });

test('rates count the running minute only as long as it is', () => {
  const series = { service: 'a', operation: null, total: figures(90), points: [{ time: '60000000000', ...figures(60) }, { time: '120000000000', ...figures(30) }] };
  const red = { start: '0', end: '600000000000', step_ns: 60e9, series: [series] };
  expect(steps(red, 150e3).seconds).toEqual([60, 60, 30]);
  expect(redCurve(red, series, 150e3, 'r', RATE).values).toEqual([0, 1, 1]);
  expect(meanRate(red, series, 150e3)).toBe(1);
});

test('the map is laid out from callers to what they call, whatever the names', () => {
  const node = (name: string, kind: 'service' | 'database' = 'service') => ({ name, kind, figures: figures(1) });
  const edge = (from: string, to: string, to_kind: 'service' | 'database' = 'service') => ({ from, to, to_kind, figures: figures(1) });
  const drawn = picture({
    start: '0', end: '1', first: null,
    nodes: [node('a'), node('__proto__'), node('a', 'database'), node('alone')],
    edges: [edge('a', '__proto__'), edge('__proto__', 'a', 'database'), edge('__proto__', 'a'), edge('a', 'a')],
  }, false);
  expect(drawn.boxes[0].x).toBeLessThan(drawn.boxes[1].x);
  expect(drawn.boxes[1].x).toBeLessThan(drawn.boxes[2].x);
  expect(drawn.lines.every((line) => line.points.length > 1 && Number.isFinite(line.label.x))).toBe(true);
  expect(key('service', 'a')).not.toBe(key('database', 'a'));
  expect(curve([{ x: 0, y: 0 }, { x: 1, y: 1 }, { x: 2, y: 0 }])).toBe('M0,0Q1,1 2,0');
});
