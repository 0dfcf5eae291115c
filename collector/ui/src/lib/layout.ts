// The service map in, places for its boxes and lines out.

import { Graph, layout } from '@dagrejs/dagre';
import type { Figures, NodeKind, ServiceMap } from './api';

export const BOX = { width: 168, height: 62 };

export interface Box {
  name: string;
  kind: NodeKind;
  figures: Figures;
  x: number;
  y: number;
}

export interface Line {
  from: string;
  to: string;
  to_kind: NodeKind;
  figures: Figures;
  points: { x: number; y: number }[];
  /** The middle of its label. */
  label: { x: number; y: number };
}

export interface Picture {
  boxes: Box[];
  lines: Line[];
  width: number;
  height: number;
}

/** From left to right, callers before what they call; from top to bottom in a narrow window. */
export function picture(map: ServiceMap, narrow: boolean): Picture {
  const graph = new Graph({ multigraph: false });
  graph.setGraph({ rankdir: narrow ? 'TB' : 'LR', ranksep: narrow ? 60 : 120, nodesep: 26, marginx: 14, marginy: 14 });
  graph.setDefaultEdgeLabel(() => ({}));
  map.nodes.forEach((node) => graph.setNode(key(node.kind, node.name), { ...BOX }));
  map.edges.forEach((edge) => graph.setEdge(key('service', edge.from), key(edge.to_kind, edge.to), { width: 84, height: 30, labelpos: 'c' }));
  layout(graph);
  const size = graph.graph() as { width?: number; height?: number };
  return {
    boxes: map.nodes.map((node) => ({ ...node, ...place(graph.node(key(node.kind, node.name))) })),
    lines: map.edges.map((edge) => {
      const drawn = graph.edge(key('service', edge.from), key(edge.to_kind, edge.to)) as Line & { x: number; y: number };
      return { ...edge, points: drawn.points, label: { x: drawn.x, y: drawn.y } };
    }),
    width: size.width ?? 0,
    height: size.height ?? 0,
  };
}

/** A service and a database may have the same name; and a captured name may be that of an object's own property. */
export function key(kind: NodeKind, name: string): string {
  return `${kind}:${name}`;
}

function place(node: { x?: number; y?: number }): { x: number; y: number } {
  return { x: node.x ?? 0, y: node.y ?? 0 };
}

/** A line through the points, its corners rounded. */
export function curve(points: { x: number; y: number }[]): string {
  if (points.length < 3) return points.map((point, at) => `${at ? 'L' : 'M'}${point.x},${point.y}`).join('');
  const middle = points.slice(1, -1).map((point, at) => {
    const next = points[at + 2];
    const last = at + 3 === points.length;
    const end = last ? next : { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 };
    return `Q${point.x},${point.y} ${end.x},${end.y}`;
  });
  return `M${points[0].x},${points[0].y}${middle.join('')}`;
}
