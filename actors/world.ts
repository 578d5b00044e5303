// Owns the seam between the core and the outside: time, chance and the event loop's turn.
// Invariant: core folders (actors, supervisors, cluster, client core) reach these only through a World, so that the
// same code runs on the machine and in deterministic simulation.
// Must not: hold an implementation. The machine's own is services/machine.ts.

import type { Site } from './buggify.js';

export interface World {
  /** Monotonic time in ms, fractional. Only differences mean anything. */
  now(): number;
  /** Wall clock in whole ms since 1970. For people and for message ids, never for safety. */
  wall(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** `length` unpredictable bytes. */
  randomBytes(length: number): Uint8Array;
  /** Runs `task` after pending I/O had its turn (setImmediate on the machine). */
  defer(task: () => void): void;
  /**
   * Runs `task` once after at least `ms`; the returned function cancels it. Must not keep the process alive.
   * `ms` is under 2³¹.
   */
  timer(ms: number, task: () => void): () => void;
  /** True: the site shall make trouble now. Simulations alone have it. */
  buggify?(site: Site): boolean;
}
