// Owns the proof that an id gets one number for ever, whatever the clocks of its senders say.
// Invariant: real chat, real pages, a model that is a map.
// Must not: know where an id is found.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../actors/limits.js';
import { idText } from '../../actors/message-id.js';
import { RecentIds } from '../../actors/recent-ids.js';
import { decodeIdPage, encodeIdPage, lastOn } from '../../storage/id-page.js';
import { answers, ChatScene, DIRECT_KEY } from './chat-scene.js';

const HOUR = 3_600_000;

type Step =
  /** Sends in one go, made `skew` ms from now by their sender's clock. */
  | { readonly type: 'burst'; readonly count: number; readonly skew: number }
  | { readonly type: 'wait'; readonly ms: number }
  /** The chat leaves memory and wakes again with the next send. */
  | { readonly type: 'sleep' }
  /** A retry of an id sent so far, by its place. */
  | { readonly type: 'retry'; readonly place: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    type: fc.constant('burst' as const),
    count: fc.integer({ min: 1, max: 90 }),
    skew: fc.constantFrom(0, 0, 0, -3_000, 3_000, -LIMITS.idSkewMs, LIMITS.idSkewMs, -HOUR, 2 * HOUR),
  }),
  fc.record({ type: fc.constant('wait' as const), ms: fc.constantFrom(1, 40, 5_000, LIMITS.idSkewMs, HOUR) }),
  fc.constant({ type: 'sleep' as const }),
  fc.record({ type: fc.constant('retry' as const), place: fc.nat() }),
);

/** An id by a clock that is `skew` ms off. */
function skewed(scene: ChatScene, skew: number): Uint8Array {
  scene.world.time += 1;
  const id = scene.id();
  const made = Buffer.from(id);
  made.writeUIntBE(Math.max(0, made.readUIntBE(0, 6) + skew), 0, 6);
  return made;
}

test('any order of clocks, sleeps and retries: one number for each id, dense', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 24 }), async (steps) => {
      const scene = await ChatScene.open();
      scene.world.time += 10 * HOUR;
      const ada = scene.connection();
      const ids: Uint8Array[] = [];
      for (const action of steps) {
        ada.heard.length = 0;
        if (action.type === 'wait') scene.world.time += action.ms;
        else if (action.type === 'sleep') {
          const chat = scene.chats.get(DIRECT_KEY);
          if (chat?.alive === true) scene.runtime.exit(chat, { type: 'shutdown' });
          await scene.settle();
        } else if (action.type === 'retry') {
          if (ids.length === 0) continue;
          const place = action.place % ids.length;
          scene.send(ada.ref, { id: ids[place]! });
          await scene.settle();
          assert.deepEqual(
            answers(ada).map((answer) => 'seq' in answer && answer.seq),
            [place + 1],
          );
        } else {
          const first = ids.length + 1;
          for (let i = 0; i < action.count; i += 1) {
            const id = skewed(scene, action.skew);
            ids.push(id);
            scene.send(ada.ref, { id });
          }
          await scene.settle();
          const got = answers(ada).map((answer) => 'seq' in answer && answer.seq);
          assert.deepEqual(
            got,
            Array.from({ length: action.count }, (_, i) => first + i),
          );
        }
      }
      // Every id again, after everything, by a chat that knows only the store.
      const chat = scene.chats.get(DIRECT_KEY);
      if (chat?.alive === true) scene.runtime.exit(chat, { type: 'shutdown' });
      for (let at = 0; at < ids.length; at += 37) {
        ada.heard.length = 0;
        scene.send(ada.ref, { id: ids[at]! });
        await scene.settle();
        assert.deepEqual(
          answers(ada).map((answer) => 'seq' in answer && answer.seq),
          [at + 1],
        );
      }
    }),
    { numRuns: 40 },
  );
});

test('a chat keeps between one and two pages of ids in memory, and writes one page a run', () => {
  const recent = new RecentIds('');
  let pages = 0;
  let most = 0;
  for (let seq = 1; seq <= 50 * LIMITS.idPage; seq += 1) {
    const text = String.fromCharCode(...Buffer.from(seq.toString(16).padStart(16, '0'), 'latin1'));
    const entry = { idText: text, seq, at: seq };
    const page = recent.page(new Uint8Array(16), [entry]);
    recent.add(text, { seq, from: 'ada' });
    if (page !== null) {
      pages += 1;
      assert.equal(lastOn(decodeIdPage(page.value!)), seq);
      recent.turn();
    }
    most = Math.max(most, recent.size);
  }
  assert.equal(pages, 50);
  assert.ok(most <= 2 * LIMITS.idPage);
});

test('a page holds what was put on it', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 16, maxLength: 16 }), { minLength: 1, maxLength: 99 }), (raw) => {
      const texts = raw.map(idText);
      const page = { highest: texts[0]!, first: 7, ids: texts.join('') };
      assert.deepEqual(decodeIdPage(encodeIdPage(page)), page);
    }),
  );
});

test('every id of a chat that slept between and on its pages is found again', async () => {
  const scene = await ChatScene.open();
  const ada = scene.connection();
  const ids: Uint8Array[] = [];
  const sleep = async (): Promise<void> => {
    scene.runtime.exit(scene.chats.get(DIRECT_KEY)!, { type: 'killed' });
    await scene.settle();
  };
  for (const count of [LIMITS.idPage, 3, 1, LIMITS.idPage - 5, 1, 2, LIMITS.idPage + 9, 1]) {
    for (let i = 0; i < count; i += 1) {
      scene.world.time += 1;
      ids.push(scene.id());
      scene.send(ada.ref, { id: ids.at(-1)! });
    }
    await scene.settle();
    await sleep();
  }
  ada.heard.length = 0;
  for (const id of ids) scene.send(ada.ref, { id });
  await scene.settle();
  assert.deepEqual(
    answers(ada).map((answer) => 'seq' in answer && answer.seq),
    ids.map((_, at) => at + 1),
  );
});
