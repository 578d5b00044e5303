// Owns a node in the simulated world: the product's wiring in a simulated process, its disk, and whoever starts it again.
// Invariant: a node that is down is started again, as a process manager does; what it says it stops at is recorded.
// Must not: reach into actors; what it shows of them is what operators see.

import { Struck } from '../actors/buggify.js';
import type { Settings, Verdict } from '../actors/fabric.js';
import { LIMITS } from '../actors/limits.js';
import type { ClusterSetting } from '../services/member.js';
import { Wiring } from '../services/wiring.js';
import type { Store } from '../storage/store.js';
import { directHost } from '../supervisors/direct-host.js';
import type { TreeEvent } from '../supervisors/events.js';
import { WORLD } from './clock.js';
import { gauges } from './gauges.js';
import { type Process, wallAt } from './process.js';
import type { Gauge } from './record.js';
import type { Universe } from './universe.js';

/** ms after which a node that ended by itself, or could not start, is started again. */
const AGAIN_MS = 500;
/** ms that an ordered stop may take before it is killed, as by a process manager. */
const STOP_MS = 10_000;

/** What a node keeps its rows in. */
export interface Depot {
  /** For a process that starts. */
  open(process: Process): Promise<Store>;
  /** Its process died. Of what is not flushed `keep` (0 to 1) survives; answers how many groups did not. */
  crash(keep: number): number;
}

export interface NodeSetting {
  readonly settings: Settings;
  /** What an assertion, a crashed actor or anything else that must not be is told to. */
  trouble(where: string, what: string): void;
  /** Absent: the node is alone. */
  member?(process: Process): ClusterSetting;
  /** Told of each of its processes. `vanished`: with its machine. */
  began?(process: Process): void;
  gone?(process: Process, vanished: boolean): void;
}

type Status = 'down' | 'starting' | 'up' | 'stopping';

export class Node {
  readonly name: string;
  readonly #depot: Depot;
  status: Status = 'down';
  readonly address: string;
  #process: Process | null = null;
  #wiring: Wiring | null = null;
  #skew = 0;
  readonly #universe: Universe;
  readonly #setting: NodeSetting;

  constructor(name: string, universe: Universe, depot: Depot, setting: NodeSetting) {
    this.name = name;
    this.address = `ws://${name}`;
    this.#depot = depot;
    this.#universe = universe;
    this.#setting = setting;
  }

  get process(): Process | null {
    return this.#process;
  }

  /** Its wall clock. */
  get wall(): number {
    return wallAt(this.#universe.clock.now + this.#skew);
  }

  /** While it is up. */
  get wiring(): Wiring | null {
    return this.status === 'up' ? this.#wiring : null;
  }

  start(): void {
    if (this.status !== 'down') return;
    const process = this.#universe.process(this.name, this.#skew);
    const wiring = this.#wire(process);
    this.status = 'starting';
    this.#process = process;
    this.#wiring = wiring;
    this.#setting.began?.(process);
    wiring.start().then(
      () => {
        if (this.#process !== process) return;
        this.status = 'up';
        // Its supervisors gave up: the process ends, and another one follows.
        wiring.tree.ended.then(() => {
          if (this.#process === process && this.status === 'up') this.#gone(1, AGAIN_MS);
        });
      },
      () => {
        if (this.#process === process) this.#gone(1, AGAIN_MS);
      },
    );
  }

  /** kill -9, or the power goes. The disk keeps `keep` (0 to 1) of the groups that are not flushed. True: it was there to be killed. */
  crash(keep: number, againMs: number, vanished = false): boolean {
    if (this.#process === null) return false;
    this.#gone(keep, againMs, vanished);
    return true;
  }

  /** The process ends by itself, and another one follows. */
  fails(process: Process): void {
    if (this.#process === process) this.#gone(1, AGAIN_MS);
  }

  /** Kills the actors of all chats. True: there were some. */
  endChats(): boolean {
    if (this.wiring === null) return false;
    const { chats, runtime } = this.wiring;
    const live = chats.flatMap((pool) => [...pool.entries()].map(([, ref]) => ref));
    for (const ref of live) runtime.exit(ref, { type: 'killed' });
    return live.length > 0;
  }

  /** As by SIGTERM. */
  stop(againMs: number): boolean {
    const wiring = this.#wiring;
    const process = this.#process;
    if (this.status !== 'up' || wiring === null) return false;
    this.status = 'stopping';
    const over = (): void => {
      if (this.#process === process) this.#gone(1, againMs);
    };
    void wiring.stop().then(over);
    this.#universe.clock.schedule(this.#universe.clock.now + STOP_MS, WORLD, over);
    return true;
  }

  /** Moves its wall clock. */
  jump(ms: number): void {
    this.#skew += ms;
    if (this.#process !== null) this.#process.skew = this.#skew;
  }

  /** Sizes against their bounds; none while it is down. */
  gauges(rest: boolean): Gauge[] {
    return this.wiring === null ? [] : gauges(this.wiring, this.#process!, rest);
  }

  /** Chats and users in memory, each as which incarnation and how many messages it has handled. */
  standing(): Set<string> {
    const found = new Set<string>();
    const { wiring } = this;
    if (wiring === null) return found;
    for (const pool of [wiring.users, ...wiring.chats]) {
      for (const [key, ref] of pool.entries()) {
        found.add(`${key} (${ref.incarnation})`);
      }
    }
    return found;
  }

  #gone(keep: number, againMs: number, vanished = false): void {
    const { clock, network } = this.#universe;
    const process = this.#process!;
    this.#process = null;
    this.#wiring = null;
    this.status = 'down';
    process.end();
    const lost = this.#depot.crash(keep);
    if (lost > 0) this.#universe.fault('disk_lost_tail', this.name, `${lost} groups`);
    network.died(process, vanished);
    this.#setting.gone?.(process, vanished);
    clock.schedule(clock.now + againMs, WORLD, () => this.start());
  }

  #wire(process: Process): Wiring {
    const { settings } = this.#setting;
    const cluster = this.#setting.member?.(process);
    return new Wiring({
      node: this.name,
      world: process,
      seats: directHost(process),
      settings,
      ...(cluster === undefined ? {} : { cluster }),
      verifier: { verify: (token) => this.#verify(process, token) },
      openStore: () => this.#depot.open(process),
      listen: async (acceptor) =>
        this.#universe.network.listen(process, this.address, {
          maxMessage: LIMITS.frame,
          maxBuffered: LIMITS.bufferedHard,
          idleMs: LIMITS.idleMs,
          accept: (socket) => acceptor.accept(socket),
        }),
      fenced: (shard) => {
        this.#universe.note(`${this.name} lost shard ${shard}`);
        // Not from within: whoever told of it goes on in this event.
        process.arrive(0, () => this.crash(1, AGAIN_MS));
      },
      event: (event) => this.#event(event),
      report: (event, fields) => this.#report(event, fields),
      runtime: { trace: { fault: (error) => this.#setting.trouble(this.name, `fault ${text(error)}`) } },
    });
  }

  #event(event: TreeEvent): void {
    switch (event.type) {
      case 'crashed':
      case 'quarantined': {
        // What was struck on purpose is no news; a key that is struck again and again is quarantined, as it should.
        if (event.error instanceof Struck || text(event.error).startsWith('Error: killed')) return;
        const what = `${event.type} ${event.path}/${event.key}: ${event.message} ${text(event.error)}`;
        this.#setting.trouble(this.name, what);
        return;
      }
      default:
        this.#universe.note(`${this.name} ${event.type} ${event.path}`);
    }
  }

  #report(event: string, fields: Readonly<Record<string, string | number>>): void {
    const crash = event === 'connection_crashed' && !String(fields.error).startsWith('Struck');
    if (crash) this.#setting.trouble(this.name, `${event} ${fields.error}`);
    else this.#universe.note(`${this.name} ${event} ${JSON.stringify(fields)}`);
  }

  /** Takes some time, as a provider's key set does. */
  #verify(process: Process, token: string): Promise<Verdict> {
    return new Promise((resolve) => {
      process.timer(1, () => resolve(verdict(token, process.wall())));
    });
  }
}

/** What stands for a signed token: user, device, issued, expires. */
export function tokenOf(user: string, device: string, issued: number, expires: number): string {
  return JSON.stringify([user, device, issued, expires]);
}

export function verdict(token: string, wall: number): Verdict {
  const bad: Verdict = { ok: false, code: 'bad_token', detail: 'not a token' };
  let parts: unknown;
  try {
    parts = JSON.parse(token);
  } catch {
    return bad;
  }
  if (!Array.isArray(parts)) return bad;
  const [user, device, issued, expires] = parts;
  if (typeof user !== 'string' || typeof device !== 'string') return bad;
  if (typeof issued !== 'number' || typeof expires !== 'number') return bad;
  if (expires < wall) return { ok: false, code: 'token_expired', detail: 'expired' };
  return { ok: true, user, device, issued, expires };
}

function text(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message).split('\n').slice(0, 6).join(' | ') : String(error);
}
