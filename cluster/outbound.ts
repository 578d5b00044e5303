// Owns what waits for one session's link: in order, gathered over a turn, in batches, with what is lost if the session ends.
// Invariant: for each receiver, messages leave in the order they came; the same message for several receivers is written once,
// with a list of them, wherever that changes no receiver's order. What the peer did not say it has handled counts as lost
// at the end, and is told to the owner: who missed news, and what has to be said again.
// Must not: decide what is refused where the queue is full (peer.ts), or read frames.
//
//   put ─▶ [ news → ada, bob | sent → 7 | news → ada ] ── once a turn ──▶ batch ─▶ link ── taken ──▶ forgotten

import { LIMITS } from '../actors/limits.js';
import type { ChatMessage, ConnectionMessage, UserMessage } from '../actors/messages.js';
import type { World } from '../actors/world.js';
import { Writer } from '../transport/writer.js';
import { chatCodec } from './chat-codec.js';
import { connectionCodec } from './connection-codec.js';
import { spoken } from './earlier-links.js';
import { OP, type Op } from './envelope.js';
import type { Lasting } from './lasting.js';
import type { PeerLink } from './link.js';
import type { Refs } from './message-codec.js';
import { userCodec } from './user-codec.js';

type Target = string | number;
type Message = ChatMessage | ConnectionMessage | UserMessage;

interface Entry {
  readonly op: Op;
  /** Null: `targets` says all. */
  readonly message: Message | null;
  readonly targets: Target[];
}

/** What is not taken yet, of one batch or of the queue. */
interface Pending {
  /** Of the link. */
  number: number;
  /** By the router's count, when the first came of this and of all that is sent after it; grows from one to the next. */
  since: number;
  /** Shards of users for whom there are news in it, one bit each. */
  shards: number;
  lasting: Lasting[];
}

export interface Losses {
  readonly shards: number;
  /** The router's count when the oldest of it came; null: nothing was lost. */
  readonly since: number | null;
  readonly lasting: readonly Lasting[];
}

/** Bytes that an entry is taken to need beside its body. */
const ENTRY = 64;

export class Outbound {
  readonly link: PeerLink;
  readonly #world: World;
  readonly #refs: Refs;
  readonly #writer = new Writer();
  /** The router's count. */
  readonly #clock: () => number;
  #entries: Entry[] = [];
  #bytes = 0;
  /** Where an entry of a message is that more receivers may join, and the last one of a receiver. */
  readonly #places = new Map<unknown, number>();
  readonly #last = new Map<Target, number>();
  #pending: Pending | null = null;
  /** Sent and not taken, oldest first. */
  #sent: Pending[] = [];
  #deferred = false;
  #blocked = false;
  #over = false;

  constructor(world: World, link: PeerLink, refs: Refs, clock: () => number) {
    this.#world = world;
    this.link = link;
    this.#refs = refs;
    this.#clock = clock;
  }

  /** No more of what can be refused or dropped goes in. */
  get full(): boolean {
    return this.#entries.length >= LIMITS.outboundEntries || this.#bytes >= LIMITS.outboundBytes;
  }

  get queued(): number {
    return this.#entries.length;
  }

  /** The router's count when the oldest of what is not taken came; null: all is taken. */
  get since(): number | null {
    return this.#sent[0]?.since ?? this.#pending?.since ?? null;
  }

  /** A message for one receiver, alone. */
  put(op: Op, target: Target, message: Message, bytes = 0): void {
    this.#last.set(target, this.#entries.length);
    this.#add({ op, message, targets: [target] }, bytes);
  }

  /** A message that others may get too. */
  share(op: Op, target: Target, message: ConnectionMessage | UserMessage): void {
    const last = this.#entries.length - 1;
    const place = this.#entries[last]?.message === message ? last : this.#places.get(message);
    const entry = place === undefined ? undefined : this.#entries[place];
    // Behind that entry there may be something for this receiver, which this one must not overtake.
    if (entry === undefined || entry.op !== op || (place !== last && (this.#last.get(target) ?? -1) > place!)) {
      this.#places.set(message, this.#entries.length);
      return this.put(op, target, message, bytesOf(message));
    }
    this.#last.set(target, place!);
    entry.targets.push(target);
  }

  /** A frame without a message. */
  control(op: Op, ...fields: Target[]): void {
    this.#add({ op, message: null, targets: fields }, 0);
  }

  /** There are news for users of the shard in what waits. `since`: they stand for others that were lost, told as early as that. */
  news(shard: number, since?: number): void {
    if (this.#pending === null) return;
    this.#pending.shards |= 1 << shard;
    if (since === undefined) return;
    for (const pending of [...this.#sent, this.#pending]) pending.since = Math.min(pending.since, since);
  }

  lasting(lasting: Lasting): void {
    this.#pending?.lasting.push(lasting);
  }

  #add(entry: Entry, bytes: number): void {
    this.#pending ??= { number: 0, since: this.#clock(), shards: 0, lasting: [] };
    this.#entries.push(entry);
    this.#bytes += bytes + ENTRY;
    if (this.#deferred || this.#blocked) return;
    this.#deferred = true;
    this.#world.defer(() => {
      this.#deferred = false;
      this.flush();
    });
  }

  /** Sends what waits, as far as the link takes it. */
  flush(): void {
    if (this.#over || this.#blocked) return;
    const entries = spoken(this.#entries, this.link.version);
    let at = 0;
    while (at < entries.length) {
      const start = at;
      const writer = this.#writer.reset();
      while (at < entries.length && writer.length < LIMITS.outboundBatch) this.#write(entries[at++]!);
      const answer = this.link.send(writer.view());
      if (answer === 'ok') {
        this.#went(at === entries.length);
        continue;
      }
      // Names that were written are known to be so, and it costs nothing to write them again.
      this.#blocked = answer === 'busy';
      at = start;
      break;
    }
    this.#entries = at === 0 ? entries : entries.slice(at);
    if (at === entries.length) this.#bytes = 0;
    this.#places.clear();
    this.#last.clear();
  }

  /** Part of what waited is sent; what it meant for whom is known of all of it only. */
  #went(all: boolean): void {
    const pending = this.#pending!;
    pending.number = this.link.sent;
    if (!all) {
      this.#sent.push({ ...pending, lasting: [] });
      return;
    }
    this.#sent.push(pending);
    this.#pending = null;
  }

  #write({ op, message, targets }: Entry): void {
    const writer = this.#writer;
    if (message === null) {
      writer.array(targets.length + 1).int(op);
      for (const target of targets) writeTarget(target, writer);
      return;
    }
    writer.array(3).int(op);
    if (op === OP.news || op === OP.connection) writer.array(targets.length);
    for (const target of targets) writeTarget(target, writer);
    if (op === OP.chat || op === OP.whisper) chatCodec.write(message as ChatMessage, writer, this.#refs);
    else if (op === OP.connection) connectionCodec.write(message as ConnectionMessage, writer, this.#refs);
    else userCodec.write(message as UserMessage, writer, this.#refs);
  }

  /** The peer has handled more. */
  taken(): void {
    const { taken } = this.link;
    let count = 0;
    while (count < this.#sent.length && this.#sent[count]!.number <= taken) count += 1;
    if (count > 0) this.#sent.splice(0, count);
  }

  /** The link takes more again. */
  room(): void {
    this.#blocked = false;
    this.flush();
  }

  /** The session is over. */
  end(): Losses {
    this.#over = true;
    const { since } = this;
    const all = this.#pending === null ? this.#sent : [...this.#sent, this.#pending];
    this.#entries = [];
    this.#sent = [];
    this.#pending = null;
    return {
      since,
      shards: all.reduce((bits, { shards }) => bits | shards, 0),
      lasting: all.flatMap(({ lasting }) => lasting),
    };
  }
}

function writeTarget(target: Target, writer: Writer): void {
  if (typeof target === 'number') writer.int(target);
  else writer.str(target);
}

/** Of what a message brings: as a queue of its entries, each by itself, would count it. */
function bytesOf(message: ConnectionMessage | UserMessage): number {
  return message.type === 'delivery' ? message.entries.reduce((sum, { row }) => sum + row.length + ENTRY, 0) : 0;
}
