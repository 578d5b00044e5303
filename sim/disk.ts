// Owns the disk of a simulated machine: the memory engine, with what disks do to those who trust them.
// Invariant: what is flushed stays; a crash keeps of the groups that are not some of the oldest; reads are never older than what
// their process was told of.
// Must not: know what rows mean, or which node writes them.

import type { World } from '../actors/world.js';
import { type MemoryFault, type MemoryStore, openMemory } from '../storage/memory.js';
import type { Commit, CommitResult, RangePage, RangeQuery, Store, Write } from '../storage/store.js';
import type { Process } from './process.js';
import type { Random } from './random.js';

type Span = readonly [from: number, to: number];

export interface DiskOptions {
  /** ms from a commit to its flush, and of a read; [0, 0]: at once. */
  readonly flush: Span;
  readonly read: Span;
  /** Of each commit: chance of each fault. */
  readonly faults: Readonly<Record<MemoryFault, number>>;
}

export interface DiskHooks {
  flushed(writes: readonly Write[]): void;
  /** A group is committed and not flushed. */
  committed(): void;
  fault(fault: MemoryFault | 'unavailable'): void;
}

export class Disk {
  readonly #options: DiskOptions;
  readonly #luck: Random;
  readonly #hooks: DiskHooks;
  readonly #planned: MemoryFault[] = [];
  #memory: MemoryStore;
  #process: Process | null = null;
  #stalls: (() => void)[] = [];
  #full = false;
  #broken = false;
  #calm = false;

  constructor(options: DiskOptions, luck: Random, hooks: DiskHooks) {
    this.#options = options;
    this.#luck = luck;
    this.#hooks = hooks;
    this.#memory = openMemory({
      world: this.#world(),
      flushMs: () => this.#drawn(options.flush),
      fault: () => this.#fault(),
      flushed: (writes) => hooks.flushed(writes),
      committed: () => hooks.committed(),
    });
  }

  /** For a process that starts on it. One at a time: what the one before left pending is flushed or was lost with it. */
  open(process: Process): Promise<Store> {
    if (this.#broken) return Promise.reject(new Error('store_unavailable: the disk does not answer'));
    this.#process = process;
    this.#memory = this.#memory.crash(this.#memory.unflushed);
    // Where it hangs, it hangs for the next process too.
    for (let held = this.#stalls.splice(0).length; held > 0; held -= 1) this.#hold();
    return Promise.resolve(this.#view(this.#memory, process));
  }

  /** Its process died. Of the groups not flushed the oldest `keep` (0 to 1) reached the disk. Answers how many did not. */
  crash(keep: number): number {
    const { unflushed } = this.#memory;
    const kept = Math.round(keep * unflushed);
    this.#memory = this.#memory.crash(kept);
    return unflushed - kept;
  }

  // ---- what happens to it ----

  stall(on: boolean): void {
    if (on) this.#hold();
    else for (const release of this.#stalls.splice(0)) release();
  }

  fill(on: boolean): void {
    this.#full = on;
  }

  break(on: boolean): void {
    this.#broken = on;
  }

  /** The next `count` commits meet this. */
  plan(fault: MemoryFault, count: number): void {
    for (let n = 0; n < count; n += 1) this.#planned.push(fault);
  }

  /** No more faults. */
  calm(): void {
    this.#calm = true;
    this.#planned.length = 0;
    this.stall(false);
    this.fill(false);
    this.break(false);
  }

  #hold(): void {
    this.#stalls.push(this.#memory.stall());
  }

  #drawn([from, to]: Span): number {
    return from + this.#luck() * (to - from);
  }

  #fault(): MemoryFault | undefined {
    const fault = this.#which();
    if (fault !== undefined) this.#hooks.fault(fault);
    return fault;
  }

  #which(): MemoryFault | undefined {
    if (this.#broken) return 'store_unavailable';
    if (this.#full) return 'store_full';
    const planned = this.#planned.shift();
    if (planned !== undefined || this.#calm) return planned;
    let roll = this.#luck();
    for (const [fault, chance] of Object.entries(this.#options.faults)) {
      if (roll < chance) return fault as MemoryFault;
      roll -= chance;
    }
    return undefined;
  }

  /** The world of the process that has it open: its timers die and freeze with that. */
  #world(): World {
    const process = (): World => this.#process!;
    return {
      now: () => process().now(),
      wall: () => process().wall(),
      random: () => process().random(),
      randomBytes: (length) => process().randomBytes(length),
      defer: (task) => process().defer(task),
      timer: (ms, task) => process().timer(ms, task),
    };
  }

  #view(memory: MemoryStore, process: Process): Store {
    const read = async <T>(answer: () => Promise<T>): Promise<T> => {
      const { read: span } = this.#options;
      // Old on arrival or new: both are allowed, as long as it is not older than what was asked after.
      const early = span[1] > 0 && this.#luck.chance(0.5) ? answer() : null;
      if (span[1] > 0) await new Promise<void>((resolve) => process.timer(this.#drawn(span), resolve));
      if (this.#broken) {
        this.#hooks.fault('unavailable');
        throw new Error('store_unavailable: the disk does not answer');
      }
      return early ?? answer();
    };
    return {
      engine: memory.engine,
      durability: memory.durability,
      get: (key: Uint8Array): Promise<Uint8Array | undefined> => read(() => memory.get(key)),
      range: (query: RangeQuery): Promise<RangePage> => read(() => memory.range(query)),
      commit: (commit: Commit): Promise<CommitResult> => memory.commit(commit),
      watch: (key, changed) => memory.watch(key, changed),
      close: () => memory.close(),
    };
  }
}
