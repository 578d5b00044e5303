// Owns what every chat does: wake from its durable state, take each send once, write in batches, answer and tell the
// members. conversation.ts and group.ts are chats with rules of their own.
// Invariant: no answer and no fan-out before the append is durable; sends of one sender keep their order; while state is
// being read the user lane is held, so nothing is handled against half a state.
// Must not: decide who may create, join or leave (ChatRules do), or know how connections speak to clients.

import { chatFromKey, idKey, inboxKey } from '../storage/keys.js';
import type { AppendResult } from '../storage/log.js';
import { type ChatRow, decodeInbox, type Inbox } from '../storage/rows.js';
import { type Plain, T } from '../transport/frames.js';
import { encodeMessageRow, rowTail } from '../transport/row.js';
import type { Context, Signal } from './behaviour.js';
import { type ChatImage, decodeKnown, readChat } from './chat-image.js';
import type { Code } from './errors.js';
import type { Fabric } from './fabric.js';
import { FanOut } from './fan-out.js';
import { LIMITS } from './limits.js';
import { idText, idTime } from './message-id.js';
import type { Asker, ChatInfo, ChatMessage, SendMessage } from './messages.js';
import { Roster } from './roster.js';
import { type Entry, Sequencer, type Waiter } from './sequencer.js';

export type RequestMessage = Extract<ChatMessage, { type: 'create' | 'change' }>;
type CursorMessage = Extract<ChatMessage, { type: 'cursor' }>;
export type ChatContext = Context<ChatMessage, Tag>;
export type FormerViews = ReadonlyMap<string, Inbox>;

/** What differs between the kinds of chat. */
export interface ChatRules {
  /** Makes the chat if this send may do that; the send is appended next. */
  found(chat: Chat, send: SendMessage): boolean;
  /** Handles a request whose id is new. `former`: views read by `readFormer`, null before. */
  request(chat: Chat, message: RequestMessage, former: FormerViews | null, context: ChatContext): void;
  info(id: Uint8Array, key: string, row: ChatRow): ChatInfo;
}

/** What a signal answers. `round` tells one life of the state in memory from the next. */
export type Tag =
  | { readonly type: 'image'; readonly round: number }
  | { readonly type: 'append'; readonly round: number }
  | { readonly type: 'known'; readonly round: number; readonly message: SendMessage | RequestMessage }
  | { readonly type: 'former'; readonly round: number; readonly message: RequestMessage }
  | { readonly type: 'idle' }
  | { readonly type: 'reload' };

/** Value of a result whose read failed. */
const UNREADABLE = Symbol('unreadable');
type Read<T> = T | typeof UNREADABLE;

export class Chat {
  readonly fabric: Fabric;
  readonly key: string;
  readonly id: Uint8Array;
  /** Null until the chat exists. */
  roster: Roster | null = null;
  readonly #rules: ChatRules;
  readonly #fanOut: FanOut;
  /** Null while the state is being read, and after it could not be. */
  #sequencer: Sequencer | null = null;
  #round = 0;
  #lastActive: number;
  /** Receipts that a failed append took with it; they go on top of the state read next. */
  #lostCursors: CursorMessage[] = [];
  #openCursors: CursorMessage[] = [];

  constructor(rules: ChatRules, fabric: Fabric, key: string, context: ChatContext) {
    this.fabric = fabric;
    this.key = key;
    this.id = chatFromKey(key);
    this.#rules = rules;
    this.#fanOut = new FanOut(fabric);
    this.#lastActive = context.now();
    this.#load(context);
    context.after(fabric.settings.passivateMs, { type: 'idle' });
  }

  receive(message: ChatMessage, context: ChatContext): void {
    this.#lastActive = context.now();
    switch (message.type) {
      case 'send':
        return this.#send(message, context);
      case 'create':
      case 'change':
        return this.#request(message, context);
      case 'cursor':
        return this.#cursor(message, context);
      case 'info':
        return this.#info(message.asker);
      default:
        if (this.roster === null || !this.roster.members.has(message.user)) return;
        if (message.type === 'typing') this.#fanOut.typing(message.user, message.on, this.roster);
        else if (message.type === 'receipts') this.#fanOut.receiptsTo(message.user, message.connection, this.roster);
        else this.#fanOut.watch(message.user, message.connection, message.on, this.roster);
    }
  }

  signal(signal: Signal<Tag>, context: ChatContext): void {
    if (signal.type !== 'result' && signal.type !== 'timer') return;
    const { tag } = signal;
    if (tag.type === 'idle') return this.#maybePassivate(context);
    if (tag.type === 'reload') return this.#load(context);
    if (tag.round !== this.#round || signal.type !== 'result') return;
    if (tag.type === 'append') return this.#appended(signal.value as AppendResult, context);
    context.resume();
    if (tag.type === 'image') this.#loaded(signal.value as Read<ChatImage>, context);
    else if (tag.type === 'known') this.#looked(tag.message, signal.value as Read<Uint8Array | undefined>, context);
    else this.#formerRead(tag.message, signal.value as Read<FormerViews>, context);
  }

  // ---- state ----

  #load(context: ChatContext): void {
    this.#round += 1;
    this.#sequencer = null;
    this.roster = null;
    this.#read(readChat(this.fabric.store, this.id), { type: 'image', round: this.#round }, context);
  }

  /** Holds the user lane until the read's result is here. */
  #read(promise: Promise<unknown>, tag: Tag, context: ChatContext): void {
    context.suspend();
    const done = context.completion(tag);
    promise.then(done, (error: unknown) => {
      this.fabric.report('chat_unreadable', { chat: this.key, reason: String(error) });
      done(UNREADABLE);
    });
  }

  #loaded(image: Read<ChatImage>, context: ChatContext): void {
    if (image === UNREADABLE) {
      // Whoever asks meanwhile is refused at once, not left waiting for a store that may stay away.
      context.after(LIMITS.reloadMs, { type: 'reload' });
      return;
    }
    this.#sequencer = new Sequencer(this.id, image.head, image.recent);
    if (image.row !== null) this.open(this.#rules.info(this.id, this.key, image.row), image.row, image);
    const cursors = this.#lostCursors;
    this.#lostCursors = [];
    for (const cursor of cursors) this.#cursor(cursor, context);
  }

  /** The chat exists: read from the store, or (no image) made by what is appended next. */
  open(info: ChatInfo, row: ChatRow, image: ChatImage | null): Roster {
    this.roster = new Roster(info, row, image, this.fabric.settings.fanOutThreshold);
    return this.roster;
  }

  #maybePassivate(context: ChatContext): void {
    const { passivateMs } = this.fabric.settings;
    const rest = passivateMs - (context.now() - this.#lastActive);
    const still = this.#sequencer === null || (this.#sequencer.idle && this.roster?.dirty !== true);
    if (rest <= 0 && still) context.passivate();
    context.after(rest > 0 ? rest : passivateMs, { type: 'idle' });
  }

  // ---- what comes in ----

  #send(message: SendMessage, context: ChatContext): void {
    const waiter: Waiter = { type: 'send', connection: message.connection, n: message.n };
    if (this.#sequencer === null) return this.refuse(waiter, 'unavailable', 'the chat cannot be read now');
    if (message.after !== null && !this.#sequencer.accepted(message.after)) {
      return this.refuse(waiter, 'busy', 'an earlier message of this connection was refused');
    }
    if (this.#isNew(message, message.user, message.idText, waiter, context)) this.#accept(message, waiter, context);
  }

  #accept(message: SendMessage, waiter: Waiter, context: ChatContext): void {
    if (this.roster === null && !this.#rules.found(this, message)) {
      return this.refuse(waiter, 'unknown_chat', 'no such chat');
    }
    const { user: from, id, idText } = message;
    if (!this.roster!.rights.has(from)) return this.refuse(waiter, 'not_member', 'not in this chat');
    const row = encodeMessageRow(from, id, this.fabric.world.wall() - idTime(id), message.body);
    const { tail } = rowTail(row);
    this.enter({ frame: T.MESSAGE, from, id, idText, row, tail, change: null, waiters: [waiter], seq: 0 }, context);
  }

  #request(message: RequestMessage, context: ChatContext): void {
    const { user } = message.asker;
    const waiter = this.waiter(message);
    if (this.#sequencer === null) return this.refuse(waiter, 'unavailable', 'the chat cannot be read now');
    if (!this.#isNew(message, user, idText(message.id), waiter, context)) return;
    this.#rules.request(this, message, null, context);
  }

  /** False when the id was seen before (and is answered) or the store must be asked first. */
  #isNew(
    message: SendMessage | RequestMessage,
    user: string,
    text: string,
    waiter: Waiter,
    context: ChatContext,
  ): boolean {
    const found = this.#sequencer!.find(text);
    if (found === 'fresh') return true;
    if (found === 'stored') {
      this.#read(
        this.fabric.store.get(idKey(this.id, message.id)),
        { type: 'known', round: this.#round, message },
        context,
      );
    } else if (found.from !== user) this.refuse(waiter, 'bad_id', "the id of somebody else's message");
    else if ('waiters' in found) found.waiters.push(waiter);
    else this.#settle(waiter, found.seq);
    return false;
  }

  #looked(message: SendMessage | RequestMessage, value: Read<Uint8Array | undefined>, context: ChatContext): void {
    const waiter = this.waiter(message);
    if (value === UNREADABLE) return this.refuse(waiter, 'unavailable', 'the store cannot be read now');
    if (value === undefined) {
      if (message.type === 'send') this.#accept(message, waiter, context);
      else this.#rules.request(this, message, null, context);
      return;
    }
    const known = decodeKnown(value);
    const user = message.type === 'send' ? message.user : message.asker.user;
    if (known.from !== user) this.refuse(waiter, 'bad_id', "the id of somebody else's message");
    else this.#settle(waiter, known.seq);
  }

  /** Reads the views that users had in earlier stays, then gives the request to the rules again. */
  readFormer(users: readonly string[], message: RequestMessage, context: ChatContext): void {
    const views = users.map(async (user): Promise<[string, Inbox][]> => {
      const view = await this.fabric.store.get(inboxKey(user, this.id));
      return view === undefined ? [] : [[user, decodeInbox(view)]];
    });
    const former = Promise.all(views).then((found): FormerViews => new Map(found.flat()));
    this.#read(former, { type: 'former', round: this.#round, message }, context);
  }

  #formerRead(message: RequestMessage, former: Read<FormerViews>, context: ChatContext): void {
    if (former === UNREADABLE) this.refuse(this.waiter(message), 'unavailable', 'the store cannot be read now');
    else this.#rules.request(this, message, former, context);
  }

  #cursor(message: CursorMessage, context: ChatContext): void {
    if (this.#sequencer === null) {
      if (this.#lostCursors.length < LIMITS.conversationInFlight) this.#lostCursors.push(message);
      return;
    }
    const { user, device, delivered, read } = message;
    if (this.roster?.cursor(user, device, delivered, read, this.#sequencer.head) !== true) return;
    this.#openCursors.push(message);
    this.#append(context);
  }

  #info({ user, connection, r }: Asker): void {
    const { roster } = this;
    if (this.#sequencer === null) {
      connection.tell({ type: 'refused', r, code: 'unavailable', detail: 'the chat cannot be read now' });
    } else if (roster === null || !roster.members.has(user)) {
      connection.tell({ type: 'refused', r, code: 'unknown_chat', detail: 'no such chat, or you are not in it' });
    } else {
      connection.tell({ type: 'answer', r, results: roster.describe(user, this.#sequencer.head) });
    }
  }

  // ---- what goes out ----

  /** Puts an entry in line for the log. */
  enter(entry: Entry, context: ChatContext): void {
    if (!this.#sequencer!.offer(entry)) {
      for (const waiter of entry.waiters) this.refuse(waiter, 'busy', 'too much of this chat is in flight');
      return;
    }
    if (entry.change !== null) this.roster!.claim(entry.change);
    this.#append(context);
  }

  #append(context: ChatContext): void {
    if (this.roster === null || this.#sequencer!.inFlight) return;
    const done = context.completion({ type: 'append', round: this.#round });
    const append = this.#sequencer!.compose(this.roster, this.fabric.world.wall(), done);
    if (append === null) return;
    this.#lostCursors = this.#openCursors;
    this.#openCursors = [];
    if (this.fabric.log.append(append) === 'busy') done({ outcome: 'failed', reason: 'log_full' });
  }

  #appended(result: AppendResult, context: ChatContext): void {
    if (result.outcome !== 'committed') return this.#abandon(result, context);
    this.#lostCursors = [];
    for (const entry of this.#sequencer!.commit()) {
      for (const waiter of entry.waiters) this.#settle(waiter, entry.seq);
      this.#fanOut.entry(entry, this.roster!);
    }
    this.#fanOut.receipts(this.roster!);
    this.#append(context);
  }

  #abandon(result: Exclude<AppendResult, { outcome: 'committed' }>, context: ChatContext): void {
    const reason = result.outcome === 'failed' ? result.reason : 'another node owns the chat';
    this.fabric.report('append_failed', { chat: this.key, reason });
    for (const entry of this.#sequencer!.abandon()) {
      for (const waiter of entry.waiters) this.refuse(waiter, 'unavailable', `not stored: ${reason}`);
    }
    this.#lostCursors.push(...this.#openCursors);
    this.#openCursors = [];
    this.#load(context);
  }

  waiter(message: SendMessage | RequestMessage): Waiter {
    if (message.type === 'send') return { type: 'send', connection: message.connection, n: message.n };
    const { connection, r } = message.asker;
    const results = (seq: number): readonly Plain[] => (message.type === 'create' ? [this.id, seq] : [seq]);
    return { type: 'request', connection, r, results };
  }

  #settle(waiter: Waiter, seq: number): void {
    if (waiter.type === 'send') waiter.connection.tell({ type: 'sent', n: waiter.n, seq });
    else waiter.connection.tell({ type: 'answer', r: waiter.r, results: waiter.results(seq) });
  }

  refuse(waiter: Waiter, code: Code, detail: string): void {
    if (waiter.type === 'send') waiter.connection.tell({ type: 'failed', n: waiter.n, code, detail });
    else waiter.connection.tell({ type: 'refused', r: waiter.r, code, detail });
  }
}
