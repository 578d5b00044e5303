// Owns the proof that a disk that takes nothing more costs nothing that was acknowledged: sends are refused by code, and go
// through again by themselves when there is room.
// Invariant: real nodes and SDK clients under load; the room comes and goes under the running process.
// Must not: take time for a sign: each wait is for something that must happen.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type NodeProcess, quietPort, StartFailure } from '../../bench/node-process.js';
import { T } from '../../transport/frames.js';
import { needs } from '../needs.js';
import { newId, RawClient, utf8 } from './harness.js';
import { Load } from './load.js';
import { Home } from './process.js';
import { SmallDisk } from './small-disk.js';

/** ms from the moment there is room until a message that was refused is stored: it waits 500 between two attempts. */
const BACK = 5_000;

interface Room {
  /** What a refusal adds to its code. */
  readonly says: RegExp;
  fill(): void;
  free(): void;
}

/** Under load: full, refused, reads go on, room again, sent. Answers the ms until a refused message was stored. */
async function runDry(load: Load, node: NodeProcess, room: Room): Promise<number> {
  await load.flow(40);
  const eve = await RawClient.join(node.url, 'eve', 'e1');
  const chat = await eve.direct('fay');
  const details: string[] = [];
  const send = async (id: Uint8Array): Promise<'sent' | number> => {
    eve.send({ type: T.SEND, chat, id, body: utf8('y'.repeat(3_000)) });
    const frame = await eve.next([T.SENT, T.FAILED], () => true, 30_000);
    if (frame.type === T.SENT) return 'sent';
    const { code, retry, after, detail } = frame;
    details.push(detail);
    assert.deepEqual({ code, retry }, { code: 'unavailable', retry: true });
    assert.ok(after > 0, 'it says when to try again');
    return after;
  };
  assert.equal(await send(newId()), 'sent');
  room.fill();
  // Pages that are free within the file still take some.
  let id = newId();
  while ((await send(id)) === 'sent') id = newId();
  // Who asks again at once is told that the chat is being read again.
  assert.match(details[0]!, room.says);
  const acked = load.acked;
  for (let n = 0; n < 2; n += 1) await pause(Number(await send(id)));
  assert.ok(load.acked <= acked + 20, 'nor is anybody else acknowledged');
  const r = eve.request();
  eve.send({ type: T.HISTORY, r, chat, before: 0, limit: 5 });
  const page = await eve.next([T.PAGE, T.ERROR], (frame) => frame.r === r);
  assert.ok(page.type === T.PAGE && page.rows.length > 0, JSON.stringify(page));
  room.free();
  const began = performance.now();
  for (let after = await send(id); after !== 'sent'; after = await send(id)) await pause(after);
  const took = performance.now() - began;
  assert.ok(took < BACK, `it took ${took} ms`);
  await load.flow(40);
  eve.close();
  return took;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function failure(start: Promise<unknown>): Promise<StartFailure> {
  const error = await start.then(
    () => null,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StartFailure, `it started, or failed otherwise: ${error}`);
  return error;
}

test('a full disk: sends are refused and tried again, reads go on, and with room all goes through without a restart', async (t: TestContext) => {
  const home = new Home(t);
  const disk = await SmallDisk.mount(t, home.folder, 8);
  if (disk === null) return t.skip('NOT PROVEN HERE: this system lets us mount no tmpfs (unshare -m, as root or user)');
  const store = join(disk.path, 'store');
  const options = { port: await quietPort(), flags: ['--store', `lmdb:${store}`], wrapper: disk.wrapper };
  const node = await home.start(options);
  const load = await Load.start(t, node.url, 6);
  const took = await runDry(load, node, {
    says: /store_full/,
    fill: () => disk.fill(),
    free: () => disk.free(),
  });

  // Down while it is full: what is in the file is there, and what does not fit is said.
  await node.stop('SIGKILL');
  disk.fill();
  disk.remove('store/lock.mdb');
  disk.fill();
  const { exit, lines } = await failure(home.start(options));
  assert.deepEqual(exit, { code: 1, signal: null }, 'no signal; whoever runs it may try again');
  assert.match(lines.join('\n'), /weft: store_full: .*small\/store.*free room/);

  disk.free();
  const again = await home.start(options);
  await load.flow(20);
  await load.rest();
  await load.check();
  await again.stop('SIGTERM');

  await disk.remount('ro');
  const readonly = await failure(home.start(options));
  assert.deepEqual(readonly.exit, { code: 1, signal: null });
  assert.match(readonly.lines.join('\n'), /weft: store_unavailable: .*small\/store.*read-only.*must be able to write/i);
  await disk.remount('rw');
  const last = await home.start(options);
  await load.check();
  await last.stop('SIGTERM');
  t.diagnostic(`${load.acked} acknowledged; ${Math.round(took)} ms from room to SENT`);
});

test('a file that may not grow, as under a quota: the same, for any user', needs('prlimit'), async (t) => {
  const home = new Home(t);
  const node = await home.start({ port: await quietPort() });
  const limit = (soft: string): void => {
    const { status, stderr } = spawnSync('prlimit', ['--pid', `${node.pid}`, `--fsize=${soft}:`], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  };
  const load = await Load.start(t, node.url, 6);
  const took = await runDry(load, node, {
    // A write that is cut short in its middle carries no reason, and the disk itself has room.
    says: /store_(full|unavailable)/,
    fill: () => limit(`${statSync(join(home.data, 'store', 'data.mdb')).size}`),
    free: () => limit('unlimited'),
  });
  await load.rest();
  await node.stop('SIGKILL');
  await home.start({ port: Number(new URL(node.url).port) });
  await load.check();
  t.diagnostic(`${load.acked} acknowledged; ${Math.round(took)} ms from room to SENT`);
});

test('a node frozen again and again under load goes on where it was', async (t) => {
  const home = new Home(t);
  const node = await home.start({ port: await quietPort() });
  const load = await Load.start(t, node.url, 6);
  for (const ms of [20, 300, 1_500]) {
    await load.flow(20);
    await node.freeze(ms);
  }
  await load.flow(20);
  await load.rest();
  await load.check();
  assert.deepEqual(await node.stop('SIGTERM'), { code: 0, signal: null });
});
