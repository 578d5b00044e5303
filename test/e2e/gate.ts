// Owns a store whose appends can be held back: what a slow disk does, for as long as a test wants.
// Invariant: changes no commit and no answer; held ones go on in their order when the gate opens. Commits without a
// message, cursor or member row (devices, grants) pass, so that clients can connect meanwhile.
// Must not: time anything.

import { chatRowKey, inboxKey, messageKey } from '../../storage/keys.js';
import type { Commit, CommitResult, Store } from '../../storage/store.js';

const chat = new Uint8Array(16);
/** First bytes of the keys that an append writes. */
const TAGS = new Set([messageKey(chat, 1)[0], chatRowKey(chat)[0], inboxKey('a', chat)[0]]);

/** `before`: the engine does not see the commit until the gate opens. `after`: it is done, and its answer waits. */
export type Hold = 'before' | 'after';

export class Gate {
  /** Commits that wait. */
  waiting = 0;
  readonly #hold: Hold;
  #closed: { readonly opened: Promise<void>; readonly open: () => void } | null = null;

  constructor(hold: Hold) {
    this.#hold = hold;
  }

  close(): void {
    if (this.#closed !== null) return;
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#closed = { opened, open };
  }

  open(): void {
    this.#closed?.open();
    this.#closed = null;
  }

  guard(store: Store): Store {
    return {
      engine: store.engine,
      durability: store.durability,
      get: (key) => store.get(key),
      range: (query) => store.range(query),
      watch: (key, changed) => store.watch(key, changed),
      commit: (commit) => this.#commit(store, commit),
      close: () => {
        this.open();
        return store.close();
      },
    };
  }

  async #commit(store: Store, commit: Commit): Promise<CommitResult> {
    if (!commit.writes.some(({ key }) => TAGS.has(key[0]))) return store.commit(commit);
    if (this.#hold === 'before') {
      await this.#pass();
      return store.commit(commit);
    }
    const result = await store.commit(commit);
    await this.#pass();
    return result;
  }

  async #pass(): Promise<void> {
    if (this.#closed === null) return;
    this.waiting += 1;
    await this.#closed.opened;
    this.waiting -= 1;
  }
}
