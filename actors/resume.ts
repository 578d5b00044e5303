// Owns a connection's SYNC: gathering the client's vector, certifying every chat, and handing over to the stream.
// Invariant: every chat the user is or was in is certified once per SYNC; deliveries that come while the inbox is read
// are neither lost nor sent before their chat's certificate.
// Must not: read the store itself (certificate.ts), or send messages (stream.ts).

import { chatKey } from '../storage/keys.js';
import { type CertEntry, type SyncEntries, T } from '../transport/frames.js';
import { shrunk } from './buggify.js';
import type { Certificate, Inventory, Owed } from './certificate.js';
import { assert } from './errors.js';
import { LIMITS } from './limits.js';
import { type Delivery, lastOf, nameFor, type ReceiptNews, type TallyNews } from './messages.js';
import type { Peer } from './peer.js';
import { Vector } from './vector.js';
import type { View, Views } from './views.js';
import type { World } from './world.js';

type Sent = ReadonlyMap<string, number> | null;

export interface Asked {
  readonly vector: Vector;
  readonly backfill: number;
}

/** First and last number of a chat that arrived during the read. */
interface Arrived {
  readonly delivery: Delivery;
  last: number;
}

/** Holds nothing but its state while no SYNC is under way. */
export class Resume {
  /** What has come of the vector that is being sent. */
  #vector: Vector | null = null;
  /** A whole vector, to be read next. It waits while another one is being answered. */
  #whole: Asked | null = null;
  /** What has arrived since the inbox is being read; null while it is not. */
  #arrived: Map<string, Arrived> | null = null;
  /** Numbers that the client was told of its own messages since then; null while there are none. */
  #sent: Map<string, number> | null = null;
  /** Chats whose receipts were not told. */
  #missed: Map<string, Owed> | null = null;
  /** How many of the certificates that were read the client was sent. */
  #told = 0;
  /** News were lost while the inbox was read, so what was read may lack them. */
  stale = false;
  /** The client was certified and gets deliveries. */
  live = false;
  readonly #seed: () => number;

  /** `seed`: of a vector (vector.ts). */
  constructor(seed: () => number) {
    this.#seed = seed;
  }

  /** Takes a SYNC frame. `read`: the vector is whole and must be read now. `flood`: more chats than there can be. */
  add(entries: SyncEntries, more: boolean, backfill: number): 'wait' | 'read' | 'flood' {
    this.#vector ??= new Vector(this.#seed());
    this.#vector.add(entries);
    if (this.#vector.size > LIMITS.userChats) return 'flood';
    if (more) return 'wait';
    this.#whole = { vector: this.#vector, backfill };
    this.#vector = null;
    return this.#arrived === null ? 'read' : 'wait';
  }

  /** Starts answering: nothing is pushed until `certify`. */
  begin(views: Views): Asked {
    const whole = this.#whole;
    assert(whole !== null, 'a whole vector is answered');
    this.#whole = null;
    this.#arrived = new Map();
    this.#sent = null;
    this.#told = 0;
    this.stale = false;
    this.live = false;
    views.forget();
    return whole;
  }

  /** News were lost. True if the client must be told; not if a SYNC is on its way or being answered. */
  interrupt(): boolean {
    if (this.#arrived !== null) this.stale = true;
    const told = this.live;
    this.live = false;
    return told;
  }

  /** A delivery came before the certificates. Before the first SYNC they need no note: SYNC reads them. */
  hold(delivery: Delivery): void {
    if (this.#arrived === null) return;
    const known = this.#arrived.get(delivery.info.key);
    const last = lastOf(delivery);
    if (known === undefined) this.#arrived.set(delivery.info.key, { delivery, last });
    else known.last = Math.max(known.last, last);
  }

  /** A chat's receipts moved, and the client is not certified (it may have sent to the chat after its SYNC left), or was not
   * told of them. False: it is too much to remember. */
  miss(news: ReceiptNews | TallyNews): boolean {
    this.#missed ??= new Map();
    const { key, kind } = news.info;
    if (this.#missed.size >= LIMITS.missedReceipts && !this.#missed.has(key)) this.stale = true;
    else this.#missed.set(key, { key, kind, large: news.type === 'tally', news: null, wantsReceipts: true });
    return !this.stale;
  }

  /** Receipts were missed. */
  get missing(): boolean {
    return this.#missed !== null;
  }

  /** What the client's chats have to be told, now that it is certified. */
  owed(certificates: readonly Certificate[]): Owed[] {
    const missed = this.#missed ?? new Map<string, Owed>();
    this.#missed = null;
    const listed = certificates.map((one) => (missed.delete(one.key) ? { ...one, wantsReceipts: true } : one));
    return [...listed.filter(({ news, wantsReceipts }) => news !== null || wantsReceipts), ...missed.values()];
  }

  /** The client is told that its message is stored: a certificate read before must not say less. */
  acknowledged(key: string, seq: number): void {
    if (this.#arrived === null) return;
    this.#sent ??= new Map();
    this.#sent.set(key, Math.max(seq, this.#sent.get(key) ?? 0));
  }

  /** Sends the next of the certificates that were read, as many as one turn takes. True: all are sent. */
  tell(read: Inventory, peer: Peer, world: World): boolean {
    const all = read.certificates.length + read.unknown.length;
    const end = Math.min(all, this.#told + shrunk(world, 'certificates', LIMITS.certTurn, 1));
    const sent = this.#sent;
    while (this.#told < end) {
      const next = Math.min(end, this.#told + LIMITS.certEntries);
      const entries: CertEntry[] = [];
      for (; this.#told < next; this.#told += 1) entries.push(entryOf(read, this.#told, sent));
      peer.frame({ type: T.CERT, entries });
    }
    return end === all;
  }

  /** All certificates are sent: sets the views. True: another vector waits to be read. */
  certify(read: Inventory, user: string, views: Views, peer: Peer): boolean {
    const arrivals = this.#arrived;
    const sent = this.#sent;
    assert(arrivals !== null, 'certificates answer a vector');
    this.#arrived = null;
    this.#sent = null;
    this.live = true;
    peer.frame({ type: T.SYNCED, chats: read.certificates.length + read.unknown.length });
    for (const { view, head } of strangers(read, views, sent)) {
      // The client was told that it has nothing of it.
      view.cursor = 0;
      if (head > 0) views.fallBehind(view, head);
    }
    const certificates = sent === null ? read.certificates : read.certificates.map((one) => risen(one, sent));
    for (const { chat, key, kind, name, head, start } of certificates) {
      const arrived = arrivals.get(key);
      const target = Math.max(head, arrived?.last ?? 0);
      if (target < start) {
        // Complete: it needs no view, but one that is there goes on from here.
        const view = views.get(key);
        if (view !== undefined) view.cursor = target;
        continue;
      }
      const view = views.open(chat, key);
      Object.assign(view, { kind, name, cursor: start - 1 });
      views.fallBehind(view, target);
      arrivals.delete(key);
    }
    if (arrivals.size === 0) return this.#whole !== null;
    const certified = new Set(certificates.map(({ key }) => key));
    for (const [key, { delivery, last }] of arrivals) {
      if (certified.has(key)) continue;
      // Its beginning was dropped, or is queued behind this one's being dropped.
      if (delivery.seq > 1 && !delivery.joined.includes(user)) {
        this.stale = true;
        continue;
      }
      const view = views.open(delivery.info.chat, key);
      Object.assign(view, { kind: delivery.info.kind, name: nameFor(delivery.info, user), cursor: delivery.seq - 1 });
      // Made, or joined, since the inbox was read.
      if (delivery.seq > 1) peer.gap(view, last, delivery.seq);
      views.fallBehind(view, last);
    }
    return this.#whole !== null;
  }
}

/** With what the client was told since it was read. */
function risen(one: Certificate, sent: ReadonlyMap<string, number>): Certificate {
  return { ...one, head: Math.max(one.head, sent.get(one.key) ?? 0) };
}

/** The `at`th entry of the answer: first of the user's chats, then of those that the client lists and nobody knows. */
function entryOf({ certificates, vector, unknown }: Inventory, at: number, sent: Sent): CertEntry {
  const one = certificates[at];
  if (one === undefined) {
    const { chat } = vector.at(unknown[at - certificates.length]!);
    return { chat, head: sent?.get(chatKey(chat)) ?? 0, start: 1 };
  }
  const { chat, start, listed, kind, name } = one;
  const head = Math.max(one.head, sent?.get(one.key) ?? 0);
  return listed ? { chat, head, start } : { chat, head, start, kind, name };
}

/** Views of chats that were unknown when the inbox was read, and how far the client was told that they have come. */
function strangers({ vector, unknown }: Inventory, views: Views, sent: Sent): { view: View; head: number }[] {
  if (unknown.length === 0 || views.size === 0) return [];
  const places = new Set(unknown);
  return [...views.all()]
    .filter(({ chat }) => places.has(vector.find(chat)))
    .map((view) => ({ view, head: sent?.get(view.key) ?? 0 }));
}
