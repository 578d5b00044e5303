// Owns what every chat does: wake from its durable state, take each send once, write in batches, answer and tell the
// members. conversation.ts and group.ts are chats with rules of their own.
// Invariant: no answer and no fan-out before the append is durable; sends of one sender keep their order; while state is
// being read the user lane is held, so nothing is handled against half a state.
// Must not: decide who may create, join or leave (ChatRules do), or know how connections speak to clients.

import { chatFromKey, shardOf } from '../storage/keys.js';
import type { AppendResult } from '../storage/log.js';
import type { ChatRow } from '../storage/rows.js';
import { encodeMessageRow } from '../transport/row.js';
import type { Signal } from './behaviour.js';
import { type ChatImage, findStored, readChat, readViews } from './chat-image.js';
import type { ChatContext, ChatRules, FormerViews, Tag } from './chat-rules.js';
import { CursorPace } from './cursor-pace.js';
import { Entry } from './entry.js';
import type { Fabric } from './fabric.js';
import { FanOut } from './fan-out.js';
import { Inquiry } from './inquiry.js';
import { LIMITS } from './limits.js';
import { idText, idTime } from './message-id.js';
import type { ChatInfo, ChatMessage, SendMessage } from './messages.js';
import type { Known } from './recent-ids.js';
import { type DevicePosition, Roster } from './roster.js';
import { Sequencer } from './sequencer.js';
import { decline, type EntryMessage, type RequestMessage, settle, type Waiter, waiterOf } from './waiter.js';

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
  readonly #inquiry = new Inquiry();
  /** Null while the state is being read, and after it could not be. */
  #sequencer: Sequencer | null = null;
  #round = 0;
  #clock = 0;
  /** Reads under way that hold the user lane. */
  #reads = 0;
  #lastActive: number;
  readonly #pace = new CursorPace();
  /** The outcome of the append in flight, from when the log told it until its signal is handled. */
  #outcome: AppendResult | null = null;
  #signal: (result: AppendResult) => void = () => undefined;
  #ended = false;

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
        return this.#inquiry.ask(message.asker, this.#sequencer, this.roster);
      default:
        // By the audience: who joins with what is in flight is no member before that is durable.
        if (this.roster === null || !this.roster.audience.has(message.user)) return;
        if (message.type === 'typing') this.#fanOut.typing(message.user, message.on, this.roster);
        else if (message.type === 'receipts') this.#fanOut.receiptsTo(message.user, message.connection, this.roster);
        else this.#fanOut.watch(message.user, message.connection, message.on, this.roster);
    }
  }

  /** After a message: who asks for chats that do not exist must not fill the memory with them. */
  leaveIfNothing(context: ChatContext): void {
    if (this.roster === null && this.#reads === 0 && this.#sequencer?.idle === true) context.passivate();
  }

  signal(signal: Signal<Tag>, context: ChatContext): void {
    if (signal.type !== 'result' && signal.type !== 'timer') return;
    const { tag } = signal;
    if (tag.type === 'idle') return this.#maybePassivate(context);
    if (tag.type === 'reload') return this.#load(context);
    if (tag.type === 'cursors') return this.#pace.due(this.roster, context) ? this.#append(context) : undefined;
    if (signal.type !== 'result') return;
    if (tag.type === 'append') return this.#appended(signal.value as AppendResult, tag.round, context);
    this.#reads -= 1;
    if (this.#reads === 0) context.resume();
    if (tag.round !== this.#round) {
      // An append failed while the store was asked for this one.
      if (tag.type !== 'image')
        decline(waiterOf(tag.message, this.id), 'unavailable', 'not stored: the chat is read again');
      return;
    }
    if (tag.type === 'image') this.#loaded(signal.value as Read<ChatImage>, context);
    else if (tag.type === 'known') this.#looked(tag.message, signal.value as Read<Known | undefined>, context);
    else this.#formerRead(tag.message, signal.value as Read<FormerViews>, context);
  }

  // ---- state ----

  #load(context: ChatContext): void {
    this.#round += 1;
    this.#sequencer = null;
    this.roster = null;
    const { log, store } = this.fabric;
    // An actor of this chat that broke off may have an append in flight, which would land behind what is read now.
    const settled = log.settled(this.id, shardOf(this.id));
    const image = settled === null ? readChat(store, this.id) : settled.then(() => readChat(store, this.id));
    this.#read(image, { type: 'image', round: this.#round }, context);
  }

  /** Holds the user lane until the read's result is here. */
  #read(promise: Promise<unknown>, tag: Tag, context: ChatContext): void {
    context.suspend();
    this.#reads += 1;
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
    this.#clock = Math.max(this.#clock, image.clock);
    if (image.row !== null) this.open(this.#rules.info(this.id, this.key, image.row), image.row, image);
    for (const cursor of this.#pace.release()) this.#cursor(cursor, context);
  }

  /** Wall ms for an entry that is accepted now: never before the one ahead of it, whatever the machine's clock does. */
  tick(): number {
    this.#clock = Math.max(this.#clock, this.fabric.world.wall());
    return this.#clock;
  }

  /** The chat exists: read from the store, or (no image) made by what is appended next. */
  open(info: ChatInfo, row: ChatRow, image: ChatImage | null): Roster {
    this.roster = new Roster(info, row, image, this.fabric.settings.fanOutThreshold);
    return this.roster;
  }

  #maybePassivate(context: ChatContext): void {
    const { passivateMs } = this.fabric.settings;
    const rest = passivateMs - (context.now() - this.#lastActive);
    const still = this.#sequencer === null || (this.#sequencer.idle && this.roster?.unwritten !== true);
    if (rest <= 0 && still && this.#reads === 0) {
      // Members' rows first get where the chat came to rest; the next look finds it at rest and written.
      if (this.roster?.cool() === true) this.#append(context);
      else context.passivate();
    }
    context.after(rest > 0 ? rest : passivateMs, { type: 'idle' });
  }

  // ---- what comes in ----

  #send(message: SendMessage, context: ChatContext): void {
    const waiter: Waiter = { type: 'send', connection: message.connection, n: message.n };
    if (this.#sequencer === null) return decline(waiter, 'unavailable', 'the chat cannot be read now');
    if (message.after !== null && !this.#sequencer.accepted(message.after)) {
      return decline(waiter, 'busy', 'an earlier message of this connection was refused');
    }
    if (this.#isNew(message, message.user, message.idText, waiter, context)) this.#accept(message, waiter, context);
  }

  #accept(message: SendMessage, waiter: Waiter, context: ChatContext): void {
    if (this.roster === null && !this.#rules.found(this, message)) {
      return decline(waiter, 'unknown_chat', 'no such chat');
    }
    const { user: from, id, idText } = message;
    if (!this.roster!.rights.has(from)) return decline(waiter, 'not_member', 'not in this chat');
    const at = this.tick();
    const row = encodeMessageRow(from, id, at - idTime(id), message.body);
    this.enter([new Entry(from, id, idText, at, row, null, waiter)], context);
  }

  #request(message: RequestMessage, context: ChatContext): void {
    const { user } = message.asker;
    const waiter = waiterOf(message, this.id);
    if (this.#sequencer === null) return decline(waiter, 'unavailable', 'the chat cannot be read now');
    if (!this.#isNew(message, user, idText(message.id), waiter, context)) return;
    this.#rules.request(this, message, null, context);
  }

  /** False when the id was seen before (and is answered) or the store must be asked first. */
  #isNew(message: EntryMessage, user: string, text: string, waiter: Waiter, context: ChatContext): boolean {
    const found = this.#sequencer!.find(text);
    if (found === 'fresh') return true;
    if (found === 'stored') {
      const known = findStored(this.fabric.store, this.id, message.id);
      this.#read(known, { type: 'known', round: this.#round, message }, context);
    } else if (found.from !== user) decline(waiter, 'bad_id', "the id of somebody else's message");
    else if ('waiters' in found) found.waiters.push(waiter);
    else settle(waiter, found.seq);
    return false;
  }

  #looked(message: EntryMessage, known: Read<Known | undefined>, context: ChatContext): void {
    const waiter = waiterOf(message, this.id);
    if (known === UNREADABLE) return decline(waiter, 'unavailable', 'the store cannot be read now');
    if (known === undefined) {
      if (message.type === 'send') this.#accept(message, waiter, context);
      else this.#rules.request(this, message, null, context);
      return;
    }
    const user = message.type === 'send' ? message.user : message.asker.user;
    if (known.from !== user) return decline(waiter, 'bad_id', "the id of somebody else's message");
    this.#sequencer!.found(idText(message.id));
    settle(waiter, known.seq);
  }

  /** Reads the views that users had in earlier stays, then gives the request to the rules again. */
  readFormer(users: readonly string[], message: RequestMessage, context: ChatContext): void {
    const former = readViews(this.fabric.store, this.id, users);
    this.#read(former, { type: 'former', round: this.#round, message }, context);
  }

  #formerRead(message: RequestMessage, former: Read<FormerViews>, context: ChatContext): void {
    if (former === UNREADABLE) decline(waiterOf(message, this.id), 'unavailable', 'the store cannot be read now');
    else this.#rules.request(this, message, former, context);
  }

  #cursor(position: DevicePosition, context: ChatContext): void {
    if (this.#pace.take(position, this.roster, this.#sequencer, context)) this.#append(context);
  }

  // ---- what goes out ----

  /** Puts entries in line for the log, all or none of them. */
  enter(entries: readonly Entry[], context: ChatContext): void {
    if (!this.#sequencer!.offer(entries)) {
      for (const { waiters } of entries) {
        for (const waiter of waiters) decline(waiter, 'busy', 'too much of this chat is in flight');
      }
      return;
    }
    for (const { change } of entries) if (change !== null) this.roster!.claim(change);
    this.#append(context);
  }

  #append(context: ChatContext): void {
    const sequencer = this.#sequencer!;
    if (this.roster === null || sequencer.inFlight || (sequencer.idle && !this.roster.dirty)) return;
    this.#signal = context.completion({ type: 'append', round: this.#round });
    const append = sequencer.compose(this.roster, this.#done);
    if (this.fabric.log.append(append) === 'busy') this.#done({ outcome: 'failed', reason: 'log_full' });
  }

  /** The log's answer. It comes also when this actor has ended: then nobody else can tell the members. */
  readonly #done = (result: AppendResult): void => {
    this.#outcome = result;
    if (this.#ended) this.#publishLate();
    else this.#signal(result);
  };

  #appended(result: AppendResult, round: number, context: ChatContext): void {
    if (round !== this.#round) return;
    if (result.outcome !== 'committed') return this.#abandon(result, context);
    this.#publish();
    this.#append(context);
  }

  #publish(): void {
    this.#outcome = null;
    for (const entry of this.#sequencer!.commit()) {
      for (const waiter of entry.waiters) settle(waiter, entry.seq);
      this.#fanOut.entry(entry, this.roster!);
    }
    this.#fanOut.receipts(this.roster!);
    this.#inquiry.answer(this.#sequencer, this.roster);
  }

  #publishLate(): void {
    if (this.#outcome?.outcome === 'committed' && this.#sequencer !== null) this.#publish();
  }

  /** The actor is no more. What was handed to the log and is durable, or will be, still reaches the members. */
  end(): void {
    this.#ended = true;
    this.#publishLate();
  }

  #abandon(result: Exclude<AppendResult, { outcome: 'committed' }>, context: ChatContext): void {
    const reason = result.outcome === 'failed' ? result.reason : 'another node owns the chat';
    this.fabric.report('append_failed', { chat: this.key, reason });
    this.#outcome = null;
    for (const entry of this.#sequencer!.abandon()) {
      for (const waiter of entry.waiters) decline(waiter, 'unavailable', `not stored: ${reason}`);
    }
    this.#pace.hold(this.roster!.cursors());
    this.#round += 1;
    this.#sequencer = null;
    this.roster = null;
    this.#inquiry.answer(this.#sequencer, this.roster);
    // Not at once: the lost receipts are appended again, and a full disk would fail them as fast as it can.
    context.after(LIMITS.reloadMs, { type: 'reload' });
  }
}
