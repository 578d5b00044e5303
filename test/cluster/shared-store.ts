// Owns one store that several simulated processes share, as each of them sees it: late, and with faults.
// Invariant: a frozen process hears no answer until it goes on, a dead one never; what is answered `committed` is there. Grants
// are followed as they become durable: each is the one before it plus one.
// Must not: know how the cluster works, beyond what its keys say; keep rows (shared-rows.ts).

import assert from 'node:assert/strict';
import type { World } from '../../actors/world.js';
import { WORLD } from '../../sim/clock.js';
import type { Process } from '../../sim/process.js';
import { type Random, stream } from '../../sim/random.js';
import { getNumber } from '../../storage/keys.js';
import type { Commit, CommitResult, Store, Write } from '../../storage/store.js';
import { onMemory, openRows, type PatientClock, type Rows } from './shared-rows.js';

/** Which transaction of the cluster it is. */
export type Kind = 'join' | 'beat' | 'leave' | 'evict' | 'claim' | 'give' | 'append' | 'other';

/** `unknown_late`: answered `unknown`, and applied some time later. */
export type Fault = 'conflict' | 'unknown_applied' | 'unknown_dropped' | 'unknown_late' | 'store_unavailable';

const TAG = { grant: 7, dirty: 8, node: 16 } as const;

export interface GrantWrite {
  readonly at: number;
  readonly shard: number;
  readonly epoch: number;
  readonly node: string;
}

/** What a commit is for, as seen by the node that asks. */
export function kindOf({ writes, checks }: Commit, node: string): Kind {
  const tags = new Set(writes.map(({ key }) => key[0]));
  if (tags.has(TAG.dirty)) return 'append';
  if (tags.has(TAG.grant)) {
    const names = writes.map(({ value }) => Buffer.from(value!).toString('utf8', 6));
    return names.every((name) => name === node) ? 'claim' : 'give';
  }
  const row = writes.find(({ key }) => key[0] === TAG.node);
  if (row === undefined) return 'other';
  if (row.value !== null) return checks.length > 1 ? 'join' : 'beat';
  return Buffer.from(row.key).toString('utf8', 1) === node ? 'leave' : 'evict';
}

export class SharedStore {
  readonly rows: Rows;
  readonly grants: GrantWrite[] = [];
  /** When each node's row was last written. */
  readonly beats = new Map<string, number>();
  /** Which fault the next transactions of a kind and node meet; asked for each. */
  fault: (kind: Kind, node: string) => Fault | undefined = () => undefined;
  /** ms that a node waits for each answer, at least and at most. */
  readonly delay = new Map<string, readonly [number, number]>();
  /** Transactions of each kind that were asked for. */
  readonly asked = new Map<Kind, number>();
  readonly #clock: PatientClock;
  readonly #luck: Random;

  constructor(clock: PatientClock, seed: number) {
    this.#clock = clock;
    this.#luck = stream(seed, 'store');
    const world: World = {
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
    this.rows = openRows(world, clock, (writes) => this.#flushed(writes));
  }

  #flushed(writes: readonly Write[]): void {
    for (const { key, value } of writes) {
      if (key[0] === TAG.node && value !== null) this.beats.set(Buffer.from(key).toString('utf8', 1), this.#clock.now);
      if (key[0] !== TAG.grant) continue;
      const shard = (key[1]! << 8) | key[2]!;
      const epoch = getNumber(value!, 0);
      const grants = this.grants.filter((grant) => grant.shard === shard);
      // Of a real engine it is known as it is answered, and what was answered as unknown is not.
      if (onMemory()) assert.equal(epoch, (grants.at(-1)?.epoch ?? 0) + 1, `epochs of shard ${shard} rise by one`);
      else assert.ok(!grants.some((grant) => grant.epoch === epoch), `shard ${shard} is granted once as ${epoch}`);
      this.grants.push({ at: this.#clock.now, shard, epoch, node: Buffer.from(value!).toString('utf8', 6) });
    }
  }

  view(process: Process, node: string): Store {
    const { rows } = this;
    const own = rows.of(process);
    const late = (): number => {
      const [least, most] = this.delay.get(node) ?? [0.2, 2];
      return least + this.#luck() * (most - least);
    };
    return {
      engine: rows.engine,
      durability: rows.durability,
      get: (key) => rows.pass(process, late, () => own.get(key)),
      range: (query) => rows.pass(process, late, () => own.range(query)),
      commit: (commit) => rows.pass(process, late, () => this.#commit(own, commit, node)),
      watch: (key, changed) => own.watch(key, () => process.arrive(late(), changed)),
      close: () => Promise.resolve(),
    };
  }

  async #commit(own: Pick<Store, 'commit'>, commit: Commit, node: string): Promise<CommitResult> {
    const kind = kindOf(commit, node);
    this.asked.set(kind, (this.asked.get(kind) ?? 0) + 1);
    const fault = this.fault(kind, node);
    if (fault === undefined) return own.commit(commit);
    if (fault === 'conflict') return { outcome: 'conflict', check: 0 };
    if (fault === 'store_unavailable') return { outcome: 'failed', code: 'store_unavailable', reason: 'injected' };
    if (fault === 'unknown_applied') await own.commit(commit);
    if (fault === 'unknown_late') this.#clock.schedule(this.#clock.now + 450, WORLD, () => void own.commit(commit));
    return { outcome: 'unknown', reason: 'injected' };
  }
}
