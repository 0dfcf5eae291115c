// A forest in, its critical path out: the stretches of spans without which the root would have ended earlier. From the
// end backwards: the child that ended last is what its parent waited for; before it began, the child that ended before
// that; what is left is the parent's own time.

import { endOf, type Forest } from './outline';

/** A stretch of a span on the path, in nanoseconds from the trace's start. */
export interface Stretch {
  span: number;
  from: number;
  to: number;
}

/** The path through the span and what is under it. */
export function criticalPath(all: Forest, root: number): Stretch[] {
  const { offset_ns } = all.outline.spans;
  const found: Stretch[] = [];
  const tasks = [{ span: root, until: endOf(all, root) }];
  for (let task = tasks.pop(); task; task = tasks.pop()) {
    const { span } = task;
    let until = Math.min(task.until, endOf(all, span));
    const children = Array.from(all.children.subarray(all.firstChild[span], all.firstChild[span + 1]));
    children.sort((a, b) => endOf(all, b) - endOf(all, a));
    for (const child of children) {
      const end = Math.min(endOf(all, child), endOf(all, span));
      if (end > until || offset_ns[child] >= end || end <= offset_ns[span]) continue;
      if (end < until) found.push({ span, from: end, to: until });
      tasks.push({ span: child, until: end });
      until = Math.max(offset_ns[child], offset_ns[span]);
    }
    if (until > offset_ns[span]) found.push({ span, from: offset_ns[span], to: until });
  }
  return found;
}

/** The stretches by span. */
export function bySpan(path: Stretch[]): Map<number, Stretch[]> {
  const all = new Map<number, Stretch[]>();
  for (const one of path) {
    const known = all.get(one.span);
    if (known) known.push(one);
    else all.set(one.span, [one]);
  }
  return all;
}
