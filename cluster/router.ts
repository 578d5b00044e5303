// Owns where messages between actors go when there are many nodes: to the node's own pools, or by the session with the owner
// of the shard; and what becomes of those that were lost.
//
//   A chat tells a member who lives elsewhere; the link breaks, or the shard has moved meanwhile. Nobody can say what arrived. So
//   the shard of that user counts as missed: whoever owns it next, or still, is told `resync` and has all clients of its
//   users say where they stand; the log has the rest. Answers need nothing of the kind: who waits for one monitors
//   the actor, hears that it is out of reach, and asks again. The few messages that nobody waits for are said again (lasting.ts).
//
// Invariant: what was lost is not forgotten before it is made good, so `settled` may be believed: everything told up to there has
// been handled by its node, or is counted as missed no more.
// Must not: decide who owns a shard, write to the store, or keep news: the log has them.

import type { Delivery } from '../actors/behaviour.js';
import type { Directory } from '../actors/fabric.js';
import { LIMITS } from '../actors/limits.js';
import type { ChatMessage, UserMessage } from '../actors/messages.js';
import type { Ref } from '../actors/ref.js';
import type { Runtime } from '../actors/runtime.js';
import { RoutedChats, RoutedUsers, type Ways } from './directory.js';
import { OP, PARTY, type Party } from './envelope.js';
import { Exports } from './exports.js';
import { type Lasting, LastingMessages, lasts, unheard, wakes } from './lasting.js';
import type { PeerLink } from './link.js';
import type { FarConnection } from './outsiders.js';
import { type Hub, Peer } from './peer.js';
import type { Placement } from './placement.js';
import { shardOfChat, UserShards } from './shards.js';
import type { SoftPost } from './soft-post.js';

/** The actors of one kind that live here. */
export interface Local<M> extends Directory<M> {
  entries(): IterableIterator<[string, Ref<M>]>;
}

export interface RouterOptions {
  readonly runtime: Runtime;
  readonly placement: Placement;
  readonly users: Local<UserMessage>;
  readonly chats: Directory<ChatMessage>;
  readonly soft: SoftPost | null;
  /** A connection of another node has ended, or cannot be reached. */
  ended(connection: FarConnection): void;
  /** Actors may live elsewhere than before, or be reached again. */
  shaken(): void;
}

export interface RouterStats {
  /** Sessions with other nodes. */
  readonly peers: number;
  /** Messages and frames that wait for a link. */
  readonly queued: number;
  /** Our connections that other nodes know, and theirs that we know. */
  readonly exported: number;
  readonly far: number;
  /** Messages that came where their actor was not, or went there. */
  readonly astray: number;
  /** Times that news for a shard's users were lost, and shards where that is not made good. */
  readonly losses: number;
  readonly missed: number;
  /** Messages that are said again, and those for which there was no room. */
  readonly lasting: number;
  readonly forgotten: number;
}

export class Router implements Hub, Ways {
  readonly runtime: Runtime;
  readonly exports: Exports;
  readonly placement: Placement;
  readonly users: Local<UserMessage>;
  readonly chats: Directory<ChatMessage>;
  /** What actors use. */
  readonly routed: { readonly users: Directory<UserMessage>; readonly chats: Directory<ChatMessage> };
  readonly #options: RouterOptions;
  readonly #peers = new Map<string, Peer>();
  readonly #userShards = new UserShards();
  readonly #lasting: LastingMessages;
  /** Shards for whose users news were lost, with the mark of the first of them. */
  readonly #missed = new Map<number, number>();
  /** Users here who have to be told to resync. */
  #behind: string[] = [];
  #pacing = false;
  #trying = false;
  #count = 0;
  #astray = 0;
  #losses = 0;
  readonly #unsubscribe: () => void;

  constructor(options: RouterOptions) {
    const { runtime, placement, users, chats } = options;
    this.#options = options;
    this.runtime = runtime;
    this.exports = new Exports(runtime);
    this.placement = placement;
    this.users = users;
    this.chats = chats;
    const routedUsers = new RoutedUsers(
      this,
      users,
      (user) => this.#userShards.of(user),
      (key, message) => {
        if (lasts(message)) this.again({ party: 'user', key, message });
        return lasts(message);
      },
      options.soft,
    );
    const routedChats = new RoutedChats(this, chats, shardOfChat, (key, message) => {
      if (lasts(message)) this.again({ party: 'chat', key, message });
    });
    this.routed = { users: routedUsers, chats: routedChats };
    this.#lasting = new LastingMessages(runtime.world, (lasting) => this.#tellAgain(lasting));
    this.#unsubscribe = placement.subscribe((shard, owner) => this.#moved(shard, owner?.node ?? null));
  }

  close(): void {
    this.#unsubscribe();
    for (const peer of [...this.#peers.values()]) this.#lost(peer);
  }

  stats(): RouterStats {
    const peers = [...this.#peers.values()];
    return {
      peers: peers.length,
      queued: peers.reduce((sum, { out }) => sum + out.queued, 0),
      exported: this.exports.size,
      far: peers.reduce((sum, { sizes }) => sum + sizes.far, 0),
      astray: this.#astray,
      losses: this.#losses,
      missed: this.#missed.size,
      lasting: this.#lasting.size,
      forgotten: this.#lasting.dropped,
    };
  }

  // ---- the links' word (LinkEvents) ----

  up(link: PeerLink): void {
    const before = this.#peers.get(link.node);
    if (before !== undefined) this.#lost(before);
    this.#peers.set(link.node, new Peer(this, this.runtime.world, link));
    this.#options.shaken();
    this.#tryMissed();
  }

  batch(link: PeerLink, bytes: Uint8Array): void {
    const peer = this.#peers.get(link.node);
    if (peer?.link === link) peer.receive(bytes);
  }

  taken(link: PeerLink): void {
    const peer = this.#peers.get(link.node);
    if (peer?.link === link) peer.out.taken();
  }

  room(link: PeerLink): void {
    const peer = this.#peers.get(link.node);
    if (peer?.link !== link) return;
    peer.room();
    this.#tryMissed();
  }

  down(link: PeerLink): void {
    const peer = this.#peers.get(link.node);
    if (peer?.link === link) this.#lost(peer);
  }

  #lost(peer: Peer): void {
    this.#peers.delete(peer.node);
    const { shards, since, lasting } = peer.end();
    for (let shard = 0; shard < LIMITS.shards; shard++) if ((shards & (1 << shard)) !== 0) this.missed(shard, since);
    for (const one of lasting) this.again(one);
  }

  /** A shard has another owner, or none. */
  #moved(shard: number, node: string | null): void {
    const moved = (party: Party, key: string): boolean => this.#shardOf(party, key) === shard;
    for (const peer of this.#peers.values()) if (peer.node !== node) peer.leave(moved);
    this.#options.shaken();
    this.#tryMissed();
  }

  // ---- marks ----

  /** Grows with each thing that is told to another node. */
  count(): number {
    this.#count += 1;
    return this.#count;
  }

  /** Everything that was told until now has at most this mark. */
  get mark(): number {
    return this.#count;
  }

  /** Stands for all that was told up to now, and answers later whether it arrived; null: it has. */
  told(): (() => boolean) | null {
    const { mark } = this;
    return this.settled >= mark ? null : () => this.settled >= mark;
  }

  /** Everything told up to this mark has arrived, or its loss is made good. */
  get settled(): number {
    let least = this.#count;
    for (const { out } of this.#peers.values()) if (out.since !== null) least = Math.min(least, out.since - 1);
    for (const since of this.#missed.values()) least = Math.min(least, since - 1);
    return least;
  }

  // ---- what was lost ----

  missedUser(user: string, since: number | null): void {
    this.missed(this.#userShards.of(user), since);
  }

  /** `since`: the mark of the first that may be lost, where it was told before now: it has not arrived until that is made good. */
  missed(shard: number, since: number | null = null): void {
    const known = this.#missed.get(shard);
    this.#missed.set(shard, Math.min(known ?? Number.MAX_SAFE_INTEGER, since ?? this.count()));
    if (known !== undefined) return;
    this.#losses += 1;
    this.#tryMissed();
  }

  /** Another node lost them, and takes this one for the owner. */
  missedElsewhere(shard: number): void {
    if (this.placement.owner(shard)?.mine === true) return this.missed(shard);
    this.astray();
    if (!this.#missed.has(shard)) this.#missed.set(shard, this.count());
    // Not at once: that other one may take its turn as the owner in the eyes of this one.
    this.runtime.world.timer(LIMITS.retryMs, () => this.#tryMissed());
  }

  again(lasting: Lasting): void {
    if (!unheard(lasting)) this.#lasting.add(lasting);
  }

  #tellAgain({ party, key, message }: Lasting): Delivery {
    const { chats, users } = this.routed;
    if (party === 'chat') return wakes(message) ? chats.tell(key, message) : (chats.lookup(key)?.tell(message) ?? 'ok');
    return wakes(message) ? users.tell(key, message) : (users.lookup(key)?.tell(message) ?? 'ok');
  }

  /** In a turn of its own: whoever lost something is in the middle of it. */
  #tryMissed(): void {
    if (this.#trying || this.#missed.size === 0) return;
    this.#trying = true;
    this.runtime.world.defer(() => {
      this.#trying = false;
      this.#makeGood();
    });
  }

  /** What stays is tried again when its owner is known, or its link up, or has room. */
  #makeGood(): void {
    const own = new Set<number>();
    for (const [shard, since] of [...this.#missed]) {
      const owner = this.placement.owner(shard);
      if (owner === null) continue;
      if (owner.mine) own.add(shard);
      else {
        const peer = this.#peers.get(owner.node);
        if (peer === undefined || peer.out.full) continue;
        peer.out.control(OP.resync, shard);
        peer.out.news(shard, since);
      }
      this.#missed.delete(shard);
    }
    if (own.size === 0) return;
    for (const [user] of this.users.entries()) if (own.has(this.#userShards.of(user))) this.#behind.push(user);
    this.#pace();
  }

  /** Each of them has its clients ask for their chats: not all at once. */
  #pace(): void {
    if (this.#pacing) return;
    for (const user of this.#behind.splice(0, LIMITS.resyncUsers)) this.users.lookup(user)?.tell({ type: 'resync' });
    if (this.#behind.length === 0) return;
    this.#pacing = true;
    this.runtime.world.timer(LIMITS.resyncMs, () => {
      this.#pacing = false;
      this.#pace();
    });
  }

  // ---- for sessions (Hub) and directories (Ways) ----

  mine(party: Party, key: string): boolean {
    return this.placement.owner(this.#shardOf(party, key))?.mine === true;
  }

  #shardOf(party: Party, key: string): number {
    return party === PARTY.chat ? shardOfChat(key) : this.#userShards.of(key);
  }

  peer(node: string, incarnation: number): Peer | undefined {
    const peer = this.#peers.get(node);
    return peer?.link.incarnation === incarnation ? peer : undefined;
  }

  peerOf(node: string): Peer | undefined {
    return this.#peers.get(node);
  }

  astray(): void {
    this.#astray += 1;
    this.placement.hint();
  }

  hinted(): void {
    this.placement.hint();
  }

  /** That node should look at the shards. */
  hint(node: string): void {
    this.#peers.get(node)?.out.control(OP.hint);
  }

  ended(connection: FarConnection): void {
    this.#options.ended(connection);
  }
}
