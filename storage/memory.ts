// Owns the in-memory engine: the store of simulations and tests.
//
//   commit ──► waiting ──turn──► committed ──flushMs──► flushed ──► answer
//                                    └── crash() drops a suffix of these groups
//
// Invariant: an answer follows its group's flush; reads see flushed groups alone; all time comes from the World, so that a
// run repeats. It keeps the contract to the letter and says `durability: 'memory'`.
// Must not: be used where an acknowledgement must survive the process.

import sorted from 'sorted-btree';
import type { World } from '../actors/world.js';
import { assertRange, refusal, unavailable } from './admission.js';
import { compareBytes, equalBytes } from './bytes.js';
import type { Check, Commit, CommitResult, RangePage, RangeQuery, Row, Store, Write } from './store.js';
import { nameOf, WatchList } from './watch-list.js';

/** What may be done to one commit instead of applying it. `unknown_applied` answers `unknown` and applies it. */
export type MemoryFault = 'conflict' | 'unknown_applied' | 'unknown_dropped' | 'store_full' | 'store_unavailable';

export interface MemoryOptions {
  readonly world: World;
  /** ms from a group's commit to its flush; drawn per group where it is a function. 0 by default: the next turn. */
  readonly flushMs?: number | (() => number);
  /** Asked once for each commit, in order, as its group is evaluated. */
  readonly fault?: (commit: Commit) => MemoryFault | undefined;
  /** Told of each group's writes at the moment from which they survive a crash, before anybody is answered. */
  readonly flushed?: (writes: readonly Write[]) => void;
  /** Told that a group is committed, and so not flushed yet. */
  readonly committed?: () => void;
}

export interface MemoryStore extends Store {
  /** Rows that are flushed. */
  readonly size: number;
  /** Groups committed and not flushed: what `crash` may drop. */
  readonly unflushed: number;
  /** Holds every flush (a disk that hangs) until the returned function is called. */
  stall(): () => void;
  /** Ends this store as a kill of the machine would: nothing pending is ever answered. The store returned holds what was
   * flushed and the `kept` oldest unflushed groups, which reached the disk although nobody was told. */
  crash(kept?: number): MemoryStore;
}

type Tree = sorted.default<Uint8Array, Uint8Array>;

interface Request {
  readonly commit: Commit;
  readonly answer: (result: CommitResult) => void;
}

interface Group {
  readonly writes: Write[];
  readonly answers: (() => void)[];
  due: boolean;
}

const COMMITTED: CommitResult = { outcome: 'committed' };

export function openMemory(options: MemoryOptions): MemoryStore {
  return new Memory(options, new sorted.default<Uint8Array, Uint8Array>(undefined, compareBytes));
}

class Memory implements MemoryStore {
  readonly engine = 'memory';
  readonly durability = 'memory';
  readonly #options: MemoryOptions;
  /** Differs from `#flushed` by the groups of `#groups` alone; the two share nodes (copy on write). */
  readonly #committed: Tree;
  readonly #flushed: Tree;
  readonly #watches = new WatchList();
  #waiting: Request[] = [];
  #groups: Group[] = [];
  #armed = false;
  #stalls = 0;
  #state: 'open' | 'closing' | 'crashed' = 'open';
  #closed: (() => void)[] = [];

  constructor(options: MemoryOptions, rows: Tree) {
    this.#options = options;
    this.#flushed = rows;
    this.#committed = rows.clone();
  }

  get size(): number {
    return this.#flushed.size;
  }

  get unflushed(): number {
    return this.#groups.length;
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.#state === 'crashed') return never();
    const value = this.#flushed.get(key);
    return Promise.resolve(value === undefined ? undefined : value.slice());
  }

  range(query: RangeQuery): Promise<RangePage> {
    assertRange(query);
    if (this.#state === 'crashed') return never();
    return Promise.resolve(page(this.#flushed, query));
  }

  commit(commit: Commit): Promise<CommitResult> {
    const refused = refusal(commit);
    if (refused !== undefined) return Promise.resolve(refused);
    if (this.#state === 'crashed') return never();
    if (this.#state === 'closing') return Promise.resolve(unavailable('the store is closed'));
    const owned = { checks: commit.checks.map(copyOf), writes: commit.writes.map(copyOf) };
    return new Promise((answer) => {
      this.#waiting.push({ commit: owned, answer });
      this.#arm();
    });
  }

  watch(key: Uint8Array, changed: () => void): () => void {
    return this.#watches.add(key, changed);
  }

  close(): Promise<void> {
    if (this.#state === 'crashed') return Promise.resolve();
    this.#state = 'closing';
    return new Promise((closed) => {
      this.#closed.push(closed);
      this.#settle();
    });
  }

  stall(): () => void {
    this.#stalls += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#stalls -= 1;
      this.#flush();
    };
  }

  crash(kept = 0): MemoryStore {
    this.#state = 'crashed';
    const rows = this.#flushed.clone();
    for (const { writes } of this.#groups.slice(0, kept)) {
      apply(rows, writes);
      this.#options.flushed?.(writes);
    }
    this.#waiting = [];
    this.#groups = [];
    this.#watches.clear();
    for (const closed of this.#closed.splice(0)) closed();
    return new Memory(this.#options, rows);
  }

  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    this.#options.world.defer(() => {
      this.#armed = false;
      this.#evaluate();
    });
  }

  /** Every commit that waits, in order of arrival, as one group. */
  #evaluate(): void {
    if (this.#state === 'crashed') return;
    const requests = this.#waiting;
    this.#waiting = [];
    const group: Group = { writes: [], answers: [], due: false };
    for (const { commit, answer } of requests) {
      const result = this.#decide(commit, group);
      group.answers.push(() => answer(result));
    }
    this.#groups.push(group);
    const { flushMs = 0, committed } = this.#options;
    committed?.();
    const ms = typeof flushMs === 'number' ? flushMs : flushMs();
    const due = (): void => {
      group.due = true;
      this.#flush();
    };
    if (ms > 0) this.#options.world.timer(ms, due);
    else this.#options.world.defer(due);
  }

  #decide(commit: Commit, group: Group): CommitResult {
    const fault = this.#options.fault?.(commit);
    if (fault === 'conflict') return { outcome: 'conflict', check: 0 };
    if (fault === 'unknown_dropped') return { outcome: 'unknown', reason: 'injected' };
    if (fault === 'store_full' || fault === 'store_unavailable') {
      return { outcome: 'failed', code: fault, reason: 'injected' };
    }
    const check = commit.checks.findIndex((each) => !holds(this.#committed, each));
    if (check !== -1) return { outcome: 'conflict', check };
    apply(this.#committed, commit.writes);
    for (const write of commit.writes) group.writes.push(write);
    return fault === 'unknown_applied' ? { outcome: 'unknown', reason: 'injected' } : COMMITTED;
  }

  /** Oldest first: a disk that flushed a group has flushed every group before it. */
  #flush(): void {
    while (this.#state !== 'crashed' && this.#stalls === 0 && this.#groups[0]?.due === true) {
      const group = this.#groups.shift()!;
      apply(this.#flushed, group.writes);
      this.#options.flushed?.(group.writes);
      for (const answer of group.answers) answer();
      if (this.#watches.size > 0) for (const { key } of group.writes) this.#watches.touch(nameOf(key));
    }
    this.#settle();
  }

  #settle(): void {
    if (this.#state !== 'closing' || this.#waiting.length > 0 || this.#groups.length > 0) return;
    this.#watches.clear();
    for (const closed of this.#closed.splice(0)) closed();
  }
}

function holds(rows: Tree, check: Check): boolean {
  const value = rows.get(check.key);
  if (value === undefined || check.value === null) return value === undefined && check.value === null;
  return equalBytes(value, check.value);
}

function apply(rows: Tree, writes: readonly Write[]): void {
  for (const { key, value } of writes) {
    if (value === null) rows.delete(key);
    else rows.set(key, value);
  }
}

function page(tree: Tree, query: RangeQuery): RangePage {
  const { start, end, limit, maxBytes = Number.POSITIVE_INFINITY, reverse = false } = query;
  const rows: Row[] = [];
  let bytes = 0;
  const entries = reverse ? tree.entriesReversed(end, undefined, true) : tree.entries(start);
  for (const [key, value] of entries) {
    if (reverse ? compareBytes(key, start) < 0 : compareBytes(key, end) >= 0) break;
    if (rows.length > 0 && (rows.length === limit || bytes + value.length > maxBytes)) return { rows, more: true };
    bytes += value.length;
    rows.push({ key: key.slice(), value: value.slice() });
  }
  return { rows, more: false };
}

/** The caller keeps its bytes: a real engine has written them elsewhere by the time they are read. */
function copyOf<T extends Check | Write>({ key, value }: T): { key: Uint8Array; value: Uint8Array | null } {
  return { key: key.slice(), value: value === null ? null : value.slice() };
}

/** What a process that has died answers. */
function never<T>(): Promise<T> {
  return new Promise(() => {});
}
