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
import { MissedNews } from './missed-news.js';
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
  /** SENDs that wait for their shard to have an owner within reach. */
  readonly buffered: number;
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
  readonly routed: { readonly users: RoutedUsers; readonly chats: RoutedChats };
  readonly #options: RouterOptions;
  readonly #peers = new Map<string, Peer>();
  readonly #userShards = new UserShards();
  readonly #lasting: LastingMessages;
  readonly #missed: MissedNews;
  #count = 0;
  #astray = 0;
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
    this.#missed = new MissedNews({
      ...{ world: runtime.world, placement, users },
      peerOf: (node) => this.#peers.get(node),
      shardOf: (user) => this.#userShards.of(user),
      count: () => this.count(),
    });
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
      losses: this.#missed.losses,
      missed: this.#missed.size,
      buffered: this.routed.chats.buffer.size,
      lasting: this.#lasting.size,
      forgotten: this.#lasting.dropped,
    };
  }

  // ---- the links' word (LinkEvents) ----

  up(link: PeerLink): void {
    const before = this.#peers.get(link.node);
    if (before !== undefined) this.#lost(before);
    this.#peers.set(link.node, new Peer(this, this.runtime.world, link));
    for (let shard = 0; shard < LIMITS.shards; shard++) this.routed.chats.placed(shard);
    this.#options.shaken();
    this.#missed.try();
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
    this.#missed.try();
  }

  down(link: PeerLink): void {
    const peer = this.#peers.get(link.node);
    if (peer?.link === link) this.#lost(peer);
  }

  #lost(peer: Peer): void {
    this.#peers.delete(peer.node);
    const { shards, since, lasting } = peer.end();
    for (let shard = 0; shard < LIMITS.shards; shard++)
      if ((shards & (1 << shard)) !== 0) this.#missed.add(shard, since);
    for (const one of lasting) this.again(one);
  }

  /** A shard has another owner, or none. */
  #moved(shard: number, node: string | null): void {
    const moved = (party: Party, key: string): boolean => this.#shardOf(party, key) === shard;
    for (const peer of this.#peers.values()) if (peer.node !== node) peer.leave(moved);
    this.routed.chats.placed(shard);
    this.#options.shaken();
    this.#missed.try();
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
    return Math.min(least, this.#missed.least - 1);
  }

  // ---- what was lost ----

  missedUser(user: string, since: number | null): void {
    this.#missed.add(this.#userShards.of(user), since);
  }

  missed(shard: number): void {
    this.#missed.add(shard);
  }

  /** Another node lost them, and takes this one for the owner. False: it is not, and the duty stays with the other one. */
  missedElsewhere(shard: number): boolean {
    const mine = this.placement.owner(shard)?.mine === true;
    if (mine) this.#missed.add(shard);
    else this.astray();
    return mine;
  }

  missedStill(shard: number, since: number | null): void {
    this.placement.hint();
    this.#missed.keep(shard, since);
  }

  again(lasting: Lasting): void {
    if (!unheard(lasting)) this.#lasting.add(lasting);
  }

  #tellAgain({ party, key, message }: Lasting): Delivery {
    const { chats, users } = this.routed;
    if (party === 'chat') return wakes(message) ? chats.tell(key, message) : (chats.lookup(key)?.tell(message) ?? 'ok');
    return wakes(message) ? users.tell(key, message) : (users.lookup(key)?.tell(message) ?? 'ok');
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
