// Owns what scenes of several processes keep their rows in: memory, or a real engine, which takes real time in a world of virtual time.
// Invariant: where the engine is real, virtual time stands still at the moment at which an answer is due that has not come yet. So a
// scene keeps its times whatever the engine takes, and what is asked for within moments of virtual time is on its way at once.
// Must not: delay or spoil anything of its own; shared-store.ts does.

import { setTimeout as pause } from 'node:timers/promises';
import type { World } from '../../actors/world.js';
import { Clock, WORLD } from '../../sim/clock.js';
import type { Process } from '../../sim/process.js';
import { openMemory } from '../../storage/memory.js';
import type { Commit, CommitResult, Store, Write } from '../../storage/store.js';

/** ms of real time that watches have to fire after a commit: a cluster takes 14. They are hints: none has to. */
const WATCH_MS = 100;

export interface Rows {
  readonly engine: string;
  readonly durability: Store['durability'];
  /** As the store has them: without a process, and without virtual time. */
  readonly direct: Pick<Store, 'get' | 'range' | 'commit'>;
  /** The way of a process to them. */
  of(process: Process): Pick<Store, 'get' | 'range' | 'commit' | 'watch'>;
  /** Has the process hear of it, `late` ms of virtual time afterwards. */
  pass<T>(process: Process, late: () => number, ask: () => Promise<T>): Promise<T>;
  /** No commit is answered until the returned function is called; of a real engine no read either. */
  stall(): () => void;
}

/** Opens one process's way to the rows of the scene with that number. */
type Open = (scene: number) => Promise<Store>;

let openReal: Open | null = null;
let scenes = 0;
let last: RealRows | null = null;

/** Scenes that follow keep their rows there. */
export function keepRows(open: Open): void {
  openReal = open;
}

/** The scene before is over: what it has open is closed. */
export async function closeRows(): Promise<void> {
  const rows = last;
  last = null;
  await rows?.close();
}

/** `flushed` is told of each group of writes as it becomes durable. */
export function openRows(world: World, clock: PatientClock, flushed: (writes: readonly Write[]) => void): Rows {
  if (openReal === null) return memoryRows(world, flushed);
  void closeRows();
  scenes += 1;
  last = new RealRows(openReal, scenes, clock, flushed);
  return last;
}

export const onMemory = (): boolean => openReal === null;

function memoryRows(world: World, flushed: (writes: readonly Write[]) => void): Rows {
  const memory = openMemory({ world, flushMs: 1, flushed });
  return {
    engine: memory.engine,
    durability: memory.durability,
    direct: memory,
    of: () => memory,
    pass: (process, late, ask) =>
      new Promise((resolve) => void ask().then((value) => process.arrive(late(), () => resolve(value)))),
    stall: () => memory.stall(),
  };
}

/** Virtual time that waits for what is due and has not come. */
export class PatientClock extends Clock {
  #awaited: Promise<void> | null = null;

  /** Within an event: nothing happens after it until then. */
  await(promise: Promise<void>): void {
    this.#awaited = promise;
    this.stop();
  }

  override async run(until: number): Promise<void> {
    for (;;) {
      await super.run(until);
      const awaited = this.#awaited;
      if (awaited === null) return;
      this.#awaited = null;
      await awaited;
    }
  }
}

interface Watched {
  readonly name: string;
  fired: () => void;
}

class RealRows implements Rows {
  readonly engine = 'foundationdb';
  readonly durability = 'replicated';
  readonly direct: Rows['direct'];
  readonly #open: () => Promise<Store>;
  readonly #clock: PatientClock;
  readonly #flushed: (writes: readonly Write[]) => void;
  readonly #stores = new Map<Process, Promise<Store>>();
  readonly #watched = new Set<Watched>();
  readonly #own: Promise<Store>;
  /** What waits for the end of a stall. */
  #held: (() => void)[] | null = null;

  constructor(open: Open, scene: number, clock: PatientClock, flushed: (writes: readonly Write[]) => void) {
    this.#open = () => open(scene);
    this.#clock = clock;
    this.#flushed = flushed;
    this.#own = this.#open();
    this.direct = {
      get: async (key) => (await this.#own).get(key),
      range: async (query) => (await this.#own).range(query),
      commit: (commit) => this.#commit(this.#own, commit),
    };
  }

  async close(): Promise<void> {
    const stores = await Promise.all([this.#own, ...this.#stores.values()]);
    await Promise.all(stores.map((store) => store.close()));
  }

  of(process: Process): ReturnType<Rows['of']> {
    const known = this.#stores.get(process);
    const store = known ?? this.#open();
    if (known === undefined) this.#stores.set(process, store);
    return {
      get: async (key) => (await store).get(key),
      range: async (query) => (await store).range(query),
      commit: (commit) => this.#commit(store, commit),
      watch: (key, changed) => this.#watch(store, key, changed),
    };
  }

  pass<T>(process: Process, late: () => number, ask: () => Promise<T>): Promise<T> {
    const held = this.#held;
    if (held !== null) return new Promise((resolve) => void held.push(() => resolve(this.pass(process, late, ask))));
    return new Promise((resolve, reject) => {
      const come: (() => void)[] = [];
      const answer = ask().then(
        (value) => void come.push(() => resolve(value)),
        (error: unknown) => void come.push(() => reject(error)),
      );
      this.#clock.schedule(this.#clock.now + late(), WORLD, () => {
        if (come.length > 0) process.arrive(0, come[0]!);
        else this.#clock.await(answer.then(() => process.arrive(0, come[0]!)));
      });
    });
  }

  stall(): () => void {
    this.#held ??= [];
    return () => {
      const held = this.#held ?? [];
      this.#held = null;
      for (const go of held) go();
    };
  }

  async #commit(store: Promise<Store>, commit: Commit): Promise<CommitResult> {
    const opened = await store;
    const told = commit.writes.flatMap(({ key }) => this.#fire(nameOf(key)));
    const result = await opened.commit(commit);
    if (result.outcome !== 'committed') return result;
    this.#flushed(commit.writes);
    if (told.length > 0) await Promise.race([Promise.all(told), pause(WATCH_MS)]);
    return result;
  }

  /** A promise for each watch of the key, of its next sign. */
  #fire(name: string): Promise<void>[] {
    return [...this.#watched]
      .filter((watched) => watched.name === name)
      .map(
        (watched) =>
          new Promise((resolve) => {
            watched.fired = resolve;
          }),
      );
  }

  #watch(store: Promise<Store>, key: Uint8Array, changed: () => void): () => void {
    const watched: Watched = { name: nameOf(key), fired: () => undefined };
    this.#watched.add(watched);
    let ended = false;
    let end = (): void => {
      ended = true;
    };
    void store.then((opened) => {
      if (ended) return;
      end = opened.watch(key, () => {
        changed();
        watched.fired();
      });
    });
    return () => {
      this.#watched.delete(watched);
      end();
    };
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString('latin1');
}
