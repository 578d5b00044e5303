// Owns the SENDs of this node's clients to chats whose owner died or is out of reach: their shard has another one within a lease, and a
// sender that is refused meanwhile asks again and again, each time later than needed (Akka's shard regions buffer for the same reason).
// Invariant: what was taken is told once, in the order it came, as soon as there is an owner within reach; or all that waits for a shard is
// refused together; and what follows a SEND that is elsewhere is not taken: so nothing that waits gets before what is refused. Once
// refused, a shard takes no more until it has an owner: it is no failover any more, and whoever has a window full of such SENDs has other
// chats. Whoever monitors a chat with a SEND in here monitors the actor that it goes to.
// Must not: take what nobody waits for an answer to (lasting.ts has that), or what came from another node: it is told where the owner is.
//
//   tell ─ no owner ─▶ put ─▶ [ shard 3: m1 m2 | shard 9: m4 ] ── owner within reach ──▶ release ─▶ its pool, or its node
//                                       └── bufferedMs after its first ──▶ FAILED unavailable, then busy at once

import type { Directory } from '../actors/fabric.js';
import { LIMITS } from '../actors/limits.js';
import type { ChatMessage } from '../actors/messages.js';
import type { Runtime } from '../actors/runtime.js';
import { Watchers } from '../actors/watchers.js';
import { excuse } from './refusals.js';

type Send = Extract<ChatMessage, { type: 'send' }>;

interface Waiting {
  /** Oldest first. */
  readonly sends: { readonly key: string; readonly message: Send }[];
  readonly ids: Set<string>;
  /** Of their chats. */
  readonly watchers: Map<string, Watchers>;
  readonly cancel: () => void;
}

/** Bytes that a SEND which waits is taken to need beside its body; so 16,384 are the most that are told in one turn. */
const ENTRY = 512;

export class ShardBuffer {
  readonly #runtime: Runtime;
  readonly #chats: Directory<ChatMessage>;
  readonly #shards = new Map<number, Waiting>();
  /** Shards that waited in vain, until they have an owner. */
  readonly #vain = new Set<number>();
  #bytes = 0;

  /** `chats`: where they are told once their shard can be reached. */
  constructor(runtime: Runtime, chats: Directory<ChatMessage>) {
    this.#runtime = runtime;
    this.#chats = chats;
  }

  /** SENDs that wait. */
  get size(): number {
    let size = 0;
    for (const { sends } of this.#shards.values()) size += sends.length;
    return size;
  }

  /** False: there is no room, the shard has had no owner for too long, or the SEND before it is with an actor that may decline it yet. */
  put(shard: number, key: string, message: Send): boolean {
    const bytes = bytesOf(message);
    if (this.#vain.has(shard) || this.#bytes + bytes > LIMITS.bufferedBytes) return false;
    if (message.after !== null && this.#shards.get(shard)?.ids.has(message.after) !== true) return false;
    const { sends, ids, watchers } = this.#shards.get(shard) ?? this.#begin(shard);
    this.#bytes += bytes;
    sends.push({ key, message });
    ids.add(message.idText);
    if (!watchers.has(key)) watchers.set(key, new Watchers());
    return true;
  }

  #begin(shard: number): Waiting {
    const cancel = this.#runtime.world.timer(LIMITS.bufferedMs, () => this.#refuse(shard));
    const waiting = { sends: [], ids: new Set<string>(), watchers: new Map(), cancel };
    this.#shards.set(shard, waiting);
    return waiting;
  }

  /** Where monitors of a chat wait that has something in here; null: it has not. */
  watchable(shard: number, key: string): Watchers | null {
    return this.#shards.get(shard)?.watchers.get(key) ?? null;
  }

  /** The shard has an owner within reach. */
  release(shard: number): void {
    this.#vain.delete(shard);
    const waiting = this.#shards.get(shard);
    if (waiting === undefined) return;
    this.#shards.delete(shard);
    waiting.cancel();
    for (const { key, message } of waiting.sends) {
      this.#bytes -= bytesOf(message);
      excuse(message, this.#chats.tell(key, message));
    }
    for (const [key, watchers] of waiting.watchers) {
      const actor = watchers.watched ? this.#chats.lookup(key) : undefined;
      if (actor === undefined) watchers.announce({ type: 'noproc' });
      else this.#runtime.watch(actor, (reason) => watchers.announce(reason));
    }
  }

  #refuse(shard: number): void {
    const { sends, watchers } = this.#shards.get(shard)!;
    this.#shards.delete(shard);
    this.#vain.add(shard);
    for (const { message } of sends) {
      this.#bytes -= bytesOf(message);
      excuse(message, 'dead');
    }
    for (const one of watchers.values()) one.announce({ type: 'noproc' });
  }
}

function bytesOf({ body }: Send): number {
  return body.length + ENTRY;
}
