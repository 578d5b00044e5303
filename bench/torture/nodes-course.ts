// Owns the course of a torture of several nodes: a host under clients of all its nodes, and in each round something happens to a node
// or to the host; then quiet, and the evidence is gathered.
//
//   kill     -9 for a node; its host starts it again                     (sometimes once more, or two at once)
//   freeze   SIGSTOP for longer than a lease, then SIGCONT: it comes back to shards that are others'
//   stop     SIGTERM for a node: it hands over and ends; its host starts it again
//   drain    it is emptied, and then stopped, or killed in the middle of it, or taken back
//   host     -9 for the parent, with which all nodes end; then a new host on the same data
//   store    SIGSTOP for the store's server, where it is a process apart and named, then SIGCONT
//
// Invariant: any rounds from the first on that are as many as the kinds have one of each; a round begins with a whole cluster under traffic; what is read in the end was on disk.
// Must not: judge (checker.ts, owners.ts, bystanders.ts), or print.

import { join } from 'node:path';
import { LIMITS } from '../../actors/limits.js';
import { grantKey } from '../../storage/cluster-keys.js';
import { decodeGrant } from '../../storage/cluster-rows.js';
import { HostProcess } from '../host-process.js';
import { median } from '../report.js';
import { Bystanders } from './bystanders.js';
import type { Violation } from './checker.js';
import { Crowd, pause } from './crowd.js';
import {
  type ClusterFigures,
  type Course,
  crowdFigures,
  type Figures,
  type Outcome,
  type TortureOptions,
  troublesOf,
} from './outcome.js';
import { OwnerTrail } from './owners.js';
import { FAN_OUT_THRESHOLD, LATE, TWICE } from './plan.js';

const KINDS = ['kill', 'freeze', 'stop', 'drain', 'host', 'store'] as const;
type Kind = (typeof KINDS)[number];

/** Share of the drains that are not let come to their end, and ms within which. */
const HALFWAY = 0.6;
const DRAIN_MS = 3_000;
/** ms that the store stands still, at most: beyond all time limits of its engine. */
const STALL_MS = 8_000;
/** ms between two samples of what the nodes say. */
const SAMPLE_MS = 200;
/** ms before something happens in which acknowledgements count as given just before it. */
const JUST_MS = 300;
/** ms that a bystander may wait, beside the freeze of the node that owed it something: failover takes 2.4 s on an idle machine. */
const TOLD_MS = 20_000;
/** Ends of one node within a minute that its host takes, with one to spare for an end that was not ours. */
const ENDS = 4;
const MINUTE = 62_000;

export class NodesCourse implements Course {
  readonly #options: TortureOptions;
  readonly #ports: { readonly port: number; readonly peers: number };
  readonly #crowd: Crowd;
  readonly #data: string;
  readonly #owners = new OwnerTrail();
  readonly #violations: Violation[] = [];
  readonly #counts = { kill: 0, freeze: 0, stop: 0, drain: 0, host: 0, store: 0 };
  readonly #whole: number[] = [];
  /** When each node ended, in this host's life. */
  #ends: number[][] = [];
  #host: HostProcess | null = null;
  #round = 0;
  #last: ClusterFigures['last'] = { kind: '', wholeMs: 0, againMs: 0 };
  #told = 0;
  #toldMs = 0;
  #sampling = true;

  constructor(options: TortureOptions, ports: { readonly port: number; readonly peers: number }) {
    const { clients, seed, folder } = options;
    this.#options = options;
    this.#ports = ports;
    this.#data = join(folder, 'node');
    this.#crowd = new Crowd({ clients, seed, folder, data: this.#data, port: ports.port, severalNodes: true });
  }

  async run(): Promise<Outcome> {
    const crowd = this.#crowd;
    await this.#start();
    const samples = this.#sample();
    await crowd.introduce();
    crowd.run();
    const { freeze, storePid } = this.#options;
    const impossible: readonly Kind[] = [
      ...(freeze > 0 ? [] : (['freeze'] as const)),
      ...(storePid === null ? (['store'] as const) : []),
    ];
    const possible = KINDS.filter((kind) => !impossible.includes(kind));
    let kinds: Kind[] = [];
    for (this.#round = 1; this.#round <= this.#options.rounds; this.#round += 1) {
      if (kinds.length === 0) kinds = shuffled(possible, crowd.random);
      await this.#torment(kinds.pop()!);
      this.#options.progress(this.#figures());
    }
    this.#round = this.#options.rounds;
    await crowd.rest();
    // What is read from here on was on disk, not only in the nodes' memory.
    await this.#killHost();
    await crowd.online();
    const violations = await crowd.judge();
    this.#sampling = false;
    await samples;
    const { code, signal } = await this.#host!.stop('SIGTERM');
    if (code !== 0) crowd.trouble(`the host ended with ${code ?? signal} on SIGTERM`);
    await this.#readGrants();
    return {
      figures: this.#figures(),
      chats: crowd.chats.size,
      violations: [...violations, ...this.#violations, ...this.#owners.violations],
      troubles: troublesOf(crowd),
      log: this.#host!.lines,
    };
  }

  async end(): Promise<void> {
    this.#sampling = false;
    await this.#crowd.close();
    await this.#host?.stop('SIGKILL');
  }

  // ---- what happens ----

  async #torment(kind: Kind): Promise<void> {
    const crowd = this.#crowd;
    await crowd.traffic();
    await crowd.mischief(crowd.random() * LATE);
    await this.#spare();
    const from = crowd.acks.length;
    await pause(JUST_MS);
    this.#counts[kind] += 1;
    const began = performance.now();
    const watched = this.#watch(kind, from, began);
    if (kind === 'host') await this.#killHost();
    else if (kind === 'freeze') await this.#freeze();
    else if (kind === 'drain') await this.#drain();
    else if (kind === 'store') await this.#stall();
    else await this.#end(kind);
    const againMs = performance.now() - began;
    await crowd.until(`a whole cluster after a ${kind}`, () => this.#host!.whole());
    const wholeMs = performance.now() - began;
    await watched;
    this.#whole.push(wholeMs);
    this.#last = { kind, wholeMs, againMs };
  }

  /** `kill` or `stop`. */
  async #end(kind: Kind): Promise<void> {
    const { random } = this.#crowd;
    const node = this.#victim();
    const also = kind === 'kill' && this.#options.nodes > 2 && random() < TWICE ? this.#victim(node) : null;
    for (const one of also === null ? [node] : [node, also]) {
      await this.#again(one, kind === 'kill' ? 'SIGKILL' : 'SIGTERM');
    }
    if (kind === 'stop' || random() >= TWICE) return;
    await pause(random() * 500);
    await this.#again(node, 'SIGKILL');
  }

  async #drain(): Promise<void> {
    const { random } = this.#crowd;
    const host = this.#host!;
    const node = this.#victim();
    const how = random();
    const plan = { rate: 2 + random() * 18, clients: 5 + random() * 100, maxP99: 0 };
    const enough = performance.now() + random() * DRAIN_MS;
    await host.drain(node, plan, () => how < HALFWAY && performance.now() > enough);
    if (how < HALFWAY / 2) await host.stay(node);
    else await this.#again(node, how < HALFWAY ? 'SIGKILL' : 'SIGTERM');
  }

  /** Resolves when the node's next process has begun. */
  async #again(node: number, signal: NodeJS.Signals): Promise<void> {
    const host = this.#host!;
    const before = host.pidOf(node);
    this.#ends[node - 1]!.push(performance.now());
    if (!host.signal(node, signal)) return;
    await this.#crowd.until(`node ${node} to be started again`, () => {
      const now = host.pidOf(node);
      return now !== undefined && now !== before;
    });
  }

  async #freeze(): Promise<void> {
    const { random } = this.#crowd;
    const node = this.#victim();
    const pid = this.#host!.pidOf(node);
    if (pid === undefined) return;
    process.kill(pid, 'SIGSTOP');
    const began = performance.now();
    // Clients come and go meanwhile, and some meet the frozen node.
    await pause(random() * 1_000);
    await this.#crowd.mischief(random() * LATE);
    await pause(this.#options.freeze - (performance.now() - began));
    // Its host may have lost its patience, and killed it.
    if (this.#host!.pidOf(node) === pid) process.kill(pid, 'SIGCONT');
  }

  async #stall(): Promise<void> {
    const { random } = this.#crowd;
    const pid = this.#options.storePid!;
    process.kill(pid, 'SIGSTOP');
    await this.#crowd.mischief(random() * STALL_MS);
    process.kill(pid, 'SIGCONT');
  }

  async #killHost(): Promise<void> {
    await this.#host!.stop('SIGKILL');
    await this.#start();
  }

  async #start(): Promise<void> {
    const { nodes, where } = this.#options;
    const flags = ['--fanout-threshold', String(FAN_OUT_THRESHOLD), ...where.flags];
    this.#ends = Array.from({ length: nodes }, () => []);
    this.#host = await HostProcess.start({ ...this.#ports, nodes, data: this.#data, flags });
  }

  #victim(except = 0): number {
    const fit = this.#ends.flatMap((ends, at) => (recent(ends) < ENDS && at + 1 !== except ? [at + 1] : []));
    return fit[Math.floor(this.#crowd.random() * fit.length)] ?? 1;
  }

  /** A host gives up on a node that ends too often: that is its duty, and not what is tried here. */
  async #spare(): Promise<void> {
    while (this.#ends.filter((ends) => recent(ends) < ENDS - 1).length < 2) await pause(1_000);
  }

  // ---- the evidence ----

  /** Those who stay connected are to hear what was acknowledged in the moments before. */
  async #watch(kind: Kind, from: number, began: number): Promise<void> {
    const crowd = this.#crowd;
    const bystanders = new Bystanders(crowd.devices, crowd.acks.slice(from), (body) => crowd.members(body));
    const still = kind === 'freeze' ? this.#options.freeze : kind === 'store' ? STALL_MS : 0;
    const end = began + TOLD_MS + still;
    while (!bystanders.done() && performance.now() < end) await pause(20);
    this.#violations.push(...bystanders.violations(kind));
    this.#told += bystanders.told;
    if (still === 0 && bystanders.told > 0) this.#toldMs = Math.max(this.#toldMs, performance.now() - began);
  }

  async #sample(): Promise<void> {
    while (this.#sampling) {
      for (const report of await this.#host!.reports()) if (report !== null) this.#owners.took(report);
      await pause(SAMPLE_MS);
    }
  }

  async #readGrants(): Promise<void> {
    const store = await this.#options.where.open();
    for (let shard = 0; shard < LIMITS.shards; shard += 1) {
      const row = await store.get(grantKey(shard));
      this.#owners.granted(shard, row === undefined ? 0 : decodeGrant(row).epoch);
    }
    await store.close();
  }

  #figures(): Figures {
    const { kill, freeze, stop, drain, host, store } = this.#counts;
    return {
      round: this.#round,
      ...crowdFigures(this.#crowd),
      kills: kill,
      freezes: freeze,
      readyMs: median(this.#whole),
      cluster: {
        last: this.#last,
        stops: stop,
        drains: drain,
        stalls: store,
        hosts: host,
        told: this.#told,
        toldMs: this.#toldMs,
        owners: this.#owners.changes,
        stale: this.#owners.stale,
      },
    };
  }
}

function recent(ends: readonly number[]): number {
  const now = performance.now();
  return ends.filter((at) => now - at < MINUTE).length;
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items];
  const mixed: T[] = [];
  while (left.length > 0) mixed.push(...left.splice(Math.floor(random() * left.length), 1));
  return mixed;
}
