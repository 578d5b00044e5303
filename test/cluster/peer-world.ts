// Owns wires between simulated processes, for nodes in one world: each frame takes its time, and a direction may be clogged or cut.
// Invariant: as cluster/net.ts says; the frames of a process that died may still arrive, and its wires then break.
// Must not: know links.

import type { End, Listening, Net, Wire, WireHandler } from '../../cluster/net.js';
import type { Clock } from '../../sim/clock.js';
import { WORLD } from '../../sim/clock.js';
import type { Process } from '../../sim/process.js';

interface Listener {
  readonly process: Process;
  readonly accept: (wire: Wire) => WireHandler;
}

class Side implements Wire {
  readonly address: string;
  readonly process: Process;
  readonly host: string;
  readonly #wires: PeerWires;
  other: Side | null = null;
  handler: WireHandler | null = null;
  dead = false;
  /** Virtual ms at which the newest of what the other side was sent arrives. */
  #due = 0;

  constructor(wires: PeerWires, process: Process, host: string, to: string) {
    this.#wires = wires;
    this.process = process;
    this.host = host;
    this.address = to;
  }

  send(bytes: Uint8Array): boolean {
    if (this.dead) return false;
    const copy = bytes.slice();
    this.#carry((other) => other.handler?.message(copy));
    return true;
  }

  buffered(): number {
    return 0;
  }

  close(end: End): void {
    if (this.dead) return;
    this.die();
    this.#carry((other) => other.closed(end));
  }

  /** In order, also where the direction was clogged. */
  #carry(arrive: (other: Side) => void): void {
    const { clock } = this.#wires;
    const at = Math.max(this.#due, clock.now + this.#wires.delay());
    this.#due = at;
    const hand = (): void => {
      const { other } = this;
      if (other === null) return;
      if (this.#wires.clogged(this.host, other.host)) {
        clock.schedule(clock.now + 10, WORLD, hand);
        return;
      }
      other.process.arrive(0, () => arrive(other));
    };
    clock.schedule(at, WORLD, hand);
  }

  closed(end: End): void {
    const { handler } = this;
    if (this.dead) return;
    this.die();
    handler?.closed(end);
  }

  die(): void {
    this.dead = true;
    this.handler = null;
    this.#wires.all.delete(this);
  }
}

export class PeerWires {
  readonly clock: Clock;
  readonly all = new Set<Side>();
  readonly #luck: () => number;
  readonly #listeners = new Map<string, Listener>();
  readonly #clogged = new Set<string>();

  constructor(clock: Clock, luck: () => number) {
    this.clock = clock;
    this.#luck = luck;
  }

  delay(): number {
    return 0.2 + this.#luck();
  }

  clogged(from: string, to: string): boolean {
    return this.#clogged.has(`${from}>${to}`);
  }

  /** Nothing of `from` reaches `to`, or all of it does again. */
  clog(from: string, to: string, on: boolean): void {
    if (on) this.#clogged.add(`${from}>${to}`);
    else this.#clogged.delete(`${from}>${to}`);
  }

  /** All wires between two hosts break. */
  cut(a: string, b: string): void {
    for (const side of [...this.all]) {
      if ((side.host === a && side.address === b) || (side.host === b && side.address === a)) {
        side.process.arrive(0, () => side.closed('broken'));
      }
    }
  }

  /** The process is gone, and its kernel says so. */
  died(process: Process): void {
    for (const side of [...this.all]) {
      if (side.process !== process) continue;
      const { other } = side;
      side.die();
      other?.process.arrive(1, () => other.closed('broken'));
    }
  }

  of(process: Process, host: string): Net {
    return {
      listen: async (accept): Promise<Listening> => {
        this.#listeners.set(host, { process, accept });
        return { address: host, close: async () => void this.#listeners.delete(host) };
      },
      dial: (address, handler) => this.#dial(process, host, address, handler),
    };
  }

  #dial(process: Process, host: string, address: string, handler: WireHandler): Wire {
    const near = new Side(this, process, host, address);
    near.handler = handler;
    this.all.add(near);
    this.clock.schedule(this.clock.now + this.delay(), WORLD, () => {
      const listener = this.#listeners.get(address);
      if (near.dead) return;
      if (listener === undefined || !listener.process.alive || this.clogged(host, address)) {
        process.arrive(1, () => near.closed('broken'));
        return;
      }
      listener.process.arrive(0, () => {
        const far = new Side(this, listener.process, address, host);
        [near.other, far.other] = [far, near];
        this.all.add(far);
        far.handler = listener.accept(far);
        process.arrive(this.delay(), () => near.handler?.opened());
      });
    });
    return near;
  }
}
