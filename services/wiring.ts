// Owns how the parts of a node hang together, whatever world it runs in: store, log, actors, door, and stopping them in order.
// Invariant: stopping finishes what was accepted before the store closes. What differs between a machine and a simulation is in the
// options; the wiring is the same.
// Must not: hold behaviour of its own; know HTTP, TLS or the environment (node.ts does).

import { Acceptor } from '../actors/acceptor.js';
import { Allowances } from '../actors/allowances.js';
import type { Line } from '../actors/board-line.js';
import { conversation } from '../actors/conversation.js';
import type { Directory, Fabric, Settings } from '../actors/fabric.js';
import { group } from '../actors/group.js';
import { Latency } from '../actors/latency.js';
import { LIMITS } from '../actors/limits.js';
import type { ChatMessage, UserMessage } from '../actors/messages.js';
import { Online } from '../actors/online.js';
import { ReadLine } from '../actors/read-line.js';
import type { Ref } from '../actors/ref.js';
import { createRuntime, type Runtime, type RuntimeOptions } from '../actors/runtime.js';
import { noSweeps, type SweeperMessage, type SweepStats, sweeper } from '../actors/sweeper.js';
import { user } from '../actors/user.js';
import { Watches } from '../actors/watches.js';
import type { World } from '../actors/world.js';
import { alone, type Placement } from '../cluster/placement.js';
import { shardOfChat, shardOfUser } from '../cluster/shard-actors.js';
import { Log } from '../storage/log.js';
import type { Store } from '../storage/store.js';
import type { TreeEvent } from '../supervisors/events.js';
import { createPool, type Pool } from '../supervisors/pool.js';
import { startTree, type Tree } from '../supervisors/root.js';
import type { Seats } from '../supervisors/spec.js';
import { nodeTree } from '../supervisors/tree.js';
import { type Service, worker } from '../supervisors/worker.js';
import { CHAT_KIND } from '../transport/frames.js';
import type { Server } from '../transport/socket.js';
import type { Verifier } from './auth.js';
import { evacuate } from './evacuation.js';
import { guestsOf } from './guests.js';
import { type ClusterSetting, Member } from './member.js';
import { type Outside, outsidePresence } from './presence.js';
import { PresenceShards } from './presence-shards.js';

export interface WiringOptions {
  readonly node: string;
  readonly world: World;
  /** Hosts the supervisors. */
  readonly seats: Seats;
  readonly settings: Settings;
  readonly verifier: Verifier;
  readonly runtime?: RuntimeOptions;
  /** Absent: the node is alone, and its store's only writer. */
  readonly cluster?: ClusterSetting;
  /** Absent: user actors tell presence themselves. */
  readonly presence?: Line;
  /** Opens the store; called again when its supervisor restarts it. */
  openStore(): Promise<Store>;
  /** Opens the door, as often as its supervisor starts it. */
  listen(acceptor: Acceptor): Promise<Server>;
  /** Another process took the shard. A restart would take it back, and the two would go on so: this node must end. */
  fenced(shard: number): void;
  event(event: TreeEvent): void;
  report: Fabric['report'];
}

/** The parts that come and go with their supervisors. */
interface Parts {
  store: Store | null;
  log: Log | null;
  acceptor: Acceptor | null;
  server: Server | null;
  sweeper: Ref<SweeperMessage> | null;
}

export class Wiring {
  readonly runtime: Runtime;
  readonly users: Pool<UserMessage>;
  readonly chats: readonly Pool<ChatMessage>[];
  readonly sweeps: Readonly<SweepStats>;
  readonly fabric: Fabric;
  /** Where the actors of each shard live. */
  readonly placement: Placement;
  /** Null: alone. */
  readonly member: Member | null;
  readonly #options: WiringOptions;
  readonly #parts: Parts = { store: null, log: null, acceptor: null, server: null, sweeper: null };
  readonly #root: Parameters<typeof startTree>[1];
  #tree: Tree | null = null;
  #stopping = false;

  constructor(options: WiringOptions) {
    const parts = this.#parts;
    this.#options = options;
    this.runtime = createRuntime(options.world, options.runtime);
    const stats = noSweeps();
    this.sweeps = stats;
    const args = (key: string) => ({ fabric: this.fabric, key });
    const users = createPool('users', { behaviour: user, args, describe: (message) => message.type });
    const conversations = createPool('conversations', { behaviour: conversation, args, describe });
    const groups = createPool('groups', { behaviour: group, args, describe });
    this.users = users;
    this.chats = [conversations, groups];
    const chats = byKind(conversations, groups);
    const { cluster, node, report } = options;
    const epoch = (shard: number): number | null =>
      this.placement.owner(shard)?.mine === true ? this.log.epoch(shard) : null;
    const { presence: line, world } = options;
    const outside = line === undefined ? null : outsidePresence({ line, world, epoch, report }, users);
    this.member =
      cluster === undefined
        ? null
        : new Member(cluster, {
            node,
            runtime: this.runtime,
            store: () => this.store,
            users,
            chatPools: this.chats,
            chats,
            soft: outside?.soft ?? null,
            ready: () => parts.sweeper?.alive === true,
            ended: (connection) => this.watches.ended(connection),
            shaken: () => parts.acceptor?.rewatch(),
            presence: new PresenceShards(() => this.fabric, users),
            guests: guestsOf(parts),
            p99: () => this.fabric.latency.p99,
            report,
          });
    this.placement = this.member?.cluster.placement ?? alone(node);
    this.fabric = fabricOf(options, parts, this.member?.router.routed ?? { users, chats }, this.member, outside);
    const { member } = this;
    this.#root = nodeTree({
      store: () => storeService(options, parts),
      members:
        member === null ? null : { links: () => member.linkService(), membership: () => member.cluster.service() },
      users,
      conversations,
      groups,
      sweeper: worker('sweeper', sweeper, () => ({ fabric: this.fabric, stats }), {
        started: (ref) => {
          parts.sweeper = ref;
          this.member?.serve();
        },
      }),
      connections: () => connectionService(this.runtime, this.fabric, parts),
      listener: () => listenerService(options, parts, () => this.log.drained()),
    });
  }

  /** Resolves when clients can be served. Rejects when a part cannot start (`listen_failed`, `store_corrupt`, …). */
  async start(): Promise<void> {
    const { world, seats, event } = this.#options;
    this.#tree = await startTree({ world, actors: this.runtime, seats }, this.#root, { emit: event });
    // Last: nobody waits for it, and what it has to report comes when the node serves.
    this.fabric.board?.start();
  }

  get tree(): Tree {
    return present(this.#tree, 'tree');
  }

  get store(): Store {
    return present(this.#parts.store, 'store');
  }

  get log(): Log {
    return this.fabric.log;
  }

  get server(): Server {
    return present(this.#parts.server, 'listener');
  }

  get acceptor(): Acceptor {
    return present(this.#parts.acceptor, 'acceptor');
  }

  get allowances(): Allowances {
    return this.fabric.allowances;
  }

  get online(): Online {
    return this.fabric.online;
  }

  get watches(): Watches {
    return this.fabric.watches;
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** Ordered stop; resolves when all has ended. `last`: the other nodes stop, too. Said again, nothing more is handed over. */
  async stop(last = false): Promise<void> {
    const leaving = last || this.#stopping ? null : this.member;
    this.#stopping = true;
    this.#parts.server?.pause();
    if (leaving !== null) await evacuate(this.#options.world, leaving.cluster);
    await this.tree.stop();
    this.fabric.board?.stop();
  }
}

function present<T>(part: T | null, name: string): T {
  if (part === null) throw new Error(`the ${name} is not running`);
  return part;
}

function describe(message: ChatMessage): string {
  return 'id' in message ? `${message.type} ${Buffer.from(message.id).toString('hex')}` : message.type;
}

/** A chat's id says its kind with its first byte. */
function byKind(conversations: Directory<ChatMessage>, groups: Directory<ChatMessage>): Directory<ChatMessage> {
  const prefix = CHAT_KIND.direct.toString(16).padStart(2, '0');
  const of = (key: string): Directory<ChatMessage> => (key.startsWith(prefix) ? conversations : groups);
  return { tell: (key, message) => of(key).tell(key, message), lookup: (key) => of(key).lookup(key) };
}

function fabricOf(
  options: WiringOptions,
  parts: Parts,
  { users, chats }: Pick<Fabric, 'users' | 'chats'>,
  member: Member | null,
  outside: Outside | null,
): Fabric {
  const { node, world, settings, verifier, report } = options;
  const allowances = new Allowances(world, settings.quotas);
  const reader = new ReadLine(world, () => present(parts.store, 'store'));
  return {
    node,
    world,
    settings,
    allowances,
    latency: new Latency(world),
    reader,
    get store() {
      return present(parts.store, 'store');
    },
    get log() {
      return member?.cluster.log ?? present(parts.log, 'log');
    },
    users,
    owns: (chat) => member === null || member.cluster.placement.owner(shardOfChat(chat))?.mine === true,
    heard: (users) => member?.hearing.of(users) ?? 0,
    online: new Online(member === null),
    board: outside?.board ?? null,
    watches: new Watches((user, connection) => {
      // The chats' nodes have lists, too, but only the user's own knows all of them.
      const owner = member?.cluster.placement.owner(shardOfUser(user));
      if (outside !== null && owner?.mine !== false) connection.tell({ type: 'unviewed', user });
    }),
    chats,
    sweeper: { due: (chat, ms) => parts.sweeper?.tell({ type: 'due', chat, ms }) === 'ok' },
    verify: (token) => verifier.verify(token),
    report,
  };
}

function storeService(options: WiringOptions, parts: Parts): Service {
  let store: Store | null = null;
  return {
    async start() {
      store = await options.openStore();
      parts.store = store;
      // The shards of a member come and go.
      if (options.cluster !== undefined) return;
      try {
        parts.log = await Log.open(store, options.world, options.node, (shard) => options.fenced(shard));
      } catch (error) {
        await store.close();
        throw error;
      }
    },
    async stop() {
      await parts.log?.drained();
      await store?.close();
    },
    inspect: () => ({ engine: store?.engine ?? 'none', ...parts.log?.stats() }),
  };
}

function connectionService(runtime: Runtime, fabric: Fabric, parts: Parts): Service {
  return {
    start() {
      parts.acceptor = new Acceptor(runtime, fabric);
    },
    inspect: () => ({ open: parts.acceptor?.size ?? 0, crashed: parts.acceptor?.crashes ?? 0 }),
    stop: () => undefined,
  };
}

function listenerService(options: WiringOptions, parts: Parts, drained: () => Promise<void>): Service {
  let server: Server | null = null;
  return {
    async start() {
      server = await options.listen(present(parts.acceptor, 'acceptor'));
      parts.server = server;
    },
    async stop() {
      server?.pause();
      parts.acceptor?.goaway('the server stops');
      await settled(options.world, drained);
      await server?.close();
    },
    inspect: () => ({ engine: server?.engine ?? 'none', port: server?.port ?? 0 }),
  };
}

/** Resolves when what clients were owed is out: appends durable, answers sent; at the latest after LIMITS.drainMs. */
async function settled(world: World, drained: () => Promise<void>): Promise<void> {
  const pause = (ms: number): Promise<void> => new Promise((resolve) => world.timer(ms, resolve));
  const late = pause(LIMITS.drainMs);
  await Promise.race([late, pause(LIMITS.settleMs)]);
  await Promise.race([late, drained()]);
  await Promise.race([late, pause(LIMITS.settleMs)]);
}
