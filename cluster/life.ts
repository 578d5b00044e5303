// Owns one life of this node as a member: from joining until it leaves, is evicted or is replaced.
//
//   beat ──▶ own row, beat + 1 ── held ─────▶ the lease goes on; held answers pass ──▶ look
//                 │                └ failed ─▶ after LIMITS.lapseMs the log takes and answers nothing ──▶ look
//                 └ evicted, replaced ───────▶ the life is over
//
//   look ──▶ grants, then members ──▶ who is silent is evicted ──▶ shards that fall to this node are taken, others given away
//
// Invariant: beats wait for nothing else of this node; looks follow beats, changes of the view and hints, one at a time. After the end of
// its life nothing of it writes a row or passes an answer.
// Must not: restart itself (its supervisor does), or open links.

import { LIMITS } from '../actors/limits.js';
import { grantRange, nodeInKey, nodeRange, shardInKey, viewKey } from '../storage/cluster-keys.js';
import { decodeView, encodeView } from '../storage/cluster-rows.js';
import { reasonOf } from '../storage/failure.js';
import { Log } from '../storage/log.js';
import type { Row, Store } from '../storage/store.js';
import type { ClusterOptions } from './cluster.js';
import type { Pace } from './drain.js';
import { Lease } from './lease.js';
import { type Identity, Membership } from './membership.js';
import { type Member, Observer } from './observer.js';
import { Ownership } from './ownership.js';
import type { Owner } from './placement.js';
import { Recovery } from './recovery.js';
import { propose } from './rendezvous.js';

/** What a life tells those for whom it lives. */
export interface LifeEvents {
  moved(shard: number, owner: Owner | null): void;
  members(members: readonly Member[]): void;
  /** Others took the node for dead, or another process has its name. */
  over(how: 'evicted' | 'replaced'): void;
}

export class Life {
  readonly log: Log;
  readonly lease: Lease;
  readonly observer = new Observer();
  readonly ownership: Ownership;
  readonly membership: Membership;
  readonly recovery: Recovery;
  view = 0;
  evictions = 0;
  readonly #options: ClusterOptions;
  readonly #store: Store;
  readonly #events: LifeEvents;
  readonly #node: string;
  #ended = false;
  #unwatch: () => void = () => undefined;
  #timers = new Set<() => void>();
  /** A beat was held since the last look that counted. */
  #counts = false;
  #looking: Promise<void> | null = null;
  #again = false;
  /** A look is set for soon. */
  #soon = false;
  #evicting = false;
  #plan: { readonly of: string; readonly nodes: readonly string[] } = { of: '', nodes: [] };
  #lives = '';

  /** `pace`: ownership.ts asks it before each hand-over. */
  constructor(options: ClusterOptions, store: Store, identity: Identity, events: LifeEvents, pace: Pace) {
    const { world, report, chats, resync, close, hint, tellings, p99 } = options;
    this.#options = options;
    this.#store = store;
    this.#events = events;
    this.#node = identity.node;
    this.lease = new Lease(world);
    this.membership = new Membership(store, world, options.mac, identity, p99);
    const lapsed = (): boolean => this.lease.lapsed;
    const { format } = this.membership.compatibility;
    this.log = new Log({ store, world, lapsed, format, onLost: (shard) => this.ownership.lost(shard) });
    const mine = (shard: number): boolean => this.ownership.owner(shard)?.mine === true;
    this.recovery = new Recovery({ world, store, chats, resync, report, mine });
    this.ownership = new Ownership({
      node: identity.node,
      world,
      store,
      log: this.log,
      observer: this.observer,
      recovery: this.recovery,
      ...(tellings === undefined ? {} : { tellings }),
      lapsed,
      pace,
      close,
      hint,
      moved: (shard, owner) => events.moved(shard, owner),
      again: () => this.look(),
    });
  }

  /** Resolves when this node is a member and has taken what falls to it at once. */
  async start(): Promise<void> {
    const began = this.#options.world.now();
    await this.membership.join();
    if (this.#ended) return;
    this.lease.renewed(began);
    this.#unwatch = this.#store.watch(viewKey(), () => this.look());
    void this.#beats();
    await this.#look();
    await this.ownership.settled();
  }

  /** Goes: what was taken is answered, then others need not wait for the lease. */
  async leave(): Promise<void> {
    const { world } = this.#options;
    const late = new Promise<void>((resolve) => world.timer(LIMITS.leaveMs, resolve));
    if (!this.#ended) await Promise.race([late, this.log.drained()]);
    this.end();
    await Promise.race([late, this.membership.leave().catch(() => false)]);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#unwatch();
    for (const cancel of this.#timers) cancel();
    this.ownership.end();
    this.log.close();
  }

  // ---- beats ----

  async #beats(): Promise<void> {
    const { world, report } = this.#options;
    while (!this.#ended) {
      const began = world.now();
      const beat = await this.membership.beat().catch((error: unknown) => {
        report('beat_failed', { reason: reasonOf(error) });
        return 'failed' as const;
      });
      if (this.#ended) return;
      if (beat === 'evicted' || beat === 'replaced') {
        this.end();
        return this.#events.over(beat);
      }
      if (beat === 'held') {
        this.lease.renewed(began);
        this.log.release();
        this.#counts = true;
      }
      void this.#look();
      const rest = began + LIMITS.beatMs - world.now();
      if (rest > 0) await new Promise<void>((resolve) => this.#after(rest, resolve));
    }
  }

  #after(ms: number, task: () => void): void {
    const cancel = this.#options.world.timer(ms, () => {
      this.#timers.delete(cancel);
      task();
    });
    this.#timers.add(cancel);
  }

  // ---- looks ----

  /** Looks at members and grants soon, however often it is said. */
  look(): void {
    if (this.#ended || this.#soon) return;
    this.#soon = true;
    this.#after(LIMITS.hintMs, () => {
      this.#soon = false;
      void this.#look();
    });
  }

  /** One at a time; what is said during one makes another. */
  async #look(): Promise<void> {
    if (this.#looking !== null) {
      this.#again = true;
      return this.#looking;
    }
    do {
      this.#again = false;
      this.#looking = this.#see().catch((error: unknown) => {
        this.#options.report('cluster_unreadable', { reason: reasonOf(error) });
      });
      await this.#looking;
      this.#looking = null;
    } while (this.#again && !this.#ended);
  }

  async #see(): Promise<void> {
    const { world } = this.#options;
    const { clock } = this.ownership;
    const counts = this.#counts;
    this.#counts = false;
    const began = world.now();
    const grants = await this.#store.range({ ...grantRange(), limit: LIMITS.shards });
    // After the grants: whoever one names is found, unless it is no member any more.
    const [nodes, view] = await Promise.all([
      this.#store.range({ ...nodeRange(), limit: LIMITS.nodes }),
      this.#store.get(viewKey()),
    ]);
    if (this.#ended) return;
    this.view = decodeView(view);
    const silent = this.observer.see(nodes.rows, began, world.now(), counts);
    // Its next beat finds out why.
    if (this.observer.member(this.#node)?.nonce !== this.membership.nonce) return;
    this.#told();
    void this.#format();
    if (silent.length > 0 && !this.lease.lapsed) void this.#evict(silent, view);
    const rows: (Uint8Array | undefined)[] = [];
    for (const { key, value } of grants.rows) rows[shardInKey(key)] = value;
    this.ownership.reconcile(rows, clock, this.#proposal());
  }

  #proposal(): readonly string[] {
    const { candidates } = this.observer;
    const of = candidates.join('\0');
    if (this.#plan.of !== of) this.#plan = { of, nodes: propose(candidates) };
    return this.#plan.nodes;
  }

  /** Rows of a later version, once all know them. */
  async #format(): Promise<void> {
    const { format, terms } = this.membership.compatibility;
    const highest = Math.min(...this.observer.members.map(({ rows }) => rows));
    const before = format.version;
    // What it read may be old by the time that this life is over.
    const standing = async () => {
      const all = await terms();
      return this.#ended ? { ...all, highest: 0 } : all;
    };
    await format.look(highest, standing).catch((error: unknown) => {
      this.#options.report('format_unreadable', { reason: reasonOf(error) });
    });
    if (format.version > before) this.#options.report('format_raised', { format: format.version });
  }

  /** Who is there has changed, or how they are reached. */
  #told(): void {
    const { members } = this.observer;
    const lives = members.map(({ node, incarnation, state }) => `${node}\0${incarnation}\0${state}`).join('\0');
    if (lives === this.#lives) return;
    this.#lives = lives;
    this.#events.members(members);
  }

  /** One transaction: the rows are as they were when they had been silent for too long, or nothing happens. */
  async #evict(silent: readonly Row[], view: Uint8Array | undefined): Promise<void> {
    if (this.#evicting) return;
    this.#evicting = true;
    const commit = {
      checks: [...silent, { key: viewKey(), value: view ?? null }],
      writes: [
        ...silent.map(({ key }) => ({ key, value: null })),
        { key: viewKey(), value: encodeView(decodeView(view) + 1) },
      ],
    };
    const result = await this.#store.commit(commit).catch(() => null);
    this.#evicting = false;
    if (result?.outcome === 'committed') {
      this.evictions += silent.length;
      const nodes = silent.map(({ key }) => nodeInKey(key)).join(', ');
      this.#options.report('nodes_evicted', { count: silent.length, nodes });
    }
    // Also where others were faster: somebody has gone.
    if (result?.outcome !== 'failed') this.look();
  }
}
