// Owns a network of simulated wires with all that networks do to them, and nodes with links on it.
// Invariant: deterministic, on one ManualWorld; a wire keeps the order of its frames and loses a tail at most.
// Must not: use the machine's clock, sockets or chance.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import type { LinkEvents, Member, PeerLink, Refused } from '../../cluster/link.js';
import { Links } from '../../cluster/links.js';
import type { End, Listening, Net, Wire, WireHandler } from '../../cluster/net.js';
import { ManualWorld } from '../actors/manual-world.js';

/** One direction of a wire. */
interface Lane {
  readonly from: string;
  readonly to: string;
  /** What is on its way while the direction is clogged; a close is a function, too. */
  readonly held: (() => void)[];
  bytes: number;
  /** Frames on their way. */
  flying: number;
  /** Until when what was sent before takes. */
  busy: number;
}

class SimWire implements Wire {
  readonly address: string;
  readonly lane: Lane;
  /** All frames that this side sent, for replays. */
  readonly log: Uint8Array[] = [];
  other: SimWire | undefined;
  handler: WireHandler | undefined;
  dead = false;
  readonly #net: SimNet;

  constructor(net: SimNet, from: string, to: string) {
    this.#net = net;
    this.address = to;
    this.lane = { from, to, held: [], bytes: 0, flying: 0, busy: 0 };
  }

  send(bytes: Uint8Array): boolean {
    if (this.dead) return false;
    this.log.push(bytes.slice());
    this.lane.bytes += bytes.length;
    this.lane.busy = Math.max(this.lane.busy, this.#net.world.time) + bytes.length / this.#net.pace;
    this.#net.carry(this.lane, () => {
      this.lane.bytes -= bytes.length;
      // What the receiver keeps must be its own.
      const copy = bytes.slice();
      this.other?.handler?.message(copy);
      copy.fill(0xee);
    });
    return true;
  }

  buffered(): number {
    return this.lane.bytes;
  }

  close(end: End): void {
    if (this.dead) return;
    this.#die();
    this.#net.carry(this.lane, () => this.other?.closed(end));
  }

  closed(end: End): void {
    const handler = this.handler;
    if (this.dead) return;
    this.#die();
    handler?.closed(end);
  }

  #die(): void {
    this.dead = true;
    this.handler = undefined;
    this.#net.wires.delete(this);
  }
}

class SimNet {
  readonly world: ManualWorld;
  /** ms that a frame takes. */
  delay = 1;
  readonly wires = new Set<SimWire>();
  /** Bytes a ms that a direction takes. */
  pace = Number.POSITIVE_INFINITY;
  /** Dials so far. */
  dials = 0;
  readonly #listeners = new Map<string, (wire: Wire) => WireHandler>();
  readonly #clogged = new Set<string>();

  constructor(world: ManualWorld) {
    this.world = world;
  }

  /** The network as `host` has it; it listens at `host:lives`. */
  of(host: string): Net {
    return {
      listen: async (accept): Promise<Listening> => {
        this.#listeners.set(host, accept);
        return { address: host, close: async () => void this.#listeners.delete(host) };
      },
      dial: (address, handler) => this.dial(host, address, handler),
    };
  }

  dial(from: string, to: string, handler: WireHandler): SimWire {
    this.dials++;
    const near = new SimWire(this, from, to);
    near.handler = handler;
    this.wires.add(near);
    this.carry(near.lane, () => {
      if (near.dead) return;
      const accept = this.#listeners.get(to);
      const far = new SimWire(this, to, from);
      if (accept === undefined) {
        this.carry(far.lane, () => near.closed('broken'));
        return;
      }
      [near.other, far.other] = [far, near];
      this.wires.add(far);
      far.handler = accept(far);
      this.carry(far.lane, () => near.handler?.opened());
    });
    return near;
  }

  carry(lane: Lane, arrive: () => void): void {
    const held = (): boolean => lane.held.length > 0 || this.#clogged.has(`${lane.from}>${lane.to}`);
    if (lane.flying === 0 && held()) {
      lane.held.push(arrive);
      return;
    }
    lane.flying++;
    this.world.timer(Math.max(0, lane.busy - this.world.time) + this.delay, () => {
      lane.flying--;
      if (held()) lane.held.push(arrive);
      else arrive();
    });
  }

  /** What `from` sends does not reach `to`, until unclog(); nobody is told. */
  clog(from: string, to: string): void {
    this.#clogged.add(`${from}>${to}`);
  }

  /** What was held arrives, or is lost. */
  unclog(from: string, to: string, lost = false): void {
    this.#clogged.delete(`${from}>${to}`);
    for (const wire of [...this.wires]) {
      if (wire.lane.from !== from || wire.lane.to !== to) continue;
      for (const arrive of wire.lane.held.splice(0)) if (!lost) arrive();
    }
  }

  /** Cuts all wires between two hosts; both are told. */
  cut(a: string, b: string): void {
    for (const wire of [...this.wires]) {
      if ([a, b].includes(wire.lane.from) && [a, b].includes(wire.lane.to)) wire.closed('broken');
    }
  }

  /** The host's machine is gone: nobody is told, and what it would say is never heard. */
  vanish(host: string): void {
    this.#listeners.delete(host);
    for (const wire of [...this.wires]) {
      if (wire.lane.from !== host) continue;
      wire.dead = true;
      wire.handler = undefined;
    }
  }

  /** Wires that a host dialled or took and that are not closed on its side. */
  open(host: string): SimWire[] {
    return [...this.wires].filter((wire) => wire.lane.from === host && !wire.dead);
  }
}

export function macOf(secret: string): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => createHmac('sha256', secret).update(bytes).digest();
}

/** A node with links, and all that was told to it. */
export class Peer implements LinkEvents {
  readonly name: string;
  readonly incarnation: number;
  links!: Links;
  /** As `up b`, `down b silent`, in order. */
  readonly said: string[] = [];
  /** As `b 1: hello` (who, session of ours, text). */
  readonly got: string[] = [];
  readonly strangers: string[] = [];
  readonly refusals: (Refused & { readonly end: End })[] = [];
  readonly faults: unknown[] = [];
  /** Called with each batch, before it counts as handled. */
  onBatch: (link: PeerLink, bytes: Uint8Array) => void = () => {};
  onUp: (link: PeerLink) => void = () => {};

  constructor(name: string, incarnation: number) {
    this.name = name;
    this.incarnation = incarnation;
  }

  up(link: PeerLink): void {
    assert.equal(link.state, 'up');
    this.said.push(`up ${link.node}`);
    this.onUp(link);
  }

  batch(link: PeerLink, bytes: Uint8Array): void {
    assert.equal(link.state, 'up', 'nothing is handled after the end');
    assert.equal(this.links.link(link.node), link, 'nothing of another session is handled');
    this.got.push(`${link.node} ${link.session}: ${new TextDecoder().decode(bytes.subarray(0, 40))}`);
    this.onBatch(link, bytes);
  }

  taken(link: PeerLink): void {
    assert.ok(link.taken <= link.sent);
  }

  room(_link: PeerLink): void {}

  down(link: PeerLink, end: End): void {
    assert.equal(link.state, 'down');
    this.said.push(`down ${link.node} ${end}`);
  }

  fault(error: unknown): void {
    this.faults.push(error);
  }

  stranger(node: string, incarnation: number): void {
    this.strangers.push(`${node} ${incarnation}`);
  }

  refused(end: End, refused: Refused): void {
    this.refusals.push({ end, ...refused });
  }

  get member(): Member {
    return { node: this.name, incarnation: this.incarnation, address: this.links.address };
  }

  link(node: string): PeerLink {
    const link = this.links.link(node);
    assert.ok(link !== undefined, `${this.name} has a link with ${node}`);
    return link;
  }

  send(node: string, text: string): 'ok' | 'busy' | 'down' {
    return this.link(node).send(new TextEncoder().encode(text));
  }
}

export class Scene {
  readonly world = new ManualWorld();
  readonly net = new SimNet(this.world);

  /** A node that listens and is in nobody's view. Its address is `at`, or its name. */
  async node(name: string, { incarnation = 1, secret = 'one', at = name } = {}): Promise<Peer> {
    const peer = new Peer(name, incarnation);
    const { world } = this;
    peer.links = await Links.open({ world, net: this.net.of(at), mac: macOf(secret), node: name, events: peer });
    return peer;
  }

  /** Nodes that see each other, with their links up. */
  async cluster(...names: string[]): Promise<Peer[]> {
    const peers = await Promise.all(names.map((name) => this.node(name)));
    this.view(peers);
    this.world.advance(50);
    for (const peer of peers) assert.equal(peer.said.length, names.length - 1, `${peer.name}: ${peer.said}`);
    return peers;
  }

  /** All of them see all of them. */
  view(peers: readonly Peer[]): void {
    for (const peer of peers) peer.links.peers(peers.map(({ member }) => member));
  }
}
