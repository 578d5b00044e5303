// Owns who blocks whom: the block list's rows, and what a user's actor remembers of them.
// Invariant: a block counts both ways. What is remembered is forgotten when either of the two changes it, and what was being
// read meanwhile is read again.
// Must not: hold what a chat knows of its two users (roster.ts), or append (account.ts).

import type { AccountRow } from '../storage/account-rows.js';
import { blockKey, blockRange, NUMBER_BYTES, nameInKey, putNumber } from '../storage/keys.js';
import type { Reader, Store } from '../storage/store.js';
import type { Planned } from './devices.js';
import { type Refusal, refuse } from './errors.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import type { ConnectionMessage } from './messages.js';
import type { UserContext } from './user.js';

/** Those of the two who block the other. */
export async function readBlockers(store: Reader, [a, b]: readonly [string, string]): Promise<readonly string[]> {
  if (a === b) return [];
  const [first, second] = await Promise.all([store.get(blockKey(a, b)), store.get(blockKey(b, a))]);
  return [...(first === undefined ? [] : [a]), ...(second === undefined ? [] : [b])];
}

/** Results of BLOCKS. */
export async function readBlocks(store: Reader, user: string): Promise<readonly string[][]> {
  const { rows } = await store.range({ ...blockRange(user), limit: LIMITS.blocks });
  return [rows.map(({ key }) => nameInKey(key))];
}

/** `now`: wall ms. Nothing to write where it stands so already. */
export async function setBlock(
  store: Store,
  user: string,
  other: string,
  on: boolean,
  now: number,
  { blocks }: AccountRow,
): Promise<Planned | Refusal> {
  const key = blockKey(user, other);
  if (((await store.get(key)) !== undefined) === on) return { writes: [] };
  if (!on) return { writes: [{ key, value: null }], account: { blocks: blocks - 1 } };
  if (blocks >= LIMITS.blocks) return refuse('full', `a user blocks at most ${LIMITS.blocks} others`);
  const value = new Uint8Array(NUMBER_BYTES);
  putNumber(value, 0, now);
  return { writes: [{ key, value }], account: { blocks: blocks + 1 } };
}

/** What of another user came, and is not to be told if the two block each other. */
export type Fenced = Extract<ConnectionMessage, { type: 'typing' | 'profiled' }>;

/** A read that ended. */
export interface Seen {
  readonly other: string;
  readonly round: number;
  /** Null: the store could not be read. */
  readonly blockers: readonly string[] | null;
}

/** Keeps soft news of blocked users from a user's connections. */
export class Fence {
  readonly #fabric: Fabric;
  readonly #user: string;
  /** Whether the two block each other, the longest known first. */
  readonly #known = new Map<string, boolean>();
  /** The newest news of each kind of those who are being looked up. */
  readonly #asked = new Map<string, Map<Fenced['type'], Fenced>>();
  #round = 0;

  constructor(fabric: Fabric, user: string) {
    this.#fabric = fabric;
    this.#user = user;
  }

  /** True: to be passed on now. Otherwise it is dropped, or comes back with `seen`. */
  passes(news: Fenced, context: UserContext): boolean {
    const known = this.#known.get(news.user);
    if (known !== undefined) return !known;
    const asked = this.#asked.get(news.user);
    if (asked !== undefined) asked.set(news.type, news);
    else if (this.#asked.size < LIMITS.fencesAsked) {
      this.#asked.set(news.user, new Map([[news.type, news]]));
      this.#ask(news.user, context);
    }
    return false;
  }

  #ask(other: string, context: UserContext): void {
    const round = this.#round;
    const done = context.completion({ type: 'fence' });
    const seen = (blockers: readonly string[] | null): void => done({ other, round, blockers } satisfies Seen);
    readBlockers(this.#fabric.store, [this.#user, other]).then(seen, () => seen(null));
  }

  /** A read ended: what is to be passed on now. */
  seen({ other, round, blockers }: Seen, context: UserContext): Iterable<Fenced> {
    if (round !== this.#round) {
      this.#ask(other, context);
      return [];
    }
    const news = this.#asked.get(other)?.values() ?? [];
    this.#asked.delete(other);
    if (blockers === null) return [];
    if (this.#known.size >= LIMITS.fences) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(other, blockers.length > 0);
    return blockers.length > 0 ? [] : news;
  }

  /** One of the two changed it. */
  forget(other: string): void {
    this.#known.delete(other);
    this.#round += 1;
  }
}
