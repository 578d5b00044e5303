// Owns the store in IndexedDB, for browsers.
// Invariant: each write is one transaction, `durable` asks for strict durability; one tab at a time (Web Locks, where the
// browser has them).
// Must not: use anything but IndexedDB and Web Locks.
//
//   database weft:NAME    chats (key: id) │ outbox (key: running number, index: id)
//                         meta (keys: 'owner', 'marks', 'blocked', 'profile ' and the user)

import { WeftError } from './errors.js';
import type { Profile } from './profiles.js';
import type { ClientStore, StoreChange, StoredChat, StoredSend, StoredState } from './store.js';

const STORES = ['chats', 'outbox', 'meta'] as const;
const PROFILE = 'profile ';

export class IdbStore implements ClientStore {
  readonly #name: string;
  #database: IDBDatabase | undefined;
  #unlock = (): void => {};
  /** Where each waiting message lies. */
  readonly #places = new Map<string, IDBValidKey>();
  /** Writes run one after another, so that a settlement finds what its addition stored. */
  #last: Promise<unknown> = Promise.resolve();

  /** `name` tells the stores of one origin apart: one for each user and device. */
  constructor(name: string) {
    this.#name = `weft:${name}`;
  }

  async load(): Promise<StoredState> {
    await this.#lock();
    try {
      const request = indexedDB.open(this.#name, 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore('chats');
        request.result.createObjectStore('outbox', { autoIncrement: true });
        request.result.createObjectStore('meta');
      };
      const database = await done(request);
      this.#database = database;
      const transaction = database.transaction(STORES);
      const meta = transaction.objectStore('meta');
      // All that begin so; `!` is the character behind the space.
      const range = IDBKeyRange.bound(PROFILE, 'profile!', false, true);
      const [chats, keys, outbox, owner, marks, blocked, profiles] = await Promise.all([
        done<StoredChat[]>(transaction.objectStore('chats').getAll()),
        done(transaction.objectStore('outbox').getAllKeys()),
        done<StoredSend[]>(transaction.objectStore('outbox').getAll()),
        done<StoredState['owner']>(meta.get('owner')),
        done<number | undefined>(meta.get('marks')),
        done<string[] | undefined>(meta.get('blocked')),
        done<Profile[]>(meta.getAll(range)),
      ]);
      outbox.forEach((send, i) => {
        const key = keys[i];
        if (key !== undefined) this.#places.set(send.id, key);
      });
      return { owner, chats, outbox, marks: marks ?? 0, blocked: blocked ?? [], profiles };
    } catch (error) {
      this.#unlock();
      throw error;
    }
  }

  write(changes: readonly StoreChange[], durable: boolean): Promise<void> {
    const written = this.#last.then(() => this.#write(changes, durable));
    this.#last = written.catch(() => {});
    return written;
  }

  async close(): Promise<void> {
    await this.#last;
    this.#database?.close();
    this.#database = undefined;
    this.#unlock();
  }

  async #write(changes: readonly StoreChange[], durable: boolean): Promise<void> {
    const database = this.#database;
    if (database === undefined) throw new WeftError('store_failed', 'the store is not open');
    const durability = durable ? 'strict' : 'relaxed';
    const transaction = database.transaction(STORES, 'readwrite', { durability });
    const complete = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error('aborted'));
    });
    for (const change of changes) this.#apply(transaction, change);
    await complete;
  }

  #apply(transaction: IDBTransaction, change: StoreChange): void {
    switch (change.type) {
      case 'owner':
        transaction.objectStore('meta').put({ user: change.user, device: change.device }, 'owner');
        return;
      case 'marks':
        transaction.objectStore('meta').put(change.version, 'marks');
        return;
      case 'blocked':
        transaction.objectStore('meta').put(change.users, 'blocked');
        return;
      case 'profile':
        if (change.profile === null) transaction.objectStore('meta').delete(PROFILE + change.user);
        else transaction.objectStore('meta').put(change.profile, PROFILE + change.user);
        return;
      case 'chat':
        transaction.objectStore('chats').put(change.chat, change.chat.id);
        return;
      case 'add': {
        const { send } = change;
        const request = transaction.objectStore('outbox').add(send);
        request.onsuccess = () => this.#places.set(send.id, request.result);
        return;
      }
      case 'refuse': {
        const { id, code, detail } = change;
        const place = this.#places.get(id);
        if (place === undefined) return;
        const outbox = transaction.objectStore('outbox');
        const request: IDBRequest<StoredSend | undefined> = outbox.get(place);
        request.onsuccess = () => {
          if (request.result !== undefined) outbox.put({ ...request.result, refused: { code, detail } }, place);
        };
        return;
      }
      case 'settle': {
        const place = this.#places.get(change.id);
        if (place === undefined) return;
        this.#places.delete(change.id);
        transaction.objectStore('outbox').delete(place);
        return;
      }
    }
  }

  #lock(): Promise<void> {
    const locks = globalThis.navigator?.locks;
    if (locks === undefined) return Promise.resolve();
    return new Promise((resolve, reject) => {
      locks
        .request(this.#name, { ifAvailable: true }, (lock) => {
          if (lock === null) throw new WeftError('store_locked', `${this.#name} is open in another tab`);
          resolve();
          // Held until this promise settles.
          return new Promise<void>((release) => {
            this.#unlock = release;
          });
        })
        .catch(reject);
    });
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'));
  });
}
