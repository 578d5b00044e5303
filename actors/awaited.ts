// Owns what a connection's client waits for from chats: SENDs by number and requests by `r`, each with the chat that owes
// the answer.
// Invariant: each is answered once; when a chat's actor breaks off, what it owed is answered `unavailable`, because nobody
// else knows of it. An answer that comes later still is dropped: the client asks again with the same id.
// Must not: speak to the client.

import type { ConnectionContext } from './connection.js';
import { LIMITS } from './limits.js';
import type { Ref } from './ref.js';
import type { View } from './views.js';

/** A SEND that is under way, with its id as text and its place among all SENDs of the connection. */
interface Sent {
  readonly view: View;
  readonly text: string;
  readonly place: number;
}

/** Its tables are made on first use, as those of views.ts. */
export class Awaited {
  #sends: Map<number, Sent> | null = null;
  /** Keys of the chats that were asked, by request. */
  #asks: Map<number, string> | null = null;
  /** Chats whose actor is monitored: from the first message to it until its end, so that a message costs no monitor. */
  #monitored: Set<string> | null = null;

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

  sent(n: number, view: View, text: string, place: number): void {
    view.unanswered += 1;
    this.#sends ??= new Map();
    this.#sends.set(n, { view, text, place });
  }

  ask(r: number, key: string): void {
    this.#asks ??= new Map();
    this.#asks.set(r, key);
  }

  /** The SEND, if it was open. */
  settle(n: number): Sent | undefined {
    const sent = this.#sends?.get(n);
    if (sent === undefined) return undefined;
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
    if (ref === undefined || this.#monitored?.has(key)) return;
    this.#monitored ??= new Set();
    this.#monitored.add(key);
    context.monitor(ref);
  }

  /** The actor of a chat ended; what it owed if it broke off. */
  ended(key: string, broke: boolean): { readonly sends: readonly number[]; readonly asks: readonly number[] } {
    this.#monitored?.delete(key);
    if (!broke) return nothing;
    const sends = [...(this.#sends ?? [])].filter(([, { view }]) => view.key === key).map(([n]) => n);
    const asks = [...(this.#asks ?? [])].filter(([, asked]) => asked === key).map(([r]) => r);
    return { sends, asks };
  }
}

const nothing = { sends: [], asks: [] };
