// Owns the virtual actors of one kind: a key stands for an actor that is activated by the first message to it.
//
//   tell(key) ─▶ cells: key ─▶ ref ──▶ the cell's mailbox          hot path: one map lookup
//                   └ absent ─▶ partition = hash(key) mod n ─▶ may it be activated? ─▶ spawn ─▶ its mailbox
//
// Each partition is a supervisor in a seat of its own (partition.ts) below the pool's supervisor. The story of a key:
//   - It ends normally (passivation): its entry goes; the next message makes a new incarnation.
//   - It crashes: its entry goes; until its backoff ends, tells answer `busy`. Nobody else's budget is touched.
//   - It crashes too often within the window: quarantine. Tells answer `dead` until its time is over or `release`.
//   - Too many *different* keys of a partition crash: the partition exits, its parent restarts it, and if that does not
//     help either, the pool exits. Its cells are ended and come back on demand.
//
// Invariant: a key has at most one live cell; a tell never throws, never waits, and never passes through nact.
// Must not: know what the actors do, or keep a message.

import type { Behaviour, Delivery, ExitReason } from '../actors/behaviour.js';
import { LIMITS } from '../actors/limits.js';
import type { Ref } from '../actors/ref.js';
import type { CrashRecord, CrashRules } from './crashes.js';
import { Partition } from './partition.js';
import {
  BACKOFF,
  type ChildSpec,
  type Report,
  type Running,
  rulesOf,
  type Scope,
  type SupervisorOptions,
} from './spec.js';
import { Supervisor } from './supervisor.js';

export interface PoolOptions<S, M, A, T> {
  readonly behaviour: Behaviour<S, M, A, T>;
  /** The arguments of a key's actor, evaluated at each activation. If it throws, that is a crash of the key. */
  readonly args: (key: string) => A;
  /** Names a message in the log by its id. Never its body. */
  readonly describe?: (message: M) => string;
  /** Default: `LIMITS.poolPartitions`. */
  readonly partitions?: number;
  /** Live cells at most; at the limit a new key is `busy`. Default: `LIMITS.poolCells`. */
  readonly limit?: number;
  readonly crashes?: Partial<CrashRules>;
}

/** More than 5 crashes of one key within 30 s: quarantined for 5 min. A third of a partition within 5 s: storm. */
const CRASHES: CrashRules = {
  intensity: { restarts: 5, within: 30_000 },
  backoff: { min: 50, max: 5_000, jitter: 0.5, stable: 60_000 },
  quarantine: 300_000,
  storm: { share: 0.34, least: 16, within: 5_000 },
};

/** What may be asked about a key. */
export interface KeyInfo {
  readonly path: string;
  readonly incarnation: number | undefined;
  readonly crashes: CrashRecord | undefined;
}

export interface Pool<M> {
  /** `busy`: later (mailbox full, backing off, partition restarting, pool full). `dead`: quarantined, or not running. */
  tell(key: string, message: M): Delivery;
  /** The live cell, if there is one. Does not activate. */
  lookup(key: string): Ref<M> | undefined;
  /** Live cells. */
  readonly size: number;
  /** Lifts a key's quarantine or pause. False: it had none. */
  release(key: string): boolean;
  inspect(key: string): KeyInfo;
  /** Live cells, for sweeps. Keys that come or go meanwhile may or may not be seen. */
  entries(): IterableIterator<[string, Ref<M>]>;
  /** This pool as a child of a supervisor. A pool stands in one tree, once. */
  child(options?: SupervisorOptions): ChildSpec;
}

export function createPool<S, M, A, T>(id: string, options: PoolOptions<S, M, A, T>): Pool<M> {
  return new KeyedPool(id, options);
}

class KeyedPool<S, M, A, T> implements Pool<M> {
  private readonly cells = new Map<string, Ref<M>>();
  private readonly activating = new Set<string>();
  private readonly partitions: Partition<M>[] = [];
  private readonly limit: number;
  private readonly behaviour: Behaviour<S, M, A, T>;
  private scope: Scope | undefined;
  /** The error that `receive` threw last, and the message's description: joined in `ended`. */
  private poison: { readonly error: unknown; readonly message: string } | undefined;

  constructor(
    private readonly id: string,
    private readonly options: PoolOptions<S, M, A, T>,
  ) {
    this.limit = options.limit ?? LIMITS.poolCells;
    this.behaviour = this.watched(options.behaviour);
    const rules: CrashRules = { ...CRASHES, ...options.crashes };
    for (let index = 0; index < (options.partitions ?? LIMITS.poolPartitions); index++) {
      this.partitions.push(new Partition(String(index), rules, () => this.members(index)));
    }
  }

  get size(): number {
    return this.cells.size;
  }

  tell(key: string, message: M): Delivery {
    const ref = this.cells.get(key);
    if (ref === undefined) return this.activate(key, message);
    const delivery = ref.tell(message);
    // A cell in the map that is dead is just ending: its successor may come once its end is complete.
    return delivery === 'dead' ? 'busy' : delivery;
  }

  lookup(key: string): Ref<M> | undefined {
    return this.cells.get(key);
  }

  release(key: string): boolean {
    const partition = this.partition(key);
    const released = partition.crashes.release(key);
    if (released) this.scope?.emit({ type: 'released', path: partition.path, key });
    return released;
  }

  inspect(key: string): KeyInfo {
    const { path, crashes } = this.partition(key);
    return { path: `${path}/${key}`, incarnation: this.cells.get(key)?.incarnation, crashes: crashes.get(key) };
  }

  entries(): IterableIterator<[string, Ref<M>]> {
    return this.cells.entries();
  }

  child(options: SupervisorOptions = {}): ChildSpec {
    const rules = rulesOf({ backoff: { ...BACKOFF, min: 100 }, ...options, strategy: 'one_for_one' }, this.partitions);
    return {
      id: this.id,
      kind: 'pool',
      restart: options.restart ?? 'permanent',
      shutdown: options.shutdown ?? 'infinity',
      launch: (scope, report) =>
        this.launch(new Supervisor(rules, this.partitions, scope, this.closing(report)), scope),
    };
  }

  private launch(supervisor: Supervisor, scope: Scope): Running {
    this.scope = scope;
    return {
      stop: () => supervisor.stop(),
      kill: () => supervisor.kill(),
      renew: (path) => {
        if (path.length === 1 && this.partitions.every(({ id }) => id !== path[0])) return this.restart(path[0]!);
        return supervisor.renew(path);
      },
      inspect: () => ({ ...supervisor.inspect(), detail: { cells: this.size } }),
    };
  }

  /** Between its end and its next start the pool has no scope: tells answer `dead`. */
  private closing(report: Report): Report {
    return {
      started: () => report.started(),
      failed: (error) => {
        this.scope = undefined;
        report.failed(error);
      },
      ended: (reason) => {
        this.scope = undefined;
        report.ended(reason);
      },
    };
  }

  private restart(key: string): boolean {
    const ref = this.cells.get(key);
    if (ref === undefined || this.scope === undefined) return false;
    this.scope.host.actors.exit(ref, { type: 'shutdown' });
    return true;
  }

  private activate(key: string, message: M): Delivery {
    if (this.scope === undefined) return 'dead';
    const { actors, world } = this.scope.host;
    const partition = this.partition(key);
    const verdict = partition.crashes.verdict(key, world.now());
    if (verdict === 'quarantined') return 'dead';
    if (verdict === 'resting' || !partition.open || this.cells.size >= this.limit) return 'busy';
    // An `init` that tells its own key would activate it again, without end.
    if (this.activating.has(key)) return 'busy';
    this.activating.add(key);
    let ref: Ref<M>;
    try {
      ref = actors.spawn(this.behaviour, key, this.options.args(key));
    } catch (error) {
      // The cell never was: no entry, no zombie; the key's budget pays.
      return partition.crashed(key, error, this.named(message)) ? 'dead' : 'busy';
    } finally {
      this.activating.delete(key);
    }
    // Also where `init` asked for its end: until that is complete, the key stays taken.
    this.cells.set(key, ref);
    partition.live++;
    const delivery = ref.tell(message);
    return delivery === 'dead' ? 'busy' : delivery;
  }

  /**
   * The behaviour with its end and its crashes observed. By its own hook, not by `watch`: a watch would cost each of a
   * million idle cells a closure.
   */
  private watched(behaviour: Behaviour<S, M, A, T>): Behaviour<S, M, A, T> {
    const watched: Behaviour<S, M, A, T> = Object.create(behaviour, {});
    watched.receive = (state, message, context) => {
      try {
        behaviour.receive(state, message, context);
      } catch (error) {
        this.poison = { error, message: this.named(message) };
        throw error;
      }
    };
    watched.terminated = (state, reason, context) => {
      try {
        behaviour.terminated?.(state, reason, context);
      } finally {
        this.ended(context.self, reason);
      }
    };
    return watched;
  }

  private ended(ref: Ref<M>, reason: ExitReason): void {
    if (this.cells.get(ref.key) !== ref) return;
    this.cells.delete(ref.key);
    const partition = this.partition(ref.key);
    partition.live--;
    if (reason.type === 'crash') {
      const { poison } = this;
      const message = poison !== undefined && poison.error === reason.error ? poison.message : undefined;
      partition.crashed(ref.key, reason.error, message);
    } else if (reason.type === 'killed') {
      partition.crashed(ref.key, new Error('killed'), undefined);
    }
    this.poison = undefined;
    partition.left();
  }

  /** `describe` is foreign code: its own failure must not hide the crash that it describes. */
  private named(message: M): string {
    try {
      return this.options.describe?.(message) ?? '';
    } catch {
      return 'could not be described';
    }
  }

  private partition(key: string): Partition<M> {
    return this.partitions[hash(key) % this.partitions.length]!;
  }

  /** Walks all cells: it happens only when a partition ends, and spares a second map of keys. */
  private *members(index: number): Generator<Ref<M> | undefined> {
    for (const [key, ref] of this.cells) yield hash(key) % this.partitions.length === index ? ref : undefined;
  }
}

/** FNV-1a over UTF-16 units, 32 bits: even enough over some partitions, and stable over restarts. */
function hash(key: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) value = Math.imul(value ^ key.charCodeAt(index), 0x01000193);
  return value >>> 0;
}
