import { expect, test } from 'vitest';
import type { Outline } from '../src/lib/api';
import { compare } from '../src/lib/compare';
import { criticalPath } from '../src/lib/critical';
import { forest, rows, selfTime, withText, type Shown } from '../src/lib/outline';

/** Spans as [parent, start, duration, name]. */
export function outline(spans: [number, number, number, string?][]): Outline {
  const names = [...new Set(spans.map((span) => span[3] ?? 'x'))];
  const column = (value: number) => spans.map(() => value);
  return {
    trace_id: '1', start: '0', duration_ns: 100, services: ['svc'], names, methods: [], losses: [], missing_parents: 0, truncated: false,
    spans: {
      id: spans.map((_, at) => String(at)), parent: spans.map((span) => span[0]), service: column(0),
      name: spans.map((span) => names.indexOf(span[3] ?? 'x')), kind: column(0), status: column(0),
      offset_ns: spans.map((span) => span[1]), duration_ns: spans.map((span) => span[2]), method: column(-1), confidence: column(0),
    },
  };
}

const ALL: Shown = { focus: null, folded: new Set(), unrolled: new Set(), matches: null };
const shown = (spans: [number, number, number, string?][], some: Partial<Shown> = {}) =>
  Array.from(rows(forest(outline(spans)), { ...ALL, ...some }));

const TREE: [number, number, number, string?][] = [[-1, 0, 100, 'root'], [0, 50, 20, 'b'], [0, 10, 30, 'a'], [2, 15, 5, 'leaf'], [-2, 5, 1, 'orphan']];

test('parents come before children, children by start, every root is shown', () => {
  expect(shown(TREE)).toEqual([0, 2, 3, 1, 4]);
  expect(Array.from(forest(outline(TREE)).depth)).toEqual([0, 1, 1, 2, 0]);
});

test('folded, filtered, and a part as the whole', () => {
  expect(shown(TREE, { folded: new Set([2]) })).toEqual([0, 2, 1, 4]);
  expect(shown(TREE, { matches: new Set([3]) })).toEqual([0, 2, 3]);
  expect(shown(TREE, { focus: 2 })).toEqual([2, 3]);
});

test('a loop of parents is cut, nothing is lost', () => {
  expect(shown([[1, 0, 1], [0, 0, 1], [2, 0, 1]]).length).toBe(3);
});

test('many alike siblings are one row until somebody looks', () => {
  const spans: [number, number, number, string?][] = [[-1, 0, 100, 'root']];
  for (let at = 0; at < 12; at += 1) spans.push([0, at, 1, 'query']);
  spans.push([0, 20, 1, 'other']);
  expect(shown(spans)).toEqual([0, ~1, 13]);
  const all = forest(outline(spans));
  expect([all.run[1], all.runTime[1], all.runEnd[1]]).toEqual([12, 12, 12]);
  expect(shown(spans, { unrolled: new Set([1]) })).toEqual([0, ~1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  expect(shown(spans, { matches: new Set([5]) })).toEqual([0, 5]);
});

test('own time is what no child covers', () => {
  const all = forest(outline([[-1, 0, 100], [0, 10, 30], [0, 20, 40], [0, 90, 50]]));
  expect(selfTime(all, 0)).toBe(100 - 50 - 10);
});

test('the critical path goes back from the end', () => {
  const path = criticalPath(forest(outline([[-1, 0, 100], [0, 10, 40], [0, 20, 60], [2, 30, 10]])), 0);
  const found = path.map(({ span, from, to }) => [span, from, to]).sort((a, b) => a[1] - b[1]);
  expect(found).toEqual([[0, 0, 20], [2, 20, 30], [3, 30, 40], [2, 40, 80], [0, 80, 100]]);
});

test('a child that outlives its parent counts to its parent’s end', () => {
  const path = criticalPath(forest(outline([[-1, 0, 100], [0, 50, 100]])), 0);
  expect(path.map(({ span, from, to }) => [span, from, to])).toEqual([[0, 0, 50], [1, 50, 100]]);
});

test('words are looked for in services and names', () => {
  expect(withText(outline(TREE), 'LEA')).toEqual(new Set([3]));
  expect(withText(outline(TREE), 'svc').size).toBe(5);
});

test('two traces are compared by the way from the root', () => {
  const pairs = compare(
    forest(outline([[-1, 0, 100, 'root'], [0, 1, 5, 'q'], [0, 9, 5, 'q']])),
    forest(outline([[-1, 0, 90, 'root'], [0, 2, 70, 'q'], [0, 80, 3, 'new']])),
  );
  expect(pairs.map(({ name, depth, sides }) => [name, depth, sides[0].spans, sides[1].spans, sides[1].duration - sides[0].duration])).toEqual([
    ['root', 0, 1, 1, -10], ['q', 1, 2, 1, 60], ['new', 1, 0, 1, 3],
  ]);
});

test('a hundred thousand spans, as deep or as wide as can be, take no time that grows with their square', () => {
  const size = 100_000;
  const spans = (parent: (at: number) => number) => outline(Array.from({ length: size }, (_, at) => [parent(at), at, size - at, `n${at % 7}`]));
  for (const parent of [(at: number) => at - 1, (at: number) => (at === 0 ? -1 : 0), (at: number) => Math.floor((at + 1) / 3) - 1]) {
    const data = spans(parent);
    const began = performance.now();
    const all = forest(data);
    expect(rows(all, ALL).length).toBeGreaterThan(size / 2);
    criticalPath(all, 0);
    expect(performance.now() - began).toBeLessThan(5000);
  }
});
