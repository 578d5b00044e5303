// Owns the proofs that concern a client's start from its file: how long it takes, and that nothing of the outbox is lost or
// doubled by a kill.
// Invariant: a bound on time is several times what is measured, and the measured figure is printed.
// Must not: leave a process or a folder behind.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect, FileStore, type StoreChange } from '../../client/index.js';
import { testNode, token } from '../e2e/harness.js';

const SENDER = fileURLToPath(new URL('./sender.js', import.meta.url));
/** Port 1 refuses: nobody but root may listen there, and nobody does. */
const NOWHERE = 'ws://127.0.0.1:1/v1';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'weft-start-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const chat = (i: number): StoreChange => {
  const id = i.toString(16).padStart(32, '0');
  const marks = {
    version: i + 1,
    muted: 0,
    pinned: 0,
    archived: i % 9 === 0,
    unread: false,
    cleared: 2,
    hidden: [4, 5],
  };
  const chat = {
    id,
    kind: 1 + (i % 2),
    name: `user ${i}`,
    placed: true,
    cursor: 90 + i,
    read: 60 + i,
    lastOwn: i,
    own: [],
  };
  return {
    type: 'chat',
    chat: { ...chat, head: 100 + i, at: 1_700_000_000_000 + i, marks, unread: [1, 0, 0, 70 + i, 20] },
  };
};

test('a client with 10,000 chats starts from its file in well under a second, also from a journal full of history', async (t) => {
  const path = join(folderOf(t), 'journal');
  const store = new FileStore(path);
  await store.load();
  const all = Array.from({ length: 10_000 }, (_, i) => chat(i));
  for (let i = 0; i < all.length; i += 32) await store.write(all.slice(i, i + 32), false);
  // As handled messages write it: one chat a line.
  await Promise.all(all.map((change) => store.write([change], false)));
  await store.close();
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const started = performance.now();
    const session = await connect({ url: NOWHERE, token: 't', store: new FileStore(path), offline: true });
    const chats = await session.chats();
    times.push(performance.now() - started);
    assert.equal(chats.length, 10_000);
    assert.deepEqual([chats[0]?.name, chats[0]?.unread], ['user 9999', 20]);
    await session.close();
  }
  const median = times.sort((a, b) => a - b)[2]!;
  t.diagnostic(`${median.toFixed(0)} ms, the list included, from ${(statSync(path).size / 2 ** 20).toFixed(1)} MiB`);
  // Where the machine is busy, reading the file takes longer as well.
  const started = performance.now();
  for (const line of readFileSync(path, 'utf8').split('\n')) JSON.parse(line.slice(9) || '[]');
  assert.ok(median < Math.max(1_000, 10 * (performance.now() - started)), `${median} ms`);
});

test('a rewrite of 10,000 chats holds neither the event loop nor a durable write for long', async (t) => {
  const path = join(folderOf(t), 'journal');
  const store = new FileStore(path);
  await store.load();
  const all = Array.from({ length: 10_000 }, (_, i) => chat(i));
  for (let i = 0; i < all.length; i += 32) await store.write(all.slice(i, i + 32), false);
  // The turns of the event loop between the beginning of a rewrite and its end.
  let turns = 0;
  let beside = 0;
  let rewriting = true;
  const watch = (): void => {
    if (existsSync(`${path}.new`)) turns++;
    if (rewriting) setImmediate(watch);
  };
  watch();
  for (let i = 0; i < 100_000 && rewriting; i += 20) {
    const during = existsSync(`${path}.new`);
    await Promise.all(all.slice(i % 10_000, (i % 10_000) + 20).map((change) => store.write([change], true)));
    if (during) beside++;
    rewriting = !during || existsSync(`${path}.new`);
  }
  assert.equal(rewriting, false);
  t.diagnostic(`${turns} turns of the event loop and ${beside} rounds of durable writes beside one rewrite`);
  assert.ok(turns >= 20 && beside >= 1, `${turns} turns, ${beside} writes`);
  await store.close();
  const again = new FileStore(path);
  assert.equal((await again.load()).chats.length, 10_000);
  await again.close();
});

test('kill -9 with 1,000 messages in the outbox, twice: each lands once, in order', async (t) => {
  const path = join(folderOf(t), 'journal');
  const { url } = await testNode(t);
  const ada = await token('ada', 'phone');
  // The first has no node; the second sends what it left, adds as many, and dies in the middle of it.
  for (const [where, word, stop] of [
    [NOWHERE, 'stored', 1_000],
    [url, 'sent', 300],
  ] as const) {
    const child = spawn(process.execPath, [SENDER, path, where, ada, '1000'], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    const ended = once(child, 'exit');
    let output = '';
    for await (const chunk of child.stdout) {
      output += String(chunk);
      if (output.split(`${word}\n`).length > stop) break;
    }
    child.kill('SIGKILL');
    await ended;
  }
  const session = await connect({ url, token: ada, store: new FileStore(path) });
  t.after(() => session.close());
  const left = session.pending().length;
  await session.direct('bob').send('end');
  assert.equal(session.pending().length, 0);
  const texts: string[] = [];
  for (let before = 0, more = true; more; ) {
    const page = await session.direct('bob').history({ before, limit: 100 });
    texts.unshift(...page.items.map((item) => (item.type === 'message' ? item.text : item.change)));
    before = page.items[0]?.seq ?? 0;
    more = page.more;
  }
  const first = Array.from({ length: 1_000 }, (_, i) => `${i}`);
  assert.deepEqual(texts.slice(0, 1_000), first);
  assert.equal(texts.at(-1), 'end');
  const second = texts.slice(1_000, -1);
  // That a message was sent is written 100 ms later, so it may be all of them; the answers to their ids tell.
  assert.ok(left >= 100, `killed in the middle: ${left} of 2,000 were left`);
  assert.deepEqual(second, first.slice(0, second.length));
  t.diagnostic(`${left} were left after the second kill`);
});
