// Owns the store that the nodes of a simulated cluster share: a server on its own, which nodes reach over a network.
// Invariant: what was answered `committed` is there for good; a request is carried out at most once, maybe late, and whether or not its
// process still lives; but once its process reads, what became of a commit that was given up is settled (storage/store.ts).
// An answer reaches the process that asked, or nobody. A crash of the server keeps what is flushed.
// Must not: know how a cluster works. What rows mean is not looked at.

import type { World } from '../actors/world.js';
import { refusal } from '../storage/admission.js';
import { type MemoryFault, type MemoryStore, openMemory } from '../storage/memory.js';
import type { Commit, CommitResult, Store, Write } from '../storage/store.js';
import { type Clock, WORLD } from './clock.js';
import { GivenUp, type Pending } from './given-up.js';
import type { Process } from './process.js';
import type { Random } from './random.js';
import type { DiskWrite } from './record.js';

type Span = readonly [from: number, to: number];

/** `late`: answered `unknown`, and carried out some time after that. `lost`: carried out, and the answer does not come before the time is up. */
export type StoreFault = MemoryFault | 'late' | 'lost';

export interface ServerOptions {
  /** ms from a commit to its flush. */
  readonly flush: Span;
  /** ms of a request's way, and of an answer's. */
  readonly delay: Span;
  /** ms after which a node's client library gives up: commits are `unknown`, reads fail. */
  readonly patience: number;
  /** Of each commit: chance of each fault. */
  readonly faults: Readonly<Partial<Record<StoreFault, number>>>;
}

export interface ServerHooks {
  /** A request of the node was carried out; the answer is on its way. */
  answered(node: string): void;
  /** Each write with the process that asked for it. */
  flushed(writes: readonly DiskWrite[]): void;
  committed(): void;
  fault(fault: StoreFault | 'timeout'): void;
}

interface Watch {
  readonly key: Uint8Array;
  readonly changed: () => void;
  end: () => void;
}

/** ms by which a `late` commit is late, at most. */
const LATE_MS = 2_500;

export class StoreServer {
  readonly #clock: Clock;
  readonly #options: ServerOptions;
  readonly #luck: Random;
  readonly #hooks: ServerHooks;
  #memory: MemoryStore;
  #up = true;
  #calm = false;
  #stalls: (() => void)[] = [];
  /** Who asked for the commits that the engine has not looked at yet, in order; and of which fault each shall be. */
  #asking: { readonly by: string; readonly fault: MemoryFault | undefined }[] = [];
  readonly #authors = new WeakMap<Write, string>();
  /** What the next commits meet, of a node or of anybody ('*'). */
  readonly #planned: { readonly node: string; readonly fault: StoreFault }[] = [];
  readonly #watches = new Set<Watch>();
  /** Directions that are held up, as `n1>` and `>n1`, and what waits there. */
  readonly #clogged = new Map<string, { holds: number; readonly held: (() => void)[] }>();
  readonly #givenUp = new GivenUp();
  /** Told of the end of the server's present life: what it had not answered is not known. */
  #open = new Set<() => void>();

  constructor(clock: Clock, options: ServerOptions, luck: Random, hooks: ServerHooks) {
    this.#clock = clock;
    this.#options = options;
    this.#luck = luck;
    this.#hooks = hooks;
    this.#memory = openMemory({
      world: this.#world(),
      flushMs: () => this.#drawn(options.flush),
      fault: (commit) => this.#look(commit),
      flushed: (writes) => this.#flushed(writes),
      committed: () => hooks.committed(),
    });
  }

  /** As `process` of `node` sees it. */
  view(process: Process, node: string): Store {
    const { name } = process;
    const read = <T>(ask: () => Promise<T>): Promise<T> => {
      const final = (): Promise<T> => {
        const unsettled = this.#givenUp.settled(name);
        return unsettled === null ? ask() : unsettled.then(ask);
      };
      return this.#call(process, node, final, (_resolve, reject) =>
        reject(new Error('store_unavailable: no answer in time')),
      );
    };
    return {
      engine: 'memory',
      durability: 'memory',
      get: (key) => read(() => this.#memory.get(key)),
      range: (query) => read(() => this.#memory.range(query)),
      commit: (commit) => {
        const owned = copyOf(commit);
        const pending = this.#givenUp.open(name);
        const result = this.#call(
          process,
          node,
          () => this.#commit(owned, name, node, pending),
          (resolve) => {
            pending.given = true;
            resolve({ outcome: 'unknown', reason: 'no answer in time' });
          },
        );
        void result.then(() => this.#givenUp.answered(name, pending));
        return result;
      },
      watch: (key, changed) => this.#watch(process, node, key, changed),
      close: () => Promise.resolve(),
    };
  }

  // ---- what happens to it ----

  /** Nothing of the node reaches the server (`to`), or nothing of the server the node (`from`), until it is called again with false. */
  clog(node: string, way: 'to' | 'from', on: boolean): void {
    const name = way === 'to' ? `${node}>` : `>${node}`;
    const lane = this.#clogged.get(name) ?? { holds: 0, held: [] };
    this.#clogged.set(name, lane);
    lane.holds = Math.max(0, lane.holds + (on ? 1 : -1));
    if (lane.holds === 0) for (const pass of lane.held.splice(0)) pass();
  }

  /** It takes commits and flushes none. */
  stall(on: boolean): void {
    if (on) this.#stalls.push(this.#memory.stall());
    else for (const release of this.#stalls.splice(0)) release();
  }

  /** The next `count` commits of the node ('*': of any) meet this. */
  plan(node: string, fault: StoreFault, count: number): void {
    for (let n = 0; n < count; n += 1) this.#planned.push({ node, fault });
  }

  /** It dies. Of the groups that are not flushed the oldest `keep` (0 to 1) survive. Until `up` nothing reaches it. */
  crash(keep: number): void {
    if (!this.#up) return;
    this.#up = false;
    const { unflushed } = this.#memory;
    this.#memory = this.#memory.crash(Math.round(keep * unflushed));
    this.#asking = [];
    this.#givenUp.crashed();
    const stalls = this.#stalls.splice(0).length;
    for (let n = 0; n < stalls; n += 1) this.stall(true);
    for (const watch of this.#watches) watch.end = this.#memory.watch(watch.key, watch.changed);
    const open = this.#open;
    this.#open = new Set();
    for (const over of open) over();
  }

  up(): void {
    this.#up = true;
    const lane = this.#clogged.get('up');
    if (lane !== undefined) for (const pass of lane.held.splice(0)) pass();
  }

  /** No more faults. */
  calm(): void {
    this.#calm = true;
    this.#planned.length = 0;
    this.stall(false);
    this.up();
  }

  // ---- requests ----

  /** There, carried out, and back. */
  #call<T>(
    process: Process,
    node: string,
    ask: () => Promise<T>,
    late: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let open = true;
      const settle = (how: () => void): void => {
        if (!open) return;
        open = false;
        cancel();
        how();
      };
      const cancel = process.timer(this.#options.patience, () => {
        this.#hooks.fault('timeout');
        settle(() => late(resolve, reject));
      });
      const back = (how: () => void): void => {
        this.#leg(`>${node}`, () => process.arrive(0, () => settle(how)));
      };
      this.#leg(`${node}>`, () => {
        const over = (): void => back(() => late(resolve, reject));
        this.#open.add(over);
        const answered = (how: () => void): void => {
          if (!this.#open.delete(over)) return;
          back(how);
          this.#hooks.answered(node);
        };
        ask().then(
          (value) => answered(() => resolve(value)),
          (error: unknown) => answered(() => reject(error instanceof Error ? error : new Error(String(error)))),
        );
      });
    });
  }

  /** In order, where nothing overtakes what is held. */
  #leg(name: string, pass: () => void): void {
    const arrive = (): void => {
      const lane = this.#clogged.get(name);
      if (lane !== undefined && lane.holds > 0) return void lane.held.push(arrive);
      if (name.endsWith('>') && !this.#up) {
        const down = this.#clogged.get('up') ?? { holds: 0, held: [] };
        this.#clogged.set('up', down);
        return void down.held.push(arrive);
      }
      pass();
    };
    this.#clock.schedule(this.#clock.now + this.#drawn(this.#options.delay), WORLD, arrive);
  }

  /** The server has it. */
  #commit(commit: Commit, by: string, node: string, pending: Pending): Promise<CommitResult> {
    if (pending.void) return new Promise(() => undefined);
    const fault = this.#drawFault(node);
    if (fault !== undefined) this.#hooks.fault(fault);
    if (fault === 'late') {
      const at = this.#clock.now + this.#luck() * LATE_MS;
      pending.given = true;
      this.#clock.schedule(at, WORLD, () => {
        if (!pending.void) pending.done = this.#enter(commit, by, undefined);
      });
      return Promise.resolve({ outcome: 'unknown', reason: 'injected' });
    }
    const result = this.#enter(commit, by, fault === 'lost' ? undefined : fault);
    pending.done = result;
    return fault === 'lost' ? new Promise(() => undefined) : result;
  }

  #enter(commit: Commit, by: string, fault: MemoryFault | undefined): Promise<CommitResult> {
    const refused = refusal(commit);
    if (refused !== undefined) return Promise.resolve(refused);
    this.#asking.push({ by, fault });
    return this.#memory.commit(commit);
  }

  /** Called for each commit in the order of `#enter`. */
  #look(commit: Commit): MemoryFault | undefined {
    const { by, fault } = this.#asking.shift()!;
    for (const write of commit.writes) this.#authors.set(write, by);
    return fault;
  }

  #flushed(writes: readonly Write[]): void {
    this.#hooks.flushed(writes.map((write) => ({ ...write, by: this.#authors.get(write) ?? '' })));
  }

  #drawFault(node: string): StoreFault | undefined {
    const at = this.#planned.findIndex((planned) => planned.node === '*' || planned.node === node);
    if (at !== -1) return this.#planned.splice(at, 1)[0]!.fault;
    if (this.#calm) return undefined;
    let roll = this.#luck();
    for (const [fault, chance] of Object.entries(this.#options.faults)) {
      if (roll < chance) return fault as StoreFault;
      roll -= chance;
    }
    return undefined;
  }

  #watch(process: Process, node: string, key: Uint8Array, changed: () => void): () => void {
    const told = (): void => this.#leg(`>${node}`, () => process.arrive(0, changed));
    const watch: Watch = { key, changed: told, end: this.#memory.watch(key, told) };
    this.#watches.add(watch);
    return () => {
      this.#watches.delete(watch);
      watch.end();
    };
  }

  #drawn([from, to]: Span): number {
    return from + this.#luck() * (to - from);
  }

  /** Its own: no node's. */
  #world(): World {
    const clock = this.#clock;
    return {
      now: () => clock.now,
      wall: () => Math.floor(clock.now),
      random: () => this.#luck(),
      randomBytes: (length) => this.#luck.bytes(length),
      defer: (task) => void clock.schedule(clock.now, WORLD, task),
      timer: (ms, task) => {
        const event = clock.schedule(clock.now + ms, WORLD, task);
        return () => {
          event.task = null;
        };
      },
    };
  }
}

/** The caller keeps its bytes. */
function copyOf({ checks, writes }: Commit): Commit {
  return {
    checks: checks.map(({ key, value }) => ({ key: key.slice(), value: value?.slice() ?? null })),
    writes: writes.map(({ key, value }) => ({ key: key.slice(), value: value?.slice() ?? null })),
  };
}
