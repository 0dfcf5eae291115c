// The outline of a trace in, a forest of its spans and the rows that a person sees out. Everything is an array by span,
// so that a hundred thousand spans cost milliseconds. Nothing recurses: a trace may be as deep as it is long.

import type { Outline } from './api';

/** No parent. */
const ROOT = -1;
/** More alike siblings in a row than this are folded into one row. */
export const ALIKE = 10;

/** A trace as a forest. Spans are named by their place in the outline. */
export interface Forest {
  outline: Outline;
  size: number;
  /** The parent; -1 none, -2 one that is not here. */
  parent: Int32Array;
  depth: Int32Array;
  /** Spans in the order of rows: parents before children, children by start. */
  order: Int32Array;
  /** Where a span stands in that order. */
  place: Int32Array;
  /** The place after its last descendant. */
  after: Int32Array;
  /** For the first of some alike siblings: how many they are. */
  run: Int32Array;
  /** The place after the last descendant of the last of them. */
  runAfter: Int32Array;
  /** Their durations together, and the last end, in nanoseconds. */
  runTime: Float64Array;
  runEnd: Float64Array;
  children: Int32Array;
  /** Where a span's children begin in `children`; one entry more than spans. */
  firstChild: Int32Array;
}

/** Builds the forest. A span whose ancestors lead back to itself is taken for a root. */
export function forest(outline: Outline): Forest {
  const size = outline.spans.id.length;
  const parent = Int32Array.from(outline.spans.parent);
  breakCycles(parent);
  const { children, firstChild, roots } = childrenOf(parent, outline.spans.offset_ns);
  const all: Forest = {
    outline, size, parent, children, firstChild,
    depth: new Int32Array(size),
    order: new Int32Array(size),
    place: new Int32Array(size),
    after: new Int32Array(size),
    run: new Int32Array(size),
    runAfter: new Int32Array(size),
    runTime: new Float64Array(size),
    runEnd: new Float64Array(size),
  };
  walk(all, roots);
  findRuns(all, roots);
  for (let span = 0; span < size; span += 1) {
    findRuns(all, children.subarray(firstChild[span], firstChild[span + 1]));
  }
  return all;
}

function breakCycles(parent: Int32Array): void {
  const seen = new Int32Array(parent.length);
  for (let span = 0; span < parent.length; span += 1) {
    let at = span;
    while (at >= 0 && seen[at] === 0) {
      seen[at] = span + 1;
      const up = parent[at];
      if (up >= 0 && seen[up] === span + 1) parent[at] = ROOT;
      at = parent[at];
    }
  }
}

function childrenOf(parent: Int32Array, offset: number[]) {
  const size = parent.length;
  const firstChild = new Int32Array(size + 1);
  for (const up of parent) if (up >= 0) firstChild[up + 1] += 1;
  for (let at = 0; at < size; at += 1) firstChild[at + 1] += firstChild[at];
  const next = firstChild.slice();
  const children = new Int32Array(firstChild[size]);
  const roots: number[] = [];
  for (const span of byStart(offset)) {
    if (parent[span] >= 0) children[next[parent[span]]++] = span;
    else roots.push(span);
  }
  return { children, firstChild, roots: Int32Array.from(roots) };
}

function byStart(offset: number[]): Uint32Array {
  const all = Uint32Array.from(offset, (_, at) => at);
  return all.sort((a, b) => offset[a] - offset[b] || a - b);
}

function walk(all: Forest, roots: Int32Array): void {
  const stack = Array.from(roots).reverse();
  let place = 0;
  while (stack.length > 0) {
    const span = stack.pop() as number;
    if (span < 0) {
      all.after[~span] = place;
      continue;
    }
    all.order[place] = span;
    all.place[span] = place;
    all.depth[span] = all.parent[span] >= 0 ? all.depth[all.parent[span]] + 1 : 0;
    place += 1;
    stack.push(~span);
    for (let at = all.firstChild[span + 1] - 1; at >= all.firstChild[span]; at -= 1) stack.push(all.children[at]);
  }
}

function findRuns(all: Forest, siblings: Int32Array): void {
  const { service, name, kind, status } = all.outline.spans;
  const alike = (a: number, b: number) =>
    service[a] === service[b] && name[a] === name[b] && kind[a] === kind[b] && status[a] === status[b];
  for (let from = 0; from < siblings.length; ) {
    let to = from + 1;
    while (to < siblings.length && alike(siblings[from], siblings[to])) to += 1;
    if (to - from > ALIKE) {
      const first = siblings[from];
      all.run[first] = to - from;
      all.runAfter[first] = all.after[siblings[to - 1]];
      for (const span of siblings.subarray(from, to)) {
        all.runTime[first] += all.outline.spans.duration_ns[span];
        all.runEnd[first] = Math.max(all.runEnd[first], endOf(all, span));
      }
    }
    from = to;
  }
}

/** What of a trace is shown. */
export interface Shown {
  /** The span that is shown as the root; none: the whole trace. */
  focus: number | null;
  /** Spans whose children are hidden. */
  folded: ReadonlySet<number>;
  /** First spans of alike siblings that are shown one by one. */
  unrolled: ReadonlySet<number>;
  /** Only these and what they are under. */
  matches: ReadonlySet<number> | null;
}

/** A row stands for a span, or, as `~span`, for that span and its alike siblings. */
export function rows(all: Forest, shown: Shown): Int32Array {
  const found = new Int32Array(all.size * 2);
  let length = 0;
  const keep = shown.matches && withAncestors(all, shown.matches);
  let place = shown.focus === null ? 0 : all.place[shown.focus];
  const end = shown.focus === null ? all.size : all.after[shown.focus];
  while (place < end) {
    const span = all.order[place];
    if (all.run[span] > 0 && !keep && span !== shown.focus) {
      found[length++] = ~span;
      if (!shown.unrolled.has(span)) {
        place = all.runAfter[span];
        continue;
      }
    }
    if (!keep || keep[span]) found[length++] = span;
    place = shown.folded.has(span) && !keep ? all.after[span] : place + 1;
  }
  return found.slice(0, length);
}

function withAncestors(all: Forest, matches: ReadonlySet<number>): Uint8Array {
  const keep = new Uint8Array(all.size);
  for (const match of matches) {
    for (let span = match; span >= 0 && !keep[span]; span = all.parent[span]) keep[span] = 1;
  }
  return keep;
}

/** Has it children? */
export function isParent(all: Forest, span: number): boolean {
  return all.firstChild[span + 1] > all.firstChild[span];
}

export function endOf(all: Forest, span: number): number {
  return all.outline.spans.offset_ns[span] + all.outline.spans.duration_ns[span];
}

/** How much of a span's time no child of it covers, in nanoseconds. */
export function selfTime(all: Forest, span: number): number {
  const { offset_ns } = all.outline.spans;
  let covered = 0;
  let until = offset_ns[span];
  for (let at = all.firstChild[span]; at < all.firstChild[span + 1]; at += 1) {
    const child = all.children[at];
    const from = Math.max(until, offset_ns[child]);
    const to = Math.min(endOf(all, span), endOf(all, child));
    if (to > from) {
      covered += to - from;
      until = to;
    }
  }
  return all.outline.spans.duration_ns[span] - covered;
}

/** Spans whose service or name holds the text. */
export function withText(outline: Outline, text: string): Set<number> {
  const wanted = text.trim().toLowerCase();
  const holds = (name: string) => name.toLowerCase().includes(wanted);
  const services = outline.services.map(holds);
  const names = outline.names.map(holds);
  const found = new Set<number>();
  outline.spans.id.forEach((_, span) => {
    if (services[outline.spans.service[span]] || names[outline.spans.name[span]]) found.add(span);
  });
  return found;
}
