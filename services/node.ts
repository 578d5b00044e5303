// Owns a node on this machine: its listener with HTTP and TLS, around the wiring that every node has.
// Invariant: `ready` is said only when clients can be served.
// Must not: hold behaviour of its own; read the environment.

import type { Acceptor } from '../actors/acceptor.js';
import { LIMITS } from '../actors/limits.js';
import { nactHost } from '../supervisors/nact-host.js';
import { isLoopback, networkOf } from '../transport/address.js';
import { SUBPROTOCOL } from '../transport/frames.js';
import { type EngineChoice, listen } from '../transport/server.js';
import type { HttpRequest, HttpResponse, Server, ServerOptions } from '../transport/socket.js';
import { watchTls } from './renewal.js';
import { Wiring, type WiringOptions } from './wiring.js';

export interface NodeOptions extends Omit<WiringOptions, 'seats' | 'listen' | 'runtime'> {
  readonly host: string;
  readonly port: number;
  readonly transport: EngineChoice;
  /** ms without a byte from a client before it is cut off; LIMITS.idleMs where absent. */
  readonly idleMs?: number;
  /** What the listener asks of clients: their pages' origins, proxies, TLS. */
  readonly door?: Pick<ServerOptions, 'origins' | 'trustProxy' | 'tls' | 'shared'>;
  http(node: Node, request: HttpRequest): HttpResponse | Promise<HttpResponse>;
}

/** What a running node shows of itself. */
export class Node extends Wiring {
  readonly options: NodeOptions;

  constructor(options: NodeOptions) {
    super({ ...options, seats: nactHost(), listen: (acceptor) => this.#listen(acceptor) });
    this.options = options;
  }

  /** `ws://host:port/v1`, or `wss:` */
  get url(): string {
    const { host, port, secure } = this.server;
    return `${secure ? 'wss' : 'ws'}://${host.includes(':') ? `[${host}]` : host}:${port}/v1`;
  }

  /** New connections get the certificate that the files hold now, if it can be used; reports which. */
  renew(): void {
    const { report, door } = this.options;
    if (this.stopping || door?.tls === undefined) return;
    this.server.renew().then(
      (ends) => report('certificate_renewed', { ends: new Date(ends).toISOString() }),
      (error: unknown) =>
        report('certificate_unusable', { reason: error instanceof Error ? error.message : String(error) }),
    );
  }

  /** Over HTTP. `more`: what answers instead at a port that is not the clients'. */
  answer(request: HttpRequest, more?: NodeOptions['http']): HttpResponse | Promise<HttpResponse> {
    return tooMany(this, request) ?? (more ?? this.options.http)(this, request);
  }

  async #listen(acceptor: Acceptor): Promise<Server> {
    const { host, port, transport, idleMs, door, world } = this.options;
    const server = await listen(
      {
        host,
        port,
        path: '/v1',
        protocol: SUBPROTOCOL,
        maxMessage: LIMITS.frame,
        maxBuffered: LIMITS.bufferedHard,
        idleMs: idleMs ?? LIMITS.idleMs,
        accept: (socket) => acceptor.accept(socket),
        http: (request) => this.answer(request),
        ...door,
      },
      transport,
    );
    if (door?.tls === undefined) return server;
    const unwatch = watchTls(door.tls, world, () => this.renew());
    return {
      ...server,
      pause: () => {
        unwatch();
        server.pause();
      },
    };
  }
}

/** Starts a node. Rejects when a part cannot start (`listen_failed`, `store_corrupt`, …). */
export async function startNode(options: NodeOptions): Promise<Node> {
  const node = new Node(options);
  // The world's timers keep no process alive, and while parts stop or are restarted there may be no socket that would.
  const alive = setInterval(() => undefined, LIMITS.heartbeatMs);
  try {
    await node.start();
  } catch (error) {
    clearInterval(alive);
    throw error;
  }
  void node.tree.ended.then(() => clearInterval(alive));
  return node;
}

/** The refusal of a request whose address makes too many. */
function tooMany({ options, allowances }: Node, { address }: HttpRequest): HttpResponse | null {
  if (isLoopback(address) && !options.settings.quotas.loopback) return null;
  const ms = allowances.claim('requests', networkOf(address));
  if (ms === 0) return null;
  return { status: 429, headers: { 'retry-after': `${Math.ceil(ms / 1_000)}` }, body: 'too many requests\n' };
}
