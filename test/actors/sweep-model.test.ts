// Owns the proof that sweeping keeps the promises whatever happens in which order: nothing lost that a device still
// claims, nothing stored twice, numbers dense.
// Invariant: the model knows who sent what and who acknowledged what, and nothing of pages, floors or plans.
// Must not: look at rows but to see which messages are there.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../actors/limits.js';
import { answers, DIRECT_KEY } from './chat-scene.js';
import { ack, DUE, device, kill, log, pair, repeat } from './sweep-scene.js';

const HOUR = 3_600_000;
const DEVICES = [
  ['ada', '1'],
  ['bob', '1'],
  ['bob', '2'],
] as const;

type Step =
  | { readonly type: 'send'; readonly user: 'ada' | 'bob'; readonly count: number; readonly skew: number }
  /** A device acknowledges a share of what it lacks. */
  | { readonly type: 'ack'; readonly device: number; readonly share: number }
  | { readonly type: 'sweep' }
  | { readonly type: 'crash' }
  | { readonly type: 'fault'; readonly fault: 'store_unavailable' | 'unknown_applied' | 'unknown_dropped' }
  | { readonly type: 'repeat'; readonly place: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    type: fc.constant('send' as const),
    user: fc.constantFrom('ada' as const, 'bob' as const),
    count: fc.integer({ min: 1, max: 80 }),
    skew: fc.constantFrom(0, 0, 0, -3_000, 3_000, -HOUR, HOUR),
  }),
  fc.record({ type: fc.constant('ack' as const), device: fc.nat(2), share: fc.constantFrom(0.3, 0.8, 1, 1) }),
  fc.constant({ type: 'sweep' as const }),
  fc.constant({ type: 'crash' as const }),
  fc.record({
    type: fc.constant('fault' as const),
    fault: fc.constantFrom('store_unavailable' as const, 'unknown_applied' as const, 'unknown_dropped' as const),
  }),
  fc.record({ type: fc.constant('repeat' as const), place: fc.nat() }),
);

test('any course of sends, acknowledgements, sweeps, crashes, faults and retries', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 30 }), async (steps) => {
      const { scene, ada } = await pair();
      await device(scene, 'bob', '2');
      scene.world.time += 10 * HOUR;
      const sent: { readonly id: Uint8Array; readonly user: string }[] = [];
      const has = [0, 0, 0];
      /** What everybody acknowledged; above it, all must be there. */
      const clear = (): number => Math.min(...has);
      const check = async (): Promise<void> => {
        const there = (await log(scene)).filter((line) => !line.includes('#')).map(Number);
        for (let seq = clear() + 1; seq <= sent.length; seq += 1) assert.ok(there.includes(seq), `${seq} is claimed`);
      };
      for (const action of steps) {
        if (action.type === 'sweep') await scene.pass(DUE);
        else if (action.type === 'crash') await kill(scene);
        else if (action.type === 'fault') {
          scene.faults = [action.fault];
          await scene.pass(DUE + LIMITS.reloadMs + LIMITS.sweepRetryMs);
          scene.faults = [];
        } else if (action.type === 'ack') {
          const [user, name] = DEVICES[action.device]!;
          has[action.device]! += Math.ceil((sent.length - has[action.device]!) * action.share);
          ack(scene, user, has[action.device]!, name);
          await scene.settle();
        } else if (action.type === 'repeat') {
          if (sent.length === 0) continue;
          const place = action.place % sent.length;
          const { id, user } = sent[place]!;
          // The device that sent it has not acknowledged: it may come again. (Of bob's, whichever.)
          const own = user === 'ada' ? has[0]! : Math.min(has[1]!, has[2]!);
          if (place + 1 > own || place >= sent.length - LIMITS.idPage) {
            assert.equal(await repeat(scene, id, user), place + 1, 'the first number');
          }
        } else {
          for (let i = 0; i < action.count; i += 1) {
            scene.world.time += 1;
            const id = Buffer.from(scene.id());
            id.writeUIntBE(id.readUIntBE(0, 6) + action.skew, 0, 6);
            scene.send(ada.ref, { id, user: action.user });
            sent.push({ id, user: action.user });
          }
          await scene.settle();
          const got = answers(ada).slice(-action.count);
          const first = sent.length - action.count + 1;
          assert.deepEqual(
            got.map((answer) => 'seq' in answer && answer.seq),
            Array.from({ length: action.count }, (_, i) => first + i),
          );
        }
        await check();
      }
      // In the end all is acknowledged, and all goes.
      for (const [at, [user, name]] of DEVICES.entries()) {
        has[at] = sent.length;
        if (sent.length > 0) ack(scene, user, sent.length, name);
      }
      await scene.pass(2 * DUE + LIMITS.sweepRetryMs);
      if (scene.chats.get(DIRECT_KEY) === undefined || sent.length === 0) return;
      assert.equal((await log(scene)).length, 1);
    }),
    { numRuns: 30 },
  );
});
