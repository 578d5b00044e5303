// Owns nodes for tests of the router: several runtimes on one manual clock, actors that only listen, links that tests break.
// Invariant: as cluster/link.ts says: in order, once, nothing after the end; what is taken is told a turn later, behind what it had the receiver say.
// Must not: hold assertions, or wires (links.test.ts has them).

import type { Behaviour, Context } from '../../actors/behaviour.js';
import { LIMITS } from '../../actors/limits.js';
import { idText } from '../../actors/message-id.js';
import type { ChatMessage, ConnectionMessage, ConnectionRef, Delivery, UserMessage } from '../../actors/messages.js';
import type { Ref } from '../../actors/ref.js';
import { createRuntime, type Runtime } from '../../actors/runtime.js';
import type { PeerLink } from '../../cluster/link.js';
import type { FarConnection } from '../../cluster/outsiders.js';
import type { Owner, Placement } from '../../cluster/placement.js';
import { type Local, Router } from '../../cluster/router.js';
import { shardOfChat, UserShards } from '../../cluster/shards.js';
import { SPEECH } from '../../cluster/versions.js';
import { chatKey } from '../../storage/keys.js';
import { oneEntry } from '../actors/delivery.js';
import { ManualWorld } from '../actors/manual-world.js';

/** What an actor heard: messages, and signals in brief. */
export interface Ear<M> {
  readonly ref: Ref<M | Act>;
  readonly heard: (M | string)[];
}

/** Messages of the test itself. */
export type Act = (context: Pick<Context<never>, 'monitor' | 'stop' | 'tell'>) => void;

function listener<M>(kind: string): Behaviour<(M | string)[], M | Act, (M | string)[]> {
  return {
    kind,
    level: 'interactive',
    capacity: 64,
    init: (_context, heard) => heard,
    receive(heard, message, context) {
      if (typeof message === 'function') (message as Act)(context);
      else heard.push(message);
    },
    signal(heard, signal) {
      if (signal.type === 'down') heard.push(`down ${signal.ref.key} ${signal.reason.type}`);
    },
  };
}

class Pool<M> implements Local<M> {
  readonly ears = new Map<string, Ear<M>>();
  /** Answers instead of taking messages. */
  mood: 'ok' | 'busy' | 'dead' = 'ok';
  readonly #runtime: Runtime;
  readonly #behaviour: Behaviour<(M | string)[], M | Act, (M | string)[]>;

  constructor(runtime: Runtime, kind: string) {
    this.#runtime = runtime;
    this.#behaviour = listener(kind);
  }

  ear(key: string): Ear<M> {
    const known = this.ears.get(key);
    if (known?.ref.alive === true) return known;
    const heard: (M | string)[] = known?.heard ?? [];
    const ear = { ref: this.#runtime.spawn(this.#behaviour, key, heard), heard };
    this.ears.set(key, ear);
    return ear;
  }

  tell(key: string, message: M) {
    return this.mood === 'ok' ? this.ear(key).ref.tell(message) : this.mood;
  }

  lookup(key: string): Ref<M> | undefined {
    const ear = this.ears.get(key);
    return ear?.ref.alive === true ? ear.ref : undefined;
  }

  *entries(): IterableIterator<[string, Ref<M>]> {
    for (const [key, { ref }] of this.ears) if (ref.alive) yield [key, ref];
  }
}

/** What one node believes of who owns what. */
class Beliefs implements Placement {
  readonly owners: (Owner | null)[] = Array.from({ length: LIMITS.shards }, () => null);
  hints = 0;
  readonly #listeners = new Set<(shard: number, owner: Owner | null) => void>();

  owner(shard: number): Owner | null {
    return this.owners[shard] ?? null;
  }

  subscribe(listener: (shard: number, owner: Owner | null) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  hint(): void {
    this.hints += 1;
  }

  set(shard: number, owner: Owner | null): void {
    this.owners[shard] = owner;
    for (const listener of this.#listeners) listener(shard, owner);
  }
}

export class TestNode {
  readonly runtime: Runtime;
  readonly users: Pool<UserMessage>;
  readonly chats: Pool<ChatMessage>;
  readonly beliefs = new Beliefs();
  readonly router: Router;
  /** Connections of others that ended here. */
  readonly ended: FarConnection[] = [];
  readonly name: string;
  /** As members say in the next session. */
  life = 1;

  constructor(name: string, world: ManualWorld) {
    this.name = name;
    this.runtime = createRuntime(world);
    this.users = new Pool(this.runtime, 'user');
    this.chats = new Pool(this.runtime, 'conversation');
    this.router = new Router({
      runtime: this.runtime,
      placement: this.beliefs,
      users: this.users,
      chats: this.chats,
      soft: null,
      ended: (connection) => this.ended.push(connection),
      shaken: () => undefined,
    });
  }

  connection(): Ear<ConnectionMessage> {
    const heard: (ConnectionMessage | string)[] = [];
    return { ref: this.runtime.spawn(listener<ConnectionMessage>('connection'), 'c', heard), heard };
  }
}

class Side implements PeerLink {
  readonly node: string;
  readonly incarnation: number;
  version = SPEECH.links.high;
  readonly session: number;
  state: 'up' | 'down' = 'up';
  sent = 0;
  taken = 0;
  buffered = 0;
  /** No room. */
  busy = false;
  readonly batches: Uint8Array[] = [];
  readonly #send: (bytes: Uint8Array) => void;

  constructor({ name, life }: TestNode, session: number, send: (bytes: Uint8Array) => void) {
    this.node = name;
    this.incarnation = life;
    this.session = session;
    this.#send = send;
  }

  send(batch: Uint8Array): 'ok' | 'busy' | 'down' {
    if (this.state === 'down') return 'down';
    if (this.busy) return 'busy';
    this.sent += 1;
    const bytes = batch.slice();
    this.batches.push(bytes);
    this.#send(bytes);
    return 'ok';
  }
}

/** The link of two nodes. */
class Cable {
  /** Batches stay on their way, or are handled and not acknowledged. */
  stuck = false;
  deaf = false;
  a: Side;
  b: Side;
  readonly #nodes: readonly [TestNode, TestNode];
  readonly #world: ManualWorld;
  #sessions = 0;

  constructor(world: ManualWorld, a: TestNode, b: TestNode) {
    this.#world = world;
    this.#nodes = [a, b];
    [this.a, this.b] = this.#begin();
  }

  /** The side of a node. */
  of(node: TestNode): Side {
    return node === this.#nodes[0] ? this.a : this.b;
  }

  #begin(): [Side, Side] {
    const [first, second] = this.#nodes;
    this.#sessions += 1;
    const a: Side = new Side(second, this.#sessions, (bytes) => this.#carry(a, b, second, first, bytes));
    const b: Side = new Side(first, this.#sessions, (bytes) => this.#carry(b, a, first, second, bytes));
    first.router.up(a);
    second.router.up(b);
    return [a, b];
  }

  #carry(from: Side, to: Side, receiver: TestNode, sender: TestNode, bytes: Uint8Array): void {
    if (this.stuck) return;
    this.#world.defer(() => {
      if (to.state === 'down') return;
      receiver.router.batch(to, bytes);
      bytes.fill(0xc1);
      if (this.deaf) return;
      this.#world.defer(() => {
        from.taken += 1;
        this.#world.defer(() => from.state === 'up' && sender.router.taken(from));
      });
    });
  }

  break(): void {
    const [first, second] = this.#nodes;
    this.a.state = 'down';
    this.b.state = 'down';
    first.router.down(this.a);
    second.router.down(this.b);
  }

  mend(): void {
    [this.a, this.b] = this.#begin();
  }
}

export class RouterScene {
  readonly world = new ManualWorld();
  readonly nodes = new Map<string, TestNode>();
  readonly #cables = new Map<string, Cable>();
  readonly #userShards = new UserShards();

  constructor(...names: string[]) {
    for (const name of names) {
      const node = new TestNode(name, this.world);
      for (const other of this.nodes.values())
        this.#cables.set(`${other.name}${name}`, new Cable(this.world, other, node));
      this.nodes.set(name, node);
    }
  }

  node(name: string): TestNode {
    return this.nodes.get(name)!;
  }

  cable(a: string, b: string): Cable {
    return this.#cables.get(a < b ? `${a}${b}` : `${b}${a}`)!;
  }

  shardOf(user: string): number {
    return this.#userShards.of(user);
  }

  /** Everybody in `at`, or everybody, knows that the user's shard is `owner`'s. */
  give(owner: string | null, { user, chat }: { user?: string; chat?: string }, at = [...this.nodes.keys()]): void {
    const shard = user === undefined ? shardOfChat(chat!) : this.shardOf(user);
    for (const name of at) {
      this.node(name).beliefs.set(shard, owner === null ? null : { node: owner, mine: owner === name });
    }
  }

  settle(): void {
    this.world.settle();
  }
}

/** A user of another shard than the others, so that tests may move it alone. */
export function userApart(taken: readonly string[]): string {
  const shards = new UserShards();
  const used = new Set(taken.map((user) => shards.of(user)));
  for (let i = 0; ; i++) if (!used.has(shards.of(`u${i}`))) return `u${i}`;
}

export const CHAT = new Uint8Array(16).fill(1);
export const KEY = chatKey(CHAT);
export const ID = new Uint8Array(16).fill(9);

const info = { chat: CHAT, key: KEY, kind: 1, pair: ['ada', 'bob'] as const, title: '' };

export function send(connection: ConnectionRef, n = 1): Extract<ChatMessage, { type: 'send' }> {
  const body = new Uint8Array([n]);
  return { type: 'send', user: 'ada', connection, n, id: ID, idText: idText(ID), after: null, body, pair: null };
}

export function delivery(seq: number, origin: ConnectionRef | null = null, bytes = 50): Delivery {
  return oneEntry({ info, seq, from: 'ada', row: new Uint8Array(bytes), origin });
}

export const heard = (ear: Ear<ConnectionMessage>): string[] =>
  ear.heard.map((news) => {
    if (typeof news === 'string') return news;
    return news.type === 'delivery' ? `${news.seq}` : news.type;
  });

/** Nodes a, b and c; the chat lives on a, bob on b. */
export function three() {
  const scene = new RouterScene('a', 'b', 'c');
  const [a, b, c] = [scene.node('a'), scene.node('b'), scene.node('c')];
  scene.give('a', { chat: KEY });
  scene.give('b', { user: 'bob' });
  return { scene, a, b, c };
}
