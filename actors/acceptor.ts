// Owns the seam between sockets and connection actors: each accepted socket gets an actor, each message becomes a frame.
// Invariant: bytes are decoded before the call returns and never kept; a socket and its actor end together, whichever
// ends first; hostile bytes cost the sender its connection and nothing else.
// Must not: interpret frames.

import { decodeClient } from '../transport/codec.js';
import { CLOSE } from '../transport/frames.js';
import type { Socket, SocketHandler } from '../transport/socket.js';
import { connection } from './connection.js';
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
  #number = 0;
  #crashes = 0;

  constructor(runtime: Runtime, fabric: Fabric) {
    this.#runtime = runtime;
    this.#fabric = fabric;
  }

  /** Connections open now. */
  get size(): number {
    return this.#live.size;
  }

  /** Connection actors that failed since the start. */
  get crashes(): number {
    return this.#crashes;
  }

  /** For ServerOptions.accept. */
  accept(socket: Socket): SocketHandler {
    this.#number += 1;
    const args = { fabric: this.#fabric, socket, outbox: this.#outbox };
    const ref: ConnectionRef = this.#runtime.spawn(connection, `c${this.#number}`, args);
    this.#live.add(ref);
    this.#runtime.watch(ref, (reason) => {
      this.#live.delete(ref);
      if (reason.type !== 'crash') return;
      this.#crashes += 1;
      this.#fabric.report('connection_crashed', { key: ref.key, error: describe(reason.error) });
    });
    return new Handler(this.#runtime, socket, ref);
  }

  /** Tells every client that the node is about to stop. */
  goaway(reason: string): void {
    for (const ref of this.#live) ref.tell({ type: 'goaway', after: LIMITS.goawayMs, reason });
  }
}

class Handler implements SocketHandler {
  readonly #runtime: Runtime;
  readonly #socket: Socket;
  readonly #ref: ConnectionRef;

  constructor(runtime: Runtime, socket: Socket, ref: ConnectionRef) {
    this.#runtime = runtime;
    this.#socket = socket;
    this.#ref = ref;
  }

  message(bytes: Uint8Array): void {
    const frame = decodeClient(bytes);
    if (frame.type === 0) return;
    if (frame.type === -1) this.#violation(frame.reason);
    else this.#tell({ type: 'frame', frame });
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
    this.#tell({ type: 'violation', code: 'bad_frame', close: CLOSE.badFrame, detail });
  }

  #tell(message: ConnectionMessage): void {
    // More than its mailbox holds came before it had a turn: no client within its window does that.
    if (this.#ref.tell(message) === 'busy') this.#socket.close(CLOSE.flood, 'flooding');
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
