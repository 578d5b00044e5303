// Owns what every chat does, and the order in which it does it: wake from its durable state (reads.ts), take each send
// once (admission.ts), write in batches, answer and tell the members (gate.ts), let go what has ended (sweep.ts).
// conversation.ts and group.ts are chats with rules of their own.
// Invariant: no answer and no fan-out before the append is durable; sends of one sender keep their order; while state is
// being read the user lane is held, so nothing is handled against half a state.
// Must not: decide who may create, join or leave (ChatRules do), or know how connections speak to clients.

import type { AppendResult } from '../storage/append.js';
import { chatFromKey, shardOf } from '../storage/keys.js';
import type { ChatRow, Inbox } from '../storage/rows.js';
import { Admission } from './admission.js';
import type { Signal } from './behaviour.js';
import { shrunk } from './buggify.js';
import { type ChatImage, readChat } from './chat-image.js';
import type { ChatContext, ChatRules, Tag } from './chat-rules.js';
import type { DevicePosition } from './cursor.js';
import { CursorPace } from './cursor-pace.js';
import type { Entry } from './entry.js';
import { type Fabric, restMs } from './fabric.js';
import { FanOut } from './fan-out.js';
import { Formers } from './formers.js';
import { Gate } from './gate.js';
import { Inquiry } from './inquiry.js';
import { LIMITS } from './limits.js';
import type { ChatInfo, ChatMessage, ConnectionRef } from './messages.js';
import { type Found, Positions } from './positions.js';
import { type Read, Reads, UNREADABLE } from './reads.js';
import { type Leavers, Retelling } from './retelling.js';
import { Roster } from './roster.js';
import { Sequencer, sequencerRoom } from './sequencer.js';
import type { Survey } from './survey.js';
import { Sweep } from './sweep.js';
import { Tally } from './tally.js';
import { Typists } from './typists.js';
import { decline, type RequestMessage } from './waiter.js';

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
  readonly sweep = new Sweep(this);
  readonly #rules: ChatRules;
  readonly #fanOut: FanOut;
  readonly #inquiry = new Inquiry();
  readonly #positions = new Positions(this);
  readonly #formers = new Formers(this);
  readonly #typists: Typists;
  readonly #tally: Tally;
  readonly #pace = new CursorPace();
  readonly #reads: Reads;
  readonly #admission: Admission;
  readonly #gate: Gate;
  readonly #retelling: Retelling;
  #clock = 0;
  #lastActive: number;

  constructor(rules: ChatRules, fabric: Fabric, key: string, context: ChatContext) {
    this.fabric = fabric;
    this.key = key;
    this.id = chatFromKey(key);
    this.#rules = rules;
    this.#fanOut = new FanOut(fabric, key);
    this.#typists = new Typists(this.#fanOut);
    this.#tally = new Tally(fabric);
    this.#reads = new Reads(fabric, key);
    this.#admission = new Admission(this, rules, this.#reads, this.#typists);
    this.#retelling = new Retelling(this, this.#fanOut);
    this.#gate = new Gate(this, this.#fanOut, this.#inquiry);
    this.#lastActive = context.now();
    this.#load(context);
    context.after(restMs(fabric), { type: 'idle' });
  }

  receive(message: ChatMessage, context: ChatContext): void {
    // Being swept is no sign of life.
    if (message.type === 'sweep') return this.sweep.start(message.reply, context);
    this.#lastActive = context.now();
    switch (message.type) {
      case 'send':
        return this.#admission.send(message, context);
      case 'create':
      case 'change':
      case 'join':
        return this.#admission.request(message, context);
      case 'cursor':
        return this.cursor(message, context);
      case 'info':
      case 'invite':
        return this.#inquiry.ask(message, this.sequencer, this.roster);
      case 'positions':
        return this.#positions.ask(message, context);
      case 'blocked':
        return this.#admission.blocked(message.user, message.on, context);
      case 'forget':
        return this.#forget(message.user, message.device);
      case 'recover':
        return this.#retelling.asked(message.telling, context);
      default:
        // By the audience: who joins with what is in flight is no member before that is durable.
        if (this.roster?.audience.has(message.user) !== true) return this.#away(message);
        if (message.type === 'typing') this.#typists.said(message, this.roster, context);
        else if (message.type === 'receipts') this.#receipts(message.user, message.connection, this.roster);
        else this.#fanOut.onlookers.watch(message, this.roster, context);
    }
  }

  /**
   * After a failed append the state is not there for a while, or cannot be read; who is just joining may have read that in the
   * store. Nobody would ask again by himself.
   */
  #away(message: ChatMessage): void {
    if (this.sequencer?.changing === false) return;
    if (message.type === 'receipts') message.connection.tell({ type: 'unpassed', key: this.key, large: false });
    else if (message.type === 'watch') this.#fanOut.onlookers.hold(message);
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
    if (tag.type === 'cursors') return this.#pace.due(this.roster, context) ? this.#gate.due() : undefined;
    if (tag.type === 'tally') {
      return this.#tally.due(this.sequencer?.changing === false ? this.roster : null, context);
    }
    if (tag.type === 'former' && signal.type === 'timer') return this.#formers.again(tag.position, context);
    if (tag.type === 'count') return this.#fanOut.onlookers.due(this.roster, context);
    if (tag.type === 'typing') return this.#typists.due(this.roster, context);
    if (signal.type !== 'result') return;
    if (tag.type === 'positions') return this.#positions.found(tag.question, signal.value as Read<Found>);
    if (tag.type === 'former') {
      return this.#formers.found(signal.value as Read<Inbox | undefined>, tag, context);
    }
    if (tag.type === 'leavers') return this.#retelling.read(signal.value as Read<Leavers>, tag);
    if (tag.type === 'append') return this.#appended(signal.value as AppendResult, tag.round, context);
    if (tag.type === 'survey') {
      return tag.round === this.round ? this.sweep.surveyed(signal.value as Read<Survey>) : undefined;
    }
    this.#reads.release(context);
    if (tag.type !== 'image') return this.#admission.read(tag, signal.value, context);
    if (tag.round === this.round) this.#loaded(signal.value as Read<ChatImage>, context);
  }

  // ---- state ----

  #load(context: ChatContext): void {
    this.round += 1;
    this.sequencer = null;
    this.roster = null;
    const { log } = this.fabric;
    // An actor of this chat that broke off may have an append in flight, which would land behind what is read now.
    const settled = log.settled(this.id, shardOf(this.id));
    const image =
      settled === null ? readChat(this.fabric, this.id) : settled.then(() => readChat(this.fabric, this.id));
    this.#reads.hold(image, { type: 'image', round: this.round }, context);
  }

  #loaded(image: Read<ChatImage>, context: ChatContext): void {
    if (image === UNREADABLE) {
      // Whoever asks meanwhile is refused at once, not left waiting for a store that may stay away.
      context.after(LIMITS.reloadMs, { type: 'reload' });
      return;
    }
    this.sequencer = new Sequencer(
      this.id,
      image.head,
      image.recent,
      image.clock,
      image.sweep.swept,
      sequencerRoom(this.fabric.world),
    );
    this.#clock = Math.max(this.#clock, image.clock);
    if (image.row !== null) this.open(this.#rules.info(this.id, this.key, image.row), image.row, image);
    if (this.#takeHeld(context)) this.#gate.due();
    this.#fanOut.onlookers.begin(this.roster, context);
    if (this.roster === null) return;
    // A crash may have left members' rows without the title.
    if (this.#pace.rename(this.roster, context)) this.#gate.due();
    this.sweep.loaded(image.sweep.forgot);
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
    const { world, settings } = this.fabric;
    this.roster = new Roster(info, row, image, shrunk(world, 'fan-out', settings.fanOutThreshold, 2));
    return this.roster;
  }

  #maybePassivate(context: ChatContext): void {
    const passivateMs = restMs(this.fabric);
    const rest = passivateMs - (context.now() - this.#lastActive);
    const still = this.sequencer === null || (this.sequencer.idle && this.roster?.unwritten !== true);
    const told = this.#typists.none && this.#tally.settled && this.#positions.none && this.#fanOut.onlookers.idle;
    const written = this.#formers.none && this.#pace.none;
    if (rest <= 0 && still && told && written && this.#reads.none && this.sweep.idle) {
      // Members' rows first get where the chat came to rest; the next look finds it at rest and written.
      if (this.roster?.cool() === true) this.#gate.due();
      else context.passivate();
    }
    context.after(rest > 0 ? rest : passivateMs, { type: 'idle' });
  }

  // ---- what comes in ----

  /** Reads what must be known of users before they come in, then gives the request to the rules again. */
  readNewcomers(users: readonly string[], message: RequestMessage, context: ChatContext): void {
    this.#admission.readNewcomers(users, message, context);
  }

  /** A removed device has no claim on anything any more. */
  #forget(user: string, device: string): void {
    if (this.roster?.forget(user, device) !== true) return;
    this.sweep.moved();
    this.#gate.due();
  }

  /** What was said too early, all of it before the first is written, or users would be told step by step. True: as of `take`. */
  #takeHeld(context: ChatContext): boolean {
    return this.#pace.release().filter((position) => this.#take(position, context)).length > 0;
  }

  /** Somebody's word for how far a device of his is. */
  cursor(position: DevicePosition, context: ChatContext): void {
    if (this.#take(position, context)) this.#gate.due();
  }

  /** True: something is to be written. */
  #take(position: DevicePosition, context: ChatContext): boolean {
    if (this.roster?.members.has(position.user) === false) return this.#formers.said(position, this.roster, context);
    // Also where the user as a whole moves no further: this device may have been the last.
    this.sweep.moved();
    return this.#pace.take(position, this.roster, this.sequencer, context);
  }

  #receipts(user: string, connection: ConnectionRef, roster: Roster): void {
    if (roster.large) this.#tally.to(user, connection, roster);
    else this.#fanOut.receiptsTo(user, connection, roster);
  }

  // ---- what goes out ----

  /** Puts entries in line for the log, all or none of them. */
  enter(entries: readonly Entry[]): void {
    if (!this.sequencer!.offer(entries)) {
      const waiters = entries.flatMap((entry) => entry.waiters);
      for (const waiter of waiters) decline(waiter, 'busy', 'too much of this chat is in flight');
      return;
    }
    for (const { change } of entries) if (change !== null) this.roster!.claim(change);
    this.#gate.due();
  }

  append(): void {
    this.#gate.due();
  }

  /** A slice is over: what it brought is appended together. */
  settled(context: ChatContext): void {
    this.#gate.settled(context);
  }

  #appended(result: AppendResult, round: number, context: ChatContext): void {
    if (round !== this.round) return;
    if (result.outcome !== 'committed') return this.#abandon(result, context);
    // Before the next append, which puts the roster ahead of the disk.
    if (this.#gate.publish()) {
      this.#tally.moved(this.roster!, context);
      this.#fanOut.onlookers.begin(this.roster, context);
    }
    this.#pace.rename(this.roster!, context);
    this.#takeHeld(context);
    this.#gate.due();
  }

  /** The actor is no more. What was handed to the log still reaches the members. */
  end(): void {
    this.#gate.end();
    this.endTally();
  }

  /** After the actor's end nothing waits for its time any more. */
  endTally(): void {
    // The roster is ahead of the disk until that append is told too.
    if (this.sequencer?.changing === false) this.#tally.end(this.roster);
  }

  #abandon(result: Exclude<AppendResult, { outcome: 'committed' }>, context: ChatContext): void {
    const reason = result.outcome === 'failed' ? result.reason : 'another node owns the chat';
    this.fabric.report('append_failed', { chat: this.key, reason });
    this.#gate.abandon(reason);
    this.sweep.failed();
    this.#pace.hold(this.roster!.cursors());
    this.round += 1;
    this.sequencer = null;
    this.roster = null;
    this.#inquiry.answer(this.sequencer, this.roster);
    // Not at once: the lost receipts are appended again, and a full disk would fail them as fast as it can.
    context.after(LIMITS.reloadMs, { type: 'reload' });
  }
}
