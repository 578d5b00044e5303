// Owns the network between the nodes of a simulated world: wires as cluster/net.ts has them, and what networks do to those.
// Invariant: a wire carries whole frames in order or breaks; each side is told of its end once, in its own time, if at all; the
// frames of a process that died may still arrive. Whoever replays old bytes has no wire but a new one.
// Must not: know frames, or what links do with them.

import type { End, Listening, Net, Wire, WireHandler } from '../cluster/net.js';
import { type Clock, WORLD } from './clock.js';
import type { Process } from './process.js';
import type { Random } from './random.js';

interface Listener {
  readonly process: Process;
  readonly accept: (wire: Wire) => WireHandler;
}

/** Frames of the beginning of a wire that an eavesdropper keeps: its greeting and a little more. */
const KEPT_FRAMES = 24;
/** Wires of each two hosts that he remembers. */
const KEPT_WIRES = 2;
/** ms between two frames that he says again. */
const REPLAY_MS = 1;

type Arrival = (other: Side) => void;

/** One end of a wire, and the direction that leads away from it. */
class Side implements Wire {
  readonly address: string;
  readonly process: Process;
  readonly host: string;
  readonly #wires: Wires;
  other: Side | null = null;
  handler: WireHandler | null = null;
  /** It hears and says nothing any more. */
  dead = false;
  /** The direction leads nowhere, and nobody says so. */
  lost = false;
  /** What a clogged direction holds, in order. */
  readonly held: Arrival[] = [];
  /** Frames sent, as an eavesdropper has them; null: not dialled by this side. */
  readonly heard: Uint8Array[] | null;
  #flying = 0;
  #bytes = 0;
  /** Virtual ms at which the newest of what was sent arrives. */
  #due = 0;

  constructor(wires: Wires, process: Process, [host, address]: readonly [string, string], heard: Uint8Array[] | null) {
    this.#wires = wires;
    this.process = process;
    this.host = host;
    this.address = address;
    this.heard = heard;
  }

  send(bytes: Uint8Array): boolean {
    if (this.dead) return false;
    const copy = bytes.slice();
    this.#wires.clock.trace.bytes(copy);
    if (this.heard !== null && this.heard.length < KEPT_FRAMES) this.heard.push(copy.slice());
    this.#bytes += copy.length;
    this.carry((other) => {
      this.#bytes -= copy.length;
      other.handler?.message(copy);
      // They were lent: whoever kept them finds out.
      copy.fill(0xee);
    });
    return true;
  }

  buffered(): number {
    return this.#bytes;
  }

  close(end: End): void {
    if (this.dead) return;
    this.die();
    this.carry((other) => other.closed(end));
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

  /** In order, and not before the direction is free. */
  carry(arrive: Arrival): void {
    const { clock } = this.#wires;
    const at = Math.max(this.#due, clock.now + this.#wires.delay(this.host, this.address));
    this.#due = at;
    this.#flying += 1;
    clock.schedule(at, WORLD, () => {
      this.#flying -= 1;
      if (this.held.length > 0 || this.#wires.clogged(this.host, this.address)) this.held.push(arrive);
      else this.#hand(arrive);
    });
  }

  /** The direction is free again: all that it held arrives at once. */
  freed(): void {
    for (const arrive of this.held.splice(0)) this.#hand(arrive);
  }

  #hand(arrive: Arrival): void {
    const { other } = this;
    if (other === null || this.lost) return;
    if (!other.process.alive) {
      // Its machine came up again, and knows nothing of this wire.
      if (this.#wires.listens(this.address)) this.process.arrive(1, () => this.closed('broken'));
      return;
    }
    other.process.arrive(0, () => arrive(other));
  }
}

export class Wires {
  readonly clock: Clock;
  readonly all = new Set<Side>();
  readonly #luck: Random;
  readonly #latency: readonly [number, number];
  readonly #listeners = new Map<string, Listener>();
  /** Directions `from>to`: how many hold them up, and ms by which they are slow. */
  readonly #clogged = new Map<string, number>();
  readonly #slow = new Map<string, number>();
  readonly #heard = new Map<string, Uint8Array[][]>();

  /** `latency`: ms that a frame takes, least and most. */
  constructor(clock: Clock, luck: Random, latency: readonly [number, number] = [0.2, 1.2]) {
    this.clock = clock;
    this.#luck = luck;
    this.#latency = latency;
  }

  /** The network as one process of `host` has it. */
  of(process: Process, host: string): Net {
    return {
      listen: async (accept): Promise<Listening> => {
        const listener = { process, accept };
        this.#listeners.set(host, listener);
        const close = async (): Promise<void> => {
          if (this.#listeners.get(host) === listener) this.#listeners.delete(host);
        };
        return { address: host, close };
      },
      dial: (address, handler) => this.#dial(process, [host, address], handler),
    };
  }

  delay(from: string, to: string): number {
    const [least, most] = this.#latency;
    return least + this.#luck() * (most - least) + (this.#slow.get(`${from}>${to}`) ?? this.#slow.get('*>*') ?? 0);
  }

  clogged(from: string, to: string): boolean {
    return (this.#clogged.get(`${from}>${to}`) ?? 0) > 0;
  }

  listens(host: string): boolean {
    return this.#listeners.get(host)?.process.alive === true;
  }

  // ---- what happens to it ----

  /** Nothing of `from` reaches `to`, or all of it does again, late. */
  clog(from: string, to: string, on: boolean): void {
    const name = `${from}>${to}`;
    const holds = (this.#clogged.get(name) ?? 0) + (on ? 1 : -1);
    this.#clogged.set(name, Math.max(0, holds));
    if (holds > 0) return;
    for (const side of [...this.all]) if (side.host === from && side.address === to) side.freed();
  }

  /** `*` to `*`: all. */
  slow(from: string, to: string, ms: number): void {
    if (ms === 0) this.#slow.delete(`${from}>${to}`);
    else this.#slow.set(`${from}>${to}`, ms);
  }

  /** All wires of a host (`*`: of all hosts) break. Answers how many there were. */
  cutAll(host: string): number {
    let count = 0;
    for (const side of [...this.all]) {
      if (host !== '*' && side.host !== host && side.address !== host) continue;
      count += 1;
      side.lost = true;
      side.process.arrive(0, () => side.closed('broken'));
    }
    return count;
  }

  /** All wires between two hosts break; the host `deaf` does not learn it. Answers how many there were. */
  cut(a: string, b: string, deaf = ''): number {
    let count = 0;
    for (const side of [...this.all]) {
      if (!((side.host === a && side.address === b) || (side.host === b && side.address === a))) continue;
      count += 1;
      side.lost = true;
      if (side.host !== deaf) side.process.arrive(0, () => side.closed('broken'));
    }
    return count;
  }

  /** The process is gone. `vanished`: so is its machine, and nobody says so. */
  died(process: Process, vanished = false): void {
    for (const side of [...this.all]) {
      if (side.process !== process) continue;
      side.die();
      const { other } = side;
      if (other !== null && !vanished) side.carry((far) => far.closed('broken'));
    }
  }

  /** Somebody who overheard an earlier wire dials `to` and says what `from` said. True: there was something to say. */
  replay(from: string, to: string): boolean {
    const [wire] = this.#heard.get(`${from}>${to}`) ?? [];
    const listener = this.#listeners.get(to);
    if (wire === undefined || listener === undefined || !listener.process.alive) return false;
    const { process } = listener;
    const deaf: Wire = { address: from, send: () => true, buffered: () => 0, close: () => undefined };
    process.arrive(0, () => {
      const handler = listener.accept(deaf);
      let open = true;
      deaf.close = () => {
        open = false;
      };
      for (const [at, bytes] of wire.entries())
        process.arrive((at + 1) * REPLAY_MS, () => {
          if (open) handler.message(bytes.slice());
        });
      process.arrive((wire.length + 1) * REPLAY_MS, () => {
        if (open) handler.closed('broken');
      });
    });
    return true;
  }

  #dial(process: Process, way: readonly [string, string], handler: WireHandler): Wire {
    const [host, address] = way;
    const heard: Uint8Array[] = [];
    const name = `${host}>${address}`;
    this.#heard.set(name, [...(this.#heard.get(name) ?? []), heard].slice(-KEPT_WIRES));
    const near = new Side(this, process, way, heard);
    near.handler = handler;
    this.all.add(near);
    this.clock.schedule(this.clock.now + this.delay(host, address), WORLD, () => {
      const listener = this.#listeners.get(address);
      if (near.dead || this.clogged(host, address)) return this.#late(near);
      if (listener === undefined || !listener.process.alive) {
        process.arrive(this.delay(address, host), () => near.closed('broken'));
        return;
      }
      listener.process.arrive(0, () => {
        if (near.dead) return;
        const far = new Side(this, listener.process, [address, host], null);
        [near.other, far.other] = [far, near];
        this.all.add(far);
        far.handler = listener.accept(far);
        far.carry((dialler) => dialler.handler?.opened());
      });
    });
    return near;
  }

  /** Nobody answers: the dialling kernel gives up some time. */
  #late(near: Side): void {
    near.process.arrive(DIAL_MS, () => {
      if (near.other === null) near.closed('broken');
    });
  }
}

/** ms after which a kernel gives up to dial: shorter than on machines, as histories are. */
const DIAL_MS = 3_000;
