// Owns what is gathered for a few ms and then written and told at once: cursors, settled sends, marks, ACK and READ.
// Invariant: a position is told to the server only after the store has it; ACK and READ are cumulative and rise. No settlement is stored
// before the number of its message: who knows neither would not ask who has read it.
// Must not: ask for durability: a lost cursor costs a repetition, a lost settlement a resend under the same id.

import { shrunk } from '../actors/buggify.js';
import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import type { ChatLog } from './chat-log.js';
import { WeftError } from './errors.js';
import type { ClientStore, StoreChange } from './store.js';

export interface FlushHooks {
  ack(log: ChatLog, seq: number): void;
  read(log: ChatLog, seq: number): void;
  trouble(error: WeftError): void;
}

export class Flusher {
  readonly #world: World;
  readonly #store: ClientStore;
  readonly #hooks: FlushHooks;
  readonly #dirty = new Set<ChatLog>();
  readonly #acks = new Set<ChatLog>();
  readonly #reads = new Set<ChatLog>();
  #settled: StoreChange[] = [];
  /** What is not of a chat, by what it replaces. */
  readonly #notes = new Map<string, StoreChange>();
  /** What the present connection was told as read. */
  readonly #told = new Map<ChatLog, number>();
  #handled = 0;
  /** Messages that it gathers. */
  readonly #gathers: number;
  #online = false;
  #cancel: (() => void) | undefined;
  #stopped = false;
  /** Flushes run one after another, so that an older position never overwrites a newer one. Never rejects. */
  #last: Promise<void> = Promise.resolve();

  constructor(world: World, store: ClientStore, hooks: FlushHooks) {
    this.#world = world;
    this.#gathers = shrunk(world, 'client ack', LIMITS.clientAckMessages, 1);
    this.#store = store;
    this.#hooks = hooks;
  }

  /** The chat's stored form changed. */
  dirty(log: ChatLog): void {
    this.#dirty.add(log);
    this.#arm();
  }

  settled(id: string): void {
    this.#settled.push({ type: 'settle', id });
    this.#arm();
  }

  /** Something that is not of a chat, and comes after what chats have to write: it may rest on them. */
  note(change: Extract<StoreChange, { type: 'marks' | 'blocked' | 'profile' }>): void {
    this.#notes.set(change.type === 'profile' ? `profile ${change.user}` : change.type, change);
    this.#arm();
  }

  /** The application handled something that came from the server. */
  handled(log: ChatLog): void {
    this.#acks.add(log);
    this.dirty(log);
    if (++this.#handled >= this.#gathers) void this.flush();
  }

  /** The user read further. */
  read(log: ChatLog): void {
    this.#reads.add(log);
    this.dirty(log);
  }

  /** A new connection's SYNC says all that is known now. */
  greeted(logs: Iterable<ChatLog>): void {
    this.#acks.clear();
    this.#reads.clear();
    this.#told.clear();
    for (const log of logs) {
      this.#told.set(log, Math.min(log.read, log.done));
      if (log.read > log.done) this.#reads.add(log);
    }
  }

  online(): void {
    this.#online = true;
    if (this.#acks.size + this.#reads.size > 0) this.#arm();
  }

  offline(): void {
    this.#online = false;
  }

  /** Resolves when what was gathered is written, or could not be. */
  flush(): Promise<void> {
    this.#disarm();
    this.#last = this.#last.then(() => this.#write());
    return this.#last;
  }

  /** The last flush: nothing is gathered, written or retried any more when it resolves. */
  stop(): Promise<void> {
    this.#stopped = true;
    return this.flush();
  }

  async #write(): Promise<void> {
    const logs = [...this.#dirty].filter((log) => log.key !== '');
    const settled = this.#settled;
    const notes = [...this.#notes];
    const online = this.#online;
    const acks = !online ? [] : [...this.#acks].map((log) => ({ log, done: log.done }));
    const reads = !online ? [] : [...this.#reads].map((log) => ({ log, seq: Math.min(log.read, log.done) }));
    this.#dirty.clear();
    for (const { log } of acks) this.#acks.delete(log);
    this.#settled = [];
    this.#notes.clear();
    this.#handled = 0;
    try {
      for (let i = 0; i === 0 || i < logs.length; i += LIMITS.clientJournalChats) {
        const end = i + LIMITS.clientJournalChats;
        const chats = logs.slice(i, end).map((log): StoreChange => ({ type: 'chat', chat: log.stored() }));
        const changes = end < logs.length ? chats : [...chats, ...settled];
        if (changes.length > 0) await this.#store.write(changes, false);
      }
      if (notes.length > 0) {
        await this.#store.write(
          notes.map(([, change]) => change),
          false,
        );
      }
      this.#tell(acks, reads);
    } catch (error) {
      for (const log of logs) this.#dirty.add(log);
      for (const { log } of acks) this.#acks.add(log);
      this.#settled.unshift(...settled);
      for (const [key, change] of notes) if (!this.#notes.has(key)) this.#notes.set(key, change);
      const detail = error instanceof Error ? error.message : String(error);
      const failure = new WeftError('store_failed', detail, undefined, error);
      this.#hooks.trouble(failure);
      this.#arm(failure.after);
    }
  }

  #tell(
    acks: readonly { readonly log: ChatLog; readonly done: number }[],
    reads: readonly { readonly log: ChatLog; readonly seq: number }[],
  ): void {
    const implied = new Map<ChatLog, number>();
    for (const { log, seq } of reads) {
      // Read ahead of what is handled, or while the store was written: told later, with the rest.
      if (log.read <= seq) this.#reads.delete(log);
      if (seq <= (this.#told.get(log) ?? 0)) continue;
      this.#told.set(log, seq);
      this.#hooks.read(log, seq);
      implied.set(log, seq);
    }
    for (const { log, done } of acks) {
      if ((implied.get(log) ?? 0) < done) this.#hooks.ack(log, done);
    }
  }

  #arm(ms: number = LIMITS.clientAckMs): void {
    if (this.#stopped) return;
    this.#cancel ??= this.#world.timer(ms, () => {
      this.#cancel = undefined;
      void this.flush();
    });
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
