// Owns the requests that become entries of a chat's log, or ask for one: a new group, changes of a chat, joining a group.
// Invariant: each carries an id of its own, by which the server knows a repetition and the client its own event.
// Must not: judge who may change what; the server does.

import { CHAT_KIND, JOINED, type OP, type Plain, T } from '../transport/frames.js';
import type { ChatLog } from './chat-log.js';
import type { ChatTable } from './chat-table.js';
import { WeftError } from './errors.js';
import type { Flusher } from './flush.js';
import { hex, type IdSource } from './ids.js';
import { type Change, changeOf } from './message.js';
import type { Receipt } from './outbox.js';
import { bytesOf, countOf } from './plain.js';
import type { Receiver } from './receiver.js';
import type { Ask } from './requests.js';

export interface ChangesParts {
  readonly ids: IdSource;
  readonly table: ChatTable;
  readonly flusher: Flusher;
  readonly receiver: Receiver;
  ask: Ask;
}

export interface ChangeRequest {
  readonly op: (typeof OP)[keyof typeof OP];
  readonly users?: readonly string[];
  readonly args?: readonly Plain[];
}

/** Where the event of a request is. */
interface Found {
  readonly log: ChatLog;
  readonly seq: number;
  /** It came, before the answer. */
  readonly came: boolean;
}

export class Changes {
  /** By the ids (32 hexadecimal digits) of those on their way, whose events are this device's own: what settles them. */
  readonly #own = new Map<string, (place: Found) => void>();
  readonly #parts: ChangesParts;
  readonly #made: (log: ChatLog, change: Change) => void;

  constructor(parts: ChangesParts, made: (log: ChatLog, change: Change) => void) {
    this.#parts = parts;
    this.#made = made;
  }

  /**
   * An event came; true where it is that of a request on its way. Its answer may be lost, and who waits for it may not live to see
   * another one: the event is as good, and is not handed out.
   */
  found(id: string, log: ChatLog, seq: number): boolean {
    const settle = this.#own.get(id);
    settle?.({ log, seq, came: true });
    return settle !== undefined;
  }

  create(title: string, users: readonly string[]): Promise<ChatLog> {
    const { receiver, table } = this.#parts;
    return this.#request(
      async (id) => {
        const [chat, seq] = await this.#parts.ask((r) => ({ type: T.CREATE, r, id, title, users: [...users] }));
        return { log: table.byId(bytesOf(chat, 16, 'CREATE')), seq: countOf(seq, 'CREATE'), came: false };
      },
      (found) => {
        const { log } = found;
        receiver.describe(log, CHAT_KIND.group, title);
        this.#count(found, { change: 'created', users, title });
        return log;
      },
    );
  }

  /** `log` must have its id. */
  change(log: ChatLog, chat: Uint8Array, { op, users = [], args = [] }: ChangeRequest): Promise<Receipt> {
    return this.#request(
      async (id) => {
        const [answer] = await this.#parts.ask((r) => ({ type: T.CHANGE, r, chat, id, op, users: [...users], args }));
        return { log, seq: countOf(answer, 'CHANGE'), came: false };
      },
      (found) => {
        // As its event says it to the others; that of this device is passed over.
        const change = changeOf(op, users.length > 0 ? [[...users], ...args] : args);
        this.#count(found, change);
        this.#made(log, change);
        return { seq: found.seq };
      },
    );
  }

  /** Counts at once for who waits, and again in its turn, if that has not come: others' changes before it may be told after the answer. */
  #count({ log, seq, came }: Found, change: Change): void {
    const { receiver, flusher } = this.#parts;
    receiver.own(log, seq, change);
    if (!came || log.done < seq || change.change === 'deleted') log.changed(receiver.me, change);
    flusher.dirty(log);
  }

  /** Its event, which names this user, is handed out like any other: whoever joins gets the log from there on. */
  async join(invite: Uint8Array): Promise<{ readonly log: ChatLog; readonly waiting: boolean }> {
    const id = this.#parts.ids.next();
    const [chat, , state] = await this.#parts.ask((r) => ({ type: T.JOIN, r, id, invite }));
    const log = this.#parts.table.byId(bytesOf(chat, 16, 'JOIN'));
    const joined = countOf(state, 'JOIN', JOINED.member);
    // Asked again after a lost connection, when it was declined or removed meanwhile.
    if (joined === JOINED.none) throw new WeftError('bad_invite', 'joined or asked, and out again since');
    return { log, waiting: joined === JOINED.waiting };
  }

  /** `done`: answered, or its event has come. */
  async #request<R>(request: (id: Uint8Array) => Promise<Found>, done: (place: Found) => R): Promise<R> {
    const id = this.#parts.ids.next();
    const key = hex(id);
    const found = new Promise<Found>((resolve) => this.#own.set(key, resolve));
    try {
      return done(await Promise.race([request(id), found]));
    } finally {
      this.#own.delete(key);
    }
  }
}
