// Owns the proof that a drained node with an address of its own sends its clients to one that has another: they stay in touch, and come back
// to where they belong later.
// Invariant: two real processes on one store, each with its port; a client by the SDK that knows the first one only.
// Must not: say how a drain is paced (test/cluster/drain.test.ts).

import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { quietPort } from '../../bench/node-process.js';
import { connect } from '../../client/index.js';
import { weft } from '../cli/command.js';
import { token } from './harness.js';
import { Home } from './process.js';

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 15_000;
  while (!(await holds())) {
    assert.ok(performance.now() < end, what);
    await pause(50);
  }
}

const http = (url: string): string => url.replace(/^ws/, 'http');
const connections = async (url: string): Promise<number> => {
  const response = await fetch(new URL('/status', http(url)));
  return ((await response.json()) as { connections: number }).connections;
};
const ready = async (url: string): Promise<number> => (await fetch(new URL('/readyz', http(url)))).status;

test('clients of a drained node go to where another one is reached, and their sends with them', async (t) => {
  const [one, two] = [new Home(t), new Home(t)];
  const store = ['--store', `lmdb:${join(one.folder, 'store')}`, '--peer-listen', '127.0.0.1:0'];
  const start = async (home: Home, id: string): Promise<string> => {
    const port = await quietPort();
    const places = ['--node-id', id, '--public-url', `ws://127.0.0.1:${port}/v1`];
    return (await home.start({ port, flags: [...store, ...places] })).url;
  };
  const first = await start(one, 'a');
  mkdirSync(two.data, { recursive: true });
  copyFileSync(join(one.data, 'cluster.key'), join(two.data, 'cluster.key'));
  const second = await start(two, 'b');
  await until('both have shards', async () =>
    /a +up .*\n +b +up /.test((await weft(['status', '--url', http(first)])).out),
  );

  const session = await connect({ url: first, token: () => token('ada', 'phone') });
  t.after(() => session.close());
  const chat = session.direct('bob');
  let sending = true;
  const sends = (async () => {
    for (let n = 1; sending; n += 1) {
      assert.equal((await chat.send(`${n}`)).seq, n);
      await pause(20);
    }
  })();
  assert.deepEqual([await connections(first), await connections(second)], [1, 0]);
  const flags = ['--rate', '20', '--max-p99', '0', '--url', http(second), '--data', one.data];
  const drained = await weft(['drain', 'a', ...flags]);
  assert.equal(drained.code, 0, drained.err);
  await until('it went where it was sent', async () => (await connections(second)) === 1);
  assert.deepEqual([await connections(first), await ready(first), await ready(second)], [0, 503, 200]);

  // With nobody else left it has to serve again, whatever it was told.
  const last = await weft(['drain', 'b', '--url', http(second), '--data', two.data]);
  assert.match(last.err, /^weft: last_node: /);
  await two.last.stop('SIGKILL');
  await until('who is the last takes all', async () => (await ready(first)) === 200);
  await until('its client is back', async () => (await connections(first)) === 1);
  sending = false;
  await sends;
});
