import { expect, test } from 'vitest';
import { attribute, chips, completion, compose, literal, narrow, understand } from '../src/lib/query';

test.each([
  '{ status = error }',
  '{ resource.service.name = "a \\"b\\" && c" && duration >= 1.5ms }',
  '{ span.http.response.status_code != 200 && name =~ "GET .*" && span."odd key" = true }',
])('chips and back: %s', (text) => expect(compose(chips(text) ?? [])).toBe(text));

test.each(['{ a = 1 || b = 2 }', '{ a = 1 } > { b = 2 }', '{ !(a = 1) }', '{ a = 1 && }', 'words', '{ a = "open }', '{ flag }'])(
  'more than conditions, or none: %s', (text) => expect(chips(text)).toBeNull());

test('an empty query has no chips', () => expect([chips(''), chips('{}'), compose([])]).toEqual([[], [], '']));

test('narrowing replaces what was said of the field, and goes along with what it cannot read', () => {
  const chip = { field: 'status', op: '=', value: 'error' };
  expect(narrow('{ status = ok && kind = server }', chip)).toBe('{ kind = server && status = error }');
  expect(narrow('{ a = 1 } > {}', chip)).toBe('{ a = 1 } > {} && { status = error }');
});

test('captured text cannot end a literal', () => {
  expect(literal('a" } || { "b\\')).toBe('"a\\" } || { \\"b\\\\"');
  expect(chips(`{ name = ${literal('a" } || { "b\\')} }`)).toHaveLength(1);
  expect([literal(5), literal(true)]).toEqual(['5', 'true']);
  expect([attribute('span', 'http.route'), attribute('resource', 'a b')]).toEqual(['span.http.route', 'resource."a b"']);
});

test.each([
  ['4bf92f3577b34da6a3ce929d0e0e4736', { trace: '4bf92f3577b34da6a3ce929d0e0e4736' }],
  ['', { q: '' }],
  ['status = error', { q: '{ status = error }' }],
  [' { kind = server } ', { q: '{ kind = server }' }],
  ['cart.', { q: '{ name =~ "(?i).*cart\\\\..*" || resource.service.name =~ "(?i).*cart\\\\..*" }' }],
])('the bar understands %s', (text, wish) => expect(understand(text)).toEqual(wish));

test.each([
  ['{ sta', { typed: 'sta', from: 2 }],
  ['{ status = er', { typed: 'er', from: 11, field: 'status' }],
  ['{ resource.service.name = "ca', { typed: 'ca', from: 26, field: 'resource.service.name' }],
  ['{ a = 1 && ', { typed: '', from: 11 }],
])('what may be completed in %s', (text, expected) => expect(completion(text, text.length)).toMatchObject(expected));
test('nothing is completed after a whole condition', () => expect(completion('{ a = 1 } ', 10)).toBeNull());
