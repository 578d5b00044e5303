// Owns what every chat does, and the order in which it does it: wake from its durable state (reads.ts), take each send
// once (repeats.ts), write in batches, answer and tell the members (gate.ts). conversation.ts and group.ts are chats with
// rules of their own.
// Invariant: no answer and no fan-out before the append is durable; sends of one sender keep their order; while state is
// being read the user lane is held, so nothing is handled against half a state.
// Must not: decide who may create, join or leave (ChatRules do), or know how connections speak to clients.

import { chatFromKey, shardOf } from '../storage/keys.js';
import type { AppendResult } from '../storage/log.js';
import type { ChatRow } from '../storage/rows.js';
import { OP } from '../transport/frames.js';
import { encodeMessageRow } from '../transport/row.js';
import type { Signal } from './behaviour.js';
import { type ChatImage, readChat } from './chat-image.js';
import type { ChatContext, ChatRules, Tag } from './chat-rules.js';
import type { DevicePosition } from './cursor.js';
import { CursorPace } from './cursor-pace.js';
import { Deletion } from './deletion.js';
import { Entry } from './entry.js';
import type { Fabric } from './fabric.js';
import { FanOut } from './fan-out.js';
import { Gate } from './gate.js';
import { Inquiry } from './inquiry.js';
import { LIMITS } from './limits.js';
import { idText, idTime } from './message-id.js';
import type { ChatInfo, ChatMessage, ConnectionRef, SendMessage } from './messages.js';
import { type Newcomers, readNewcomers } from './newcomers.js';
import { type Found, Positions } from './positions.js';
import { type Read, Reads, UNREADABLE } from './reads.js';
import type { Known } from './recent-ids.js';
import { Repeats } from './repeats.js';
import { Roster } from './roster.js';
import { Sequencer } from './sequencer.js';
import { Tally } from './tally.js';
import { Typists } from './typists.js';
import { decline, type EntryMessage, type RequestMessage, type Waiter, waiterOf } from './waiter.js';

export class Chat {
  readonly fabric: Fabric;
  readonly key: string;
  readonly id: Uint8Array;
  /** Null until the chat exists. */
  roster: Roster | null = null;
  /** Null while the state is being read, and after it could not be. */
  sequencer: Sequencer | null = null;
  /** One life of the state in memory; a failed append ends it. */
  round = 0;
  readonly #rules: ChatRules;
  readonly #fanOut: FanOut;
  readonly #inquiry = new Inquiry();
  readonly #positions = new Positions(this);
  readonly #typists: Typists;
  readonly #tally: Tally;
  readonly #pace = new CursorPace();
  readonly #reads: Reads;
  readonly #repeats: Repeats;
  readonly #gate: Gate;
  readonly #deletion: Deletion;
  #clock = 0;
  #lastActive: number;

  constructor(rules: ChatRules, fabric: Fabric, key: string, context: ChatContext) {
    this.fabric = fabric;
    this.key = key;
    this.id = chatFromKey(key);
    this.#rules = rules;
    this.#fanOut = new FanOut(fabric);
    this.#typists = new Typists(this.#fanOut);
    this.#tally = new Tally(fabric);
    this.#reads = new Reads(fabric, key);
    this.#repeats = new Repeats(this, this.#reads);
    this.#gate = new Gate(this, this.#fanOut, this.#inquiry);
    this.#deletion = new Deletion(this, this.#reads);
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
      case 'join':
        return this.#request(message, context);
      case 'cursor':
        return this.#cursor(message, context);
      case 'info':
      case 'invite':
        return this.#inquiry.ask(message, this.sequencer, this.roster);
      case 'positions':
        return this.#positions.ask(message, context);
      case 'forget':
        return this.roster?.forget(message.user, message.device) === true ? this.#gate.append(context) : undefined;
      default:
        // By the audience: who joins with what is in flight is no member before that is durable.
        if (this.roster === null || !this.roster.audience.has(message.user)) return;
        if (message.type === 'typing') this.#typists.said(message, this.roster, context);
        else if (message.type === 'receipts') this.#receipts(message.user, message.connection, this.roster);
        else this.#fanOut.watch(message.user, message.connection, message.on, this.roster);
    }
  }

  /** After a message: who asks for chats that do not exist must not fill the memory with them. */
  leaveIfNothing(context: ChatContext): void {
    if (this.roster === null && this.#reads.none && this.sequencer?.idle === true) context.passivate();
  }

  signal(signal: Signal<Tag>, context: ChatContext): void {
    if (signal.type === 'down') return this.#typists.ended(signal.ref, this.roster, context);
    if (signal.type !== 'result' && signal.type !== 'timer') return;
    const { tag } = signal;
    if (tag.type === 'idle') return this.#maybePassivate(context);
    if (tag.type === 'reload') return this.#load(context);
    if (tag.type === 'cursors') return this.#pace.due(this.roster, context) ? this.#gate.append(context) : undefined;
    if (tag.type === 'tally') {
      return this.#tally.due(this.sequencer?.changing === false ? this.roster : null, context);
    }
    if (tag.type === 'typing') return this.#typists.due(this.roster, context);
    if (signal.type !== 'result') return;
    if (tag.type === 'positions') return this.#positions.found(tag.question, signal.value as Read<Found>);
    if (tag.type === 'append') return this.#appended(signal.value as AppendResult, tag.round, context);
    this.#reads.release(context);
    if (tag.round !== this.round) {
      // An append failed while the store was asked for this one.
      if (tag.type !== 'image')
        decline(waiterOf(tag.message, this), 'unavailable', 'not stored: the chat is read again');
      return;
    }
    if (tag.type === 'image') this.#loaded(signal.value as Read<ChatImage>, context);
    else if (tag.type === 'target')
      this.#deletion.read(tag.message, signal.value as Read<Uint8Array | undefined>, context);
    else if (tag.type === 'known') this.#looked(tag.message, signal.value as Read<Known | undefined>, context);
    else this.#newcomersRead(tag.message, signal.value as Read<Newcomers>, context);
  }

  // ---- state ----

  #load(context: ChatContext): void {
    this.round += 1;
    this.sequencer = null;
    this.roster = null;
    const { log, store } = this.fabric;
    // An actor of this chat that broke off may have an append in flight, which would land behind what is read now.
    const settled = log.settled(this.id, shardOf(this.id));
    const image = settled === null ? readChat(store, this.id) : settled.then(() => readChat(store, this.id));
    this.#reads.hold(image, { type: 'image', round: this.round }, context);
  }

  #loaded(image: Read<ChatImage>, context: ChatContext): void {
    if (image === UNREADABLE) {
      // Whoever asks meanwhile is refused at once, not left waiting for a store that may stay away.
      context.after(LIMITS.reloadMs, { type: 'reload' });
      return;
    }
    this.sequencer = new Sequencer(this.id, image.head, image.recent);
    this.#clock = Math.max(this.#clock, image.clock);
    if (image.row !== null) this.open(this.#rules.info(this.id, this.key, image.row), image.row, image);
    for (const cursor of this.#pace.release()) this.#cursor(cursor, context);
    // A crash may have left members' rows behind the chat's own.
    this.#gate.append(context);
    if (this.roster === null) return;
    this.#tally.begin(this.roster);
    this.#tally.moved(this.roster, context);
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
    const still = this.sequencer === null || (this.sequencer.idle && this.roster?.unwritten !== true);
    const told = this.#typists.none && this.#tally.settled && this.#positions.none;
    if (rest <= 0 && still && told && this.#reads.none) {
      // Members' rows first get where the chat came to rest; the next look finds it at rest and written.
      if (this.roster?.cool() === true) this.#gate.append(context);
      else context.passivate();
    }
    context.after(rest > 0 ? rest : passivateMs, { type: 'idle' });
  }

  // ---- what comes in ----

  #send(message: SendMessage, context: ChatContext): void {
    const waiter: Waiter = { type: 'send', connection: message.connection, n: message.n };
    if (this.sequencer === null) return decline(waiter, 'unavailable', 'the chat cannot be read now');
    if (message.after !== null && !this.sequencer.accepted(message.after)) {
      return decline(waiter, 'busy', 'an earlier message of this connection was refused');
    }
    if (this.#repeats.isNew(message, message.user, message.idText, waiter, context))
      this.#accept(message, waiter, context);
  }

  #accept(message: SendMessage, waiter: Waiter, context: ChatContext): void {
    const refused = this.roster === null ? this.#rules.found(this, message) : null;
    if (refused !== null) return decline(waiter, refused.code, refused.detail, refused.after);
    const { user: from, id, idText } = message;
    if (!this.#typists.none) this.#typists.over(from, this.roster!, context);
    if (!this.roster!.rights.has(from)) return decline(waiter, 'not_member', 'not in this chat');
    const barred = this.#rules.barred(this.roster!, from);
    if (barred !== null) return decline(waiter, barred.code, barred.detail);
    const at = this.tick();
    const row = encodeMessageRow(from, id, at - idTime(id), message.body);
    this.enter([new Entry(from, id, idText, at, row, null, waiter)], context);
  }

  #request(message: RequestMessage, context: ChatContext): void {
    const { user } = message.asker;
    const waiter = waiterOf(message, this);
    if (this.sequencer === null) return decline(waiter, 'unavailable', 'the chat cannot be read now');
    if (!this.#repeats.isNew(message, user, idText(message.id), waiter, context)) return;
    this.#decide(message, context);
  }

  #decide(message: RequestMessage, context: ChatContext): void {
    if (message.type === 'change' && message.op === OP.deleted) this.#deletion.request(message, context);
    else this.#rules.request(this, message, null, context);
  }

  #looked(message: EntryMessage, known: Read<Known | undefined>, context: ChatContext): void {
    const waiter = waiterOf(message, this);
    if (known === UNREADABLE) return decline(waiter, 'unavailable', 'the store cannot be read now');
    if (known === undefined) {
      if (message.type === 'send') this.#accept(message, waiter, context);
      else this.#decide(message, context);
      return;
    }
    this.#repeats.stored(message, known);
  }

  /** Reads what must be known of users before they come in, then gives the request to the rules again. */
  readNewcomers(users: readonly string[], message: RequestMessage, context: ChatContext): void {
    const newcomers = readNewcomers(this.fabric, this.id, users, message.asker.user);
    this.#reads.hold(newcomers, { type: 'newcomers', round: this.round, message }, context);
  }

  #newcomersRead(message: RequestMessage, newcomers: Read<Newcomers>, context: ChatContext): void {
    if (newcomers === UNREADABLE) decline(waiterOf(message, this), 'unavailable', 'the store cannot be read now');
    else this.#rules.request(this, message, newcomers, context);
  }

  #cursor(position: DevicePosition, context: ChatContext): void {
    if (this.#pace.take(position, this.roster, this.sequencer, context)) this.#gate.append(context);
  }

  #receipts(user: string, connection: ConnectionRef, roster: Roster): void {
    if (roster.large) this.#tally.to(user, connection, roster);
    else this.#fanOut.receiptsTo(user, connection, roster);
  }

  // ---- what goes out ----

  /** Puts entries in line for the log, all or none of them. */
  enter(entries: readonly Entry[], context: ChatContext): void {
    if (!this.sequencer!.offer(entries)) {
      for (const { waiters } of entries) {
        for (const waiter of waiters) decline(waiter, 'busy', 'too much of this chat is in flight');
      }
      return;
    }
    for (const { change } of entries) if (change !== null) this.roster!.claim(change);
    this.#gate.append(context);
  }

  #appended(result: AppendResult, round: number, context: ChatContext): void {
    if (round !== this.round) return;
    if (result.outcome !== 'committed') return this.#abandon(result, context);
    // Before the next append, which puts the roster ahead of the disk.
    if (this.#gate.publish()) this.#tally.moved(this.roster!, context);
    this.#gate.append(context);
  }

  /** The actor is no more. What was handed to the log still reaches the members. */
  end(): void {
    this.#gate.end();
    this.#tally.end(this.roster);
  }

  #abandon(result: Exclude<AppendResult, { outcome: 'committed' }>, context: ChatContext): void {
    const reason = result.outcome === 'failed' ? result.reason : 'another node owns the chat';
    this.fabric.report('append_failed', { chat: this.key, reason });
    this.#gate.abandon(reason);
    this.#pace.hold(this.roster!.cursors());
    this.round += 1;
    this.sequencer = null;
    this.roster = null;
    this.#inquiry.answer(this.sequencer, this.roster);
    // Not at once: the lost receipts are appended again, and a full disk would fail them as fast as it can.
    context.after(LIMITS.reloadMs, { type: 'reload' });
  }
}
