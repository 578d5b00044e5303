// Owns the World of real clients: the machine's clocks, chance and timers, by what browsers and Node both have.
// Invariant: no Node built-ins.
// Must not: be used by the core, which takes a World.

import type { World } from '../actors/world.js';

export const platform: World = {
  now: () => performance.now(),
  wall: () => Date.now(),
  random: () => Math.random(),
  randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  defer: (task) => void setTimeout(task, 0),
  timer(ms, task) {
    const timer: unknown = setTimeout(task, ms);
    if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function') {
      timer.unref();
    }
    return () => clearTimeout(timer as ReturnType<typeof setTimeout>);
  },
};
