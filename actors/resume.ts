// Owns a connection's SYNC: gathering the client's vector, certifying every chat, and handing over to the stream.
// Invariant: every chat the user is or was in is certified once per SYNC; deliveries that come while the inbox is read
// are neither lost nor sent before their chat's certificate.
// Must not: read the store itself (certificate.ts), or send messages (stream.ts).

import { chatKey } from '../storage/keys.js';
import { type CertEntry, type SyncEntry, T } from '../transport/frames.js';
import type { Certificate } from './certificate.js';
import { LIMITS } from './limits.js';
import { type Delivery, nameFor } from './messages.js';
import type { Peer } from './peer.js';
import type { Views } from './views.js';

export interface Vector {
  readonly vector: ReadonlyMap<string, SyncEntry>;
  readonly backfill: number;
}

/** First and last number of a chat that arrived during the read. */
interface Arrived {
  readonly delivery: Delivery;
  last: number;
}

export class Resume {
  /** What has come of the vector that is being sent. */
  #vector = new Map<string, SyncEntry>();
  /** A whole vector, to be read next. */
  #whole: Vector = { vector: new Map(), backfill: 0 };
  #arrived = new Map<string, Arrived>();
  #reading = false;
  /** A whole vector waits while another one is being answered. */
  #waiting = false;
  /** News were lost while the inbox was read, so what was read may lack them. */
  stale = false;
  /** The client was certified and gets deliveries. */
  live = false;

  /** Takes a SYNC frame. `read`: the vector is whole and must be read now. `flood`: more chats than there can be. */
  add(entries: readonly SyncEntry[], more: boolean, backfill: number): 'wait' | 'read' | 'flood' {
    for (const entry of entries) this.#vector.set(chatKey(entry.chat), entry);
    if (this.#vector.size > LIMITS.userChats) return 'flood';
    if (more) return 'wait';
    this.#whole = { vector: this.#vector, backfill };
    this.#vector = new Map();
    if (this.#reading) {
      this.#waiting = true;
      return 'wait';
    }
    return 'read';
  }

  /** Starts answering: nothing is pushed until `certify`. */
  begin(views: Views): Vector {
    const whole = this.#whole;
    this.#whole = { vector: new Map(), backfill: 0 };
    this.#reading = true;
    this.#waiting = false;
    this.stale = false;
    this.live = false;
    this.#arrived.clear();
    views.forget();
    return whole;
  }

  /** News were lost. True if the client must be told; not if a SYNC is on its way or being answered. */
  interrupt(): boolean {
    if (this.#reading) this.stale = true;
    const told = this.live;
    this.live = false;
    return told;
  }

  /** A delivery came before the certificates. Before the first SYNC they need no note: SYNC reads them. */
  hold(delivery: Delivery): void {
    if (!this.#reading) return;
    const known = this.#arrived.get(delivery.info.key);
    if (known === undefined) this.#arrived.set(delivery.info.key, { delivery, last: delivery.seq });
    else known.last = Math.max(known.last, delivery.seq);
  }

  /** Sends the certificates and sets the views. True: another vector waits to be read. */
  certify(certificates: readonly Certificate[], user: string, views: Views, peer: Peer): boolean {
    this.#reading = false;
    this.live = true;
    for (let at = 0; at < certificates.length; at += LIMITS.certEntries) {
      const entries = certificates.slice(at, at + LIMITS.certEntries).map(entryOf);
      peer.frame({ type: T.CERT, entries });
    }
    peer.frame({ type: T.SYNCED, chats: certificates.length });
    for (const { chat, key, kind, name, head, start } of certificates) {
      const arrived = this.#arrived.get(key);
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
      this.#arrived.delete(key);
    }
    const certified = new Set(certificates.map(({ key }) => key));
    for (const [key, { delivery, last }] of this.#arrived) {
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
    this.#arrived.clear();
    return this.#waiting;
  }
}

function entryOf({ chat, head, start, listed, kind, name }: Certificate): CertEntry {
  return listed ? { chat, head, start } : { chat, head, start, kind, name };
}
