// Owns the proof that a node's parts are restarted by their supervisors as the tree says, in one process.
// Invariant: a real store and listener; what was acknowledged before is there after.
// Must not: reach into the parts; it asks the tree.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { quietPort } from '../../bench/node-process.js';
import { T } from '../../transport/frames.js';
import { newId, RawClient, testNode, utf8 } from './harness.js';

/** Joins as soon as the listener is there again. */
async function rejoin(url: string, user: string, device: string): Promise<RawClient> {
  for (;;) {
    try {
      return await RawClient.join(url, user, device);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

for (const part of ['node/store', 'node/door/listener', 'node/actors/conversations']) {
  test(`${part} is restarted, with all that depends on it, and chats go on`, async (t) => {
    const { url, node, events } = await testNode(t, { port: await quietPort() });
    const ada = await RawClient.join(url, 'ada', 'a1');
    const chat = await ada.direct('bob');
    const id = newId();
    ada.send({ type: T.SEND, chat, id, body: utf8('before') });
    assert.equal((await ada.next(T.SENT)).seq, 1);

    const restarts = events.filter((event) => event === 'started').length;
    assert.equal(node.tree.restart(part), true);
    const ended = node.tree.ended.then(() => assert.fail('the node gave up'));
    while (events.filter((event) => event === 'started').length === restarts) {
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 10))]);
    }
    const back = await Promise.race([rejoin(url, 'ada', 'a2'), ended]);
    const same = await back.direct('bob');
    back.send({ type: T.SEND, chat: same, id, body: utf8('before') });
    assert.equal((await back.next(T.SENT)).seq, 1, 'a retry gets its number');
    back.send({ type: T.SEND, chat: same, id: newId(), body: utf8('after') });
    assert.equal((await back.next(T.SENT)).seq, 2);
    ended.catch(() => undefined);
  });
}

test('a process with nothing but a restarting node in it lives on', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-restart-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const harness = new URL('./harness.js', import.meta.url).href;
  const lmdb = new URL('../../storage/lmdb.js', import.meta.url).href;
  // The store cannot be opened at once again: for the supervisor's pause there is no socket and no file, only its timer.
  const program = `
    import { testNode } from ${JSON.stringify(harness)};
    import { openLmdb } from ${JSON.stringify(lmdb)};
    const ends = [];
    let opened = 0;
    const openStore = async () => {
      opened += 1;
      if (opened === 2) throw new Error('not yet');
      return openLmdb({ path: process.argv[1] });
    };
    const { node, events } = await testNode({ after: (end) => ends.push(end) }, { openStore });
    const before = events.filter((event) => event === 'started').length;
    node.tree.restart('node/store');
    const look = setInterval(() => {
      if (events.filter((event) => event === 'started').length <= before) return;
      clearInterval(look);
      console.log('up again');
      for (const end of ends) void end();
    }, 5).unref();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, join(folder, 'store')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  assert.deepEqual([output, code], ['up again\n', 0]);
});
