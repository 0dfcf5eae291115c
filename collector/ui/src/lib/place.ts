// An address's path in, which view shows it out; and the time range that all views share.

export type View =
  | { name: 'traces' }
  | { name: 'trace'; id: string }
  | { name: 'compare'; a: string; b: string }
  | { name: 'services' }
  | { name: 'service'; service: string }
  | { name: 'map' }
  | { name: 'live' }
  | { name: 'health' }
  | { name: 'nowhere' };

/** Which view a path means. */
export function view(path: string): View {
  const parts = path.split('/').filter(Boolean).map(decoded);
  const [first, second, third] = parts;
  if (parts.length === 0) return { name: 'traces' };
  if (first === 'trace' && parts.length === 2) return { name: 'trace', id: second };
  if (first === 'compare' && parts.length === 3) return { name: 'compare', a: second, b: third };
  if (first === 'services' && parts.length === 2) return { name: 'service', service: second };
  const single = ['services', 'map', 'live', 'health'] as const;
  const found = parts.length === 1 ? single.find((name) => name === first) : undefined;
  return { name: found ?? 'nowhere' };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The parameters that say which time is looked at. */
export const RANGE = ['since', 'start', 'end'] as const;

/** The same time at another address. */
export function withRange(path: string, query: URLSearchParams, more: Record<string, string | undefined> = {}): string {
  const kept = new URLSearchParams();
  for (const name of RANGE) {
    const value = query.get(name);
    if (value) kept.set(name, value);
  }
  for (const [name, value] of Object.entries(more)) {
    if (value) kept.set(name, value);
  }
  const text = kept.toString();
  return text ? `${path}?${text}` : path;
}

/** The time range as the API's parameters. */
export function rangeOf(query: URLSearchParams): Record<string, string | undefined> {
  const [start, end] = [query.get('start'), query.get('end')];
  if (start || end) return { start: start ?? undefined, end: end ?? undefined };
  return { since: query.get('since') ?? '1h' };
}
