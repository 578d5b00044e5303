// Owns the store that forgets: for tests, simulations and applications that keep nothing.
// Invariant: applies changes in order; `load` after `close` finds what was written, as a restarted application would.
// Must not: claim durability beyond the object's life.

import type { Profile } from './profiles.js';
import type { ClientStore, StoreChange, StoredChat, StoredSend, StoredState } from './store.js';

/** The content of a store; also what store-file.ts replays its journal into. */
export class StoreImage {
  owner: StoredState['owner'];
  readonly chats = new Map<string, StoredChat>();
  readonly outbox = new Map<string, StoredSend>();
  marks = 0;
  blocked: readonly string[] = [];
  readonly profiles = new Map<string, Profile>();

  apply(change: StoreChange): void {
    switch (change.type) {
      case 'owner':
        this.owner = { user: change.user, device: change.device };
        return;
      case 'chat':
        this.chats.set(change.chat.id, change.chat);
        return;
      case 'add':
        this.outbox.set(change.send.id, change.send);
        return;
      case 'refuse': {
        const { id, code, detail } = change;
        const send = this.outbox.get(id);
        if (send !== undefined) this.outbox.set(id, { ...send, refused: { code, detail } });
        return;
      }
      case 'settle':
        this.outbox.delete(change.id);
        return;
      case 'marks':
        this.marks = change.version;
        return;
      case 'blocked':
        this.blocked = change.users;
        return;
      case 'profile':
        this.profiles.delete(change.user);
        if (change.profile !== null) this.profiles.set(change.user, change.profile);
        return;
    }
  }

  /** Changes that it takes to make it. */
  get size(): number {
    return this.chats.size + this.outbox.size + this.profiles.size + 1;
  }

  state(): StoredState {
    const { owner, chats, outbox, marks, blocked, profiles } = this;
    return {
      owner,
      chats: [...chats.values()],
      outbox: [...outbox.values()],
      marks,
      blocked,
      profiles: [...profiles.values()],
    };
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
