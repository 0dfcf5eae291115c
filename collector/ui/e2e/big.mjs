// `npm run big -- URL OTLP [SPANS]`: sends one trace of SPANS spans (100,000) to a running collector and measures how the page takes
// it. URL is the one that wirespan printed, OTLP that of OTLP over HTTP, such as http://127.0.0.1:4318.

import { chromium } from 'playwright-core';

const [address, otlp, wanted = '100000'] = process.argv.slice(2);
if (!address || !otlp) {
  console.error('say where: npm run big -- http://127.0.0.1:16686/?token=… http://127.0.0.1:4318');
  process.exit(2);
}
const SPANS = Number(wanted);
const BATCH = 5000;
const SERVICES = 6;
const TRACE = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
const idOf = (at) => (at + 1).toString(16).padStart(16, '0');
const BEGIN = BigInt(Date.now() - 60_000) * 1_000_000n;

function span(at) {
  const begin = BEGIN + BigInt(at) * 100_000n;
  const attribute = (key, value) => ({ key, value });
  return {
    traceId: TRACE, spanId: idOf(at), parentSpanId: at === 0 ? '' : idOf(Math.floor((at - 1) / 3)), name: `operation ${at % 23}`,
    kind: 1 + (at % 3), startTimeUnixNano: String(begin), endTimeUnixNano: String(begin + BigInt(SPANS - at) * 90_000n + 100_000n),
    status: at % 100 === 99 ? { code: 2, message: 'it failed' } : {},
    attributes: [
      attribute('http.route', { stringValue: `/items/${at % 100}` }), attribute('wirespan.link.method', { stringValue: 'task' }),
      attribute('wirespan.link.confidence', { doubleValue: 0.98 }), attribute('wirespan.tcp.rtt_us', { intValue: String(40 + (at % 9)) }),
    ],
  };
}

async function send(from, to) {
  const services = new Map();
  for (let at = from; at < to; at += 1) {
    const name = `load-${Math.floor(at / 50) % SERVICES}`;
    services.set(name, [...(services.get(name) ?? []), span(at)]);
  }
  const resourceSpans = [...services].map(([name, spans]) => ({
    resource: { attributes: [{ key: 'service.name', value: { stringValue: name } }] }, scopeSpans: [{ spans }],
  }));
  const answer = await fetch(`${otlp}/v1/traces`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ resourceSpans }),
  });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
}

for (let at = 0; at < SPANS; at += BATCH) await send(at, Math.min(SPANS, at + BATCH));

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
await page.goto(address);
await page.waitForLoadState('networkidle');
const row = (name, value) => console.log(`| ${name} | ${value} |`);
const middle = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

const opened = [];
for (let run = 0; run < 5; run += 1) {
  await page.goto(`${new URL(address).origin}/health`);
  await page.locator('h1').waitFor();
  opened.push(await page.evaluate(async (id) => {
    const began = performance.now();
    history.pushState(null, '', `/trace/${id}`);
    dispatchEvent(new PopStateEvent('popstate'));
    while (!document.querySelector('[role=treeitem]')) await new Promise(requestAnimationFrame);
    return performance.now() - began;
  }, TRACE));
}
row(`open a trace of ${SPANS.toLocaleString('en')} spans, median of 5`, `${middle(opened).toFixed(0)} ms`);

// From the top to the bottom in 300 frames, as a wheel would, and how long each frame took.
const frames = await page.evaluate(async () => {
  const view = document.querySelector('[role=tree]');
  const step = (view.scrollHeight - view.clientHeight) / 300;
  const times = [];
  let before = await new Promise(requestAnimationFrame);
  for (let at = 0; at < 300; at += 1) {
    view.scrollTop += step;
    const now = await new Promise(requestAnimationFrame);
    times.push(now - before);
    before = now;
  }
  return times;
});
frames.sort((a, b) => a - b);
const share = (q) => `${frames[Math.floor(q * (frames.length - 1))].toFixed(1)} ms`;
row('a frame while scrolling through it: median, 95 %, longest', `${share(0.5)}, ${share(0.95)}, ${share(1)}`);
row('frames a second', (1000 / (frames.reduce((sum, one) => sum + one) / frames.length)).toFixed(0));
row('rows in the document', await page.locator('[role=treeitem]').count());

const key = async (name) => {
  const began = Date.now();
  await page.keyboard.press(name);
  await page.evaluate(() => new Promise(requestAnimationFrame));
  return Date.now() - began;
};
await page.locator('[role=tree]').focus();
await page.keyboard.press('Home');
row('fold everything, unfold everything', `${await key('ArrowLeft')} ms, ${await key('ArrowRight')} ms`);
await browser.close();
