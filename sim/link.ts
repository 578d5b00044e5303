// Owns one connection of the simulated network: a client's link at one end, a listener's socket at the other.
// Invariant: each end is told of its end once, in its own time, if at all (half-open); after that it hears nothing; ends keep to
// the contracts of client/link.ts and transport/socket.ts.
// Must not: interpret what it carries.

import type { Link, LinkEvents } from '../client/link.js';
import type { SendOutcome, Socket, SocketHandler } from '../transport/socket.js';
import { WORLD } from './clock.js';
import type { Network } from './network.js';
import { Pipe } from './pipe.js';
import type { Process } from './process.js';
import type { Random } from './random.js';

export interface Dialled {
  readonly process: Process;
  readonly host: string;
  readonly address: string;
  readonly events: LinkEvents;
}

const BROKEN = 1006;

/** ms until a peer that does not answer the closing handshake is given up. */
const CLOSING_MS = 2_000;

export class Connection {
  readonly number: number;
  /** The client's machine. */
  readonly host: string;
  readonly address: string;
  /** As the client's core sees it. */
  readonly client: Link;
  /** As the listening process sees it. */
  readonly socket: Socket;
  listener: ReturnType<Network['hears']>;
  readonly #network: Network;
  readonly #luck: Random;
  readonly #dialled: Dialled;
  readonly #up: Pipe;
  readonly #down: Pipe;
  #handler: SocketHandler | null = null;
  #opened = false;
  #clientOver = false;
  #serverOver = false;
  /** Virtual ms at which the listener last got a frame. */
  #heard = 0;
  /** Bytes after which it breaks, and who is told then. */
  #fuse: { left: number; readonly blow: () => void } | null = null;

  constructor(network: Network, number: number, luck: Random, dialled: Dialled) {
    const { host, address } = dialled;
    this.#network = network;
    this.number = number;
    this.#luck = luck;
    this.#dialled = dialled;
    this.host = host;
    this.address = address;
    const { clock, options } = network;
    const { bandwidth, kernel } = options;
    const common = { clock, bandwidth, kernel, latency: () => network.latency(host, luck) };
    this.#up = new Pipe({
      ...common,
      passes: () => network.passes(host, address),
      deliver: (bytes) => this.#atServer(bytes),
      drained: () => undefined,
    });
    this.#down = new Pipe({
      ...common,
      passes: () => network.passes(address, host),
      deliver: (bytes) => {
        if (!this.#clientOver) dialled.events.message(bytes);
      },
      drained: () => this.#drained(),
    });
    this.client = {
      send: (bytes) => {
        if (!this.#opened || this.#clientOver) return;
        this.#up.send(bytes.slice());
        this.#burn(bytes.length);
      },
      buffered: () => this.#up.buffered,
      close: (code) => this.#closedByClient(code),
    };
    this.socket = {
      address: host,
      send: (bytes) => this.#send(bytes),
      buffered: () => (this.#serverOver ? 0 : this.#down.buffered),
      cork: (task) => task(),
      close: (code) => this.#closedByServer(code),
    };
  }

  /** Both ends believe in it, or at least one. */
  get open(): boolean {
    return !this.#clientOver || (this.#handler !== null && !this.#serverOver);
  }

  /** Both ends are up, and what one sends reaches the other. */
  get whole(): boolean {
    return this.#opened && !this.#clientOver && !this.#serverOver && this.#up.whole && this.#down.whole;
  }

  /** Bytes that wait in the listening process. */
  get waiting(): number {
    return this.socket.buffered();
  }

  connect(): void {
    const { clock } = this.#network;
    const attempt = (): void => {
      if (this.#clientOver) return;
      const listener = this.#network.hears(this.address);
      if (!this.#network.passes(this.host, this.address)) return;
      if (listener === undefined || this.#network.unplugged(this.host)) this.#refused();
      else listener.process.arrive(0, () => this.#accept(listener));
    };
    const ms = this.#latency();
    // Nobody's event: the listener may be another process by then, or none.
    clock.schedule(clock.now + ms, WORLD, attempt);
  }

  /** The client's machine stops reading, or reads again. */
  stall(on: boolean): void {
    this.#down.stop(on);
  }

  unclogged(): void {
    this.#up.poke();
    this.#down.poke();
  }

  /**
   * The link breaks. Of what is on its way a part still comes through. `silent`: ends that do not learn of it, but by their own
   * time-outs.
   */
  break(silent: { readonly client: boolean; readonly server: boolean } = { client: false, server: false }): void {
    this.#up.cut(this.#through(this.#up), silent.server ? null : () => this.#endServer(BROKEN));
    this.#down.cut(this.#through(this.#down), silent.client ? null : () => this.#endClient(BROKEN));
  }

  /** Calls `blow` once `bytes` more have been sent, by either side. */
  light(bytes: number, blow: () => void): void {
    this.#fuse = { left: bytes, blow };
  }

  died(process: Process, vanished: boolean): void {
    if (process === this.#dialled.process) {
      this.#clientOver = true;
      this.#up.cut(this.#through(this.#up), vanished ? null : () => this.#endServer(BROKEN));
      this.#down.cut(0, null);
    } else if (process === this.listener?.process) {
      this.#serverOver = true;
      this.#down.cut(this.#through(this.#down), vanished ? null : () => this.#endClient(BROKEN));
      this.#up.cut(0, null);
    }
    this.#gone();
  }

  #burn(bytes: number): void {
    const fuse = this.#fuse;
    if (fuse === null) return;
    fuse.left -= bytes;
    if (fuse.left > 0) return;
    this.#fuse = null;
    fuse.blow();
  }

  #through(pipe: Pipe): number {
    return this.#luck.between(0, pipe.count);
  }

  #latency(): number {
    return this.#network.latency(this.host, this.#luck);
  }

  // ---- the client's end ----

  #refused(): void {
    this.#dialled.process.arrive(this.#latency(), () => this.#endClient(BROKEN));
  }

  #closedByClient(code: number): void {
    if (this.#clientOver) return;
    const { process } = this.#dialled;
    this.#up.finish(() => this.#endServer(code));
    this.#down.cut(0, null);
    const ms = Math.min(CLOSING_MS, 2 * this.#latency());
    this.#clientOver = true;
    process.arrive(ms, () => this.#dialled.events.closed(code, ''));
    this.#gone();
  }

  #endClient(code: number): void {
    if (this.#clientOver) return;
    this.#clientOver = true;
    this.#dialled.events.closed(code, '');
    this.#gone();
  }

  // ---- the listener's end ----

  #accept(listener: NonNullable<Connection['listener']>): void {
    if (this.#clientOver) return;
    this.listener = listener;
    this.#opened = true;
    this.#heard = this.#network.clock.now;
    this.#network.tap.opened(this);
    this.#handler = listener.options.accept(this.socket);
    if (this.#serverOver) this.#handler.closed(BROKEN);
    this.#up.open(listener.process);
    this.#dialled.process.arrive(this.#latency(), () => {
      if (!this.#clientOver) this.#dialled.events.open();
      this.#down.open(this.#dialled.process);
    });
    const { idleMs } = listener.options;
    if (idleMs !== undefined) this.#watch(listener.process, idleMs, idleMs);
  }

  /** Cuts a client off of which nothing was heard. */
  #watch(process: Process, idleMs: number, ms: number): void {
    process.arrive(ms, () => {
      if (this.#serverOver) return;
      const rest = this.#heard + idleMs - this.#network.clock.now;
      if (rest > 0) return this.#watch(process, idleMs, rest);
      this.#down.cut(0, () => this.#endClient(BROKEN));
      this.#endServer(BROKEN);
    });
  }

  #atServer(bytes: Uint8Array): void {
    if (this.#serverOver || this.#handler === null) return;
    const { clock, tap } = this.#network;
    this.#heard = clock.now;
    clock.trace.bytes(bytes);
    if (bytes.length > this.listener!.options.maxMessage) return this.#closedByServer(1009);
    tap.arrived(this, bytes.slice());
    this.#handler.message(bytes);
    // They were lent: whoever kept them finds out.
    bytes.fill(0xa5);
  }

  #send(bytes: Uint8Array): SendOutcome {
    if (this.#serverOver || this.#down.buffered > this.listener!.options.maxBuffered) return 'dropped';
    // The record's and the client's alike: neither changes it.
    const copy = bytes.slice();
    this.#network.clock.trace.bytes(copy);
    this.#network.tap.left(this, copy);
    this.#down.send(copy);
    this.#burn(bytes.length);
    return this.#down.buffered === 0 ? 'sent' : 'queued';
  }

  #drained(): void {
    // In the receiver's event: the sender hears of it in one of its own.
    this.listener?.process.arrive(this.#latency(), () => {
      if (!this.#serverOver) this.#handler?.drained();
    });
  }

  #closedByServer(code: number): void {
    if (this.#serverOver) return;
    this.#down.finish(() => this.#endClient(code));
    this.#endServer(code);
  }

  #endServer(code: number): void {
    if (this.#serverOver) return;
    this.#serverOver = true;
    this.#network.tap.closed(this, code);
    this.#handler?.closed(code);
    this.#gone();
  }

  #gone(): void {
    if (!this.open) this.#network.ended(this);
  }
}
