// Owns the directories that a node's actors use where there are many nodes: chats and users by key, wherever they live.
// Invariant: what lives here is told as on a single node, at the cost of one look-up of its shard's owner; the rest leaves by the
// owner's session. Nobody's, or on its way: a SEND waits (shard-buffer.ts), all else hears `busy`.
// Must not: know more of other nodes than their session.

import type { Delivery } from '../actors/behaviour.js';
import type { Directory } from '../actors/fabric.js';
import type { ChatMessage, UserMessage } from '../actors/messages.js';
import type { Ref } from '../actors/ref.js';
import type { Runtime } from '../actors/runtime.js';
import type { Watchers } from '../actors/watchers.js';
import { PARTY } from './envelope.js';
import { unheard } from './lasting.js';
import { type Elsewhere, FarActor } from './outsiders.js';
import type { Peer } from './peer.js';
import type { Placement } from './placement.js';
import { ShardBuffer } from './shard-buffer.js';
import type { SoftPost } from './soft-post.js';

/** Where shards and their owners' sessions are known. */
export interface Ways {
  readonly runtime: Runtime;
  readonly placement: Placement;
  peerOf(node: string): Peer | undefined;
  /** News for users of the shard were lost. */
  missed(shard: number): void;
}

abstract class Routed<M extends ChatMessage | UserMessage> implements Directory<M>, Elsewhere<M> {
  abstract readonly kind: string;
  protected readonly ways: Ways;
  protected readonly local: Directory<M>;

  constructor(ways: Ways, local: Directory<M>) {
    this.ways = ways;
    this.local = local;
  }

  protected abstract shardOf(key: string): number;
  protected abstract send(peer: Peer, key: string, message: M): Delivery;
  /** The shard has no owner, or none within reach. */
  protected abstract unplaced(shard: number, key: string, message: M): Delivery;
  abstract whisper(key: string, message: M): Delivery;
  abstract watchable(key: string): Watchers | null;

  tell(key: string, message: M): Delivery {
    const shard = this.shardOf(key);
    const owner = this.ways.placement.owner(shard);
    if (owner === null) return this.unplaced(shard, key, message);
    if (owner.mine) return this.local.tell(key, message);
    const peer = this.ways.peerOf(owner.node);
    return peer === undefined ? this.unplaced(shard, key, message) : this.send(peer, key, message);
  }

  lookup(key: string): Ref<M> | undefined {
    // Also for what is nobody's now: who tells it news has to know that they are lost.
    return this.mine(key) ? this.local.lookup(key) : new FarActor(this, key);
  }

  mine(key: string): boolean {
    return this.ways.placement.owner(this.shardOf(key))?.mine === true;
  }

  reachable(key: string): boolean {
    return this.peer(this.shardOf(key)) !== undefined;
  }

  protected peer(shard: number): Peer | undefined {
    const owner = this.ways.placement.owner(shard);
    return owner === null || owner.mine ? undefined : this.ways.peerOf(owner.node);
  }
}

export class RoutedChats extends Routed<ChatMessage> {
  readonly kind = 'conversation';
  readonly buffer: ShardBuffer;
  readonly #shardOf: (key: string) => number;
  readonly #unheard: (key: string, message: ChatMessage) => void;

  /** `unheard`: of a chat that could not be told whether it is awake. */
  constructor(
    ways: Ways,
    local: Directory<ChatMessage>,
    shardOf: (key: string) => number,
    unheard: (key: string, message: ChatMessage) => void,
  ) {
    super(ways, local);
    this.#shardOf = shardOf;
    this.#unheard = unheard;
    this.buffer = new ShardBuffer(ways.runtime, this);
  }

  protected shardOf(key: string): number {
    return this.#shardOf(key);
  }

  protected send(peer: Peer, key: string, message: ChatMessage): Delivery {
    return peer.tellChat(key, message);
  }

  /** There may be an owner within reach now. */
  placed(shard: number): void {
    const owner = this.ways.placement.owner(shard);
    if (owner?.mine === true || this.peer(shard) !== undefined) this.buffer.release(shard);
  }

  protected unplaced(shard: number, key: string, message: ChatMessage): Delivery {
    return message.type === 'send' && this.buffer.put(shard, key, message) ? 'ok' : 'busy';
  }

  whisper(key: string, message: ChatMessage): Delivery {
    const peer = this.peer(this.shardOf(key));
    if (peer !== undefined) return peer.whisperChat(key, message);
    this.#unheard(key, message);
    return 'ok';
  }

  watchable(key: string): Watchers | null {
    const shard = this.shardOf(key);
    return this.peer(shard)?.watchable(PARTY.chat, key) ?? this.buffer.watchable(shard, key);
  }
}

export class RoutedUsers extends Routed<UserMessage> {
  readonly kind = 'user';
  readonly #shardOf: (key: string) => number;
  readonly #unheard: (key: string, message: UserMessage) => boolean;
  readonly #soft: SoftPost | null;

  /** `unheard`: of a user that could not be told; true: he will be. `soft`: the other way for what may be lost. */
  constructor(
    ways: Ways,
    local: Directory<UserMessage>,
    shardOf: (key: string) => number,
    unheard: (key: string, message: UserMessage) => boolean,
    soft: SoftPost | null,
  ) {
    super(ways, local);
    this.#shardOf = shardOf;
    this.#unheard = unheard;
    this.#soft = soft;
  }

  protected shardOf(key: string): number {
    return this.#shardOf(key);
  }

  override tell(key: string, message: UserMessage): Delivery {
    const told = super.tell(key, message);
    if (told === 'busy' && !unheard({ party: 'user', key, message })) this.#unheard(key, message);
    return told;
  }

  protected send(peer: Peer, key: string, message: UserMessage): Delivery {
    return peer.tellUser(key, message);
  }

  protected unplaced(): Delivery {
    return 'busy';
  }

  whisper(key: string, message: UserMessage): Delivery {
    const shard = this.shardOf(key);
    const peer = this.peer(shard);
    if (peer !== undefined && message.type === 'typing' && this.#soft?.tell(peer.node, key, message) === true)
      return 'ok';
    const told = peer?.whisperUser(key, shard, message) ?? 'busy';
    if (told !== 'busy') return told;
    if (!this.#unheard(key, message)) this.ways.missed(shard);
    return 'busy';
  }

  watchable(key: string): Watchers | null {
    return this.peer(this.shardOf(key))?.watchable(PARTY.user, key) ?? null;
  }
}
