// Owns one history from its plan to its record: the world is built, the steps are taken, then faults stop and all must come to rest.
// Invariant: the same plan gives the same record and the same trace; a history leaves nothing behind in this process.
// Must not: draw steps, or judge.

import { DEFAULT_QUOTAS } from '../actors/allowances.js';
import type { Settings } from '../actors/fabric.js';
import { LIMITS } from '../actors/limits.js';
import { FOREVER, type Retention, SWEEP_PACE, type SweepPace } from '../actors/retention.js';
import type { Owner } from './clock.js';
import { WORLD } from './clock.js';
import { ClusterSite } from './cluster-site.js';
import { type Community, Device } from './device.js';
import type { Options, Plan } from './plan.js';
import type { Fact } from './record.js';
import { gather } from './rest.js';
import { type Site, SoleSite } from './site.js';
import { type Stage, take } from './steps.js';
import { Universe } from './universe.js';

export interface History {
  readonly record: readonly Fact[];
  /** Same plan, same trace. */
  readonly trace: string;
  /** Virtual ms, and events of the clock. */
  readonly ms: number;
  readonly events: number;
  /** What processes said of themselves, for people. */
  readonly notes: readonly string[];
}

/** ms between two looks whether all is at rest, and for which nothing may have moved then. */
const LOOK_MS = 500;
const STILL_MS = 3_000;
/** ms between two measurements of the node. */
const PROBE_MS = 1_000;
/** ms after the clients have gone until their actors must be gone too, beyond what passivation takes. */
const EMPTY_MS = 5_000;
/** ms between two looks of a cluster for what is on its way. */
const MOMENT_MS = 37;
/** Further looks that a chat which could not write has. */
const MORE_LOOKS = 3;
/** Events of a history: many times what any needs. */
const MOST_EVENTS = 300_000;
/** ms that the second application of a device stays. */
const TAKEOVER_MS = 1_500;

export async function runHistory(plan: Plan): Promise<History> {
  const run = new Run(plan);
  const rejected = (error: unknown): void => run.thrown(error, run.universe.clock.running);
  process.on('unhandledRejection', rejected);
  try {
    await run.go();
  } finally {
    process.off('unhandledRejection', rejected);
  }
  const { clock, record, notes } = run.universe;
  return { record, trace: clock.trace.hash, ms: clock.now, events: clock.events, notes };
}

class Run {
  readonly universe: Universe;
  readonly #plan: Plan;
  readonly #site: Site;
  readonly #devices = new Map<string, Device>();
  readonly #stage: Stage;
  readonly #community: Community;
  readonly #settings: Settings;
  /** When a node was last seen reading for its clients. */
  #read = Number.NEGATIVE_INFINITY;

  constructor(plan: Plan) {
    const { seed, options, users } = plan;
    this.#plan = plan;
    const universe = new Universe({
      seed,
      network: { latency: options.latency, kernel: 65_536, bandwidth: Number.POSITIVE_INFINITY },
      turn: [0.01, 0.2],
      buggify: options.buggify,
      calmAt: plan.calmAt,
    });
    this.universe = universe;
    universe.clock.most = MOST_EVENTS;
    universe.clock.thrown = (error, owner) => this.thrown(error, owner);
    this.#settings = settingsOf(plan);
    const { cluster } = plan;
    const site =
      cluster === undefined
        ? new SoleSite(universe, options, this.#settings)
        : new ClusterSite(universe, options, cluster, this.#settings);
    this.#site = site;
    let requests = 0;
    this.#community = {
      universe,
      options,
      dialer: (process, device) => site.dialer(process, device),
      address: () => site.nodes[0]!.address,
      // Several nodes may learn late of a removal: a token from the future would outlive it.
      issuing: () => Math.max(...site.nodes.map(({ wall }) => wall)) + (cluster === undefined ? 1_000 : 0),
      groups: new Map(),
      invites: new Map(),
      request: () => ++requests,
    };
    for (const { devices } of users) for (const id of devices) this.#devices.set(id, new Device(id, this.#community));
    this.#stage = {
      universe,
      site,
      devices: this.#devices,
      calm: false,
      heal: new Set(),
      takeover: (device) => this.#takeover(device),
    };
  }

  async go(): Promise<void> {
    const { universe } = this;
    const { steps, calmAt, restWithin } = this.#plan;
    const { clock } = universe;
    universe.fact({ kind: 'plan', plan: this.#plan });
    this.#site.start();
    for (const step of steps) {
      if (step.at <= calmAt) clock.schedule(step.at, WORLD, () => take(this.#stage, step));
    }
    this.#probe();
    await clock.run(calmAt);
    this.#calm();
    const reached = await this.#rest(calmAt + restWithin);
    if (reached) this.#site.tell();
    if (reached) await gather(this.universe, this.#site, [...this.#devices.values()]);
    await this.#leave();
    const { events, most } = clock;
    if (events >= most)
      universe.fact({ kind: 'trouble', where: 'world', what: `${events} events: it goes round and round` });
  }

  /** What an event threw, or a promise that nobody minds. */
  thrown(error: unknown, owner: Owner): void {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.universe.fact({ kind: 'trouble', where: `process ${owner.number}`, what });
  }

  /** Faults stop; who is down comes up. */
  #calm(): void {
    this.#stage.calm = true;
    this.universe.calm = true;
    for (const heal of [...this.#stage.heal]) heal();
    this.#site.calm();
    this.universe.fact({ kind: 'calm' });
    for (const device of this.#devices.values()) {
      device.start();
      // In a cluster connections that stood until now have to learn everything over those.
      if (this.#plan.cluster === undefined) device.session?.reconnect();
    }
  }

  /** True: within the time nothing moves any more. */
  async #rest(until: number): Promise<boolean> {
    const { clock } = this.universe;
    const began = clock.now;
    let why = this.#unrest();
    while (why !== '' && clock.now < until && clock.events < clock.most) {
      await clock.run(clock.now + LOOK_MS);
      for (const device of this.#devices.values()) device.start();
      why = this.#unrest();
    }
    this.universe.fact({ kind: 'rest', reached: why === '', ms: clock.now - began, why });
    return why === '';
  }

  /** What still goes on; '' for nothing. */
  #unrest(): string {
    const { now } = this.universe.clock;
    const down = this.#site.nodes.every(({ wiring }) => wiring === null);
    if (down) return 'no node is up';
    // What their clients are told next may be far down the line of a slow disk (seed 88001001085).
    if (this.#site.nodes.some(({ wiring }) => wiring?.fabric.reader.busy === true)) this.#read = now;
    if (now - this.#read < STILL_MS) return 'a node reads for its clients';
    for (const device of this.#devices.values()) {
      if (!device.online) return `${device.id} is not online`;
      // Nobody may know of it yet: an idle link tells nothing.
      const links = this.universe.network.of(device.id);
      if (!links.some(({ whole }) => whole)) return `${device.id} has a dead link`;
      const pending = device.session!.pending().length;
      if (pending > 0) return `${device.id} has ${pending} messages to send`;
      if (device.busy > 0) return `${device.id} waits for an answer or is handling`;
      if (now - device.moved < STILL_MS) return `${device.id} was told something`;
    }
    return this.#site.unrest();
  }

  /** Everybody goes, and their actors with them. A sweep may wake a chat at any time; but none stays that has nothing to do. */
  async #leave(): Promise<void> {
    const { clock } = this.universe;
    for (const device of this.#devices.values()) device.close();
    await clock.run(clock.now + EMPTY_MS);
    // Links of which the node has not learned that they are dead: it finds them idle.
    if (this.universe.network.links.size > 0) await clock.run(clock.now + LIMITS.idleMs + EMPTY_MS);
    const { nodes } = this.#site;
    const standing = (): string[] =>
      nodes.flatMap((node) => [...node.standing()].map((each) => (nodes.length === 1 ? each : `${node.name} ${each}`)));
    const before = new Set(standing());
    const stay = (): string[] => standing().filter((each) => before.has(each));
    // A chat first writes where it came to rest, and goes when it looks again. Where the log had no room just then it writes at
    // that look and goes with the one after (seed 1651: three chats of a shard that takes two).
    await clock.run(clock.now + 2 * this.#settings.passivateMs + EMPTY_MS);
    for (let looks = 0; looks < MORE_LOOKS && stay().length > 0; looks += 1)
      await clock.run(clock.now + this.#settings.passivateMs);
    const idle = stay();
    if (idle.length > 0) this.universe.note(`idle beyond passivation: ${idle.join(', ')}`);
    for (const node of nodes) {
      let gauges = node.gauges(true);
      // Just then something may be on its way: a beat, a sweep, a chat that goes.
      for (let looks = 0; looks < MORE_LOOKS && gauges.some(({ value, most }) => value > most); looks += 1) {
        if (nodes.length > 1) await clock.run(clock.now + MOMENT_MS);
        gauges = node.gauges(true);
      }
      if (gauges.length === 0) continue;
      gauges.push({ name: 'chats and users idle beyond passivation', value: idle.length, most: 0 });
      this.universe.fact({ kind: 'probe', node: node.name, rest: true, gauges });
    }
  }

  #probe(): void {
    const { clock } = this.universe;
    for (const node of this.#site.nodes) {
      const gauges = node.gauges(false);
      if (gauges.length > 0) this.universe.fact({ kind: 'probe', node: node.name, rest: false, gauges });
    }
    if (!this.#stage.calm) clock.schedule(clock.now + PROBE_MS, WORLD, () => this.#probe());
  }

  /** The same device and token, another installation: from now on it is the device, and the one before goes when it is told. */
  #takeover(device: Device): void {
    const { clock } = this.universe;
    if (!device.online) return;
    this.universe.fault('client_takeover', device.id);
    const other = device.double();
    this.#devices.set(device.id, other);
    other.start();
    clock.schedule(clock.now + TAKEOVER_MS, WORLD, () => {
      device.close();
      // What its listener finishes from now on is not written down any more (seed 202502).
      if (!this.#stage.calm && other.close()) this.universe.fault('client_close', other.id);
    });
  }
}

/** Sweeps within a second of what frees them: histories are short. */
const QUICK_SWEEPS: SweepPace = { restMs: 200, tickMs: 10, scanMs: 50, roundMs: 500 };

function settingsOf({ options, steps, cluster }: Plan): Settings {
  // Without anything that ends, the scan would only turn the clock.
  const ends = options.retention !== 'forever' || steps.some((step) => step.do === 'expiry');
  return {
    fanOutThreshold: options.fanOutThreshold,
    passivateMs: cluster?.passivateMs ?? LIMITS.passivateMs,
    retention: retentionOf(options),
    sweep: ends ? QUICK_SWEEPS : SWEEP_PACE,
    quotas: options.quotas ? { ...DEFAULT_QUOTAS, loopback: true } : UNLIMITED,
  };
}

function retentionOf({ retention, retentionMs }: Options): Retention {
  if (retention === 'until-delivered') return { type: 'until-delivered' };
  return retention === 'age' ? { type: 'history', ms: retentionMs } : FOREVER;
}

const UNLIMITED = {
  ...DEFAULT_QUOTAS,
  deviceSends: 0,
  userSends: 0,
  newDirects: 0,
  newGroups: 0,
  userGroups: 0,
  frameRate: 0,
  logins: 0,
  badLogins: 0,
  requests: 0,
  addressConnections: 0,
};
