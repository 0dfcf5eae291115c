// `node e2e/seed.mjs OTLP`: sends traces of a small shop, as an agent would have seen it, so that every view has something to show. OTLP is
// where OTLP over HTTP is received, such as http://127.0.0.1:4318.

const [otlp] = process.argv.slice(2);
if (!otlp) {
  console.error('say where: node e2e/seed.mjs http://127.0.0.1:4318');
  process.exit(2);
}
const TRACES = 40;
const NOW = Date.now();
const hex = (number, digits) => number.toString(16).padStart(digits, '0');

function value(of) {
  if (typeof of === 'number') return Number.isInteger(of) ? { intValue: String(of) } : { doubleValue: of };
  return { stringValue: of };
}

/** A span that begins `offset` milliseconds after its trace and takes `ms`. */
function span(trace, id, parent, kind, name, offset, ms, attributes, failed = false) {
  const begin = BigInt(NOW - 600_000 + trace * 14_000) * 1_000_000n + BigInt(Math.round(offset * 1e6));
  return {
    traceId: hex(0xa000000000000000n + BigInt(trace), 32), spanId: hex(trace * 256 + id, 16), parentSpanId: parent ? hex(trace * 256 + parent, 16) : '',
    kind, name, startTimeUnixNano: String(begin), endTimeUnixNano: String(begin + BigInt(Math.round(ms * 1e6))),
    attributes: Object.entries({ ...(parent && { 'wirespan.link.method': 'task', 'wirespan.link.confidence': 0.98 }), ...attributes }).map(([key, of]) => ({ key, value: value(of) })),
    status: failed ? { code: 2, message: 'out of stock' } : {},
  };
}

/** Visitor → web → orders → its database, many times over in every tenth. */
function shop(trace) {
  const failed = trace % 8 === 3;
  const slow = 1 + (trace * 7) % 11;
  const code = failed ? 500 : 200;
  const queries = trace % 10 === 0 ? 12 : 1;
  const orders = [span(trace, 3, 2, 2, 'GET /orders/{id}', 2, 8 * slow, { 'http.response.status_code': code, 'wirespan.link.method': 'wire' }, failed)];
  for (let at = 0; at < queries; at += 1) {
    orders.push(span(trace, 10 + at, 3, 3, 'SELECT articles', 3 + (at * 6 * slow) / queries, (5 * slow) / queries, { 'db.system.name': 'postgresql', 'db.query.text': 'SELECT * FROM articles WHERE id = ?' }));
  }
  if (trace % 9 === 4) orders.push(span(trace, 40, 99, 1, 'lost its parent', 4, 1, { 'wirespan.missing_bytes': 512 }));
  const web = [
    span(trace, 1, 0, 2, 'GET /orders/{id}', 0, 10 * slow, { 'http.request.method': 'GET', 'url.path': `/orders/${trace}`, 'http.response.status_code': code }, failed),
    span(trace, 2, 1, 3, 'GET', 1, 9 * slow, { 'server.address': 'orders', 'wirespan.tcp.rtt_us': 40 + trace }),
  ];
  return { web, orders };
}

const services = { web: [], orders: [] };
for (let trace = 1; trace <= TRACES; trace += 1) {
  for (const [name, spans] of Object.entries(shop(trace))) services[name].push(...spans);
}
// Names as a stranger may choose them: long, without a place to break, from right to left.
const endless = 'x'.repeat(400);
services[`service-${endless}`] = [
  span(0, 1, 0, 2, `GET /${endless}`, 0, 20, { 'url.path': `/${endless}`, [endless]: endless }, true),
  span(0, 2, 1, 3, 'שלום/עולם', 1, 10, { 'db.query.text': endless }),
];
const resourceSpans = Object.entries(services).map(([name, spans]) => ({
  resource: { attributes: [{ key: 'service.name', value: value(name) }, { key: 'host.name', value: value('shop-1') }] },
  scopeSpans: [{ scope: { name: 'wirespan', version: '0' }, spans }],
}));
const answer = await fetch(`${otlp}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ resourceSpans }) });
const said = await answer.text();
if (!answer.ok || JSON.parse(said).partialSuccess) {
  console.error(`${answer.status}: ${said}`);
  process.exit(1);
}
