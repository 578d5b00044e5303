// Owns the chats that a client knows, by id and by user, and the aliases of the present connection.
// Invariant: one ChatLog per chat; a direct chat known by its user alone and the same chat known by its id become one.
// Must not: send or store.

import type { ChatRef, SyncEntry, UserRef } from '../transport/frames.js';
import { ChatLog } from './chat-log.js';
import { hex, unhex } from './ids.js';
import type { StoredChat } from './store.js';

export class ChatTable {
  readonly #byKey = new Map<string, ChatLog>();
  readonly #byUser = new Map<string, ChatLog>();
  readonly #chatAliases = new Map<number, ChatLog>();
  readonly #chatAliasOf = new Map<ChatLog, number>();
  readonly #userAliases = new Map<number, string>();
  /** `from` is no more: all that was of it is of `to`. */
  readonly #merged: (from: ChatLog, to: ChatLog) => void;

  constructor(merged: (from: ChatLog, to: ChatLog) => void) {
    this.#merged = merged;
  }

  /** Every chat whose id is known. */
  all(): IterableIterator<ChatLog> {
    return this.#byKey.values();
  }

  restore(stored: StoredChat): void {
    const id = unhex(stored.id);
    if (id === undefined) return;
    const log = this.byId(id);
    log.restore(stored);
    if (log.kind === 1) this.#byUser.set(log.name, log);
  }

  byId(id: Uint8Array): ChatLog {
    const key = hex(id);
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const log = new ChatLog();
    log.id = id.slice();
    log.key = key;
    this.#byKey.set(key, log);
    return log;
  }

  find(id: Uint8Array): ChatLog | undefined {
    return this.#byKey.get(hex(id));
  }

  byUser(user: string): ChatLog {
    const known = this.#byUser.get(user);
    if (known !== undefined) return known;
    const log = new ChatLog();
    log.kind = 1;
    log.name = user;
    this.#byUser.set(user, log);
    return log;
  }

  /** The id of the direct chat with a user became known. */
  bind(user: string, id: Uint8Array): ChatLog {
    return this.describe(this.byId(id), 1, user);
  }

  /** Kind and name of a chat became known. */
  describe(log: ChatLog, kind: number, name: string): ChatLog {
    log.kind = kind;
    log.name = name;
    if (kind !== 1) return log;
    const nameless = this.#byUser.get(name);
    this.#byUser.set(name, log);
    if (nameless !== undefined && nameless !== log) this.#merged(nameless, log);
    return log;
  }

  /** Aliases live as long as a connection, and what the server counts as had. */
  down(): void {
    for (const log of this.all()) log.dropped = 0;
    this.#chatAliases.clear();
    this.#chatAliasOf.clear();
    this.#userAliases.clear();
  }

  aliasChat(alias: number, log: ChatLog): void {
    this.#chatAliases.set(alias, log);
    this.#chatAliasOf.set(log, alias);
  }

  aliasUser(alias: number, user: string): void {
    this.#userAliases.set(alias, user);
  }

  /** Undefined for an alias that was not given. */
  chat(ref: ChatRef): ChatLog | undefined {
    return typeof ref === 'number' ? this.#chatAliases.get(ref) : this.byId(ref);
  }

  user(ref: UserRef): string | undefined {
    return typeof ref === 'number' ? this.#userAliases.get(ref) : ref;
  }

  /** The shortest ref; undefined while the id is unknown. */
  ref(log: ChatLog): ChatRef | undefined {
    return this.#chatAliasOf.get(log) ?? log.id;
  }

  /**
   * What SYNC says of each chat. Handled, not merely received: the vector counts as ACK. Where something is `unanswered` it may be
   * stored, delivered and read already: receipts of that came while nobody listened. So a chat that begins with it is listed too,
   * where its whole log is wanted (`whole`). `again`: certificates of one that said less may still come.
   */
  vector(me: string, whole: boolean, again: boolean, unanswered: (log: ChatLog) => boolean): SyncEntry[] {
    const entries: SyncEntry[] = [];
    for (const log of this.#byKey.values()) {
      if (log.id === undefined) continue;
      const wanted = log.wantsReceipts(me) || unanswered(log);
      if (!log.placed && !(whole && wanted)) continue;
      const read = Math.min(log.read, log.done);
      if (!again) log.listed = log.done;
      entries.push({ chat: log.id, seq: log.done, read, flags: wanted ? 1 : 0 });
    }
    return entries;
  }
}
