// Owns the seam between sockets and connection actors: each accepted socket gets an actor, each message becomes a frame.
// Invariant: bytes are decoded, or copied, before the call returns and never kept; a socket and its actor end together, whichever
// ends first; hostile bytes cost the sender its connection and nothing else.
// Must not: interpret frames.

import { isLoopback, networkOf } from '../transport/address.js';
import { decodeClient, decodeUnread, encodeServer } from '../transport/codec.js';
import { CLOSE, T } from '../transport/frames.js';
import type { Socket, SocketHandler } from '../transport/socket.js';
import type { ExitReason } from './behaviour.js';
import { connection, type Inflow } from './connection.js';
import { CODES, type Code } from './errors.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import type { ConnectionMessage, ConnectionRef } from './messages.js';
import { Outbox } from './outbox.js';
import type { Runtime } from './runtime.js';

export class Acceptor {
  readonly #runtime: Runtime;
  readonly #fabric: Fabric;
  readonly #outbox = new Outbox();
  readonly #live = new Set<ConnectionRef>();
  /** Those that were told to go elsewhere. */
  readonly #leaving = new Set<ConnectionRef>();
  /** Connections by network. */
  readonly #networks = new Map<string, number>();
  /** Its end observed by its own hook: a watch would cost each connection a monitor and a closure. */
  readonly #behaviour: typeof connection = {
    ...connection,
    terminated: (state, reason, context) => {
      try {
        connection.terminated?.(state, reason, context);
      } finally {
        this.#ended(context.self, state.login.network, reason);
      }
    },
  };
  #number = 0;
  #crashes = 0;

  constructor(runtime: Runtime, fabric: Fabric) {
    this.#runtime = runtime;
    this.#fabric = fabric;
  }

  /** Connections open now. */
  get size(): number {
    return this.#live.size + this.#leaving.size;
  }

  /** Connection actors that failed since the start. */
  get crashes(): number {
    return this.#crashes;
  }

  /** For ServerOptions.accept. */
  accept(socket: Socket): SocketHandler {
    const network = this.#enter(socket);
    if (network === null) return nobody;
    this.#number += 1;
    const inflow: Inflow = { frames: 0, bytes: 0, most: LIMITS.inflowGreeting, until: 0 };
    const args = { fabric: this.#fabric, socket, outbox: this.#outbox, inflow, network };
    const ref = this.#runtime.spawn(this.#behaviour, `c${this.#number}`, args);
    this.#live.add(ref);
    return new Handler(this.#runtime, socket, ref, inflow);
  }

  #ended(ref: ConnectionRef, network: string, reason: ExitReason): void {
    this.#live.delete(ref);
    this.#leaving.delete(ref);
    this.#leave(network);
    if (reason.type !== 'crash') return;
    this.#crashes += 1;
    this.#fabric.report('connection_crashed', { key: ref.key, error: describe(reason.error) });
  }

  /** What the socket's address counts as, with this connection counted. Null: it has as many as it may; this one is refused. */
  #enter(socket: Socket): string | null {
    const { addressConnections, loopback } = this.#fabric.settings.quotas;
    if (!loopback && isLoopback(socket.address)) return '';
    const network = networkOf(socket.address);
    const open = this.#networks.get(network) ?? 0;
    const { allowances } = this.#fabric;
    if (addressConnections > 0 && open >= addressConnections) {
      allowances.refused.addressConnections += 1;
      return turnAway(socket, 'full', CLOSE.goingAway, `an address has at most ${addressConnections} connections`);
    }
    const after = allowances.claim('connects', network);
    if (after > 0)
      return turnAway(socket, 'rate_limited', CLOSE.tooMany, 'too many connections of this address', after);
    this.#networks.set(network, open + 1);
    return network;
  }

  #leave(network: string): void {
    const open = this.#networks.get(network) ?? 0;
    if (open > 1) this.#networks.set(network, open - 1);
    else this.#networks.delete(network);
  }

  /** Has all connections say anew which chats their clients have open. */
  rewatch(): void {
    for (const ref of this.#all()) ref.tell({ type: 'rewatch', chat: null });
  }

  /** Tells every client that the node is about to stop. */
  goaway(reason: string): void {
    for (const ref of this.#all()) ref.tell({ type: 'goaway', after: LIMITS.goawayMs, reason, target: '' });
  }

  /** Tells the client that came first, of those not told yet, to go to another node. False: there is none. */
  away(target: string): boolean {
    for (const ref of this.#live) {
      this.#live.delete(ref);
      this.#leaving.add(ref);
      ref.tell({ type: 'goaway', after: 0, reason: 'the node is drained', target });
      this.#runtime.world.timer(LIMITS.drainLeaveMs, () => {
        if (this.#leaving.has(ref)) this.#runtime.exit(ref, { type: 'shutdown' });
      });
      return true;
    }
    return false;
  }

  /** Who is still here need not have gone. */
  stay(): void {
    for (const ref of this.#leaving) this.#live.add(ref);
    this.#leaving.clear();
  }

  *#all(): Generator<ConnectionRef> {
    yield* this.#live;
    yield* this.#leaving;
  }
}

/** Says why and closes, before there is an actor. */
function turnAway(socket: Socket, code: Code, close: number, detail: string, after = CODES[code].after): null {
  const { retry } = CODES[code];
  socket.send(encodeServer({ type: T.ERROR, r: 0, code, retry, after, detail }));
  socket.close(close, code);
  return null;
}

/** Behind a socket that was refused. */
const nobody: SocketHandler = {
  message: () => undefined,
  text: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
};

class Handler implements SocketHandler {
  readonly #runtime: Runtime;
  readonly #socket: Socket;
  readonly #ref: ConnectionRef;
  readonly #inflow: Inflow;
  #over = false;

  constructor(runtime: Runtime, socket: Socket, ref: ConnectionRef, inflow: Inflow) {
    this.#runtime = runtime;
    this.#socket = socket;
    this.#ref = ref;
    this.#inflow = inflow;
  }

  message(bytes: Uint8Array): void {
    if (this.#over || this.#inflow.most === 0) return;
    if (bytes.length > LIMITS.frameTurn) return this.#long(bytes);
    const frame = decodeClient(bytes);
    if (frame.type === 0) return;
    if (frame.type === -1) this.#violation(frame.reason);
    else this.#take({ type: 'frame', frame, bytes: bytes.length });
  }

  /** What will be refused is not copied: a flood of large bodies would have the collector run all the time. */
  #long(bytes: Uint8Array): void {
    const { length } = bytes;
    const frame = this.#runtime.world.now() < this.#inflow.until ? decodeUnread(bytes) : null;
    if (frame === null) this.#take({ type: 'raw', raw: bytes.slice(), bytes: length });
    else this.#take({ type: 'frame', frame, bytes: length, unread: true });
  }

  text(): void {
    this.#violation('frames are binary');
  }

  drained(): void {
    this.#ref.tell({ type: 'drained' });
  }

  closed(): void {
    this.#runtime.exit(this.#ref, { type: 'shutdown' });
  }

  #violation(detail: string): void {
    if (this.#over) return;
    // The rest of what it sends is not looked at.
    this.#over = true;
    this.#ref.tell({ type: 'violation', code: 'bad_frame', close: CLOSE.badFrame, detail });
  }

  /** Frames are counted here and not by the mailbox, which deliveries may fill without the client's fault. */
  #take(message: Extract<ConnectionMessage, { type: 'frame' | 'raw' }>): void {
    const inflow = this.#inflow;
    inflow.frames += 1;
    inflow.bytes += message.bytes;
    if (inflow.frames <= LIMITS.inflowFrames && inflow.bytes <= inflow.most && this.#ref.tell(message) !== 'busy') {
      return;
    }
    this.#over = true;
    this.#socket.close(CLOSE.flood, 'flooding');
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
