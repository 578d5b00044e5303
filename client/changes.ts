// Owns the requests that become entries of a chat's log: a new group, and changes of a chat.
// Invariant: each carries an id of its own, by which the server knows a repetition and the client its own event.
// Must not: judge who may change what; the server does.

import { OP, T } from '../transport/frames.js';
import type { ChatLog } from './chat-log.js';
import { WeftError } from './errors.js';
import { hex, type IdSource } from './ids.js';
import type { Receipt } from './outbox.js';
import type { Queries } from './queries.js';
import type { Receiver } from './receiver.js';
import type { Ask } from './requests.js';

export interface ChangesParts {
  readonly ids: IdSource;
  readonly queries: Queries;
  readonly receiver: Receiver;
  ask: Ask;
}

export class Changes {
  /** Ids (32 hexadecimal digits) of those on their way: their events are this device's own. */
  readonly own = new Set<string>();
  readonly #parts: ChangesParts;

  constructor(parts: ChangesParts) {
    this.#parts = parts;
  }

  async create(title: string, users: readonly string[]): Promise<ChatLog> {
    const { receiver } = this.#parts;
    return this.#own(async (id) => {
      const answer = await this.#parts.ask((r) => ({ type: T.CREATE, r, id, title, users: [...users] }));
      const [chat, seq] = answer.type === 'ok' ? answer.results : [];
      if (!(chat instanceof Uint8Array) || typeof seq !== 'number') {
        throw new WeftError('bad_response', 'CREATE answered without a chat');
      }
      return receiver.created(chat, seq, title, users);
    });
  }

  async change(log: ChatLog, op: number, users: readonly string[]): Promise<Receipt> {
    const { queries, receiver } = this.#parts;
    const target = log.id === undefined ? await queries.locate(log) : log;
    const chat = target.id;
    if (chat === undefined) throw new WeftError('unknown_chat', 'the chat has no id');
    return this.#own(async (id) => {
      const answer = await this.#parts.ask((r) => ({ type: T.CHANGE, r, chat, id, op, users: [...users], args: [] }));
      const seq = answer.type === 'ok' ? answer.results[0] : undefined;
      if (typeof seq !== 'number') throw new WeftError('bad_response', 'CHANGE answered without a number');
      receiver.own(target, seq);
      target.change(op === OP.added ? 'added' : 'removed', op === OP.left ? [receiver.me] : users);
      return { seq };
    });
  }

  async #own<R>(request: (id: Uint8Array) => Promise<R>): Promise<R> {
    const id = this.#parts.ids.next();
    const key = hex(id);
    this.own.add(key);
    try {
      return await request(id);
    } finally {
      this.own.delete(key);
    }
  }
}
