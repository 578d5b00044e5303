// Owns putting one node together on this machine: store, log, actors, door; and stopping it in order.
// Invariant: `ready` is said only when clients can be served; stopping finishes what was accepted before the store closes.
// Must not: hold behaviour of its own beyond wiring; read the environment.

import { Acceptor } from '../actors/acceptor.js';
import { Allowances } from '../actors/allowances.js';
import { conversation } from '../actors/conversation.js';
import type { Directory, Fabric, Settings } from '../actors/fabric.js';
import { group } from '../actors/group.js';
import { LIMITS } from '../actors/limits.js';
import type { ChatMessage, UserMessage } from '../actors/messages.js';
import { Online } from '../actors/online.js';
import { ReadLine } from '../actors/read-line.js';
import type { Ref } from '../actors/ref.js';
import { createRuntime, type Runtime } from '../actors/runtime.js';
import { noSweeps, type SweeperMessage, type SweepStats, sweeper } from '../actors/sweeper.js';
import { user } from '../actors/user.js';
import { Watches } from '../actors/watches.js';
import type { World } from '../actors/world.js';
import { Log } from '../storage/log.js';
import type { Store } from '../storage/store.js';
import type { TreeEvent } from '../supervisors/events.js';
import { nactHost } from '../supervisors/nact-host.js';
import { createPool, type Pool } from '../supervisors/pool.js';
import { startTree, type Tree } from '../supervisors/root.js';
import { nodeTree } from '../supervisors/tree.js';
import { type Service, worker } from '../supervisors/worker.js';
import { isLoopback, networkOf } from '../transport/address.js';
import { CHAT_KIND, SUBPROTOCOL } from '../transport/frames.js';
import { type EngineChoice, listen } from '../transport/server.js';
import type { HttpRequest, HttpResponse, Server, ServerOptions } from '../transport/socket.js';
import type { Verifier } from './auth.js';
import { watchTls } from './renewal.js';

export interface NodeOptions {
  readonly node: string;
  readonly world: World;
  readonly host: string;
  readonly port: number;
  readonly transport: EngineChoice;
  /** ms without a byte from a client before it is cut off; LIMITS.idleMs where absent. */
  readonly idleMs?: number;
  readonly settings: Settings;
  /** What the listener asks of clients: their pages' origins, proxies, TLS. */
  readonly door?: Pick<ServerOptions, 'origins' | 'trustProxy' | 'tls'>;
  readonly verifier: Verifier;
  /** Opens the store; called again when its supervisor restarts it. */
  openStore(): Promise<Store>;
  /** Another process took the shard. A restart would take it back, and the two would go on so: this node must end. */
  fenced(shard: number): void;
  http(node: Node, request: HttpRequest): HttpResponse | Promise<HttpResponse>;
  event(event: TreeEvent): void;
  report: Fabric['report'];
}

/** What a running node shows of itself. */
export interface Node {
  readonly options: NodeOptions;
  readonly runtime: Runtime;
  readonly tree: Tree;
  readonly store: Store;
  readonly log: Log;
  readonly server: Server;
  readonly acceptor: Acceptor;
  readonly allowances: Allowances;
  readonly online: Online;
  readonly watches: Watches;
  readonly users: Pool<UserMessage>;
  readonly chats: readonly Pool<ChatMessage>[];
  readonly sweeps: Readonly<SweepStats>;
  /** `ws://host:port/v1`, or `wss:` */
  readonly url: string;
  readonly stopping: boolean;
  /** New connections get the certificate that the files hold now, if it can be used; reports which. */
  renew(): void;
  /** Ordered stop; resolves when all has ended. */
  stop(): Promise<void>;
}

/** The parts that come and go with their supervisors. */
interface Parts {
  store: Store | null;
  log: Log | null;
  acceptor: Acceptor | null;
  server: Server | null;
  sweeper: Ref<SweeperMessage> | null;
  stopping: boolean;
}

function present<T>(part: T | null, name: string): T {
  if (part === null) throw new Error(`the ${name} is not running`);
  return part;
}

/** Starts a node. Rejects when a part cannot start (`listen_failed`, `store_corrupt`, …). */
export async function startNode(options: NodeOptions): Promise<Node> {
  const { world } = options;
  const runtime = createRuntime(world);
  const parts: Parts = { store: null, log: null, acceptor: null, server: null, sweeper: null, stopping: false };
  const sweeps = noSweeps();
  const args = (key: string) => ({ fabric, key });
  const users = createPool('users', { behaviour: user, args, describe: (message) => message.type });
  const conversations = createPool('conversations', { behaviour: conversation, args, describe });
  const groups = createPool('groups', { behaviour: group, args, describe });
  const fabric = fabricOf(options, parts, users, byKind(conversations, groups));

  const node: Node = {
    options,
    runtime,
    get tree() {
      return tree;
    },
    get store() {
      return present(parts.store, 'store');
    },
    get log() {
      return present(parts.log, 'log');
    },
    get server() {
      return present(parts.server, 'listener');
    },
    get acceptor() {
      return present(parts.acceptor, 'acceptor');
    },
    allowances: fabric.allowances,
    online: fabric.online,
    watches: fabric.watches,
    users,
    chats: [conversations, groups],
    sweeps,
    get url() {
      const { host, port, secure } = node.server;
      return `${secure ? 'wss' : 'ws'}://${host.includes(':') ? `[${host}]` : host}:${port}/v1`;
    },
    get stopping() {
      return parts.stopping;
    },
    renew: () => renew(options, parts),
    async stop() {
      parts.stopping = true;
      await tree.stop();
    },
  };
  // The world's timers keep no process alive, and while parts stop or are restarted there may be no socket that would.
  const alive = setInterval(() => undefined, LIMITS.heartbeatMs);
  const tree = await startTree(
    { world, actors: runtime, seats: nactHost() },
    nodeTree({
      store: () => storeService(options, parts),
      users,
      conversations,
      groups,
      sweeper: worker('sweeper', sweeper, () => ({ fabric, stats: sweeps }), {
        started: (ref) => {
          parts.sweeper = ref;
        },
      }),
      connections: () => connectionService(runtime, fabric, parts),
      listener: () => listenerService(options, parts, () => node),
    }),
    { emit: options.event },
  ).catch((error: unknown) => {
    clearInterval(alive);
    throw error;
  });
  void tree.ended.then(() => clearInterval(alive));
  return node;
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
  options: NodeOptions,
  parts: Parts,
  users: Directory<UserMessage>,
  chats: Directory<ChatMessage>,
): Fabric {
  const { node, world, settings, verifier, report } = options;
  const allowances = new Allowances(world, settings.quotas);
  const reader = new ReadLine(world, () => present(parts.store, 'store'));
  return {
    node,
    world,
    settings,
    allowances,
    reader,
    get store() {
      return present(parts.store, 'store');
    },
    get log() {
      return present(parts.log, 'log');
    },
    users,
    online: new Online(),
    watches: new Watches(),
    chats,
    sweeper: { due: (chat, ms) => parts.sweeper?.tell({ type: 'due', chat, ms }) === 'ok' },
    verify: (token) => verifier.verify(token),
    report,
  };
}

function storeService(options: NodeOptions, parts: Parts): Service {
  let store: Store | null = null;
  return {
    async start() {
      store = await options.openStore();
      try {
        parts.log = await Log.open(store, options.world, options.node, (shard) => options.fenced(shard));
      } catch (error) {
        await store.close();
        throw error;
      }
      parts.store = store;
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

function listenerService(options: NodeOptions, parts: Parts, node: () => Node): Service {
  let server: Server | null = null;
  let unwatch: (() => void) | null = null;
  const { tls } = options.door ?? {};
  return {
    async start() {
      const acceptor = present(parts.acceptor, 'acceptor');
      server = await listen(
        {
          host: options.host,
          port: options.port,
          path: '/v1',
          protocol: SUBPROTOCOL,
          maxMessage: LIMITS.frame,
          maxBuffered: LIMITS.bufferedHard,
          idleMs: options.idleMs ?? LIMITS.idleMs,
          accept: (socket) => acceptor.accept(socket),
          http: (request) => tooMany(node(), request) ?? options.http(node(), request),
          ...options.door,
        },
        options.transport,
      );
      parts.server = server;
      if (tls !== undefined) unwatch = watchTls(tls, options.world, () => renew(options, parts));
    },
    async stop() {
      unwatch?.();
      server?.pause();
      parts.acceptor?.goaway('the server stops');
      await settled(options.world, parts);
      await server?.close();
    },
    inspect: () => ({ engine: server?.engine ?? 'none', port: server?.port ?? 0 }),
  };
}

/** The refusal of a request whose address makes too many. */
function tooMany({ options, allowances }: Node, { address }: HttpRequest): HttpResponse | null {
  if (isLoopback(address) && !options.settings.quotas.loopback) return null;
  const ms = allowances.claim('requests', networkOf(address));
  if (ms === 0) return null;
  return { status: 429, headers: { 'retry-after': `${Math.ceil(ms / 1_000)}` }, body: 'too many requests\n' };
}

function renew({ report, door }: NodeOptions, { server, stopping }: Parts): void {
  if (server === null || stopping || door?.tls === undefined) return;
  server.renew().then(
    (ends) => report('certificate_renewed', { ends: new Date(ends).toISOString() }),
    (error: unknown) =>
      report('certificate_unusable', { reason: error instanceof Error ? error.message : String(error) }),
  );
}

/** Resolves when what clients were owed is out: appends durable, answers sent; at the latest after LIMITS.drainMs. */
async function settled(world: World, parts: Parts): Promise<void> {
  const pause = (ms: number): Promise<void> => new Promise((resolve) => world.timer(ms, resolve));
  const late = pause(LIMITS.drainMs);
  await Promise.race([late, pause(LIMITS.settleMs)]);
  await Promise.race([late, parts.log?.drained()]);
  await Promise.race([late, pause(LIMITS.settleMs)]);
}
