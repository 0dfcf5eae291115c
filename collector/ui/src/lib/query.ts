// The query bar's text in; chips, the TraceQL that the API reads, or a trace's id out.

/** One condition that a person can take away with a click. */
export interface Chip {
  field: string;
  op: string;
  /** As written, quotes included. */
  value: string;
}

const CONDITION = /^\s*((?:[^\s"=!<>~(){}|&]|"(?:[^"\\]|\\.)*")+)\s*(=~|!~|!=|>=|<=|=|>|<)\s*("(?:[^"\\]|\\.)*"|[^\s"=!<>~(){}|&]+)\s*/;

/** The conditions of `{ a && b }`; null where the query is more than that. */
export function chips(text: string): Chip[] | null {
  let rest = text.trim();
  if (rest === '') return [];
  if (!rest.startsWith('{') || !rest.endsWith('}')) return null;
  rest = rest.slice(1, -1).trim();
  const found: Chip[] = [];
  while (rest !== '') {
    const part = CONDITION.exec(rest);
    if (!part) return null;
    found.push({ field: part[1], op: part[2], value: part[3] });
    rest = rest.slice(part[0].length);
    if (rest === '') break;
    if (!rest.startsWith('&&') || rest.slice(2).trim() === '') return null;
    rest = rest.slice(2);
  }
  return found;
}

/** The query that holds these conditions. */
export function compose(all: Chip[]): string {
  return all.length === 0 ? '' : `{ ${all.map((chip) => `${chip.field} ${chip.op} ${chip.value}`).join(' && ')} }`;
}

/** A value as the query language writes it. */
export function literal(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `"${text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n').replace(/\t/g, '\\t')}"`;
}

/** The name of an attribute as the query language writes it. */
export function attribute(owner: 'span' | 'resource', key: string): string {
  return /^[\w.\-/]+$/.test(key) ? `${owner}.${key}` : `${owner}.${literal(key)}`;
}

/** The query and one condition more; in place of what it said of the same field. */
export function narrow(text: string, chip: Chip): string {
  const known = chips(text);
  if (known === null) return `${text} && ${compose([chip])}`;
  const others = known.filter((one) => one.field !== chip.field || one.op !== chip.op || chip.op === '!=');
  return compose([...others, chip]);
}

/** What the text in the bar asks for. */
export type Wish = { trace: string } | { q: string };

/** Reads the bar: an id opens a trace, braces are TraceQL, a comparison is put into braces, words are looked for in names. */
export function understand(text: string): Wish {
  const plain = text.trim();
  if (/^[0-9a-f]{32}$/i.test(plain)) return { trace: plain.toLowerCase() };
  if (plain === '' || /^[{(]/.test(plain)) return { q: plain };
  if (/[=<>~]/.test(plain)) return { q: `{ ${plain} }` };
  const pattern = literal(`(?i).*${plain.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}.*`);
  return { q: `{ name =~ ${pattern} || resource.service.name =~ ${pattern} }` };
}

/** Names that every span has. */
export const INTRINSICS = ['name', 'status', 'kind', 'duration', 'traceDuration', 'rootName', 'rootServiceName'];

/** What stands at the caret and may be completed. */
export interface Completion {
  from: number;
  to: number;
  typed: string;
  /** Of which field a value is wanted; none: a field is. */
  field?: string;
}

/** What may be completed at the caret. */
export function completion(text: string, caret: number): Completion | null {
  const before = text.slice(0, caret);
  const value = /((?:[^\s"=!<>~(){}|&])+)\s*(?:=|!=|=~|!~)\s*("?)([^"={}|&<>~]*)$/.exec(before);
  if (value) return { from: caret - value[3].length - value[2].length, to: caret, typed: value[3], field: value[1] };
  const field = /(?:^|[{(&|!]\s*)([^\s"=!<>~(){}|&]*)$/.exec(before);
  return field ? { from: caret - field[1].length, to: caret, typed: field[1] } : null;
}
