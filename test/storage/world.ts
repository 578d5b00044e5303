// Owns the machine's time and chance for storage tests.
// Invariant: timers do not keep the process alive, as the contract of World asks.
// Must not: be deterministic; simulations bring their own world.

import { randomBytes } from 'node:crypto';
import type { World } from '../../actors/world.js';

export const machine: World = {
  now: () => performance.now(),
  wall: () => Date.now(),
  random: () => Math.random(),
  randomBytes: (length) => randomBytes(length),
  defer: (task) => void setImmediate(task),
  timer: (ms, task) => {
    const handle = setTimeout(task, ms).unref();
    return () => clearTimeout(handle);
  },
};
