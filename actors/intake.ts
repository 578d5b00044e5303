// Owns what a ready connection does with its client's frames: checks them and passes them on to whom they concern.
// Invariant: every SEND and every request is answered exactly once, here or by whom it was passed to; SENDs in a chat
// carry what they follow, so a refused one cannot be overtaken.
// Must not: wait for anything.

import { chatKey, directChat, groupChat, isName } from '../storage/keys.js';
import { CHAT_KIND, type ChatRef, CLOSE, type ClientFrame, type Plain, T } from '../transport/frames.js';
import { ACCOUNT, accountRequest } from './account-intake.js';
import type { ExitReason } from './behaviour.js';
import { shrunk } from './buggify.js';
import type { Connection, ConnectionContext } from './connection.js';
import { CODES, type Code, type Refusal } from './errors.js';
import { partsOf } from './group-invite.js';
import { readHistory } from './history.js';
import { LIMITS } from './limits.js';
import { readList } from './list.js';
import { idText, isMessageId } from './message-id.js';
import type { AccountFrame, ChatMessage, SentMessage } from './messages.js';
import { type Answer, type Question, Questions } from './questions.js';
import { Syncs } from './syncs.js';
import { Watching } from './watching.js';

type Of<T extends number> = Extract<ClientFrame, { type: T }>;

/** SENDs are numbered modulo this (docs/wire.md §3). */
const NUMBERS = 65_536;

export class Intake {
  readonly #connection: Connection;
  #sends = 0;
  readonly questions: Questions;
  readonly #syncs: Syncs;
  #watching: Watching | null = null;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.questions = new Questions(connection);
    this.#syncs = new Syncs(connection);
  }

  frame(frame: ClientFrame, bytes: number, unread: boolean, context: ConnectionContext): void {
    const { peer, stream } = this.#connection;
    if (frame.type === T.SYNC) return this.#syncs.take(frame, context);
    const ms = Math.max(Number(unread), this.#connection.meter.count(frame, stream.sent, bytes));
    if (ms > 0 && this.#tooOften(frame, ms, context)) return;
    switch (frame.type) {
      case T.SEND:
        return this.#send(frame, context);
      case T.ACK:
        return this.#cursor(frame.chat, frame.seq, 0, context);
      case T.READ:
        return this.#cursor(frame.chat, frame.seq, frame.seq, context);
      case T.CREDIT:
        stream.credit = Math.min(LIMITS.credit, stream.credit + frame.n);
        return;
      case T.TYPING:
        return this.#typing(frame, context);
      case T.WATCH:
        return this.#watch(frame, context);
      case T.PING:
        return peer.frame({ type: T.PONG, n: frame.n });
      case T.TOKEN:
        return this.#connection.login.renew(frame, context);
      case T.HELLO:
        return;
      default:
        return this.#request(frame, context);
    }
  }

  /** False where the frame is taken all the same: it waits for its turn, or nothing would tell the client that it was not. */
  #tooOften(frame: ClientFrame, ms: number, context: ConnectionContext): boolean {
    if (ms === Number.POSITIVE_INFINITY) this.#connection.violation('rate_limited', CLOSE.flood, 'flooding', context);
    else if (frame.type === T.SEND) this.#send(frame, context, ms);
    else if (frame.type === T.HISTORY || frame.type === T.LIST) return false;
    else if ('r' in frame) this.#connection.peer.error(frame.r, 'rate_limited', 'too many frames', ms);
    else return frame.type === T.TYPING;
    return true;
  }

  // ---- SEND ----

  /** `pause`: ms for which the client must not send. */
  #send({ chat, id, body }: Of<2>, context: ConnectionContext, pause = 0): void {
    const { views, fabric, meter } = this.#connection;
    const place = ++this.#sends;
    const n = place % NUMBERS;
    if (body.length > LIMITS.body) return this.#refuse(n, 'too_large', `a body has at most ${LIMITS.body} bytes`);
    if (!isMessageId(id)) return this.#refuse(n, 'bad_id', 'an id is a UUIDv7');
    const target = views.resolve(chat);
    if (target === undefined) return this.#refuse(n, 'unknown_chat', 'no such alias on this connection');
    const text = idText(id);
    const view = target.view ?? views.open(target.chat, target.key);
    if (view.refused !== '' && view.refused !== text) {
      return this.#refuse(n, 'busy', 'a message that was refused before this one comes first');
    }
    if (this.#connection.awaited.full) {
      views.refuse(view, text, place);
      return this.#refuse(n, 'over_window', `at most ${LIMITS.window} unanswered`);
    }
    const ms = Math.max(pause, meter.sendWait());
    if (ms > 0) {
      views.refuse(view, text, place);
      return this.#refuse(n, 'rate_limited', 'too many messages', ms);
    }
    const { user } = this.#connection.login;
    const { pair } = view;
    const after = view.unanswered > 0 ? view.lastSend : null;
    const message = { type: 'send', user, connection: context.self, n, id, idText: text, after, body, pair } as const;
    const told = fabric.chats.tell(view.key, message);
    if (told !== 'ok') {
      views.refuse(view, text, place);
      return this.#refuse(n, told === 'busy' ? 'busy' : 'unavailable', 'the chat cannot take it now');
    }
    meter.sent();
    view.refused = '';
    view.lastSend = text;
    this.#connection.awaited.sent(n, view, text, place, fabric.latency);
    this.#connection.awaited.watch(view.key, fabric.chats.lookup(view.key), context);
  }

  #refuse(n: number, code: Code, detail: string, after?: number): void {
    if (code === 'busy') this.#connection.fabric.latency.note(CODES.busy.after);
    this.#connection.peer.failed(n, code, detail, after);
  }

  sent({ n, seq, members, count }: SentMessage): void {
    const { awaited, resume, meter, peer } = this.#connection;
    for (let at = 0; at < count; at += 1) {
      const open = awaited.settle(n + at, 0);
      if (open === undefined) continue;
      resume.acknowledged(open.view.key, seq + at);
      meter.told(members);
      peer.sent(n + at, seq + at);
    }
  }

  failed(n: number, { code, detail, after }: Refusal): void {
    const open = this.#connection.awaited.settle(n, after ?? CODES[code].after);
    if (open === undefined) return;
    // What the client piped behind it may be on its way and must not overtake it: the retry comes first.
    if (CODES[code].retry) this.#connection.views.refuse(open.view, open.text, open.place);
    this.#connection.peer.failed(n, code, detail, after);
  }

  answered(r: number, answer: readonly Plain[] | Refusal, members = 0): void {
    if (!this.#connection.awaited.answer(r)) return;
    this.#connection.meter.told(members);
    if ('code' in answer) this.#connection.peer.error(r, answer.code, answer.detail, answer.after);
    else this.questions.ok(r, answer);
  }

  /** The actor that answers for `key` ended. */
  ended(key: string, reason: ExitReason['type'], context: ConnectionContext): void {
    const { awaited, fabric } = this.#connection;
    const { sends, asks, claim, receipts, refusal } = awaited.ended(key, reason, fabric.chats, context);
    if (claim !== null || receipts) this.#connection.followUp.again(key, claim, receipts, context);
    for (const n of sends) this.failed(n, refusal);
    for (const r of asks) this.answered(r, refusal);
  }

  // ---- requests ----

  #cursor(ref: ChatRef, delivered: number, read: number, context: ConnectionContext): void {
    const { views, followUp } = this.#connection;
    const target = views.resolve(ref);
    if (target !== undefined) followUp.tell(target.key, { delivered, read }, context);
  }

  #typing({ chat, on }: Of<13>, context: ConnectionContext): void {
    const { views, fabric, login } = this.#connection;
    const target = views.resolve(chat);
    if (target === undefined) return;
    fabric.chats.tell(target.key, { type: 'typing', user: login.user, connection: context.self, on });
  }

  #watch({ chat, on }: Of<14>, context: ConnectionContext): void {
    const target = this.#connection.views.resolve(chat);
    if (target !== undefined) this.watching.set(target.key, on, context);
  }

  rewatch(chat: string | null, context: ConnectionContext): void {
    if (chat === null) this.#watching?.again(context);
    else this.#watching?.unheard(chat, context);
  }

  /** Made with the first WATCH. */
  get watching(): Watching {
    this.#watching ??= new Watching(this.#connection);
    return this.#watching;
  }

  #request(frame: Extract<ClientFrame, { r: number }>, context: ConnectionContext): void {
    const { peer, fabric } = this.#connection;
    const { user } = this.#connection.login;
    const { r } = frame;
    const asker = { user, connection: context.self, r };
    switch (frame.type) {
      case T.DIRECT:
        return this.#direct(frame);
      case T.CREATE: {
        const { id, title, users } = frame;
        if (!isMessageId(id)) return peer.error(r, 'bad_id', 'an id is a UUIDv7');
        return this.#ask(r, chatKey(groupChat(user, id)), { type: 'create', asker, id, title, users }, context);
      }
      case T.JOIN:
        return this.#join(frame, context);
      case T.LIST: {
        const { after, limit } = frame;
        if (this.#badLimit(r, limit, LIMITS.listRows)) return;
        const bytes = shrunk(fabric.world, 'list', LIMITS.listBytes, 1);
        return this.read(r, () => readList(fabric.reader, user, after, limit, bytes), limit);
      }
      case T.INFO:
      case T.INVITE:
      case T.CHANGE:
      case T.HISTORY:
      case T.RECEIPTS:
        break;
      default:
        return accountRequest(frame, this.#connection, this, context);
    }
    const target = this.#connection.views.resolve(frame.chat);
    if (target === undefined) return peer.error(r, 'unknown_chat', 'no such alias on this connection');
    if (frame.type === T.INFO) return this.#ask(r, target.key, { type: 'info', asker }, context);
    if (frame.type === T.INVITE) return this.#ask(r, target.key, { type: 'invite', asker }, context);
    if (frame.type === T.RECEIPTS) {
      return this.#ask(r, target.key, { type: 'positions', asker, seq: frame.seq }, context);
    }
    if (frame.type === T.CHANGE) {
      const { id, op, users, args } = frame;
      if (!isMessageId(id)) return peer.error(r, 'bad_id', 'an id is a UUIDv7');
      return this.#ask(r, target.key, { type: 'change', asker, id, op, users, args }, context);
    }
    if (this.#badLimit(r, frame.limit, LIMITS.historyRows)) return;
    const bytes = shrunk(fabric.world, 'history', LIMITS.pageBytes, 1);
    const read = (): Promise<Answer> => readHistory(fabric.reader, user, target.chat, frame.before, frame.limit, bytes);
    return this.read(r, read, frame.limit, target.key);
  }

  #direct({ r, user: other }: Of<7>): void {
    const { peer, views } = this.#connection;
    const { user } = this.#connection.login;
    if (!isName(other, LIMITS.userId)) {
      return peer.error(r, 'unknown_user', `a user id has 1 to ${LIMITS.userId} bytes, no controls`);
    }
    const chat = directChat(user, other);
    const view = views.open(chat, chatKey(chat));
    view.pair = user < other ? [user, other] : [other, user];
    if (view.kind === 0) Object.assign(view, { kind: CHAT_KIND.direct, name: other });
    peer.announce(view);
    peer.frame({ type: T.OK, r, results: [chat] });
  }

  #join({ r, id, invite }: Of<18>, context: ConnectionContext): void {
    const { peer, login } = this.#connection;
    if (!isMessageId(id)) return peer.error(r, 'bad_id', 'an id is a UUIDv7');
    const parts = partsOf(invite);
    if (parts === null) return peer.error(r, 'bad_invite', 'not a link of a group');
    const asker = { user: login.user, connection: context.self, r };
    return this.#ask(r, chatKey(parts.chat), { type: 'join', asker, id, secret: parts.secret }, context);
  }

  #ask(r: number, key: string, message: ChatMessage, context: ConnectionContext): void {
    const { peer, fabric, meter } = this.#connection;
    if (this.#tooMany(r)) return;
    // What becomes an event is told to all members like any message, so it counts like one.
    const counts = message.type === 'change' || message.type === 'join';
    const ms = counts ? meter.sendWait() : 0;
    if (ms > 0) return peer.error(r, 'rate_limited', 'too many changes', ms);
    if (counts) meter.sent();
    const told = fabric.chats.tell(key, message);
    if (told !== 'ok') return peer.error(r, told === 'busy' ? 'busy' : 'unavailable', 'the chat cannot take it now');
    this.#connection.awaited.ask(r, key);
    this.#connection.awaited.watch(key, fabric.chats.lookup(key), context);
  }

  /** Has the user's actor answer. */
  askUser(frame: AccountFrame, context: ConnectionContext): void {
    const { peer, fabric } = this.#connection;
    const { user } = this.#connection.login;
    const { r } = frame;
    if (this.#tooMany(r)) return;
    const told = fabric.users.tell(user, { type: 'request', asker: { user, connection: context.self, r }, frame });
    if (told !== 'ok') return peer.error(r, told === 'busy' ? 'busy' : 'unavailable', 'not now');
    this.#connection.awaited.ask(r, ACCOUNT);
    this.#connection.awaited.watch(ACCOUNT, fabric.users.lookup(user), context);
  }

  /** Answers when the store did; `rows` may be read for it, of entries of `chat`. */
  read(r: number, read: Question['read'], rows = 0, chat = ''): void {
    if (!this.#tooMany(r)) this.questions.ask({ r, read, rows, chat });
  }

  answeredRead(r: number, value: unknown): void {
    this.questions.answered(r, value as Answer);
  }

  /** The slice is over and the socket was given its frames. Answers ms after which something wants another look; 0: nothing. */
  proceed(context: ConnectionContext): number {
    return this.#syncs.proceed(context) || this.questions.proceed(context);
  }

  /** Requests are bounded like SENDs: their answers are larger than they are. */
  #tooMany(r: number): boolean {
    const { peer } = this.#connection;
    if (this.#connection.awaited.isOpen(r)) peer.error(r, 'bad_request', 'a request of this number is under way');
    else if (this.questions.open + this.#connection.awaited.asked < LIMITS.window) return false;
    else peer.error(r, 'busy', `at most ${LIMITS.window} requests at a time`);
    return true;
  }

  #badLimit(r: number, value: number, limit: number): boolean {
    if (value >= 1 && value <= limit) return false;
    this.#connection.peer.error(r, 'bad_request', `limit is 1 to ${limit}`);
    return true;
  }
}
