// Owns what a taken shard's last owner left untold: reading its dirty set, and having the chats in it tell their members again.
// Invariant: a chat stays in the shard's dirty set until it has told; where some were not named, every client of the cluster is
// asked where it stands. Paced: chats wake up a few at a time.
// Must not: know what the news are: a chat tells how far its log goes.

import type { Directory } from '../actors/fabric.js';
import { LIMITS } from '../actors/limits.js';
import type { ChatMessage } from '../actors/messages.js';
import type { World } from '../actors/world.js';
import { dirtyKey } from '../storage/cluster-keys.js';
import { reasonOf } from '../storage/failure.js';
import { chatKey, isChat } from '../storage/keys.js';
import { decodeDirty } from '../storage/rows.js';
import type { Store } from '../storage/store.js';
import type { Telling } from '../storage/untold.js';

interface Chat {
  readonly chat: Uint8Array;
  readonly head: number;
  readonly telling: Telling;
}

/** What the owner before may not have told. */
export interface Left {
  readonly news: readonly Chat[];
  /** Null: these are all. Otherwise there were others, and this says that all clients were asked. */
  readonly more: Telling | null;
}

export const NOTHING_LEFT: Left = { news: [], more: null };

export interface RecoveryParts {
  readonly world: World;
  readonly store: Store;
  readonly chats: Directory<ChatMessage>;
  /** All clients, of all nodes, have to say where they stand. */
  readonly resync: () => void;
  readonly report: (event: string, fields: Readonly<Record<string, string | number>>) => void;
  /** True while the shard is this node's. */
  readonly mine: (shard: number) => boolean;
}

export class Recovery {
  readonly #parts: RecoveryParts;
  /** Chats that were asked to tell their news again. */
  asked = 0;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  /** The dirty sets of these shards. Tries until it can be read, or nobody `wants` it any more. */
  async read(shards: readonly number[], wanted: () => boolean): Promise<ReadonlyMap<number, Left>> {
    const { store, world, report } = this.#parts;
    while (wanted()) {
      try {
        const rows = await Promise.all(shards.map((shard) => store.get(dirtyKey(shard))));
        return new Map(shards.map((shard, at) => [shard, this.#decode(shard, rows[at])]));
      } catch (error) {
        report('dirty_unreadable', { shards: shards.length, reason: reasonOf(error) });
        await new Promise<void>((resolve) => world.timer(LIMITS.reloadMs, resolve));
      }
    }
    return new Map();
  }

  #decode(shard: number, row: Uint8Array | undefined): Left {
    if (row === undefined) return NOTHING_LEFT;
    try {
      const { chats, more } = decodeDirty(row);
      // Users' own rows are under an id of no kind: their connections ask again by themselves when the user's actor is gone.
      const news = chats.filter(({ chat }) => isChat(chat)).map((one) => ({ ...one, telling: { done: false } }));
      return { news, more: more ? { done: false } : null };
    } catch (error) {
      // Who was not told is not known: everybody is asked.
      this.#parts.report('dirty_unreadable', { shard, reason: reasonOf(error) });
      return { news: [], more: { done: false } };
    }
  }

  /** The shard is open: its chats are told to tell, until all have or it is another's. */
  tell(shard: number, { news, more }: Left): void {
    if (more !== null) {
      this.#parts.resync();
      more.done = true;
    }
    if (news.length > 0) this.#some(shard, news, 0);
  }

  #some(shard: number, news: readonly Chat[], from: number): void {
    const { chats, world, mine } = this.#parts;
    if (!mine(shard)) return;
    const end = Math.min(news.length, from + LIMITS.recoverChats);
    for (const { chat, telling } of news.slice(from, end)) {
      if (telling.done) continue;
      this.asked += 1;
      // A chat that is given up tells nobody anything, and its clients are refused by it.
      if (chats.tell(chatKey(chat), { type: 'recover', telling }) === 'dead') telling.done = true;
    }
    if (end < news.length) return world.defer(() => this.#some(shard, news, end));
    // What was busy, or could not be read.
    const open = news.filter(({ telling }) => !telling.done);
    if (open.length > 0) world.timer(LIMITS.reloadMs, () => this.#some(shard, open, 0));
  }
}
