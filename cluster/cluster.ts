// Owns this node's part in a cluster, over all its lives: what the rest of the node asks, whichever life it is in.
// Invariant: between two lives nothing is owned, and the log answers `closed` to all; each life is new: it inherits nothing but the name.
// Must not: know sockets; the links are told who is there (`watch`), and are asked what has arrived (`tellings`).

import { assert } from '../actors/errors.js';
import type { Directory } from '../actors/fabric.js';
import { LIMITS } from '../actors/limits.js';
import type { ChatMessage } from '../actors/messages.js';
import type { World } from '../actors/world.js';
import { NODE_STATE } from '../storage/cluster-rows.js';
import type { Log } from '../storage/log.js';
import type { Store } from '../storage/store.js';
import type { Tellings } from '../storage/untold.js';
import type { Service } from '../supervisors/worker.js';
import { Drain, type DrainPlan, type DrainStatus, type Guests } from './drain.js';
import { Life, type LifeEvents } from './life.js';
import type { Mac } from './link-greeting.js';
import type { Identity } from './membership.js';
import type { Member } from './observer.js';
import type { Owner, Placement } from './placement.js';

export interface ClusterOptions {
  readonly world: World;
  /** Asked at the start of each life. */
  readonly store: () => Store;
  /** With the cluster's secret. */
  readonly mac: Mac;
  /** Asked at the start of each life: the address is known when the links listen. */
  readonly identity: () => Identity | Promise<Identity>;
  /** The shard's actors, where they are this node's. */
  readonly chats: Directory<ChatMessage>;
  /** Ends the shard's actors of this node, users and chats; resolves when they have ended. Must not reject. */
  readonly close: (shard: number) => Promise<void>;
  /** Clients of all nodes have to say where they stand. */
  readonly resync: () => void;
  /** That node was given a shard: tell it to look (`Placement.hint`), if it can be told. */
  readonly hint: (node: string) => void;
  /** This node's clients; absent: it has none. */
  readonly guests?: Guests;
  /** How long its clients' sends take (actors/latency.ts). */
  readonly p99?: () => number | null;
  /** What arrives on other nodes; absent: nothing is told to any. */
  readonly tellings?: Tellings;
  /** Another process has joined under this node's name. A restart would throw that one out, and the two would go on so: this one must end. */
  readonly replaced: () => void;
  readonly report: (event: string, fields: Readonly<Record<string, string | number>>) => void;
}

export interface MemberStatus {
  readonly node: string;
  readonly incarnation: number;
  /** NODE_STATE in storage/cluster-rows.ts. */
  readonly state: number;
  readonly address: string;
  readonly url: string;
  /** Highest version of stored rows that it knows. */
  readonly rows: number;
  /** ms of silence, as far as it counts against the node. */
  readonly silence: number;
  /** ms, by its own word; null: it does not say. */
  readonly p99: number | null;
}

export interface ShardStatus {
  readonly shard: number;
  /** Node that the grant names; null none. */
  readonly granted: string | null;
  readonly epoch: number;
  /** True: it can be reached as far as this node knows. */
  readonly owned: boolean;
  readonly mine: boolean;
}

export interface ClusterStatus {
  readonly incarnation: number;
  readonly view: number;
  /** Version of stored rows that is in force. */
  readonly format: number;
  readonly lapsed: boolean;
  readonly members: readonly MemberStatus[];
  readonly shards: readonly ShardStatus[];
  /** Appends refused because their shard had become another's. */
  readonly stale: number;
  readonly taken: number;
  readonly lost: number;
  readonly moves: number;
  /** Shards on their way to others. */
  readonly moving: number;
  readonly evictions: number;
  /** Chats that were asked to tell their news again. */
  readonly recovered: number;
}

export interface Cluster {
  readonly placement: Placement;
  /** Of the present life. */
  readonly log: Log;
  readonly members: readonly Member[];
  /** Others count this node out, or soon may. */
  readonly lapsed: boolean;
  /** Told of the members now, and whenever one comes, goes or changes its state. The returned function ends it. */
  watch(listener: (members: readonly Member[]) => void): () => void;
  /** Its shards and clients go to others; it stays a member, until it is told to stay for good. `last`: no other node is up. */
  drain(plan: DrainPlan): 'begun' | 'already' | 'last';
  /** It takes its part again. False: it was not draining. */
  stay(): boolean;
  /** Null: it does not drain. */
  readonly drainage: DrainStatus | null;
  /** Of the present life, or the last one. Null before the first. */
  status(): ClusterStatus | null;
  /** One life: for each start of its supervisor. It fails when others take the node for dead. */
  service(): Service;
}

const NO_GUESTS: Guests = { open: 0, away: () => false, stay: () => undefined, aside: () => undefined };

export function startCluster(options: ClusterOptions): Cluster {
  return new Part(options);
}

class Part implements Cluster {
  readonly placement: Placement;
  readonly #options: ClusterOptions;
  readonly #owners = new Set<(shard: number, owner: Owner | null) => void>();
  readonly #watchers = new Set<(members: readonly Member[]) => void>();
  #members: readonly Member[] = [];
  #life: Life | null = null;
  #drain: Drain | null = null;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.placement = {
      owner: (shard) => this.#life?.ownership.owner(shard) ?? null,
      subscribe: (listener) => {
        this.#owners.add(listener);
        return () => this.#owners.delete(listener);
      },
      hint: () => this.#life?.look(),
    };
  }

  get log(): Log {
    assert(this.#life !== null, 'the log is asked for while the cluster runs');
    return this.#life.log;
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  get lapsed(): boolean {
    return this.#life?.lease.lapsed ?? true;
  }

  watch(listener: (members: readonly Member[]) => void): () => void {
    this.#watchers.add(listener);
    listener(this.#members);
    return () => this.#watchers.delete(listener);
  }

  drain(plan: DrainPlan): 'begun' | 'already' | 'last' {
    if (this.#drain !== null) return 'already';
    if (this.#others().length === 0) return 'last';
    const { world, guests = NO_GUESTS } = this.#options;
    // Whoever comes all the same makes it drain again, for a moment.
    let told = false;
    this.#drain = new Drain(plan, {
      world,
      guests,
      shards: () => this.#left(),
      loads: () => this.#life?.observer.members ?? [],
      others: () => this.#others(),
      look: () => this.#life?.look(),
      changed: () => {
        this.#enter();
        if (told || plan.hurry === true || this.#drain?.state !== 'drained') return;
        told = true;
        this.#options.report('drained', {});
      },
    });
    this.#enter();
    return 'begun';
  }

  stay(): boolean {
    const draining = this.#drain !== null;
    this.#drain?.end();
    this.#drain = null;
    this.#enter();
    return draining;
  }

  get drainage(): DrainStatus | null {
    return this.#drain?.status ?? null;
  }

  /** What other members are to know with the next beat. */
  #enter(): void {
    this.#life?.membership.enter(this.#drain === null ? NODE_STATE.up : NODE_STATE[this.#drain.state]);
  }

  /** Members that shards and clients may go to. */
  #others(): readonly Member[] {
    const { observer, membership } = this.#life ?? {};
    const up = observer?.members.filter(({ state }) => state === NODE_STATE.up) ?? [];
    return up.filter(({ nonce }) => nonce !== membership?.nonce);
  }

  /** Shards that are this node's, or on their way; null: it is no member at this moment. */
  #left(): number | null {
    const life = this.#life;
    if (life === null || life.lease.lapsed) return null;
    const { held, stats } = life.ownership;
    return held + stats.moving;
  }

  status(): ClusterStatus | null {
    const life = this.#life;
    if (life === null) return null;
    const { ownership, observer, membership, view, lease, evictions, recovery, log } = life;
    return {
      incarnation: membership.incarnation,
      view,
      format: log.format,
      lapsed: lease.lapsed,
      members: observer.members.map(({ node, incarnation, state, address, url, rows, p99 }) => {
        return { node, incarnation, state, address, url, rows, p99, silence: observer.silence(node) };
      }),
      shards: Array.from({ length: LIMITS.shards }, (_, shard) => {
        const owner = ownership.owner(shard);
        const [granted, epoch] = [ownership.granted(shard), ownership.epoch(shard)];
        return { shard, granted, epoch, owned: owner !== null, mine: owner?.mine === true };
      }),
      stale: log.stats().stale,
      ...ownership.stats,
      evictions,
      recovered: recovery.asked,
    };
  }

  service(): Service {
    let life: Life | null = null;
    return {
      start: async (failed) => {
        const identity = await this.#options.identity();
        const pace = { shard: () => this.#drain?.shard() ?? true, hurry: () => this.#drain?.plan.hurry === true };
        const events: LifeEvents = {
          moved: (shard, owner) => {
            for (const listener of this.#owners) listener(shard, owner);
          },
          members: (members) => this.#tell(members),
          over: (how) => {
            this.#options.report('membership_lost', { how });
            if (how === 'replaced') this.#options.replaced();
            failed(new MembershipLost(how));
          },
        };
        life = new Life(this.#options, this.#options.store(), identity, events, pace);
        this.#life = life;
        this.#enter();
        await life.start();
      },
      stop: async () => {
        await life?.leave();
        this.#tell([]);
      },
      kill: () => life?.end(),
      inspect: () => ({
        incarnation: life?.membership.incarnation ?? 0,
        view: life?.view ?? 0,
        members: this.#members.length,
        shards: life?.ownership.held ?? 0,
      }),
    };
  }

  #tell(members: readonly Member[]): void {
    this.#members = members;
    for (const listener of this.#watchers) listener(members);
  }
}

/** Others count this node out, or another process has its id. */
class MembershipLost extends Error {
  override readonly name = 'MembershipLost';
  readonly code = 'membership_lost';
}
