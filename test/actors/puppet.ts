// Owns an actor for tests that does what it is told, and a runtime on a manual clock.
// Invariant: a message is a function, so each test shows all that happens in its own text.
// Must not: hold assertions.

import type { Behaviour, Context, Signal } from '../../actors/behaviour.js';
import { createRuntime, type Runtime, type RuntimeOptions } from '../../actors/runtime.js';
import { ManualWorld } from './manual-world.js';

export type Act = (context: Context<Act, string>, log: Log) => void;

export interface Log {
  readonly entries: unknown[];
}

/** An actor that does what it is told, by functions as messages, and logs what it hears. */
export function puppet(
  overrides: Partial<Behaviour<Log, Act, unknown[], string>> = {},
): Behaviour<Log, Act, unknown[], string> {
  return {
    kind: 'puppet',
    level: 'interactive',
    capacity: 4,
    init: (_context, entries) => ({ entries }),
    receive(state, message, context) {
      message(context, state);
    },
    signal(state, signal) {
      state.entries.push(brief(signal));
    },
    ...overrides,
  };
}

/** A signal in a few words. */
export function brief(signal: Signal<string>): string {
  switch (signal.type) {
    case 'down':
    case 'exit':
      return `${signal.type} ${signal.ref.key} ${signal.reason.type}`;
    case 'reply':
      return `reply ${signal.tag} ${signal.error ?? String(signal.value)}`;
    case 'timer':
      return `timer ${signal.tag}`;
    case 'told':
      return 'told';
    default:
      return `result ${signal.tag} ${String(signal.value)}`;
  }
}

export function setUp(options: RuntimeOptions = {}): { world: ManualWorld; runtime: Runtime } {
  const world = new ManualWorld();
  return { world, runtime: createRuntime(world, options) };
}

export const say =
  (entry: unknown): Act =>
  (_context, log) => {
    log.entries.push(entry);
  };
export const crash: Act = () => {
  throw new Error('boom');
};
