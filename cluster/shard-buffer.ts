// Owns the SENDs of this node's clients to chats that are nobody's now, or whose owner is out of reach: a shard changes hands within a
// lease, and a sender that is refused meanwhile asks again and again, each time later than needed (Akka's shard regions buffer for
// the same reason).
// Invariant: what was taken is told once, in the order it came, as soon as there is an owner within reach, or is refused as `unavailable` after
// LIMITS.bufferedMs: its sender waits for an answer, and it is acknowledged by nobody before. Whoever monitors a chat with a SEND in
// here monitors the actor that it goes to.
// Must not: take what nobody waits for an answer to (lasting.ts has that), or what came from another node: it is told where the owner is.
//
//   tell ─ no owner ─▶ put ─▶ [ shard 3: m1 m2 | shard 9: m4 ] ── owner within reach ──▶ release ─▶ its pool, or its node
//                                       └── bufferedMs ──▶ FAILED unavailable

import type { Directory } from '../actors/fabric.js';
import { LIMITS } from '../actors/limits.js';
import type { ChatMessage } from '../actors/messages.js';
import type { Runtime } from '../actors/runtime.js';
import { Watchers } from '../actors/watchers.js';
import { ENTRY } from './outbound.js';
import { excuse } from './refusals.js';

type Send = Extract<ChatMessage, { type: 'send' }>;

interface Waiting {
  readonly key: string;
  readonly message: Send;
  /** Of the world's clock. */
  readonly until: number;
}

export class ShardBuffer {
  readonly #runtime: Runtime;
  readonly #chats: Directory<ChatMessage>;
  /** Oldest first. */
  readonly #shards = new Map<number, Waiting[]>();
  /** Of chats that have something in here. */
  readonly #watchers = new Map<string, Watchers>();
  #bytes = 0;
  #cancel: (() => void) | null = null;

  /** `chats`: where they are told once their shard can be reached. */
  constructor(runtime: Runtime, chats: Directory<ChatMessage>) {
    this.#runtime = runtime;
    this.#chats = chats;
  }

  /** SENDs that wait. */
  get size(): number {
    let size = 0;
    for (const waiting of this.#shards.values()) size += waiting.length;
    return size;
  }

  /** False: there is no room. */
  put(shard: number, key: string, message: Send): boolean {
    const { world } = this.#runtime;
    const bytes = bytesOf(message);
    if (this.#bytes + bytes > LIMITS.bufferedBytes) return false;
    this.#bytes += bytes;
    const waiting = this.#shards.get(shard) ?? [];
    this.#shards.set(shard, waiting);
    waiting.push({ key, message, until: world.now() + LIMITS.bufferedMs });
    if (!this.#watchers.has(key)) this.#watchers.set(key, new Watchers());
    this.#wake(LIMITS.bufferedMs);
    return true;
  }

  /** Where monitors of a chat wait that has something in here; null: it has not. */
  watchable(key: string): Watchers | null {
    return this.#watchers.get(key) ?? null;
  }

  /** The shard has an owner within reach. */
  release(shard: number): void {
    const waiting = this.#shards.get(shard);
    if (waiting === undefined) return;
    this.#shards.delete(shard);
    for (const { key, message } of waiting) {
      this.#bytes -= bytesOf(message);
      excuse(message, this.#chats.tell(key, message));
    }
    for (const key of new Set(waiting.map((one) => one.key))) this.#passOn(key);
  }

  /** Nothing will be told any more. */
  close(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#refuse(Number.POSITIVE_INFINITY);
  }

  /** Those who monitor the chat monitor its actor from now on. */
  #passOn(key: string): void {
    const watchers = this.#watchers.get(key);
    this.#watchers.delete(key);
    if (watchers?.watched !== true) return;
    const actor = this.#chats.lookup(key);
    if (actor === undefined) watchers.announce({ type: 'noproc' });
    else this.#runtime.watch(actor, (reason) => watchers.announce(reason));
  }

  #wake(ms: number): void {
    const { world } = this.#runtime;
    this.#cancel ??= world.timer(ms, () => {
      this.#cancel = null;
      this.#refuse(world.now());
      const oldest = Math.min(...[...this.#shards.values()].map(([first]) => first!.until));
      if (oldest < Number.POSITIVE_INFINITY) this.#wake(oldest - world.now());
    });
  }

  /** Of those that came so long before. */
  #refuse(now: number): void {
    const over: Waiting[] = [];
    for (const [shard, waiting] of this.#shards) {
      const young = waiting.findIndex(({ until }) => until > now);
      over.push(...waiting.splice(0, young < 0 ? waiting.length : young));
      if (waiting.length === 0) this.#shards.delete(shard);
    }
    for (const { message } of over) {
      this.#bytes -= bytesOf(message);
      excuse(message, 'dead');
    }
    const left = new Set([...this.#shards.values()].flatMap((waiting) => waiting.map(({ key }) => key)));
    for (const { key } of over) {
      const watchers = left.has(key) ? undefined : this.#watchers.get(key);
      if (watchers === undefined) continue;
      this.#watchers.delete(key);
      watchers.announce({ type: 'noproc' });
    }
  }
}

function bytesOf({ body }: Send): number {
  return body.length + ENTRY;
}
