// Owns what the SDK's tests share: a session over the fake server in a world whose clock the test moves.
// Invariant: nothing here depends on the machine's speed.
// Must not: assert; the tests do.

import type { TestContext } from 'node:test';
import { openSession } from '../../client/open.js';
import type { SessionOptions } from '../../client/options.js';
import type { Session } from '../../client/session.js';
import { MemoryStore } from '../../client/store-memory.js';
import { ManualWorld } from '../actors/manual-world.js';
import { FakeServer } from './fake-server.js';

/** Lets promises and deferred tasks run until neither causes the other any more. */
export async function settle(world: ManualWorld): Promise<void> {
  for (let quiet = 0; quiet < 3; ) {
    await new Promise((resolve) => setImmediate(resolve));
    quiet = world.deferred === 0 ? quiet + 1 : 0;
    world.settle();
  }
}

/** Runs deferred tasks by themselves until the test ends, so that it can await what the server answers. The clock stands. */
export function live(t: TestContext, world: ManualWorld): void {
  let next = setImmediate(function pump() {
    world.settle();
    next = setImmediate(pump);
  });
  t.after(() => clearImmediate(next));
}

/** Moves the clock in small steps, with promises running in between. */
export async function advance(world: ManualWorld, ms: number, step = Math.max(5, ms / 40)): Promise<void> {
  await settle(world);
  for (let left = ms; left > 0; left -= step) {
    world.advance(Math.min(step, left));
    await settle(world);
  }
}

export interface Bench {
  readonly world: ManualWorld;
  readonly server: FakeServer;
  readonly session: Session;
  /** `name:seq:text` of every message, in the order the application saw them. */
  readonly seen: string[];
  readonly states: string[];
  readonly errors: string[];
}

export type BenchOptions = Partial<SessionOptions> & {
  readonly world?: ManualWorld;
  readonly server?: FakeServer;
  /** Listens to messages at once (true). */
  readonly listen?: boolean;
};

/** A session that is online, unless the options say otherwise. */
export async function bench(options: BenchOptions = {}): Promise<Bench> {
  const { world = new ManualWorld(), listen = true, ...rest } = options;
  const { server = new FakeServer(world), ...session } = rest;
  const { dial } = server;
  const opening = openSession({ world, dial, store: new MemoryStore(), url: 'ws://test', token: 't', ...session });
  opening.catch(() => {});
  await settle(world);
  const opened = await opening;
  const seen: string[] = [];
  const states: string[] = [];
  const errors: string[] = [];
  if (listen) opened.on('message', ({ chat, seq, text }) => void seen.push(`${chat.name}:${seq}:${text}`));
  opened.on('state', ({ state }) => void states.push(state));
  opened.on('error', ({ code }) => void errors.push(code));
  await settle(world);
  return { world, server, session: opened, seen, states, errors };
}
