// Owns the proof that the SDK works through the limits of its node: everything arrives, in order, at the allowed rate.
// Invariant: the application sees no error.
// Must not: test the limits themselves (limits.test.ts).

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { DEFAULT_QUOTAS, type Quotas } from '../../actors/allowances.js';
import { LIMITS } from '../../actors/limits.js';
import { connect, type Message, type Session } from '../../client/index.js';
import { NO_QUOTAS } from '../quotas.js';
import { testNode, token } from './harness.js';

async function join(t: TestContext, url: string, user: string, errors: string[]): Promise<Session> {
  const session = await connect({ url, token: () => token(user, 'd') });
  session.on('error', ({ code }) => void errors.push(code));
  t.after(() => session.close());
  return session;
}

/** Ada sends `count` numbered messages to each of these users at once; answers the ms until the last was acknowledged. */
async function send(t: TestContext, quotas: Quotas, counts: Readonly<Record<string, number>>) {
  const { url, node } = await testNode(t, { settings: { quotas } });
  const errors: string[] = [];
  const ada = await join(t, url, 'ada', errors);
  const got = new Map<string, string[]>();
  const names = Object.keys(counts);
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  let arrived = 0;
  const all = new Promise<void>((resolve) => {
    const take = (name: string, { text }: Message): void => {
      got.get(name)!.push(text);
      arrived += 1;
      if (arrived === total) resolve();
    };
    void Promise.all(
      names.map(async (name) => {
        got.set(name, []);
        (await join(t, url, name, errors)).on('message', (message) => take(name, message));
      }),
    );
  });
  const began = performance.now();
  const sent = names.flatMap((name) =>
    Array.from({ length: counts[name]! }, (_, i) =>
      ada
        .direct(name)
        .send(`${i}`)
        .then(({ seq }) => seq - i),
    ),
  );
  assert.deepEqual(new Set(await Promise.all(sent)), new Set([1]));
  const ms = performance.now() - began;
  await all;
  for (const name of names)
    assert.deepEqual(
      got.get(name),
      Array.from({ length: counts[name]! }, (_, i) => `${i}`),
    );
  assert.deepEqual(errors, []);
  return { ms, refused: node.allowances.refused };
}

test('with the limits as they are, what is beyond the burst takes its time and no more', async (t) => {
  const more = 60;
  const { ms, refused } = await send(t, DEFAULT_QUOTAS, { bob: LIMITS.sendBurst + more });
  const least = ((more - 1) * 1_000) / LIMITS.deviceSends;
  assert.ok(ms >= least, `${ms} ms`);
  assert.ok(ms <= 4 * least + 2_000, `${ms} ms`);
  assert.ok(refused.deviceSends > 0);
});

test('an outbox of 1,000 messages to many chats goes out in order', async (t) => {
  const rate = 400;
  const counts = { bob: 700, ...Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`u${i}`, 10])) };
  const { ms, refused } = await send(t, { ...NO_QUOTAS, deviceSends: rate }, counts);
  const least = ((1_000 - rate) * 1_000) / rate;
  assert.ok(ms >= least, `${ms} ms`);
  assert.ok(ms <= 4 * least + 2_000, `${ms} ms`);
  // A refusal costs two frames: few are worth the tokens that were not left to lapse.
  assert.ok(refused.deviceSends < 200, `${refused.deviceSends} refused`);
});

test('a new chat that must wait holds up itself only', async (t) => {
  const { url } = await testNode(t, { settings: { quotas: { ...NO_QUOTAS, newDirects: 2 } } });
  const errors: string[] = [];
  const ada = await join(t, url, 'ada', errors);
  await ada.direct('bob').send('1');
  await ada.direct('carol').send('1');
  let settled = false;
  const waiting = ada.direct('dave').send('1');
  waiting.then(
    () => {
      settled = true;
    },
    () => undefined,
  );
  for (let i = 2; i < 20; i += 1) assert.deepEqual(await ada.direct('bob').send(`${i}`), { seq: i });
  assert.equal(settled, false);
  assert.equal(ada.pending().length, 1);
  assert.deepEqual(errors, []);
});
