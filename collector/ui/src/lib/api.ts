// Paths and parameters in, answers of /api/v1 out. What is refused becomes a Refused that says why.

export type Kind = 'unspecified' | 'internal' | 'server' | 'client' | 'producer' | 'consumer';
export type Status = 'unset' | 'ok' | 'error';

/** The kinds in the order of their numbers in an outline. */
export const KINDS: Kind[] = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];

export interface Hit {
  trace_id: string;
  span_id: string;
  parent_id: string | null;
  service: string;
  name: string;
  kind: Kind;
  status: Status;
  start: string;
  duration_ns: number;
}

export interface Summary {
  trace_id: string;
  start: string;
  duration_ns: number;
  spans: number;
  errors: number;
  root: { service: string; name: string; kind: Kind; status: Status } | null;
  root_missing: boolean;
  services: { name: string; spans: number; errors: number }[];
  matched: Hit[];
}

export interface Page {
  traces: Summary[];
  next_offset: number | null;
  incomplete: boolean;
}

export interface Durations {
  p50_ns: number | null;
  p90_ns: number | null;
  p99_ns: number | null;
  max_ns: number | null;
  sum_ns: number;
}

export interface Figures {
  spans: number;
  errors: number;
  duration: Durations;
}

export interface Series {
  service: string;
  operation: string | null;
  total: Figures;
  points: (Figures & { time: string })[];
}

export interface Red {
  start: string;
  end: string;
  step_ns: number;
  series: Series[];
}

export type NodeKind = 'service' | 'database' | 'messaging' | 'external';

export interface ServiceMap {
  start: string;
  end: string;
  first: string | null;
  nodes: { name: string; kind: NodeKind; figures: Figures }[];
  edges: { from: string; to: string; to_kind: NodeKind; figures: Figures }[];
}

export interface Outline {
  trace_id: string;
  start: string;
  duration_ns: number;
  services: string[];
  names: string[];
  methods: string[];
  spans: {
    id: string[];
    parent: number[];
    service: number[];
    name: number[];
    kind: number[];
    status: number[];
    offset_ns: number[];
    duration_ns: number[];
    method: number[];
    confidence: number[];
  };
  losses: { span: number; missing_bytes: number; truncated: boolean }[];
  missing_parents: number;
  truncated: boolean;
}

export type Value = string | number | boolean | null | Value[] | { [key: string]: Value };
export type Attributes = Record<string, Value>;

export interface Detail {
  trace_id: string;
  span_id: string;
  parent_id: string | null;
  name: string;
  kind: Kind;
  start: string;
  duration_ns: number;
  status: { code: Status; message: string };
  attributes: Attributes;
  events: { time: string; offset_ns: number; name: string; attributes: Attributes }[];
  links: { trace_id: string; span_id: string; attributes: Attributes }[];
  dropped: { attributes: number; events: number; links: number };
  trace_state: string;
  resource: { service: string; attributes: Attributes };
  scope: { name: string; version: string; attributes: Attributes };
}

/** An agent's metrics by name; those with labels by the labels' values. */
export type Agent = Record<string, number | Record<string, number>>;

export interface Health {
  version: string;
  now: string;
  store: {
    spans: number;
    bytes: number;
    bytes_limit: number | null;
    age_limit_ns: number | null;
    blocks: number;
    unsealed_spans: number;
    forgotten_spans: number;
    oldest: string | null;
    newest: string | null;
    durability: 'grouped' | 'strict' | 'memory';
  };
  ingest: { accepted: number; refused: Record<string, number>; attributes_cut: number; joined: number; repeated: number };
  tail: { readers: number };
  /** The agent's metrics, where it runs in the same process. */
  agent: Agent | null;
  delays: Record<'transfer' | 'storage' | 'analysis', Durations>;
}

export type Parameters = Record<string, string | number | boolean | undefined>;

/** Why there is no answer. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** Where in the query, in characters from 0. */
    readonly at?: number,
  ) {
    super(message);
  }
}

/** The address of an answer; parameters without a value are left out. */
export function address(path: string, parameters: Parameters = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '') query.set(name, String(value));
  }
  const text = query.toString();
  return `/api/v1/${path}${text ? `?${text}` : ''}`;
}

/** What the body of a refusal says. */
export function refusal(status: number, body: string): Refused {
  try {
    const { error, at } = JSON.parse(body);
    if (typeof error === 'string') return new Refused(status, error, at);
  } catch {
    // Not every refusal is JSON: that of the guard is plain text.
  }
  return new Refused(status, body.trim() || `the collector answered with status ${status}`);
}

export async function open(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Refused(0, 'the collector does not answer: is wirespan still running?');
  }
  if (!response.ok) throw refusal(response.status, await response.text());
  return response;
}

export async function get<T>(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<T> {
  return (await open(address(path, parameters), { signal })).json();
}
