// Owns whole nodes of a cluster in one simulated world, with real clients: the product's wiring and SDK, virtual time, one store.
// Invariant: a run repeats. What clients sent and were shown is kept, and held against each other in the end: every message that was
// acknowledged is shown once and in order to every device of every member.
// Must not: replace a part of the product but the machine's: sockets, disk, clock.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import type { Settings } from '../../actors/fabric.js';
import { LIMITS } from '../../actors/limits.js';
import { FOREVER, SWEEP_PACE } from '../../actors/retention.js';
import { openSession } from '../../client/open.js';
import type { Session } from '../../client/session.js';
import { Wiring } from '../../services/wiring.js';
import { Network } from '../../sim/network.js';
import { tokenOf, verdict } from '../../sim/node.js';
import { Process, wallAt } from '../../sim/process.js';
import { stream } from '../../sim/random.js';
import { Shelf } from '../../sim/shelf.js';
import { Wires } from '../../sim/wires.js';
import { directHost } from '../../supervisors/direct-host.js';
import { NO_QUOTAS } from '../quotas.js';
import { PatientClock } from './shared-rows.js';
import { SharedStore } from './shared-store.js';

const SETTINGS: Settings = {
  fanOutThreshold: LIMITS.fanOutThreshold,
  passivateMs: 60_000,
  retention: FOREVER,
  sweep: SWEEP_PACE,
  quotas: NO_QUOTAS,
};

interface SceneNode {
  readonly name: string;
  process: Process;
  wiring: Wiring;
}

interface Shown {
  readonly chat: string;
  readonly seq: number;
  readonly body: string;
}

type To = { readonly direct: string } | { readonly group: string };

export class Device {
  readonly user: string;
  readonly name: string;
  readonly process: Process;
  readonly shown: Shown[] = [];
  /** What was answered. */
  readonly sent: Shown[] = [];
  /** Times that its link was lost. */
  losses = 0;
  asked = 0;
  /** ms that the slowest answer took of those that came since this was set. */
  slowest = 0;
  readonly presence = new Map<string, boolean>();
  session: Session | null = null;
  readonly #scene: NodeScene;

  constructor(scene: NodeScene, user: string, name: string, node: string) {
    this.#scene = scene;
    this.user = user;
    this.name = name;
    this.process = scene.process(`${user}.${name}`);
    const { network } = scene;
    const shelf = new Shelf(stream(scene.seed, `shelf ${user} ${name}`));
    const opening = openSession({
      world: this.process,
      dial: (_url, _protocol, events) => network.dial(this.process, this.id, scene.door(node), events),
      store: shelf.open(this.process),
      url: 'ws://cluster',
      token: () => tokenOf(user, name, wallAt(0), wallAt(86_400_000)),
      agent: 'test',
      offline: true,
    });
    void opening.then((session) => {
      this.session = session;
      session.on('message', (message) => {
        const body = Buffer.from(message.body).toString();
        this.shown.push({ chat: message.chat.id, seq: message.seq, body });
      });
      session.on('state', ({ state }) => {
        if (state !== 'online') this.losses += 1;
      });
      session.on('presence', ({ user: other, online, precision }) => {
        if (precision === 'hidden') this.presence.delete(other);
        else this.presence.set(other, online);
      });
    });
  }

  get id(): string {
    return `${this.user}.${this.name}`;
  }

  get online(): boolean {
    return this.session?.state === 'online';
  }

  /** Sends one more; what becomes of it is noted. */
  send(to: To): void {
    const { session } = this;
    if (session === null) return;
    this.asked += 1;
    const body = `${this.id} ${this.asked}`;
    const began = this.#scene.clock.now;
    const chat = 'direct' in to ? session.direct(to.direct) : session.group(to.group);
    chat.send(body).then(
      ({ seq }) => {
        this.slowest = Math.max(this.slowest, this.#scene.clock.now - began);
        this.sent.push({ chat: chat.id, seq, body });
      },
      (error: unknown) => void this.#scene.notes.push(`${body} failed: ${String(error)}`),
    );
  }
}

export class NodeScene {
  readonly seed: number;
  readonly clock = new PatientClock();
  readonly store: SharedStore;
  readonly wires: Wires;
  readonly network: Network;
  readonly nodes = new Map<string, SceneNode>();
  readonly devices: Device[] = [];
  readonly notes: string[] = [];
  /** Members of each group by its id, and the two of a direct chat. */
  readonly #groups = new Map<string, readonly string[]>();
  #processes = 0;

  constructor(seed = 1) {
    this.seed = seed;
    this.store = new SharedStore(this.clock, seed);
    this.wires = new Wires(this.clock, stream(seed, 'wires'));
    const nothing = (): void => undefined;
    const network = { latency: [0.5, 2], kernel: 65_536, bandwidth: Number.POSITIVE_INFINITY } as const;
    this.network = new Network(this.clock, seed, network, {
      opened: nothing,
      left: nothing,
      arrived: nothing,
      closed: nothing,
    });
  }

  process(name: string): Process {
    this.#processes += 1;
    const number = this.#processes;
    return new Process({
      clock: this.clock,
      seed: this.seed,
      name: `${name}#${number}`,
      number,
      skew: 0,
      turn: [0.02, 0.1],
    });
  }

  // ---- nodes ----

  start(name: string): SceneNode {
    const process = this.process(name);
    const note = (text: string): void => void this.notes.push(`${this.clock.now.toFixed(0)} ${name} ${text}`);
    const wiring: Wiring = new Wiring({
      node: name,
      world: process,
      seats: directHost(process),
      settings: SETTINGS,
      verifier: { verify: async (token) => verdict(token, process.wall()) },
      openStore: async () => this.store.view(process, name),
      listen: async (acceptor) =>
        this.network.listen(process, `ws://${name}`, {
          maxMessage: LIMITS.frame,
          maxBuffered: LIMITS.bufferedHard,
          idleMs: LIMITS.idleMs,
          accept: (socket) => acceptor.accept(socket),
        }),
      cluster: {
        net: this.wires.of(process, name),
        mac: (bytes) => createHmac('sha256', 'secret').update(bytes).digest(),
        url: () => `ws://${name}`,
        replaced: () => note('replaced'),
      },
      fenced: () => note('fenced'),
      event: (event) => {
        note(`${event.type} ${event.path}`);
        if (event.type === 'crashed') note(String(event.error instanceof Error ? event.error.stack : event.error));
      },
      report: (event, fields) => note(`${event} ${JSON.stringify(fields)}`),
      runtime: { trace: { fault: (error) => note(`fault ${String(error)}`) } },
    });
    const node = { name, process, wiring };
    this.nodes.set(name, node);
    process.defer(() => {
      wiring.start().then(
        () => note('up'),
        (error: unknown) => note(`start ${String(error)}`),
      );
    });
    return node;
  }

  /** kill -9. */
  kill(name: string): void {
    const { process } = this.node(name);
    process.end();
    this.wires.died(process);
    this.network.died(process, false);
    this.nodes.delete(name);
  }

  /** SIGTERM. Resolves to the ms that it took. */
  async stop(name: string): Promise<number> {
    const { process, wiring } = this.node(name);
    const began = this.clock.now;
    this.nodes.delete(name);
    await wiring.stop();
    process.end();
    this.wires.died(process);
    this.network.died(process, false);
    return this.clock.now - began;
  }

  node(name: string): SceneNode {
    return this.nodes.get(name)!;
  }

  /** Where a client of that node gets in: by another one, if it is not there. */
  door(name: string): string {
    if (this.nodes.has(name)) return `ws://${name}`;
    return `ws://${[...this.nodes.keys()][0] ?? name}`;
  }

  /** A cluster at rest: every node has its share, and links to all others. */
  async settled(...names: string[]): Promise<void> {
    for (const name of names) this.start(name);
    await this.until(() => this.balanced, 20_000, 'the shards are spread');
  }

  get balanced(): boolean {
    const nodes = [...this.nodes.values()];
    const most = Math.ceil(LIMITS.shards / nodes.length);
    return nodes.every(({ name, wiring: { member } }) => {
      const status = member?.cluster.status();
      if (status == null || status.lapsed) return false;
      const mine = status.shards.filter((shard) => shard.mine).length;
      return mine > 0 && mine <= most && member!.router.stats().peers === nodes.length - 1 && this.#mapped(name);
    });
  }

  /** It knows an owner of each shard, who knows it too. */
  #mapped(name: string): boolean {
    const { placement } = this.node(name).wiring;
    return Array.from({ length: LIMITS.shards }, (_, shard) => placement.owner(shard)).every((owner, shard) => {
      const other = owner === null ? undefined : this.nodes.get(owner.node);
      return other?.wiring.placement.owner(shard)?.mine === true;
    });
  }

  // ---- clients ----

  device(user: string, name: string, node: string): Device {
    const device = new Device(this, user, name, node);
    this.devices.push(device);
    return device;
  }

  async group(owner: Device, title: string, members: readonly string[]): Promise<string> {
    let id = '';
    owner.session!.createGroup({ title, members }).then(
      (chat) => {
        id = chat.id;
        this.#groups.set(id, [owner.user, ...members]);
      },
      (error: unknown) => void this.notes.push(`group: ${String(error)}`),
    );
    await this.until(() => id !== '', 10_000, `${title} is made`);
    return id;
  }

  // ---- time ----

  async run(ms: number): Promise<void> {
    await this.clock.run(this.clock.now + ms);
  }

  async until(holds: () => boolean, most: number, what: string): Promise<number> {
    const from = this.clock.now;
    while (!holds()) {
      assert.ok(this.clock.now - from < most, `within ${most} ms: ${what}\n${this.notes.slice(-40).join('\n')}`);
      await this.run(10);
    }
    return this.clock.now - from;
  }

  // ---- what came of it ----

  /** Everything that was sent is answered, and shown to whom it is for. Fails where that does not come about in time. */
  async converge(most = 20_000): Promise<void> {
    const open = (): string[] => this.devices.flatMap((device) => this.#open(device));
    const from = this.clock.now;
    while (open().length > 0) {
      const missing = (): string => `${open().slice(0, 10).join('\n')}\n${this.notes.slice(-60).join('\n')}`;
      if (this.clock.now - from >= most) assert.fail(missing());
      await this.run(50);
    }
    this.check();
  }

  /** What is not done of what a device sent, in words. */
  #open(device: Device): string[] {
    const open: string[] = [];
    if (device.sent.length < device.asked) open.push(`${device.id}: ${device.sent.length} of ${device.asked} answered`);
    for (const { chat, body, seq } of device.sent) {
      for (const other of this.devices) {
        if (other === device || !this.#isFor(chat, device.user, other.user)) continue;
        if (!other.shown.some((shown) => shown.body === body)) open.push(`${other.id} lacks ${body} (${seq})`);
      }
    }
    return open;
  }

  #isFor(chat: string, from: string, user: string): boolean {
    const members = this.#groups.get(chat);
    if (members !== undefined) return members.includes(user);
    if (user === from) return true;
    const device = this.devices.find((one) => one.user === user);
    return device?.session?.direct(from).id === chat;
  }

  /** Once, in order, and each number is one message. */
  check(): void {
    const known = new Map<string, string>();
    for (const { id, shown, sent } of this.devices) {
      const last = new Map<string, number>();
      for (const { chat, seq, body } of shown) {
        assert.ok(seq > (last.get(chat) ?? 0), `${id}: ${body} (${seq}) in order, once`);
        last.set(chat, seq);
      }
      for (const { chat, seq, body } of [...shown, ...sent]) {
        const other = known.get(`${chat} ${seq}`);
        assert.ok(other === undefined || other === body, `${chat} ${seq} is ${other} and ${body}`);
        known.set(`${chat} ${seq}`, body);
      }
    }
    const bad = this.notes.filter((note) => /crashed|quarantined| fault |failed:|invariant/.test(note));
    assert.deepEqual(bad, []);
  }
}
