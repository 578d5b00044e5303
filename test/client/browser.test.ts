// Owns the test of the SDK in a real browser: Chromium, the bundle, IndexedDB, a real node.
// Invariant: the page uses what an application would: connect, IdbStore, events.
// Must not: reach anything but loopback.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { connect } from '../../client/index.js';
import { testNode, token } from '../e2e/harness.js';
import { find, needs } from '../needs.js';

/** Chromium as root in a closed network: nothing of its own goes out. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const PAGE = `<!doctype html><title>weft</title><script type="module">
  import { connect, IdbStore } from '/weft.js';
  const seen = [];
  window.weft = {
    seen,
    async open(url, token) {
      const session = await connect({ url, token, store: new IdbStore('weft-test'), offline: true });
      session.on('message', (message) => { seen.push(message.seq + ' ' + message.from + ' ' + message.text); message.read(); });
      this.session = session;
    },
    send: (text) => window.weft.session.direct('bob').send(text).then(({ seq }) => seq),
  };
</script>`;

interface Weft {
  readonly seen: string[];
  readonly session: { readonly state: string; pending(): unknown[] };
  open(url: string, token: string): Promise<void>;
  send(text: string): Promise<number>;
}
declare const weft: Weft;

test('in Chromium: send, receive, reload with a message waiting offline, each once', needs('chromium'), async (t) => {
  const entry = fileURLToPath(new URL('../../client/browser.js', import.meta.url));
  const bundle = await build({ entryPoints: [entry], bundle: true, format: 'esm', platform: 'browser', write: false });
  const web = createServer((request, response) => {
    const script = request.url === '/weft.js';
    response.setHeader('content-type', script ? 'text/javascript' : 'text/html');
    response.end(script ? bundle.outputFiles[0]!.text : PAGE);
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  const home = mkdtempSync(join(tmpdir(), 'weft-chromium-'));
  const browser = await chromium.launchPersistentContext(join(home, 'profile'), {
    executablePath: find('chromium')!,
    args: FLAGS,
  });
  t.after(async () => {
    await browser.close();
    web.close();
    rmSync(home, { recursive: true, force: true });
  });

  const first = await testNode(t, { folder: join(home, 'node') });
  const bob = await connect({ url: first.url, token: await token('bob', 'b1') });
  t.after(() => bob.close());
  const heard: string[] = [];
  bob.on('message', (message) => {
    heard.push(`${message.seq} ${message.from} ${message.text}`);
    message.read();
  });

  const page = await browser.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  const visit = async (url: string): Promise<void> => {
    await page.goto(`http://127.0.0.1:${(web.address() as AddressInfo).port}/`);
    await page.waitForFunction(() => 'weft' in globalThis);
    await page.evaluate(([at, words]) => weft.open(at!, words!), [url, await token('ada', 'chromium')]);
  };
  await visit(first.url);
  assert.equal(await page.evaluate(() => weft.send('from the page')), 1);
  await bob.direct('ada').send('to the page');
  await page.waitForFunction(() => weft.seen.length === 1);
  assert.deepEqual(await page.evaluate(() => weft.seen), ['2 bob to the page']);

  // The node goes away; a message is written all the same; the page is reloaded before the node is back.
  await first.stop();
  await page.waitForFunction(() => weft.session.state !== 'online');
  await page.evaluate(() => {
    void weft.send('while offline');
  });
  await page.waitForFunction(() => weft.session.pending().length === 1);
  await bob.close();
  const second = await testNode(t, { folder: join(home, 'node') });
  await visit(second.url);
  await page.waitForFunction(() => weft.session.pending().length === 0);
  const again = await connect({ url: second.url, token: await token('bob', 'b2') });
  t.after(() => again.close());
  const history = await again.direct('ada').history({ limit: 10 });
  assert.deepEqual(
    history.items.map((item) => `${item.seq} ${item.type === 'message' ? item.text : item.type}`),
    ['1 from the page', '2 to the page', '3 while offline'],
  );
  await again.direct('ada').send('welcome back');
  await page.waitForFunction(() => weft.seen.length === 1);
  assert.deepEqual(await page.evaluate(() => weft.seen), ['4 bob welcome back']);
  assert.deepEqual(heard, ['1 ada from the page']);
  assert.deepEqual(faults, []);
});
