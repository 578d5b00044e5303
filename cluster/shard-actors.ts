// Owns ending the actors of one shard on this node: the chats whose ids fall into it, and the users whose accounts do.
// Invariant: resolves when none of those that were there lives any more; whoever asks lets no new ones come meanwhile. What they have in
// the log is answered all the same, and told to whom it concerns (actors/gate.ts).
// Must not: decide when.

import type { ExitReason } from '../actors/behaviour.js';
import { LIMITS } from '../actors/limits.js';
import type { Ref } from '../actors/ref.js';
import type { Runtime } from '../actors/runtime.js';
import { accountId, chatFromKey, shardOf } from '../storage/keys.js';
import type { Pool } from '../supervisors/pool.js';

/** Live cells by key. */
type Entries = Pick<Pool<never>, 'entries'>;

/** In order, to begin anew with the shard's next owner. */
export const MOVED: ExitReason = { type: 'shutdown' };

/** Shard of a user's actor. */
export function shardOfUser(user: string): number {
  return shardOf(accountId(user));
}

/** Shard of a chat's actor, by its key. */
export function shardOfChat(key: string): number {
  return shardOf(chatFromKey(key));
}

export class ShardActors {
  readonly #runtime: Runtime;
  readonly #pools: readonly (readonly [Entries, (key: string) => number])[];

  constructor(runtime: Runtime, users: Entries, chats: readonly Entries[]) {
    this.#runtime = runtime;
    this.#pools = [[users, shardOfUser], ...chats.map((pool) => [pool, shardOfChat] as const)];
  }

  async close(shard: number): Promise<void> {
    let open = 1;
    let looked = 0;
    await new Promise<void>((resolve) => {
      const ended = (): void => {
        open -= 1;
        if (open === 0) resolve();
      };
      const entries = this.#entries();
      const some = (): void => {
        for (looked = 0; looked < LIMITS.shardCells; looked += 1) {
          const next = entries.next();
          if (next.done === true) return ended();
          const { key, ref, shardOfKey } = next.value;
          if (shardOfKey(key) !== shard) continue;
          open += 1;
          this.#runtime.watch(ref, ended);
          this.#runtime.exit(ref, MOVED);
        }
        this.#runtime.world.defer(some);
      };
      some();
    });
  }

  *#entries(): Generator<{
    readonly key: string;
    readonly ref: Ref<never>;
    readonly shardOfKey: (key: string) => number;
  }> {
    for (const [pool, shardOfKey] of this.#pools) {
      for (const [key, ref] of pool.entries()) yield { key, ref, shardOfKey };
    }
  }
}
