// Owns what a connection has with the actors of chats: SENDs by number and requests by `r`, each with the chat that owes
// the answer, the position that its client claims in each chat, and whether it asked the chat for receipts.
// Invariant: each is answered once; when a chat's actor breaks off, what it owed is answered `unavailable`, because nobody
// else knows of it. An answer that comes later still is dropped: the client asks again with the same id. A claim stands until
// the chat's actor has ended; if that broke off, it may not have written it, and is to be told again: the client, who
// stays connected, would not. So does a wish for receipts: it may not have been read, nor all that followed been told.
// Must not: speak to the client.

import type { ExitReason } from './behaviour.js';
import type { Owed } from './certificate.js';
import type { ConnectionContext } from './connection.js';
import type { Refusal } from './errors.js';
import type { Fabric } from './fabric.js';
import type { Latency } from './latency.js';
import { LIMITS } from './limits.js';
import type { Ref } from './ref.js';
import type { View } from './views.js';

/** A SEND that is under way, with its id as text and its place among all SENDs of the connection. */
interface Sent {
  readonly view: View;
  readonly text: string;
  readonly place: number;
  /** When it began, as `latency` counts. */
  readonly at: number;
  readonly latency: Latency;
}

type Claim = NonNullable<Owed['news']>;

/** What the end of an actor leaves to be done. */
interface Ended {
  readonly sends: readonly number[];
  readonly asks: readonly number[];
  readonly claim: Claim | null;
  readonly receipts: boolean;
  /** For the sends and asks. */
  readonly refusal: Refusal;
}

/** The actor of a chat, and the furthest that it was told of the client; 0: nothing. */
interface Watched {
  readonly monitor: number;
  delivered: number;
  read: number;
  receipts: boolean;
  /** The one before came to rest, and nothing was told since: there may be none. */
  follows: boolean;
}

/** Its tables are made on first use, as those of views.ts. */
export class Awaited {
  #sends: Map<number, Sent> | null = null;
  /** Keys of the chats that were asked, by request. */
  #asks: Map<number, string> | null = null;
  /** Chats whose actor is monitored: from the first message to it until its end, so that a message costs no monitor. */
  #watched: Map<string, Watched> | null = null;

  /** True: no more SENDs may be under way. */
  get full(): boolean {
    return this.#sends !== null && this.#sends.size >= LIMITS.window;
  }

  get asked(): number {
    return this.#asks?.size ?? 0;
  }

  isOpen(r: number): boolean {
    return this.#asks?.has(r) ?? false;
  }

  sent(n: number, view: View, text: string, place: number, latency: Latency): void {
    view.unanswered += 1;
    this.#sends ??= new Map();
    this.#sends.set(n, { view, text, place, at: latency.begin(), latency });
  }

  ask(r: number, key: string): void {
    this.#asks ??= new Map();
    this.#asks.set(r, key);
  }

  /** The SEND, if it was open; its sender is to wait for `after` ms before it tries again. */
  settle(n: number, after: number): Sent | undefined {
    const sent = this.#sends?.get(n);
    if (sent === undefined) return undefined;
    sent.latency.end(sent.at, after);
    sent.view.unanswered -= 1;
    this.#sends?.delete(n);
    return sent;
  }

  /** True if the request was open. */
  answer(r: number): boolean {
    return this.#asks?.delete(r) ?? false;
  }

  /** After a message to the actor at `ref`, which answers for `key`. */
  watch(key: string, ref: Ref<never> | undefined, context: ConnectionContext): void {
    const watched = this.#watched?.get(key);
    if (watched !== undefined) watched.follows = false;
    else if (ref !== undefined) this.#watch(key, ref, context);
  }

  /** After the chat's actor was told where the client is: an ACK in a chat that is watched costs a look into a table. */
  claim(key: string, { delivered, read }: Claim, chats: Fabric['chats'], context: ConnectionContext): void {
    const watched = this.#told(key, chats, context);
    if (watched === undefined) return;
    watched.delivered = Math.max(watched.delivered, delivered);
    watched.read = Math.max(watched.read, read);
  }

  /** After the chat's actor was asked for its receipts. */
  receipts(key: string, chats: Fabric['chats'], context: ConnectionContext): void {
    const watched = this.#told(key, chats, context);
    if (watched !== undefined) watched.receipts = true;
  }

  /**
   * The actor of a chat ended; what it owed if it broke off, and what it is to be told again. `noproc`: there was none. On another
   * node that is how one finds out that no successor came after all: telling it everything again would wake it each time it rests.
   */
  ended(key: string, reason: ExitReason['type'], chats: Fabric['chats'], context: ConnectionContext): Ended {
    const broke = reason !== 'normal';
    const watched = this.#watched?.get(key);
    this.#watched?.delete(key);
    if (reason === 'noproc' && watched?.follows === true) return nothing;
    if (!broke) {
      // Its successor may be there before the news of its end, and was told the last of it.
      if (watched !== undefined) this.claim(key, watched, chats, context);
      if (watched?.receipts === true) this.receipts(key, chats, context);
      const next = this.#watched?.get(key);
      if (next !== undefined) next.follows = !this.#owes(key);
      return nothing;
    }
    const sends = [...(this.#sends ?? [])].filter(([, { view }]) => view.key === key).map(([n]) => n);
    const asks = [...(this.#asks ?? [])].filter(([, asked]) => asked === key).map(([r]) => r);
    const claim = watched === undefined || watched.delivered + watched.read === 0 ? null : watched;
    const refusal = reason === 'shutdown' ? MOVED : RESTARTED;
    return { sends, asks, claim, receipts: watched?.receipts === true, refusal };
  }

  #owes(key: string): boolean {
    const sends = [...(this.#sends?.values() ?? [])];
    return sends.some(({ view }) => view.key === key) || [...(this.#asks?.values() ?? [])].includes(key);
  }

  /** The actor that was told something just now. */
  #told(key: string, chats: Fabric['chats'], context: ConnectionContext): Watched | undefined {
    const watched = this.#watched?.get(key);
    if (watched !== undefined) watched.follows = false;
    const ref = watched === undefined ? chats.lookup(key) : undefined;
    return ref === undefined ? watched : this.#watch(key, ref, context);
  }

  #watch(key: string, ref: Ref<never>, context: ConnectionContext): Watched {
    this.#watched ??= new Map();
    // No user has more chats. Whoever names others' for the sake of it loses what he said first.
    for (const [oldest, { monitor }] of this.#watched) {
      if (this.#watched.size < LIMITS.userChats) break;
      this.#watched.delete(oldest);
      context.demonitor(monitor);
    }
    const watched = { monitor: context.monitor(ref), delivered: 0, read: 0, receipts: false, follows: false };
    this.#watched.set(key, watched);
    return watched;
  }
}

const RESTARTED: Refusal = { code: 'unavailable', detail: 'it is being restarted; what was asked may be stored' };
/** It ended in order: another node has it in a moment. */
const MOVED: Refusal = { ...RESTARTED, after: LIMITS.movedMs };
const nothing: Ended = { sends: [], asks: [], claim: null, receipts: false, refusal: RESTARTED };
