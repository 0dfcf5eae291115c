// `npm run e2e -- URL [FOLDER]`: every view of a running collector in Chromium, light and dark, wide and as narrow as a phone.
// URL is the one that wirespan printed, token and all. Fails where a view reports an error, asks another host, is wider than the
// window, or does not do what a person would try. With FOLDER, screenshots go there.

import { chromium } from 'playwright-core';

const [address, folder] = process.argv.slice(2);
if (!address) {
  console.error('say which collector: npm run e2e -- http://127.0.0.1:16686/?token=…');
  process.exit(2);
}
const origin = new URL(address).origin;
const wrong = [];
// While a person makes a mistake, the browser says that something was refused.
let mistaken = false;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });

async function open(theme, width) {
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: theme });
  const page = await context.newPage();
  page.on('pageerror', (error) => wrong.push(`${page.url()}: ${error.message}`));
  page.on('console', (message) => message.type() === 'error' && !mistaken && wrong.push(`${page.url()}: ${message.text()}`));
  page.on('request', (request) => request.url().startsWith(origin) || wrong.push(`${page.url()} asks ${request.url()}`));
  await page.goto(address);
  return page;
}

async function look(page, name, path, wanted) {
  await page.goto(origin + path);
  await page.locator(wanted).first().waitFor();
  await fits(page, name);
  if (folder) await page.screenshot({ path: `${folder}/${name}.png` });
}

async function fits(page, name) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (over > 0) wrong.push(`${name}: ${over} pixels wider than the window`);
}

/** What a person would do first. */
async function tour(page) {
  await look(page, 'tour', '/', 'ol.list a');
  await page.keyboard.press('/');
  await page.keyboard.type('{ status = er');
  await page.locator('[role=option]').first().waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  expect(await page.inputValue('[data-bar]'), '{ status = error ');
  mistaken = true;
  await page.keyboard.type('&& nmae = 1 }');
  await page.keyboard.press('Enter');
  await page.locator('[role=alert] pre').waitFor();
  mistaken = false;
  await look(page, 'tour', '/', 'ol.list a');
  await page.locator('ol.list a').first().click();
  await page.locator('[role=treeitem]').first().waitFor();
  await page.locator('[role=tree]').focus();
  const all = await page.locator('[role=treeitem]').count();
  await page.keyboard.press('ArrowLeft');
  expect(await page.locator('[role=treeitem]').count() < all, true);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await page.locator('aside dl').first().waitFor();
  expect(new URL(page.url()).searchParams.has('span'), true);
  await page.keyboard.press('Escape');
  await page.locator('aside').waitFor({ state: 'detached' });
  await page.goBack();
  await page.locator('ol.list a').first().waitFor();
  // What was exported comes in again, and is known.
  const { traces } = await (await page.request.get(`${origin}/api/v1/traces?limit=50`)).json();
  const small = traces.sort((a, b) => a.spans - b.spans)[0];
  const file = await page.request.get(`${origin}/api/v1/traces/${small.trace_id}?format=jaeger`);
  await page.setInputFiles('input[type=file]', { name: 'trace.json', mimeType: 'application/json', buffer: await file.body() });
  await page.locator('[role=treeitem]').first().waitFor();
  expect(new URL(page.url()).pathname, `/trace/${small.trace_id}`);
  const after = await (await page.request.get(`${origin}/api/v1/traces/${small.trace_id}`)).json();
  expect(after.spans.length, small.spans);
}

function expect(found, wanted) {
  if (found !== wanted) wrong.push(`found ${found} where ${wanted} was expected`);
}

async function every(theme, width) {
  const page = await open(theme, width);
  const first = await page.request.get(`${origin}/api/v1/traces?limit=2&since=24h`);
  const ids = (await first.json()).traces.map((trace) => trace.trace_id);
  const name = (view) => `${view}-${theme}-${width}`;
  await look(page, name('traces'), '/?since=24h', 'ol.list a');
  await look(page, name('trace'), `/trace/${ids[0]}`, '[role=treeitem]');
  await page.locator('[role=treeitem]').first().click();
  await page.locator('aside dl').first().waitFor();
  if (folder) await page.screenshot({ path: `${folder}/${name('span')}.png` });
  const all = await (await page.request.get(`${origin}/api/v1/traces?limit=100&since=24h`)).json();
  const endless = all.traces.find((trace) => trace.root?.name.length > 300);
  if (endless) {
    await look(page, name('endless'), `/trace/${endless.trace_id}`, '[role=treeitem]');
    await page.locator('[role=treeitem]').first().click();
    await page.locator('aside dl').first().waitFor();
    await fits(page, name('endless span'));
  }
  await look(page, name('compare'), `/compare/${ids[0]}/${ids[1] ?? ids[0]}`, 'tbody tr');
  await look(page, name('services'), '/services?since=24h', 'tbody tr');
  await page.locator('tbody a').first().click();
  await page.locator('figure svg path').first().waitFor();
  if (folder) await page.screenshot({ path: `${folder}/${name('service')}.png` });
  await look(page, name('map'), '/map?since=24h', 'svg a.box');
  await look(page, name('live'), '/live', '.badge');
  await look(page, name('health'), '/health', 'section progress, section dl');
  await look(page, name('nowhere'), '/no/such/page', 'h1');
  if (theme === 'light' && width > 500) await tour(page);
  await page.context().close();
}

try {
  for (const theme of ['light', 'dark']) for (const width of [1280, 390]) await every(theme, width);
} catch (error) {
  wrong.push(error.message);
}
await browser.close();
wrong.forEach((what) => console.error(what));
console.log(wrong.length === 0 ? 'every view is as it should be' : `${wrong.length} things are wrong`);
process.exit(wrong.length === 0 ? 0 : 1);
