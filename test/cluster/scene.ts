// Owns a small cluster on virtual time: real membership, ownership and logs of several nodes on one store, and a writer in place of
// the actors of each.
// Invariant: a run repeats. Every answer `committed` that a writer gets is noted, and held against the store in the end; of one shard
// and epoch no two lives are ever answered.
// Must not: know what a scene is about.

import assert from 'node:assert/strict';
import { LIMITS } from '../../actors/limits.js';
import type { ChatMessage } from '../../actors/messages.js';
import type { World } from '../../actors/world.js';
import { type Cluster, type ClusterStatus, startCluster } from '../../cluster/cluster.js';
import { SPEECH, type Speech } from '../../cluster/versions.js';
import { Process } from '../../sim/process.js';
import { chatKey, messageKey, seqOf } from '../../storage/keys.js';
import type { Service } from '../../supervisors/worker.js';
import { macOf } from './link-scene.js';
import { PatientClock } from './shared-rows.js';
import { SharedStore } from './shared-store.js';

/** The chat that stands for a shard: its bytes 1 and 2 say which. */
export function chatOf(shard: number): Uint8Array {
  const chat = new Uint8Array(16).fill(1);
  chat.set([1, 0, shard]);
  return chat;
}

const SHARDS: readonly number[] = Array.from({ length: LIMITS.shards }, (_, shard) => shard);

/** Reads how far the chat goes, and appends one number after the other. */
interface Writer {
  head: number;
  readonly epoch: number;
  ready: boolean;
  waiting: boolean;
}

interface Acked {
  readonly shard: number;
  readonly seq: number;
  readonly text: string;
}

export class SceneNode {
  readonly name: string;
  readonly scene: Scene;
  process: Process;
  cluster: Cluster;
  alive = true;
  /** Lives that its supervisor has started. */
  starts = 0;
  /** Said to be out for good: another has its name. */
  replaced = false;
  resyncs = 0;
  readonly recovered: string[] = [];
  readonly refused = new Map<string, number>();
  readonly writers = new Map<number, Writer>();
  /** ms that its actors take to end. */
  closeMs = 5;
  acks = 0;
  /** Its chats tell their news when they are asked to. */
  tells = true;
  /** ms by which its monotonic clock is behind the world's: machines that sleep do not count that. */
  behind = 0;
  #service: Service | null = null;

  constructor(scene: Scene, name: string, number: number, secret: string, speech: Speech) {
    this.scene = scene;
    this.name = name;
    this.process = new Process({
      clock: scene.clock,
      seed: scene.seed,
      name: `${name}#${number}`,
      number,
      skew: number * 1_000_000,
      turn: [0.05, 0.3],
    });
    const { process } = this;
    const store = scene.store.view(process, name);
    this.cluster = startCluster({
      world: this.#world(),
      store: () => store,
      mac: macOf(secret),
      identity: () => ({ node: name, address: `${name}:1`, url: '', speech }),
      chats: { tell: (key, message) => this.#told(key, message), lookup: () => undefined },
      close: (shard) => this.#close(shard),
      resync: () => {
        this.resyncs += 1;
      },
      hint: (node) => scene.hint(node),
      replaced: () => {
        this.replaced = true;
      },
      report: (event, fields) => scene.reports.push(`${name} ${event} ${JSON.stringify(fields)}`),
    });
    this.cluster.placement.subscribe((shard, owner) => {
      if (owner?.mine === true) this.#open(shard);
    });
  }

  #world(): World {
    const { process } = this;
    return {
      now: () => process.now() - this.behind,
      wall: () => process.wall(),
      random: () => process.random(),
      randomBytes: (length) => process.randomBytes(length),
      defer: (task) => process.defer(task),
      timer: (ms, task) => process.timer(ms, task),
    };
  }

  /** Stands still for so long; `asleep`: and so does its clock. */
  async freeze(ms: number, asleep = false): Promise<void> {
    this.process.freeze();
    await this.scene.run(ms);
    if (asleep) this.behind += ms;
    this.process.thaw();
  }

  // ---- its supervisor ----

  async start(): Promise<void> {
    this.starts += 1;
    const service = this.cluster.service();
    this.#service = service;
    const life = this.starts;
    await service.start(() => {
      if (life === this.starts && this.alive) void this.#restart(service);
    });
  }

  /** A start that fails is repeated after a while. */
  retry(): void {
    this.start().catch((error: unknown) => {
      this.scene.reports.push(`start ${String(error)}`);
      this.process.timer(100, () => this.retry());
    });
  }

  async #restart(service: Service): Promise<void> {
    // What follows in the tree ends first: the actors.
    this.writers.clear();
    await service.stop();
    if (this.replaced || !this.alive) return;
    this.process.timer(50, () => this.retry());
  }

  async stop(): Promise<void> {
    this.writers.clear();
    await this.#service?.stop();
    this.kill();
  }

  kill(): void {
    this.alive = false;
    this.process.end();
  }

  get status(): ClusterStatus {
    const status = this.cluster.status();
    assert.ok(status !== null, `${this.name} runs`);
    return status;
  }

  get mine(): number[] {
    const { placement } = this.cluster;
    return SHARDS.filter((shard) => placement.owner(shard)?.mine === true);
  }

  // ---- its actors ----

  #told(key: string, message: ChatMessage): 'ok' {
    assert.equal(message.type, 'recover');
    if (message.type === 'recover') message.telling.done = this.tells;
    this.recovered.push(key);
    return 'ok';
  }

  #close(shard: number): Promise<void> {
    const writer = this.writers.get(shard);
    return new Promise((resolve) => {
      this.process.timer(this.closeMs, () => {
        if (this.writers.get(shard) === writer) this.writers.delete(shard);
        resolve();
      });
    });
  }

  #open(shard: number): void {
    assert.ok(!this.writers.has(shard), 'no actor of an earlier time is left when a shard opens');
    const writer: Writer = { head: 0, epoch: this.status.shards[shard]!.epoch, ready: false, waiting: false };
    this.writers.set(shard, writer);
    this.#load(shard, writer);
  }

  #load(shard: number, writer: Writer): void {
    writer.ready = false;
    const chat = chatOf(shard);
    const range = { start: messageKey(chat, 0), end: messageKey(chat, 2 ** 40), limit: 1, reverse: true };
    const settled = this.cluster.log.settled(chat, shard) ?? Promise.resolve();
    const read = settled.then(() => this.scene.store.view(this.process, this.name).range(range));
    void read.then(({ rows }) => {
      writer.head = rows.length === 0 ? 0 : seqOf(rows[0]!.key);
      writer.ready = true;
    });
  }

  /** One append of the shard's chat, if there is nothing in the way. */
  write(shard: number): void {
    const writer = this.writers.get(shard);
    if (writer === undefined || !writer.ready || writer.waiting) return;
    const chat = chatOf(shard);
    const seq = writer.head + 1;
    const { epoch } = writer;
    const life = `${this.process.name}/${this.starts}`;
    const text = `${life} ${epoch} ${seq}`;
    const write = { key: messageKey(chat, seq), value: Buffer.from(text) };
    const telling = { done: false };
    const taken = this.cluster.log.append({
      chat,
      shard,
      head: seq,
      writes: [write],
      bytes: 100,
      witness: write,
      telling,
      done: (result) => {
        telling.done = true;
        writer.waiting = false;
        if (result.outcome === 'committed') {
          writer.head = seq;
          this.acks += 1;
          this.scene.acked(this, { shard, seq, text }, epoch, life);
        } else if (this.writers.get(shard) === writer) this.#load(shard, writer);
      },
    });
    if (taken === 'ok') writer.waiting = true;
    else this.refused.set(taken, (this.refused.get(taken) ?? 0) + 1);
  }
}

export class Scene {
  readonly seed: number;
  readonly clock = new PatientClock();
  readonly store: SharedStore;
  readonly nodes: SceneNode[] = [];
  readonly reports: string[] = [];
  /** Nodes hear of shards that they were given. */
  linked = true;
  /** ms between two appends of each shard; 0 none. */
  pace = 200;
  readonly #acks: Acked[] = [];
  /** Who was answered under each epoch of each shard. */
  readonly #effective = new Map<string, string>();
  #numbers = 0;

  constructor(seed = 1) {
    this.seed = seed;
    this.store = new SharedStore(this.clock, seed);
  }

  add(name: string, secret = 'secret', speech: Speech = SPEECH): SceneNode {
    this.#numbers += 1;
    const node = new SceneNode(this, name, this.#numbers, secret, speech);
    this.nodes.push(node);
    node.process.defer(() => node.retry());
    const beat = (): void => {
      if (this.pace > 0) for (let shard = 0; shard < LIMITS.shards; shard += 1) node.write(shard);
      node.process.timer(this.pace === 0 ? 20 : this.pace, beat);
    };
    beat();
    return node;
  }

  /** A cluster at rest: every node has its share. */
  async settled<const Names extends readonly string[]>(
    ...names: Names
  ): Promise<{ [Place in keyof Names]: SceneNode }> {
    const nodes = names.map((name) => this.add(name)) as { [Place in keyof Names]: SceneNode };
    await this.until(() => this.balanced(nodes), 20_000, 'the shards are spread');
    return nodes;
  }

  balanced(nodes: readonly SceneNode[]): boolean {
    const most = Math.ceil(LIMITS.shards / nodes.length);
    return nodes.every((node) => node.mine.length <= most) && this.allOpen(nodes);
  }

  /** Every shard is open at one of these. */
  allOpen(nodes: readonly SceneNode[]): boolean {
    return nodes.reduce((sum, node) => sum + node.mine.length, 0) === LIMITS.shards;
  }

  hint(name: string): void {
    if (!this.linked) return;
    for (const node of this.nodes) {
      if (node.name === name && node.alive) node.process.arrive(1, () => node.cluster.placement.hint());
    }
  }

  acked(node: SceneNode, acked: Acked, epoch: number, life: string): void {
    assert.ok(!node.cluster.lapsed, `${node.name} answers nothing while its lease is over`);
    assert.ok(node.alive && !node.process.frozen);
    const key = `${acked.shard}/${epoch}`;
    const other = this.#effective.get(key);
    assert.ok(other === undefined || other === life, `shard ${key} has one effective owner: ${other}, ${life}`);
    this.#effective.set(key, life);
    this.#acks.push(acked);
  }

  async run(ms: number): Promise<void> {
    await this.clock.run(this.clock.now + ms);
  }

  /** Runs until it holds; answers how many ms that took. */
  async until(holds: () => boolean, most: number, what: string): Promise<number> {
    const from = this.clock.now;
    while (!holds()) {
      assert.ok(this.clock.now - from < most, `within ${most} ms: ${what}\n${this.reports.slice(-20).join('\n')}`);
      await this.run(10);
    }
    return this.clock.now - from;
  }

  /** What was answered is there, once, and each chat is dense. */
  async check(): Promise<void> {
    const chats = new Map<string, string[]>();
    for (let shard = 0; shard < LIMITS.shards; shard += 1) {
      const chat = chatOf(shard);
      const read = this.store.rows.direct.range({
        start: messageKey(chat, 0),
        end: messageKey(chat, 2 ** 40),
        limit: 100_000,
      });
      const { rows } = await read;
      for (const [at, { key }] of rows.entries()) assert.equal(seqOf(key), at + 1, `shard ${shard} is dense`);
      chats.set(
        chatKey(chat),
        rows.map(({ value }) => Buffer.from(value).toString()),
      );
    }
    for (const { shard, seq, text } of this.#acks) {
      assert.equal(chats.get(chatKey(chatOf(shard)))![seq - 1], text, `shard ${shard}: what was answered is there`);
    }
    assert.ok(this.#acks.length > 0);
  }
}
