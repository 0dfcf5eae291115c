// Two forests in, one table out: spans are brought together by the way from the root to them, of services and names.

import type { Forest } from './outline';

export interface Side {
  spans: number;
  errors: number;
  duration: number;
}

/** One way from the root, with what either trace has there. */
export interface Pair {
  service: string;
  name: string;
  depth: number;
  sides: [Side, Side];
}

interface Knot {
  pair: Pair;
  first: number;
  children: Map<string, Knot>;
}

/** Rows in the order of a tree; children in the order in which either trace has them. */
export function compare(a: Forest, b: Forest): Pair[] {
  const top: Knot = { pair: pair('', '', -1), first: 0, children: new Map() };
  [a, b].forEach((forest, side) => merge(top, forest, side));
  const found: Pair[] = [];
  const stack = inOrder(top);
  for (let knot = stack.pop(); knot; knot = stack.pop()) {
    found.push(knot.pair);
    stack.push(...inOrder(knot));
  }
  return found;
}

function pair(service: string, name: string, depth: number): Pair {
  const side = () => ({ spans: 0, errors: 0, duration: 0 });
  return { service, name, depth, sides: [side(), side()] };
}

/** Children, the last first: a stack gives them back in order. */
function inOrder(knot: Knot): Knot[] {
  return [...knot.children.values()].sort((a, b) => b.first - a.first);
}

function merge(top: Knot, forest: Forest, side: number): void {
  const knots = new Array<Knot>(forest.size);
  const { spans, services, names } = forest.outline;
  for (const span of forest.order) {
    const above = forest.parent[span] >= 0 ? knots[forest.parent[span]] : top;
    const [service, name] = [services[spans.service[span]], names[spans.name[span]]];
    const key = JSON.stringify([service, name]);
    const fresh = () => ({ pair: pair(service, name, above.pair.depth + 1), first: spans.offset_ns[span], children: new Map() });
    const knot = above.children.get(key) ?? fresh();
    above.children.set(key, knot);
    knots[span] = knot;
    const figures = knot.pair.sides[side];
    figures.spans += 1;
    figures.errors += spans.status[span] === 2 ? 1 : 0;
    figures.duration += spans.duration_ns[span];
  }
}
