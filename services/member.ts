// Owns how a node is part of a cluster: its links, its membership with the shards that it owns, and the router between them.
// Invariant: links listen beyond a life as a member; in a life there are none before its actors are started, so nothing comes for an
// actor that cannot be had yet. What each part tells the others is here and nowhere else.
// Must not: hold behaviour of its own, or know sockets.

import type { Directory } from '../actors/fabric.js';
import { LIMITS } from '../actors/limits.js';
import type { ChatMessage, UserMessage } from '../actors/messages.js';
import type { Runtime } from '../actors/runtime.js';
import { type Cluster, startCluster } from '../cluster/cluster.js';
import type { Guests } from '../cluster/drain.js';
import type { Mac } from '../cluster/link-greeting.js';
import { Links } from '../cluster/links.js';
import type { Net } from '../cluster/net.js';
import type { Member as Peer } from '../cluster/observer.js';
import type { FarConnection } from '../cluster/outsiders.js';
import { Router } from '../cluster/router.js';
import { ShardActors } from '../cluster/shard-actors.js';
import type { SoftPost } from '../cluster/soft-post.js';
import { SPEECH, type Speech } from '../cluster/versions.js';
import type { Store } from '../storage/store.js';
import type { Pool } from '../supervisors/pool.js';
import type { Service } from '../supervisors/worker.js';
import { Hearing } from './hearing.js';
import type { PresenceShards } from './presence-shards.js';

/** What makes a node one of several. */
export interface ClusterSetting {
  /** Wires to other nodes. */
  readonly net: Net;
  /** With the cluster's secret. */
  readonly mac: Mac;
  /** Where clients reach this node; '' the same place for all. Asked when it joins. */
  readonly url: () => string;
  /** Absent: this build's. */
  readonly speech?: Speech;
  /** Another process has joined under this node's name: this one must end. */
  replaced(): void;
}

interface MemberParts {
  readonly node: string;
  readonly runtime: Runtime;
  readonly store: () => Store;
  readonly users: Pool<UserMessage>;
  readonly chatPools: readonly Pool<ChatMessage>[];
  /** Null: all goes by links. */
  readonly soft: SoftPost | null;
  /** This node's own. */
  readonly chats: Directory<ChatMessage>;
  /** The actors are started: what is told to them now is taken, or refused for good. */
  readonly ready: () => boolean;
  /** A connection of another node has ended, or cannot be reached. */
  readonly ended: (connection: FarConnection) => void;
  /** Actors may live elsewhere than before, or be reached again. Told once for what happens at about the same time. */
  readonly shaken: () => void;
  readonly presence: PresenceShards;
  readonly guests: Guests;
  readonly p99: () => number | null;
  readonly report: (event: string, fields: Readonly<Record<string, string | number>>) => void;
}

export class Member {
  readonly cluster: Cluster;
  readonly router: Router;
  readonly hearing: Hearing;
  #links: Links | null = null;
  #shaken = false;
  /** The life whose actors were started. */
  #serving: number | undefined;
  readonly #setting: ClusterSetting;
  readonly #parts: MemberParts;

  constructor(setting: ClusterSetting, parts: MemberParts) {
    const { node, runtime, users, chatPools, chats, soft, ready, ended, presence, guests, p99, report } = parts;
    this.#setting = setting;
    this.#parts = parts;
    const actors = new ShardActors(runtime, users, chatPools);
    const { mac, url, speech = SPEECH } = setting;
    this.cluster = startCluster({
      world: runtime.world,
      store: parts.store,
      mac,
      identity: () => ({ node, address: this.links.address, url: url(), speech }),
      chats: {
        // A life begins before its actors do.
        tell: (key, message) => (ready() ? chats.tell(key, message) : 'busy'),
        lookup: (key) => chats.lookup(key),
      },
      close: (shard) => {
        presence.leaving(shard);
        return actors.close(shard);
      },
      resync: () => {
        for (let shard = 0; shard < LIMITS.shards; shard += 1) this.router.missed(shard);
      },
      hint: (other) => this.router.hint(other),
      guests,
      p99,
      tellings: { told: () => this.router.told() },
      replaced: () => setting.replaced(),
      report,
    });
    this.router = new Router({
      runtime,
      placement: this.cluster.placement,
      users,
      chats,
      soft,
      ended,
      shaken: () => this.#shake(),
    });
    const reaches = (other: string): boolean => this.router.peerOf(other) !== undefined;
    const { placement } = this.cluster;
    this.hearing = new Hearing(runtime.world, placement, reaches, (shards) => presence.lapsed(shards));
  }

  #shake(): void {
    if (this.#shaken) return;
    this.#shaken = true;
    this.#parts.runtime.world.timer(LIMITS.rewatchMs, () => {
      this.#shaken = false;
      this.#parts.shaken();
    });
  }

  /** The actors are started. Other nodes find this one in the store before; until now their SENDs waited (shard-buffer.ts). */
  serve(): void {
    this.#link(this.cluster.members);
  }

  #link(members: readonly Peer[]): void {
    const { node, ready } = this.#parts;
    const mine = members.find((member) => member.node === node)?.incarnation;
    if (ready()) this.#serving = mine;
    this.#links?.peers(mine === this.#serving ? members : []);
  }

  get links(): Links {
    if (this.#links === null) throw new Error('the links are not open');
    return this.#links;
  }

  /** Listens for other nodes, and links with those that the membership names. */
  linkService(): Service {
    let links: Links | null = null;
    let unwatch = (): void => undefined;
    return {
      start: async () => {
        const { node, runtime, report } = this.#parts;
        const { net, mac, speech = SPEECH } = this.#setting;
        const { router } = this;
        links = await Links.open({
          world: runtime.world,
          net,
          mac,
          versions: speech.links,
          node,
          events: {
            up: (link) => router.up(link),
            batch: (link, bytes) => router.batch(link, bytes),
            taken: (link) => router.taken(link),
            room: (link) => router.room(link),
            down: (link) => {
              router.down(link);
              this.hearing.unlinked(link.node);
            },
            fault: (error) => report('link_fault', { reason: error instanceof Error ? (error.stack ?? '') : '' }),
            stranger: () => this.cluster.placement.hint(),
            // `node` is who writes the line.
            refused: (end, { node: peer, ...detail }) => report('link_refused', { end, peer, ...detail }),
          },
        });
        this.#links = links;
        unwatch = this.cluster.watch((members) => this.#link(members));
      },
      stop: async () => {
        unwatch();
        await links?.close();
      },
      inspect: () => ({ links: links?.stats().filter(({ state }) => state === 'up').length ?? 0 }),
    };
  }
}
