// Owns the network of the simulated world: addresses that processes listen on, and who may reach whom how well.
// Invariant: a link carries whole frames in order or breaks; nothing arrives at once, twice or changed; what a process sent
// before it died may still arrive.
// Must not: know frames, or what a link is for: clients' links and links between nodes are the same.

import type { Dial, LinkEvents } from '../client/link.js';
import type { Server, ServerOptions } from '../transport/socket.js';
import type { Clock } from './clock.js';
import { Connection } from './link.js';
import type { Process } from './process.js';
import { type Random, stream } from './random.js';

/** How a network is; drawn per history. */
export interface NetworkOptions {
  /** ms that a frame takes, least and most. */
  readonly latency: readonly [number, number];
  /** Bytes that the two kernels hold for one direction of a link before the sender's process has to. */
  readonly kernel: number;
  /** Bytes a ms that a link takes; Infinity: any. */
  readonly bandwidth: number;
}

/** What passes a listener's sockets, at the moment it does. */
export interface Tap {
  /** The link is up on the listener's side. */
  opened(link: Connection): void;
  /** Leaves the listening process. The bytes are the tap's. */
  left(link: Connection, bytes: Uint8Array): void;
  /** Is taken by the listening process. */
  arrived(link: Connection, bytes: Uint8Array): void;
  closed(link: Connection, code: number): void;
}

type Listening = Pick<ServerOptions, 'accept' | 'maxMessage' | 'maxBuffered' | 'idleMs'>;

interface Listener {
  readonly process: Process;
  readonly options: Listening;
  paused: boolean;
}

export class Network {
  readonly clock: Clock;
  readonly options: NetworkOptions;
  readonly tap: Tap;
  readonly #seed: number;
  readonly #listeners = new Map<string, Listener>();
  readonly #links = new Set<Connection>();
  /** Hosts without a network, and ms by which a host's frames take longer. */
  readonly #unplugged = new Set<string>();
  readonly #slow = new Map<string, number>();
  /** Names of hosts whose frames do not pass, as `from>to`; `*` stands for all. */
  readonly #clogged = new Set<string>();
  #number = 0;

  constructor(clock: Clock, seed: number, options: NetworkOptions, tap: Tap) {
    this.clock = clock;
    this.#seed = seed;
    this.options = options;
    this.tap = tap;
  }

  /** Links that are open on at least one side. */
  get links(): ReadonlySet<Connection> {
    return this.#links;
  }

  /** Makes `process` hear what is dialled at `address`. A dead process hears nothing; its successor takes the address over. */
  listen(process: Process, address: string, options: Listening): Server {
    const listener: Listener = { process, options, paused: false };
    this.#listeners.set(address, listener);
    const mine = (): Connection[] => [...this.#links].filter((link) => link.listener === listener);
    return {
      engine: 'ws',
      host: address,
      port: 1,
      secure: false,
      renew: () => Promise.reject(new Error('no TLS here')),
      pause: () => {
        listener.paused = true;
      },
      close: async () => {
        listener.paused = true;
        for (const link of mine()) link.socket.close(1001, 'server stops');
      },
    };
  }

  /** What a client's core dials with. `host` names its machine to the network. */
  dialer(process: Process, host: string): Dial {
    return (url, _protocol, events) => this.dial(process, host, url, events);
  }

  dial(process: Process, host: string, address: string, events: LinkEvents): Connection['client'] {
    this.#number += 1;
    const luck = stream(this.#seed, `link ${this.#number}`);
    const link = new Connection(this, this.#number, luck, { process, host, address, events });
    this.#links.add(link);
    link.connect();
    return link.client;
  }

  /** Who hears at an address now; undefined: the connection is refused. */
  hears(address: string): Listener | undefined {
    const listener = this.#listeners.get(address);
    return listener === undefined || listener.paused || !listener.process.alive ? undefined : listener;
  }

  /** Nothing from `from` reaches `to` (hosts or addresses, `*`: any) until the returned function is called; then it all does. */
  clog(from: string, to: string): () => void {
    const name = `${from}>${to}`;
    this.#clogged.add(name);
    return () => {
      if (this.#clogged.delete(name)) for (const link of this.#links) link.unclogged();
    };
  }

  /** A host has no network any more, and notices; or has it again. */
  unplug(host: string, on: boolean): void {
    if (!on) this.#unplugged.delete(host);
    else {
      this.#unplugged.add(host);
      for (const link of this.of(host)) link.break();
    }
  }

  unplugged(host: string): boolean {
    return this.#unplugged.has(host);
  }

  /** A host's frames take `ms` longer; 0: no more. */
  slow(host: string, ms: number): void {
    this.#slow.set(host, ms);
  }

  passes(from: string, to: string): boolean {
    const clogged = this.#clogged;
    if (clogged.size === 0) return true;
    return !clogged.has(`${from}>${to}`) && !clogged.has(`*>${to}`) && !clogged.has(`${from}>*`);
  }

  /** Open links of a host or to an address. */
  of(host: string): Connection[] {
    return [...this.#links].filter((link) => link.host === host || link.address === host);
  }

  /** A process died. `vanished`: so did its machine, and nobody is told. */
  died(process: Process, vanished: boolean): void {
    for (const link of [...this.#links]) link.died(process, vanished);
  }

  ended(link: Connection): void {
    this.#links.delete(link);
  }

  /** ms that what the host sends or gets now takes. */
  latency(host: string, luck: Random): number {
    const [least, most] = this.options.latency;
    return least + luck() * (most - least) + (this.#slow.get(host) ?? 0);
  }
}
