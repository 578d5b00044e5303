// Owns the proof that a node on a damaged store ends with a word and not with a signal, and that what was acknowledged is
// there once the store is in order again.
// Invariant: `weft start` as a person runs it; each damage is done to a copy of a store with messages in it.
// Must not: ask for a repair: a person decides.

import assert from 'node:assert/strict';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type NodeProcess, StartFailure } from '../../bench/node-process.js';
import { T } from '../../transport/frames.js';
import { newId, RawClient, text, utf8 } from './harness.js';
import { Home } from './process.js';

const PAGE = 4_096;
const MESSAGES = 60;
const bodyOf = (at: number): string => `${at} ${'body '.repeat(at % 7 === 0 ? 1_200 : 20)}`;

let template: string | undefined;

/** A store with messages, whose node is gone; written once, then copied. */
async function written(t: TestContext): Promise<Home> {
  const home = new Home(t);
  if (template !== undefined) {
    cpSync(template, home.data, { recursive: true });
    return home;
  }
  const node = await home.start();
  const ada = await RawClient.join(node.url, 'ada', 'd');
  const chat = await ada.direct('bob');
  for (let at = 1; at <= MESSAGES; at += 1) ada.send({ type: T.SEND, chat, id: newId(), body: utf8(bodyOf(at)) });
  for (let at = 1; at <= MESSAGES; at += 1) assert.equal((await ada.next(T.SENT)).seq, at);
  ada.close();
  await node.stop('SIGTERM');
  const copy = mkdtempSync(join(tmpdir(), 'weft-damaged-'));
  process.once('exit', () => rmSync(copy, { recursive: true, force: true }));
  cpSync(home.data, copy, { recursive: true });
  template = copy;
  return home;
}

/** Reads all that was acknowledged. */
async function whole(node: NodeProcess): Promise<void> {
  const ada = await RawClient.join(node.url, 'ada', 'd');
  const chat = await ada.direct('bob');
  const r = ada.request();
  ada.send({ type: T.HISTORY, r, chat, before: 0, limit: 100 });
  const { rows } = await ada.next(T.PAGE, (frame) => frame.r === r);
  assert.deepEqual(
    rows.map((row) => (row.type === T.MESSAGE ? text(row.body) : '')),
    Array.from({ length: MESSAGES }, (_, at) => bodyOf(at + 1)),
  );
  ada.close();
}

/** How a start that must fail ends, and the one line that it says. */
async function failed(start: Promise<unknown>): Promise<{ readonly code: number | null; readonly line: string }> {
  const error = await start.then(
    () => null,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StartFailure, `it started, or failed otherwise: ${error}`);
  assert.equal(error.exit.signal, null, error.lines.join('\n'));
  assert.equal(error.lines.length, 1, error.lines.join('\n'));
  return { code: error.exit.code, line: error.lines[0]! };
}

const DAMAGE: Readonly<
  Record<string, { readonly does: (store: string) => void; readonly says: RegExp; code: number }>
> = {
  'a data file cut short': {
    does: (store) => truncateSync(join(store, 'data.mdb'), 5 * PAGE),
    says: /store_corrupt: .*data\.mdb is damaged: .*; restore/,
    code: 4,
  },
  'pages that lost what they held': {
    does: (store) => change(store, (bytes) => bytes.fill(0, 2 * PAGE, bytes.length - (bytes.length % PAGE))),
    says: /store_corrupt: .*data\.mdb is damaged: page \d+ /,
    code: 4,
  },
  'an empty data file': {
    does: (store) => writeFileSync(join(store, 'data.mdb'), ''),
    says: /store_missing: .*data\.mdb is empty.*weft-store/,
    code: 4,
  },
  'no data file': {
    does: (store) => rmSync(join(store, 'data.mdb')),
    says: /store_missing: .*data\.mdb is gone.*weft-store/,
    code: 4,
  },
  'a directory in its place': {
    does: (store) => {
      rmSync(join(store, 'data.mdb'));
      mkdirSync(join(store, 'data.mdb', 'x'), { recursive: true });
    },
    says: /store_unavailable: cannot open the store in .*EISDIR/,
    code: 1,
  },
  'a directory as lock file': {
    does: (store) => {
      rmSync(join(store, 'lock.mdb'));
      mkdirSync(join(store, 'lock.mdb'));
    },
    says: /store_unavailable: cannot open the store in .*EISDIR/,
    code: 1,
  },
};

function change(store: string, how: (bytes: Buffer) => void): void {
  const path = join(store, 'data.mdb');
  const bytes = readFileSync(path);
  how(bytes);
  writeFileSync(path, bytes);
}

test('a damaged store is refused with a line that names the file and the way out; in order again, it has everything', async (t) => {
  const home = await written(t);
  const store = (name: string): string => join(home.folder, name);
  const jobs = Object.entries(DAMAGE);
  const work = async (): Promise<void> => {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      const [name, { does, says, code }] = job;
      await t.test(name, async (t) => {
        // A home of its own: one folder runs one node.
        const other = new Home(t);
        cpSync(join(home.data, 'store'), store(name), { recursive: true });
        does(store(name));
        const end = await failed(other.start({ flags: ['--store', `lmdb:${store(name)}`] }));
        assert.match(end.line, says);
        assert.ok(end.line.includes(store(name)), end.line);
        assert.equal(end.code, code);
        if (!name.startsWith('pages')) return;
        // Begun anew on request, as the line says.
        rmSync(join(store(name), 'data.mdb'));
        rmSync(join(store(name), 'weft-store'));
        await other.start({ flags: ['--store', `lmdb:${store(name)}`] });
      });
    }
  };
  await Promise.all([work(), work()]);
  await whole(await home.start());
});

test('a lock file of another version of LMDB, or of a full disk, is made anew', async (t) => {
  const home = await written(t);
  const lock = join(home.data, 'store', 'lock.mdb');
  const bytes = readFileSync(lock);
  bytes.writeUInt32LE(0x01020304, 4);
  writeFileSync(lock, bytes, { flag: 'r+' });
  const node = await home.start();
  await whole(node);
  await node.stop('SIGKILL');
  writeFileSync(lock, '');
  await whole(await home.start());
});

test('a store that is moved away, replaced or removed under a running node: nothing more is acknowledged, and it says so', async (t) => {
  const deeds: Readonly<Record<string, (store: string, kept: string) => void>> = {
    gone: (store, kept) => renameSync(store, kept),
    replaced: (store, kept) => {
      renameSync(store, kept);
      cpSync(kept, store, { recursive: true });
    },
  };
  const run = async ([what, does]: [string, (store: string, kept: string) => void]): Promise<void> => {
    const home = await written(t);
    const store = join(home.data, 'store');
    const kept = join(home.folder, 'kept');
    const node = await home.start();
    const ada = await RawClient.join(node.url, 'ada', 'd');
    const chat = await ada.direct('bob');
    does(store, kept);
    const id = newId();
    ada.send({ type: T.SEND, chat, id, body: utf8('never acknowledged') });
    const late = new Promise((resolve) => setTimeout(() => resolve('it goes on'), 10_000).unref());
    assert.deepEqual(await Promise.race([node.ended, late]), { code: 4, signal: null }, node.lines.join('\n'));
    await ada.closing();
    assert.ok(!ada.frames.some(({ type }) => type === T.SENT));
    assert.match(node.lines.join('\n'), new RegExp(`data\\.mdb was ${what} while in use.*store_missing`));
    if (existsSync(store)) rmSync(store, { recursive: true });
    renameSync(kept, store);
    const again = await home.start();
    const client = await RawClient.join(again.url, 'ada', 'd');
    client.send({ type: T.SEND, chat: await client.direct('bob'), id, body: utf8('never acknowledged') });
    assert.equal((await client.next(T.SENT)).seq, MESSAGES + 1, 'what was acknowledged is there, and the next follows');
    client.close();
  };
  await Promise.all(Object.entries(deeds).map(run));
});

test('after two crashes in a row every page is looked at, and a start that refuses does not forget them', async (t) => {
  const home = await written(t);
  for (let crash = 0; crash < 2; crash += 1) await (await home.start()).stop('SIGKILL');
  const path = join(home.data, 'store', 'data.mdb');
  const bytes = readFileSync(path);
  truncateSync(path, 5 * PAGE);
  for (let start = 0; start < 2; start += 1) {
    const error = await home.start().catch((reason: unknown) => reason);
    assert.ok(error instanceof StartFailure);
    assert.equal(error.exit.code, 4);
    assert.ok(error.lines.some((line) => line.includes('every page of the store is checked')));
  }
  writeFileSync(path, bytes);
  const node = await home.start();
  await whole(node);
});
