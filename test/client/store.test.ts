// Owns the contract tests of the client's stores, and what each must survive.
// Invariant: every kind of store passes the same contract.
// Must not: know a store's form, but where damage is the point.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb';
import type { ClientStore, StoredChat, StoredSend } from '../../client/store.js';
import { FileStore } from '../../client/store-file.js';
import { IdbStore } from '../../client/store-idb.js';
import { MemoryStore } from '../../client/store-memory.js';
import { ManualWorld } from '../actors/manual-world.js';
import { bench, settle } from './bench.js';
import { FakeServer } from './fake-server.js';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weft-client-'));
  globalThis.indexedDB = new IDBFactory();
  globalThis.IDBKeyRange = IDBKeyRange;
});
after(() => rm(folder, { recursive: true, force: true }));

const chat = (id: string, cursor: number): StoredChat => {
  return { id, kind: 1, name: 'bob', placed: true, cursor, read: 1, lastOwn: 2, own: [7, 9] };
};
const send = (id: string): StoredSend => ({ id, chat: '', user: 'bob', body: Uint8Array.from([0, 255, 10, 34]) });
const [A, B, C] = ['a', 'b', 'c'].map((digit) => digit.repeat(32)) as [string, string, string];

const EMPTY = { owner: undefined, chats: [], outbox: [], marks: 0, blocked: [], profiles: [] };
const memory = new Map<string, MemoryStore>();
const kinds: Record<string, (name: string) => ClientStore> = {
  memory: (name) => {
    const store = memory.get(name) ?? new MemoryStore();
    memory.set(name, store);
    return store;
  },
  file: (name) => new FileStore(join(folder, name)),
  indexeddb: (name) => new IdbStore(name),
};

for (const [kind, open] of Object.entries(kinds)) {
  describe(`${kind} store`, () => {
    test('is empty at first, and gives back what was written, in order', async () => {
      const store = open('contract');
      assert.deepEqual(await store.load(), EMPTY);
      await store.write([{ type: 'owner', user: 'alice', device: 'phone' }], false);
      const adds = [C, A, B].map((id) => store.write([{ type: 'add', send: send(id) }], true));
      await Promise.all(adds);
      await store.write(
        [
          { type: 'settle', id: A },
          { type: 'chat', chat: chat(A, 3) },
        ],
        false,
      );
      await store.write([{ type: 'chat', chat: chat(A, 4) }], false);
      await store.close();
      const again = open('contract');
      const state = await again.load();
      await again.close();
      assert.deepEqual(state.owner, { user: 'alice', device: 'phone' });
      assert.deepEqual(state.chats, [chat(A, 4)]);
      assert.deepEqual(state.outbox, [send(C), send(B)]);
    });

    test('a refusal is kept with its send, in its place, until that is settled', async () => {
      const store = open('refused');
      await store.load();
      await store.write(
        [A, B, C].map((id) => ({ type: 'add', send: send(id) }) as const),
        true,
      );
      await store.write(
        [
          { type: 'refuse', id: B, code: 'blocked', detail: 'no' },
          { type: 'refuse', id: C, code: 'blocked', detail: 'no' },
        ],
        true,
      );
      await store.write([{ type: 'settle', id: C }], false);
      await store.write([{ type: 'refuse', id: C, code: 'blocked', detail: 'no' }], true);
      await store.close();
      const again = open('refused');
      const { outbox } = await again.load();
      await again.close();
      assert.deepEqual(outbox, [send(A), { ...send(B), refused: { code: 'blocked', detail: 'no' } }]);
    });

    test('a settlement right behind its addition wins', async () => {
      const store = open('race');
      await store.load();
      await Promise.all([
        store.write([{ type: 'add', send: send(A) }], true),
        store.write([{ type: 'settle', id: A }], false),
        store.write([{ type: 'add', send: send(B) }], true),
      ]);
      await store.close();
      const again = open('race');
      assert.deepEqual((await again.load()).outbox, [send(B)]);
      await again.close();
    });
  });
}

describe('file store', () => {
  test('is open once: a second session is told so, also of another process', async () => {
    const path = join(folder, 'locked');
    const store = new FileStore(path);
    await store.load();
    await assert.rejects(new FileStore(path).load(), { code: 'store_locked', retry: true });
    await store.close();
    await writeFile(`${path}.lock`, String(process.ppid));
    await assert.rejects(new FileStore(path).load(), { code: 'store_locked' });
    // A dead owner: no process has the highest id there can be.
    await writeFile(`${path}.lock`, String(2 ** 22 + 1));
    const taken = new FileStore(path);
    await taken.load();
    await taken.close();
  });

  test('a torn last line, and a damaged one between, cost those lines alone', async () => {
    const path = join(folder, 'torn');
    const store = new FileStore(path);
    await store.load();
    for (const id of [A, B, C]) await store.write([{ type: 'add', send: send(id) }], true);
    await store.close();
    const whole = await readFile(path);
    const line = whole.indexOf(10) + 1;
    // Every length of a torn third line.
    for (let length = 2 * line; length < whole.length; length += 7) {
      await writeFile(path, whole.subarray(0, length));
      const torn = new FileStore(path);
      assert.deepEqual((await torn.load()).outbox, [send(A), send(B)]);
      await torn.write([{ type: 'add', send: send(C) }], true);
      await torn.close();
      const again = new FileStore(path);
      assert.deepEqual((await again.load()).outbox, [send(A), send(B), send(C)]);
      await again.close();
    }
    const damaged = Buffer.from(whole);
    damaged[line + 20]! ^= 1;
    await writeFile(path, damaged);
    const rest = new FileStore(path);
    assert.deepEqual((await rest.load()).outbox, [send(A), send(C)]);
    await rest.close();
  });

  test('the journal is rewritten when most of it is history, and a rewrite cut short does no harm', async () => {
    const path = join(folder, 'long');
    const store = new FileStore(path);
    await store.load();
    const body = new Uint8Array(50_000);
    // It goes on beside the writes, so it is over when it is; long before the last of these.
    let shrank = false;
    for (let i = 0, size = 0; i < 1_000 && !shrank; i++) {
      const id = i.toString(16).padStart(32, '0');
      await store.write([{ type: 'add', send: { id, chat: A, user: '', body } }], false);
      if (i !== 5) await store.write([{ type: 'settle', id }], false);
      const now = (await stat(path)).size;
      shrank = now < size;
      size = now;
    }
    assert.ok(shrank);
    await store.write([{ type: 'chat', chat: chat(B, 8) }], false);
    await store.close();
    await appendFile(`${path}.new`, 'half a rewr');
    const again = new FileStore(path);
    const state = await again.load();
    await again.close();
    assert.equal(state.outbox.length, 1);
    assert.deepEqual(state.chats, [chat(B, 8)]);
  });

  test('a journal of the first version is read, and what it lacks is as in a new chat', async () => {
    const path = join(folder, 'old');
    const id = 'e'.repeat(32);
    const lines = [
      '[{"type":"owner","user":"alice","device":"phone"}]',
      `[{"type":"chat","chat":{"id":"${id}","kind":2,"name":"tea","placed":true,"cursor":7,"read":5,"lastOwn":6,"own":[9]}}]`,
      `[{"type":"add","send":{"id":"${A}","chat":"${id}","user":"","body":{"base64":"aGk="}}}]`,
    ];
    const sum = (line: string): string => createHash('sha256').update(line).digest('hex').slice(0, 8);
    await writeFile(path, lines.map((line) => `${sum(line)} ${line}\n`).join(''));
    const world = new ManualWorld();
    const server = new FakeServer(world);
    server.up = false;
    const opening = bench({ world, server, store: new FileStore(path), offline: true });
    const { session } = await opening;
    const [tea] = await session.chats();
    const { name, head, read, unread, at, pinned } = tea!;
    assert.deepEqual([name, head, read, unread, at, pinned], ['tea', 9, 5, 0, 0, 0]);
    assert.deepEqual(
      session.pending().map(({ chat, body }) => [chat.name, Buffer.from(body).toString()]),
      [['tea', 'hi']],
    );
    await session.close();
  });

  test('a write that fails rejects, and the store goes on with the next', async () => {
    const path = join(folder, 'closed');
    const store = new FileStore(path);
    await assert.rejects(store.write([{ type: 'settle', id: A }], true), { code: 'store_failed' });
    await store.load();
    await store.write([{ type: 'add', send: send(A) }], true);
    await store.close();
    await truncate(`${path}`, 0);
    const again = new FileStore(path);
    assert.deepEqual((await again.load()).outbox, []);
    await again.close();
  });

  test('kill -9: everything told durable is there, and goes out under its id, in order', async () => {
    const path = join(folder, 'killed');
    const program = fileURLToPath(new URL('./writer.js', import.meta.url));
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
      let output = '';
      await new Promise<void>((resolve) => {
        child.stdout.on('data', (chunk: Buffer) => {
          output += chunk.toString();
          if (output.split('\n').length > 20) resolve();
        });
      });
      child.kill('SIGKILL');
      await once(child, 'close');
      const told = output
        .split('\n')
        .slice(0, -1)
        .map((text) => text.split(' ')[1]);
      const world = new ManualWorld();
      const server = new FakeServer(world);
      const { session } = await bench({ world, server, store: new FileStore(path), offline: true });
      // Loading reads a real file, so the test waits for it, not for the clock.
      while (session.pending().length > 0) await settle(world);
      const sent = server.last.of(2).map(({ id }) => Buffer.from(id).toString('hex'));
      assert.deepEqual(sent.slice(0, told.length), told);
      assert.ok(sent.length - told.length <= 1, 'at most the one that was being told');
      await session.close();
    }
  });
});
