// Owns the servers of a world with several nodes: the store that they share, the wires between them, and who lets clients in.
// Invariant: nodes share nothing but store, wires and the cluster's secret; a client is let in by any node, its own first.
// Must not: know steps or devices' applications, or reach into nodes beyond what they tell operators.

import { createHmac } from 'node:crypto';
import type { Settings } from '../actors/fabric.js';
import { LIMITS } from '../actors/limits.js';
import type { Dial } from '../client/link.js';
import { SPEECH, type Speech } from '../cluster/versions.js';
import type { ClusterSetting } from '../services/member.js';
import { Node } from './node.js';
import type { ClusterPlan, Options } from './plan.js';
import type { Process } from './process.js';
import type { DeviceName, Fault } from './record.js';
import { FAULT_OF, type Site } from './site.js';
import { StoreServer } from './store-server.js';
import type { Universe } from './universe.js';
import { Wires } from './wires.js';

const SECRET = 'of the simulated cluster';
/** A build that speaks no more than the first version of links. */
const EARLIER: Speech = { ...SPEECH, links: { low: 1, high: 1 } };
/** Chances that a client tries another node than its own, and one that may not be there. */
const ELSEWHERE = 0.15;
const BLINDLY = 0.1;
/** ms without a change of members or owners. */
const SETTLE_MS = 3_000;

const SERVER_FAULT: Readonly<Record<Parameters<ConstructorParameters<typeof StoreServer>[3]['fault']>[0], Fault>> = {
  ...FAULT_OF,
  late: 'commit_late',
  lost: 'commit_lost',
  timeout: 'store_timeout',
};

export class ClusterSite implements Site {
  /** Those that have not joined yet included. */
  readonly nodes: readonly Node[];
  readonly disk = null;
  readonly store: StoreServer;
  readonly wires: Wires;
  readonly #plan: ClusterPlan;
  readonly #universe: Universe;
  /** Owners as last seen by the first node, and virtual ms of the last change of anything. */
  #map = '';
  #moved = 0;
  /** How many processes a node has had. */
  readonly #lives = new Map<string, number>();
  /** Nodes that were ever started. */
  readonly #joined = new Set<Node>();

  constructor(universe: Universe, options: Options, plan: ClusterPlan, settings: Settings) {
    this.#universe = universe;
    this.#plan = plan;
    const { clock } = universe;
    this.wires = new Wires(clock, universe.stream('wires'), plan.wires);
    const faults = { ...options.commitFaults, late: plan.late, lost: plan.lost };
    this.store = new StoreServer(
      clock,
      { flush: options.flush, delay: plan.store, patience: plan.patience, faults },
      universe.stream('store'),
      {
        answered: (node) => universe.happened('answer', node),
        flushed: (writes) => {
          universe.fact({ kind: 'flushed', disk: 'store', writes });
          universe.happened('flush');
        },
        committed: () => universe.happened('commit'),
        fault: (fault) => universe.fault(SERVER_FAULT[fault], 'store'),
      },
    );
    this.nodes = Array.from({ length: plan.nodes + plan.spare }, (_, n) => this.#node(`n${n + 1}`, settings));
  }

  #node(name: string, settings: Settings): Node {
    const universe = this.#universe;
    const node: Node = new Node(
      name,
      universe,
      { open: async (process) => this.store.view(process, name), crash: () => 0 },
      {
        settings,
        trouble: (where, what) => universe.fact({ kind: 'trouble', where, what }),
        member: (process) => this.#setting(node, process),
        began: (process) => universe.fact({ kind: 'process', node: name, process: process.name, alive: true }),
        gone: (process, vanished) => {
          this.wires.died(process, vanished);
          universe.fact({ kind: 'process', node: name, process: process.name, alive: false });
        },
      },
    );
    return node;
  }

  #setting(node: Node, process: Process): ClusterSetting {
    const { name, address } = node;
    const earlier = this.#plan.earlier[name] ?? 0;
    const lives = this.#lives.get(name) ?? 0;
    this.#lives.set(name, lives + 1);
    if (earlier > 0 && lives === earlier) this.#universe.fault('node_upgrade', name);
    return {
      speech: lives < earlier ? EARLIER : SPEECH,
      net: this.wires.of(process, name),
      mac: (bytes) => createHmac('sha256', SECRET).update(bytes).digest(),
      url: () => address,
      replaced: () => {
        this.#universe.note(`${name} is replaced`);
        process.arrive(0, () => node.fails(process));
      },
    };
  }

  start(): void {
    for (const { name } of this.nodes.slice(0, this.#plan.nodes)) this.join(name);
  }

  /** True: it was not there before. */
  join(name: string): boolean {
    const node = this.nodes.find((each) => each.name === name);
    if (node === undefined || this.#joined.has(node)) return false;
    this.#joined.add(node);
    node.start();
    return true;
  }

  calm(): void {
    this.store.calm();
  }

  /** Also where all agree: for a while after that it is made good what was lost before. */
  unrest(): string {
    const { now } = this.#universe.clock;
    const why = this.#disagreement();
    const owners = [...this.#joined][0]?.wiring?.placement;
    const map = Array.from({ length: LIMITS.shards }, (_, shard) => owners?.owner(shard)?.node ?? '').join();
    if (why !== '' || map !== this.#map) this.#moved = now;
    this.#map = map;
    return why === '' && now - this.#moved < SETTLE_MS ? 'the nodes have agreed just now' : why;
  }

  #disagreement(): string {
    const joined = [...this.#joined];
    for (const { name, wiring } of joined) {
      if (wiring === null) return `${name} is not up`;
      if (wiring.log.stats().queued > 0) return `the log of ${name} has appends`;
      const status = wiring.member?.cluster.status();
      if (status == null || status.lapsed) return `${name} is no member`;
      if (status.members.length !== joined.length) return `${name} sees ${status.members.length} members`;
      const none = status.shards.find(({ owned }) => !owned);
      if (none !== undefined) return `${name} knows no owner of shard ${none.shard}`;
      const { peers, missed, lasting, buffered } = wiring.member!.router.stats();
      if (peers !== joined.length - 1) return `${name} lacks links`;
      if (missed > 0 || lasting > 0) return `${name} has to make good what was lost`;
      if (buffered > 0) return `${name} has SENDs for shards that it can reach`;
      const astray = status.shards.find(({ shard }) => !this.#knows(wiring.placement.owner(shard)?.node, shard));
      if (astray !== undefined) return `${name} takes another for the owner of shard ${astray.shard}`;
    }
    return '';
  }

  /** That node takes the shard for its own. */
  #knows(name: string | undefined, shard: number): boolean {
    const node = this.nodes.find((each) => each.name === name);
    return node?.wiring?.placement.owner(shard)?.mine === true;
  }

  /** Its own node, or one that a balancer finds; sometimes one that is not there. */
  dialer(process: Process, device: DeviceName): Dial {
    const { network } = this.#universe;
    const luck = this.#universe.stream(`balancer ${process.name}`);
    const home = this.#plan.homes[device] ?? 'n1';
    return (_url, _protocol, events) => {
      const [dice, pick] = [luck(), luck()];
      const joined = [...this.#joined];
      const there = joined.filter(({ address }) => network.hears(address) !== undefined);
      const own = there.find(({ name }) => name === home);
      const from = dice < BLINDLY || there.length === 0 ? joined : there;
      const other = from[Math.floor(pick * from.length)];
      const node = dice < ELSEWHERE || own === undefined ? other : own;
      return network.dial(process, device, node?.address ?? `ws://${home}`, events);
    };
  }

  tell(): void {
    for (const { name, wiring } of this.#joined) {
      if (wiring === null) continue;
      const { placement } = wiring;
      const owners = Array.from({ length: LIMITS.shards }, (_, shard) => placement.owner(shard));
      this.#universe.fact({
        kind: 'shards',
        node: name,
        members: wiring.member?.cluster.status()?.members.map(({ node }) => node) ?? [],
        owners: owners.map((owner) => owner?.node ?? ''),
        mine: owners.flatMap((owner, shard) => (owner?.mine === true ? [shard] : [])),
      });
    }
  }
}
