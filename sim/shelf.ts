// Owns the store of a simulated device: what of an application's state survives the death of its process.
// Invariant: changes survive in the order of the writes; all up to the newest durable write that was answered survive; of later
// ones as many as fate says.
// Must not: know what is stored.

import type { ClientStore, StoreChange, StoredState } from '../client/store.js';
import { StoreImage } from '../client/store-memory.js';
import type { Process } from './process.js';
import type { Random } from './random.js';

/** ms that a durable write takes at most, and after which others are flushed at the latest. */
const DURABLE_MS = 8;
const LAZY_MS = 400;

export class Shelf {
  readonly #luck: Random;
  #image = new StoreImage();
  /** Writes that a crash may lose, oldest first. */
  #tail: (readonly StoreChange[])[] = [];
  /** Writes that ever were. */
  #written = 0;
  failing = false;
  /** Virtual ms of the newest answer: they come in the order of the calls. */
  #due = 0;

  constructor(luck: Random) {
    this.#luck = luck;
  }

  /** Nothing was ever written: a failed write may have lost whose it is, and not what came after. */
  get empty(): boolean {
    return this.#image.owner === undefined && this.#image.state().chats.length === 0 && this.#tail.length === 0;
  }

  /** The store as one process of the application sees it. */
  open(process: Process): ClientStore {
    return {
      load: () => this.#answer(process, () => this.#state()),
      write: (changes, durable) => this.#write(process, changes, durable),
      close: () => this.#answer(process, () => this.#flush(this.#written)),
    };
  }

  /** The process died: the oldest `keep` (0 to 1) of what was not flushed survive. Answers how many writes did not. */
  crash(keep: number): number {
    const lost = this.#tail.splice(Math.round(keep * this.#tail.length));
    this.#flush(this.#written);
    return lost.length;
  }

  /** A new store: the application was installed anew. */
  wipe(): void {
    this.#image = new StoreImage();
    this.#tail = [];
  }

  #write(process: Process, changes: readonly StoreChange[], durable: boolean): Promise<void> {
    if (this.failing) {
      return this.#answer(process, () => {
        throw new Error('the store takes nothing');
      });
    }
    this.#tail.push(changes);
    this.#written += 1;
    const upTo = this.#written;
    const flush = (): void => this.#flush(upTo);
    if (durable) return this.#answer(process, flush);
    process.arrive(this.#luck() * LAZY_MS, flush);
    return Promise.resolve();
  }

  #answer<T>(process: Process, give: () => T): Promise<T> {
    const { now } = process.clock;
    this.#due = Math.max(this.#due, now + this.#luck() * DURABLE_MS);
    return new Promise((resolve, reject) => {
      process.arrive(this.#due - now, () => {
        try {
          resolve(give());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** What was written up to the `upTo`-th write survives from now on. */
  #flush(upTo: number): void {
    const count = this.#tail.length - (this.#written - upTo);
    for (const changes of this.#tail.splice(0, Math.max(0, count))) for (const each of changes) this.#image.apply(each);
  }

  #state(): StoredState {
    this.#flush(this.#written);
    return this.#image.state();
  }
}
