// Owns how a node is emptied while it lives: its shards go to others one by one, then its clients are sent away, as fast as the
// cluster's own latency allows.
//
//   begin ─▶ draining: shards ─▶ draining: clients ─▶ drained ─▶ (the operator stops it)
//                 │    ▲                                 │
//                 └────┴── somebody comes, or a shard ◀──┘        end: a member like any other, whenever it is said
//
// Invariant: `drained` is said only of a member that has neither shards nor clients; a node between two lives is not. While a member's
// latency is above what was asked for, or no other node would take over, nothing is given away.
// Must not: move a shard (ownership.ts) or speak to a client; survive the process: a node that was started again is a member.

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';

export interface DrainPlan {
  /** Shards handed over in a second, at most. */
  readonly rate: number;
  /** Clients sent away in a second, at most. */
  readonly clients: number;
  /** ms that the slowest hundredth of sends may take on any node. 0: whatever it takes. */
  readonly maxP99: number;
  /** The process ends soon: clients go along with the shards, and shards also to who has been there for a short time only. */
  readonly hurry?: true;
}

/** As fast as it goes: nobody is spared. */
export const UNPACED: DrainPlan = { rate: 500, clients: 500, maxP99: 0 };

/** How fast shards are given to others. */
export interface Pace {
  /** Asked last before a hand-over. False: it is too early for one more. */
  shard(): boolean;
  /** They go also to nodes that came a moment ago. */
  hurry(): boolean;
}

export interface DrainStatus extends DrainPlan {
  readonly state: 'draining' | 'drained';
  /** Null: the node joins its cluster anew at this moment. */
  readonly shardsLeft: number | null;
  readonly clientsLeft: number;
  /** The highest of all members, ms, and whose it is. Null: no member had sends to speak of. */
  readonly p99: number | null;
  readonly slowest: string | null;
  /** 0 to 1 of the rates: it goes down as the latency nears what was asked for. */
  readonly pace: number;
  /** Why nothing happens: the latency is too high, or no other node is up. Null: nothing is in the way. */
  readonly waits: 'latency' | 'nobody' | null;
  /** ms since it began. */
  readonly ms: number;
}

/** The clients of a node, as far as a drain is concerned. */
export interface Guests {
  readonly open: number;
  /** Tells one that was not told yet to go to `target`, '' where it came from. False: all were told. */
  away(target: string): boolean;
  /** They may stay: who has not gone yet will be told again, should it come to that. */
  stay(): void;
  /** New ones are left to the other nodes, where those share this one's port. May be said often. */
  aside(on: boolean): void;
}

/** What others say of themselves. */
export interface Load {
  readonly node: string;
  readonly p99: number | null;
}

export interface DrainParts {
  readonly world: World;
  /** Shards that are this node's, or on their way; null between two lives. */
  readonly shards: () => number | null;
  readonly guests: Guests;
  /** All members. */
  readonly loads: () => readonly Load[];
  /** Members that would take over: where clients reach them. */
  readonly others: () => readonly { readonly url: string }[];
  /** One more shard may go. */
  readonly look: () => void;
  /** The state is another one. */
  readonly changed: () => void;
}

/** Share of the latency asked for from which it goes slower instead of faster. */
const NEAR = 0.75;
/** Least share of the rates, so that it is known soon when the latency is better. */
const SLOWEST = 1 / 8;
/** A quick fall and a slow rise, as TCP has them: a second from the least pace to the full one. */
const FASTER = 0.1;
const SLOWER = 0.8;

export class Drain {
  readonly plan: DrainPlan;
  readonly #parts: DrainParts;
  readonly #began: number;
  #cancel: () => void = () => undefined;
  #last: number;
  #pace = 1;
  #waits: DrainStatus['waits'] = null;
  #state: DrainStatus['state'] = 'draining';
  /** Shards and clients that may go now. */
  #shards = 1;
  #clients = 0;
  #next = 0;

  constructor(plan: DrainPlan, parts: DrainParts) {
    this.plan = plan;
    this.#parts = parts;
    this.#began = parts.world.now();
    this.#last = this.#began;
    this.#wait();
  }

  get state(): DrainStatus['state'] {
    return this.#state;
  }

  get status(): DrainStatus {
    const { world, shards, guests } = this.#parts;
    const worst = this.#worst();
    return {
      ...this.plan,
      state: this.#state,
      shardsLeft: shards(),
      clientsLeft: guests.open,
      p99: worst?.p99 ?? null,
      slowest: worst?.node ?? null,
      pace: this.#waits === null ? this.#pace : 0,
      waits: this.#waits,
      ms: Math.round(world.now() - this.#began),
    };
  }

  /** True, and it is counted: a shard may go now. */
  shard(): boolean {
    if (this.#waits !== null || this.#shards < 1) return false;
    this.#shards -= 1;
    return true;
  }

  end(): void {
    this.#cancel();
    this.#parts.guests.aside(false);
    this.#parts.guests.stay();
  }

  #tick(): void {
    const { world, shards, guests, others, look, changed } = this.#parts;
    const now = world.now();
    // A process that was frozen has nothing to make up for.
    const passed = Math.min(now - this.#last, LIMITS.drainTickMs * 2) / 1_000;
    this.#last = now;
    const targets = others();
    this.#judge(targets.length > 0);
    guests.aside(targets.length > 0);
    const left = shards();
    const flow = this.#waits === null ? this.#pace * passed : 0;
    const step = LIMITS.drainTickMs / 1_000;
    this.#shards = Math.min(this.#shards + this.plan.rate * flow, Math.max(1, this.plan.rate * step));
    if (left !== 0 && this.#waits === null && this.#shards >= 1) look();
    if (left !== 0 && this.plan.hurry !== true) this.#clients = 0;
    else {
      this.#clients = Math.min(this.#clients + this.plan.clients * flow, Math.max(1, this.plan.clients * step));
      this.#send(targets);
    }
    const state = left === 0 && guests.open === 0 ? 'drained' : 'draining';
    if (state !== this.#state) {
      this.#state = state;
      changed();
    }
    this.#wait();
  }

  #wait(): void {
    this.#cancel = this.#parts.world.timer(LIMITS.drainTickMs, () => this.#tick());
  }

  #send(targets: readonly { readonly url: string }[]): void {
    const urls = targets.map(({ url }) => url).filter((url) => url !== '');
    for (; this.#clients >= 1; this.#clients -= 1) {
      this.#next += 1;
      if (!this.#parts.guests.away(urls[this.#next % urls.length] ?? '')) return;
    }
  }

  #judge(others: boolean): void {
    const { maxP99 } = this.plan;
    const p99 = this.#worst()?.p99 ?? 0;
    if (!others) this.#waits = 'nobody';
    else this.#waits = maxP99 > 0 && p99 > maxP99 ? 'latency' : null;
    if (maxP99 > 0 && p99 > maxP99 * NEAR) this.#pace = Math.max(SLOWEST, this.#pace * SLOWER);
    else this.#pace = Math.min(1, this.#pace + FASTER);
  }

  #worst(): { readonly node: string; readonly p99: number } | null {
    let worst: { readonly node: string; readonly p99: number } | null = null;
    for (const { node, p99 } of this.#parts.loads()) {
      if (p99 !== null && p99 > (worst?.p99 ?? -1)) worst = { node, p99 };
    }
    return worst;
  }
}
