// Owns the store that forgets: for tests, simulations and applications that keep nothing.
// Invariant: applies changes in order; `load` after `close` finds what was written, as a restarted application would.
// Must not: claim durability beyond the object's life.

import type { ClientStore, StoreChange, StoredChat, StoredSend, StoredState } from './store.js';

/** The content of a store; also what store-file.ts replays its journal into. */
export class StoreImage {
  owner: StoredState['owner'];
  readonly chats = new Map<string, StoredChat>();
  readonly outbox = new Map<string, StoredSend>();

  apply(change: StoreChange): void {
    if (change.type === 'owner') this.owner = { user: change.user, device: change.device };
    else if (change.type === 'chat') this.chats.set(change.chat.id, change.chat);
    else if (change.type === 'add') this.outbox.set(change.send.id, change.send);
    else this.outbox.delete(change.id);
  }

  state(): StoredState {
    return { owner: this.owner, chats: [...this.chats.values()], outbox: [...this.outbox.values()] };
  }
}

export class MemoryStore implements ClientStore {
  readonly #image = new StoreImage();

  load(): Promise<StoredState> {
    return Promise.resolve(this.#image.state());
  }

  write(changes: readonly StoreChange[]): Promise<void> {
    for (const change of changes) this.#image.apply(change);
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
