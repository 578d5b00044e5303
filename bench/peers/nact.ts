// Owns the kernel suite's work on raw nact, as its manual shows it.
// Invariant: the same messages as peers/weft.ts.
// Must not: be used by the product, whose one file with nact is supervisors/nact-host.ts.

import { dispatch, query, type Ref, spawn, start, stop } from 'nact';
import { BATCH, bytesEach, CHUNK, contend, IDLE, MANY, rate } from './work.js';

type CounterMessage =
  | { readonly type: 'inc' }
  | { readonly type: 'sync'; readonly to: Ref<number>; readonly last: boolean };

const system = start();
let names = 0;

function counter(): Ref<CounterMessage> {
  return spawn(
    system,
    (state: { count: number } = { count: 0 }, message: CounterMessage, context) => {
      if (message.type === 'inc') state.count++;
      else {
        dispatch(message.to, state.count);
        if (message.last) stop(context.self);
      }
      return state;
    },
    `actor-${names++}`,
  );
}

const counters = (count: number): Ref<CounterMessage>[] => Array.from({ length: count }, counter);
const INC: CounterMessage = { type: 'inc' };

async function sync(to: Ref<CounterMessage>, last: boolean): Promise<void> {
  await query(to, (reply: Ref<number>) => ({ type: 'sync' as const, to: reply, last }), 5_000);
}

async function tell(to: readonly Ref<CounterMessage>[], times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const ref = to[i % to.length];
    if (ref !== undefined) dispatch(ref, INC);
  }
  const final = to.at(-1);
  if (final !== undefined) await sync(final, false);
}

await contend({
  one(ms) {
    const to = counters(1);
    return rate(ms, CHUNK, () => tell(to, CHUNK));
  },
  many(ms) {
    const to = counters(MANY);
    return rate(ms, MANY, () => tell(to, MANY));
  },
  ask(ms) {
    const to = counter();
    return rate(ms, BATCH, async () => {
      for (let i = 0; i < BATCH; i++) await sync(to, false);
    });
  },
  spawn(ms) {
    return rate(ms, BATCH, async () => {
      const batch = counters(BATCH);
      for (const ref of batch.slice(1)) {
        dispatch(ref, INC);
      }
      await Promise.all(batch.map((ref) => sync(ref, true)));
    });
  },
  async memory() {
    await tell(counters(IDLE / 20), IDLE / 20);
    return bytesEach(IDLE / 4, async () => {
      const refs = counters(IDLE / 4);
      await tell(refs, refs.length);
      return refs;
    });
  },
});
