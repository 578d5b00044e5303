// Owns the kernel suite's work on Weft's own runtime, through the public API and within its bounds.
// Invariant: what the product runs is what is measured: the machine's world, LIMITS, bounded mailboxes.
// Must not: use a hook or a limit that the product does not have.

import type { Behaviour, Context, Signal } from '../../actors/behaviour.js';
import { LIMITS } from '../../actors/limits.js';
import type { Ref, Reply } from '../../actors/ref.js';
import { createRuntime } from '../../actors/runtime.js';
import { createMachine } from '../../services/machine.js';
import { BATCH, bytesEach, CHUNK, contend, IDLE, MANY, rate } from './work.js';

type CounterMessage = 'inc' | 'stop' | { readonly reply: Reply; readonly last: boolean };

const counter: Behaviour<{ count: number }, CounterMessage> = {
  kind: 'counter',
  level: 'interactive',
  capacity: LIMITS.mailbox,
  init: () => ({ count: 0 }),
  receive(state, message, context) {
    if (message === 'inc') state.count++;
    else if (message === 'stop') context.stop();
    else {
      message.reply.answer(state.count);
      if (message.last) context.stop();
    }
  },
};

/** A counter as conversations and users are when idle: watched by its supervisor, with its passivation timer set. */
const tied: Behaviour<{ count: number }, CounterMessage> = {
  ...counter,
  kind: 'tied',
  receive(state, message, context) {
    counter.receive(state, message, context);
    context.after(LIMITS.passivateMs, undefined);
  },
};

const sync = (reply: Reply): CounterMessage => ({ reply, last: false });
const last = (reply: Reply): CounterMessage => ({ reply, last: true });

type DriverMessage =
  | { readonly type: 'tell'; readonly to: readonly Ref<CounterMessage>[]; readonly times: number; readonly done: Done }
  | { readonly type: 'ask'; readonly to: Ref<CounterMessage>; readonly times: number; readonly done: Done }
  | { readonly type: 'spawn'; readonly times: number; readonly done: Done };

type Done = () => void;

/** What an answer was waited for. */
type Step = 'told' | 'asked' | 'spawned';

interface Driver {
  to: readonly Ref<CounterMessage>[];
  sent: number;
  times: number;
  done: Done;
}

/** Tells before the driver asks whether they arrived: a window, as mailboxes are bounded. Erlang's need none. */
const WINDOW = 1_000;

/** Does the work from inside an actor, as Erlang's does from inside a process. */
const driver: Behaviour<Driver, DriverMessage, void, Step> = {
  kind: 'driver',
  level: 'interactive',
  capacity: 16,
  init: () => ({ to: [], sent: 0, times: 0, done: () => {} }),
  receive(state, message, context) {
    switch (message.type) {
      case 'tell':
        state.to = message.to;
        state.sent = 0;
        state.times = message.times;
        state.done = message.done;
        tellSome(state, context);
        return;
      case 'ask':
        state.to = [message.to];
        state.times = message.times;
        state.done = message.done;
        context.ask(message.to, sync, 5_000, 'asked');
        return;
      case 'spawn':
        for (let i = 1; i < message.times; i++) context.tell(context.spawn(counter, `actor-${i}`, undefined), 'stop');
        state.done = message.done;
        context.ask(context.spawn(counter, 'actor-last', undefined), last, 5_000, 'spawned');
    }
  },
  signal(state, signal: Signal<Step>, context) {
    if (signal.type !== 'reply') return;
    if (signal.error !== undefined) throw new Error(`an ask failed: ${signal.error}`);
    const to = state.to[0];
    if (signal.tag === 'told' && state.sent < state.times) tellSome(state, context);
    else if (signal.tag === 'asked' && --state.times > 0 && to !== undefined) context.ask(to, sync, 5_000, 'asked');
    else state.done();
  },
};

function tellSome(state: Driver, context: Context<DriverMessage, Step>): void {
  const { to } = state;
  const end = Math.min(state.times, state.sent + WINDOW);
  let next = state.sent % to.length;
  for (; state.sent < end; state.sent++) {
    const ref = to[next];
    if (ref === undefined || context.tell(ref, 'inc') !== 'ok') throw new Error('a tell was refused');
    next = next + 1 === to.length ? 0 : next + 1;
  }
  const told = to.at(next - 1);
  if (told !== undefined) context.ask(told, sync, 5_000, 'told');
}

const runtime = createRuntime(createMachine());
const drive = runtime.spawn(driver, 'driver', undefined);
const command = (make: (done: Done) => DriverMessage): Promise<void> =>
  new Promise((resolve) => {
    drive.tell(make(resolve));
  });

function counters(count: number, behaviour: typeof counter): Ref<CounterMessage>[] {
  return Array.from({ length: count }, (_, i) => runtime.spawn(behaviour, `actor-${i}`, undefined));
}

async function memory(behaviour: typeof counter, watched: boolean): Promise<number> {
  // A small warm-up only: after one of full size the actors would fit into pages that are resident already.
  const churn = counters(IDLE / 10, behaviour);
  await command((done) => ({ type: 'tell', to: churn, times: churn.length, done }));
  for (const ref of churn) ref.tell('stop');
  await new Promise((resolve) => setTimeout(resolve, 50));
  churn.length = 0;
  return bytesEach(IDLE, async () => {
    const refs = counters(IDLE, behaviour);
    const ended = (): void => {};
    const unwatch = watched ? refs.map((ref) => runtime.watch(ref, ended)) : [];
    await command((done) => ({ type: 'tell', to: refs, times: refs.length, done }));
    return [refs, unwatch];
  });
}

await contend({
  one(ms) {
    const to = counters(1, counter);
    return rate(ms, CHUNK, () => command((done) => ({ type: 'tell', to, times: CHUNK, done })));
  },
  async many(ms) {
    const to = counters(MANY, counter);
    const value = await rate(ms, MANY, () => command((done) => ({ type: 'tell', to, times: MANY, done })));
    const counts = await Promise.all(to.map((ref) => runtime.ask(ref, sync, 5_000)));
    if (new Set(counts.map((answer) => answer.ok && answer.value)).size !== 1) throw new Error('a tell was lost');
    return value;
  },
  ask(ms) {
    const to = runtime.spawn(counter, 'answerer', undefined);
    return rate(ms, BATCH, () => command((done) => ({ type: 'ask', to, times: BATCH, done })));
  },
  spawn: (ms) => rate(ms, BATCH, () => command((done) => ({ type: 'spawn', times: BATCH, done }))),
  memory: () => memory(counter, false),
  memory_tied: () => memory(tied, true),
});
