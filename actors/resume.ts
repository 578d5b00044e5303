// Owns a connection's SYNC: gathering the client's vector, certifying every chat, and handing over to the stream.
// Invariant: every chat the user is or was in is certified once per SYNC; deliveries that come while the inbox is read
// are neither lost nor sent before their chat's certificate.
// Must not: read the store itself (certificate.ts), or send messages (stream.ts).

import { chatKey } from '../storage/keys.js';
import { type CertEntry, type SyncEntry, T } from '../transport/frames.js';
import type { Certificate } from './certificate.js';
import { LIMITS } from './limits.js';
import type { Delivery } from './messages.js';
import type { Peer } from './peer.js';
import type { Views } from './views.js';

/** First and last number of a chat that arrived during the read. */
interface Arrived {
  readonly delivery: Delivery;
  last: number;
}

export class Resume {
  #vector = new Map<string, SyncEntry>();
  #backfill = 0;
  #arrived = new Map<string, Arrived>();
  #reading = false;
  /** The vector is whole, but another one is being answered. */
  #waiting = false;
  /** The client was certified and gets deliveries. */
  live = false;

  /** Takes a SYNC frame. `read`: the vector is whole and must be read now. `flood`: more chats than there can be. */
  add(entries: readonly SyncEntry[], more: boolean, backfill: number): 'wait' | 'read' | 'flood' {
    for (const entry of entries) this.#vector.set(chatKey(entry.chat), entry);
    if (this.#vector.size > LIMITS.userChats) return 'flood';
    this.#backfill = backfill;
    if (more) return 'wait';
    if (this.#reading) {
      this.#waiting = true;
      return 'wait';
    }
    return 'read';
  }

  /** Starts answering: nothing is pushed until `certify`. */
  begin(views: Views): { readonly vector: ReadonlyMap<string, SyncEntry>; readonly backfill: number } {
    const vector = this.#vector;
    this.#vector = new Map();
    this.#reading = true;
    this.#waiting = false;
    this.live = false;
    this.#arrived.clear();
    views.forget();
    return { vector, backfill: this.#backfill };
  }

  /** A delivery came before the certificates. Before the first SYNC they need no note: SYNC reads them. */
  hold(delivery: Delivery): void {
    if (!this.#reading) return;
    const known = this.#arrived.get(delivery.info.key);
    if (known === undefined) this.#arrived.set(delivery.info.key, { delivery, last: delivery.seq });
    else known.last = Math.max(known.last, delivery.seq);
  }

  /** Sends the certificates and sets the views. True: another vector waits to be read. */
  certify(certificates: readonly Certificate[], views: Views, peer: Peer): boolean {
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
      const view = views.open(delivery.info.chat, key);
      view.cursor = delivery.seq - 1;
      views.fallBehind(view, last);
    }
    this.#arrived.clear();
    return this.#waiting;
  }

  /** The inbox could not be read. True: try again. */
  fail(): void {
    this.#reading = false;
    this.live = false;
  }
}

function entryOf({ chat, head, start, listed, kind, name }: Certificate): CertEntry {
  return listed ? { chat, head, start } : { chat, head, start, kind, name };
}
