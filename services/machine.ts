// Owns the World of a real machine: Node's clocks, event loop and randomness.
// Invariant: nothing here keeps the process alive.
// Must not: be imported by core folders, which take a World.

import { randomFillSync } from 'node:crypto';
import { assert } from '../actors/errors.js';
import type { World } from '../actors/world.js';

/** Randoms drawn at once: a call into the kernel costs more than a thousand multiplications. */
const BATCH = 256;

export function createMachine(): World {
  const drawn = new Uint32Array(BATCH);
  let left = 0;
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    random() {
      if (left === 0) {
        randomFillSync(drawn);
        left = BATCH;
      }
      left--;
      return (drawn[left] ?? 0) / 2 ** 32;
    },
    randomBytes: (length) => randomFillSync(new Uint8Array(length)),
    defer(task) {
      setImmediate(task);
    },
    timer(ms, task) {
      // Node would take a longer one for 1 ms.
      assert(ms < 2 ** 31, 'a timer of the machine is under 2³¹ ms');
      const handle = setTimeout(task, Math.ceil(ms));
      handle.unref();
      return () => clearTimeout(handle);
    },
  };
}
