// Owns the order of one chat: dedupe, sequence numbers, the batch that is being made durable, and the output gate.
// Invariant: numbers are dense from 1; an id gets one number for ever; nothing leaves `commit` before its append is
// durable; one append is in flight at a time, so a failed one leaves no gap.
// Must not: know members' rights or connections (chat.ts), or talk to the store.
//
//   offer ─▶ pending ── compose ──▶ flight (numbers given, rows written) ── commit ──▶ published, ids known
//               ▲                      │
//               └────── (next batch gathers while one is in flight)       abandon ──▶ all refused, state read again

import type { Append } from '../storage/append.js';
import { idKey, messageKey, shardOf } from '../storage/keys.js';
import type { Write } from '../storage/store.js';
import { shrunk } from './buggify.js';
import { encodeKnown } from './chat-image.js';
import type { Cut } from './cut.js';
import type { Entry } from './entry.js';
import { assert } from './errors.js';
import { LIMITS } from './limits.js';
import { idTime } from './message-id.js';
import type { Known, RecentIds } from './recent-ids.js';
import type { Roster } from './roster.js';
import type { World } from './world.js';

/** How much a chat takes at a time. */
export interface SequencerRoom {
  /** Entries in line and in flight. */
  readonly open: number;
  /** Bytes of entries in one append. */
  readonly bytes: number;
}

const ROOM: SequencerRoom = { open: LIMITS.conversationInFlight, bytes: LIMITS.appendBytes };

/** As in LIMITS, but for simulations. An owner's leaving is two entries. */
export function sequencerRoom(world: World): SequencerRoom {
  const open = shrunk(world, 'flight', ROOM.open, 2);
  const bytes = shrunk(world, 'append', ROOM.bytes, 1);
  return open === ROOM.open && bytes === ROOM.bytes ? ROOM : { open, bytes };
}

export class Sequencer {
  readonly #chat: Uint8Array;
  readonly #shard: number;
  readonly #recent: RecentIds;
  readonly #room: SequencerRoom;
  #head: number;
  #pending: Entry[] = [];
  #flight: Entry[] | null = null;
  /** The flight writes a page of ids. */
  #turns = false;
  /** How many entries are in `pending` and `flight`. */
  #open = 0;
  /** Old ids that were retried lately: what is piped behind a retry names it. */
  readonly #found = new Set<string>();
  /** Wall ms at which the newest entry was accepted. */
  #at: number;
  /** What the flight takes out of the log. */
  #cut: Cut | null = null;
  /** Contents of entries up to here are gone. */
  #swept: number;

  /** `at`: wall ms of the newest entry's acceptance. */
  constructor(chat: Uint8Array, head: number, recent: RecentIds, at = 0, swept = 0, room: SequencerRoom = ROOM) {
    this.#chat = chat;
    this.#shard = shardOf(chat);
    this.#head = head;
    this.#recent = recent;
    this.#room = room;
    this.#at = at;
    this.#swept = swept;
  }

  /** Newest durable number. */
  get head(): number {
    return this.#head;
  }

  /** Newest number whose content, and that of all before it, is gone. */
  get swept(): number {
    return this.#swept;
  }

  /** The number is given, and its append not answered: the store may show the entry already, to whoever reads there. */
  arriving(seq: number): boolean {
    return seq > this.#head && seq <= this.#head + (this.#flight?.length ?? 0);
  }

  get inFlight(): boolean {
    return this.#flight !== null;
  }

  /** The append in flight changes the membership, which the roster shows already. */
  get changing(): boolean {
    return this.#flight?.some(({ change }) => change !== null) === true;
  }

  get idle(): boolean {
    return this.#flight === null && this.#pending.length === 0;
  }

  /** An entry in line, or in flight, replaces this one. */
  erases(seq: number): boolean {
    const replaces = ({ erases }: Entry): boolean => erases?.seq === seq;
    return this.#pending.some(replaces) || this.#flight?.some(replaces) === true;
  }

  /** An entry on its way, a known number, `fresh`, or `stored`: only the store knows. */
  find(idText: string): Entry | Known | 'fresh' | 'stored' {
    return this.#recent.find(idText);
  }

  /** True if the id is on its way, lately stored or lately found to be. */
  accepted(idText: string): boolean {
    return this.#recent.has(idText) || this.#found.has(idText);
  }

  /** The store has the id. */
  found(idText: string): void {
    this.#found.add(idText);
    if (this.#found.size > LIMITS.window) this.#found.delete(this.#found.values().next().value!);
  }

  /** Takes all of them or none; false: as many as may wait are waiting. */
  offer(entries: readonly Entry[]): boolean {
    if (this.#open + entries.length > this.#room.open) return false;
    for (const entry of entries) {
      assert(!this.#recent.has(entry.idText), 'an id is offered once');
      this.#recent.open(entry);
      this.#open += 1;
      this.#pending.push(entry);
    }
    return true;
  }

  /** The next append. There is something to write, and nothing in flight. */
  compose(roster: Roster, cut: Cut | null, done: Append['done']): Append {
    assert(this.#flight === null && (this.#pending.length > 0 || roster.dirty || cut !== null), 'an append is due');
    const entries = this.#take();
    if (cut !== null && cut.notice !== null) {
      // What this append has no room for was accepted before, and gets its number after.
      const notice = cut.notice(this.#pending[0]?.at ?? Number.POSITIVE_INFINITY);
      this.#recent.open(notice);
      this.#open += 1;
      entries.push(notice);
    }
    const writes: Write[] = [];
    let seq = this.#head;
    for (const entry of entries) {
      seq += 1;
      entry.seq = seq;
      // Pages of ids are in the order of their times, and so of their numbers.
      assert(entry.at >= this.#at, 'acceptance times never fall');
      this.#at = entry.at;
      writes.push({ key: messageKey(this.#chat, seq), value: entry.row });
      if (Math.abs(entry.at - idTime(entry.id)) > LIMITS.idSkewMs) {
        writes.push({ key: idKey(this.#chat, entry.id), value: encodeKnown({ seq, from: entry.from }) });
      }
      // What was swept meanwhile must not come back.
      if (entry.erases !== null && entry.erases.seq > this.#swept) {
        writes.push({ key: messageKey(this.#chat, entry.erases.seq), value: entry.erases.row });
      }
      if (entry.change !== null) roster.apply(entry.change, seq);
      else roster.wrote(entry.from);
    }
    const last = entries[entries.length - 1];
    if (last !== undefined) roster.advance(seq, last.at);
    cut?.write(writes, seq);
    this.#cut = cut;
    // The ids of rows that go must be on a page.
    const page = this.#recent.page(this.#chat, entries, cut !== null && cut.upTo > this.#recent.paged, this.#at);
    if (page !== null) writes.push(page);
    this.#turns = page !== null;
    let bytes = 0;
    for (const { key, value } of writes) bytes += key.length + (value?.length ?? 0);
    bytes += roster.flush(writes, LIMITS.batchBytes - bytes);
    this.#flight = entries;
    const telling = { done: false };
    return { chat: this.#chat, shard: this.#shard, head: seq, writes, bytes, witness: writes[0]!, telling, done };
  }

  /** The flight is durable: its entries, in order, for the members to be told. */
  commit(): readonly Entry[] {
    assert(this.#flight !== null, 'an append is in flight');
    const entries = this.#flight;
    this.#flight = null;
    for (const entry of entries) {
      assert(entry.seq === this.#head + 1, 'sequence numbers are dense');
      this.#head = entry.seq;
      this.#open -= 1;
      this.#recent.add(entry.idText, { seq: entry.seq, from: entry.from });
    }
    if (this.#turns) this.#recent.turn();
    if (this.#cut !== null) this.#swept = this.#cut.upTo;
    this.#cut = null;
    return entries;
  }

  /** The append failed: everything open, to be refused. The sequencer is done with; the state must be read again. */
  abandon(): readonly Entry[] {
    const entries = [...(this.#flight ?? []), ...this.#pending];
    for (const entry of entries) this.#recent.drop(entry);
    this.#open = 0;
    this.#pending = [];
    this.#flight = null;
    this.#cut = null;
    return entries;
  }

  #take(): Entry[] {
    let bytes = 0;
    let count = 0;
    for (; count < this.#pending.length; count += 1) {
      bytes += costOf(this.#pending[count]!);
      if (bytes > this.#room.bytes && count > 0 && !this.#pending[count - 1]!.tied) break;
    }
    const taken = this.#pending;
    this.#pending = count === taken.length ? [] : taken.splice(count);
    return taken;
  }
}

/** Bytes that the entry adds to its append, at most, the rows of a change included. */
function costOf({ row, change, erases }: Entry): number {
  const bytes = row.length + LIMITS.entryBytes + (erases === null ? 0 : erases.row.length + LIMITS.entryBytes);
  if (change === null) return bytes;
  return bytes + LIMITS.chatRowBytes + LIMITS.memberRowBytes * (change.joined.length + change.gone.length);
}
