// Owns what connections are called on one session's link, and which are known by it.
//
//     n                          a connection of whoever writes
//     -1 - n                     a connection of whoever reads
//     [node, incarnation, n]     one of a third node: whoever reads asks that node to be told of its end
//
// Invariant: a connection of the peer is one object here as long as the session lasts; when it ends, or the session does, that object
// has ended and is forgotten. Names last as long as the incarnations they name, so none ever means another connection.
// Must not: tell connections anything (peer.ts).

import type { ConnectionRef } from '../actors/messages.js';
import type { Plain } from '../transport/frames.js';
import type { Reader } from '../transport/reader.js';
import type { Writer } from '../transport/writer.js';
import { OP } from './envelope.js';
import type { Exports, Guest } from './exports.js';
import { Infos } from './infos.js';
import type { Refs } from './message-codec.js';
import { type Far, FarConnection, NoConnection } from './outsiders.js';

/** Who is known at all. */
export interface Acquaintance {
  readonly exports: Exports;
  /** The session with this incarnation of a node. */
  peer(node: string, incarnation: number): { readonly names: Names } | undefined;
  /** A connection of another node is gone. */
  ended(connection: FarConnection): void;
}

const NOBODY = new NoConnection();

export class Names implements Refs, Guest {
  /** Our connections that the peer knows. */
  readonly known = new Set<number>();
  readonly infos = new Infos();
  readonly #all: Acquaintance;
  readonly #peer: Far;
  readonly #say: (op: typeof OP.gone | typeof OP.hold, number: number) => void;
  /** Its connections that are known here. */
  readonly #far = new Map<number, FarConnection>();

  constructor(all: Acquaintance, peer: Far, say: (op: typeof OP.gone | typeof OP.hold, number: number) => void) {
    this.#all = all;
    this.#peer = peer;
    this.#say = say;
  }

  get size(): number {
    return this.#far.size;
  }

  write(writer: Writer, ref: ConnectionRef): void {
    if (!(ref instanceof FarConnection)) {
      if (ref.alive || this.known.has(ref.incarnation)) writer.int(this.#all.exports.share(ref, this));
      else writer.nil();
    } else if (ref.far === this.#peer) writer.int(-1 - ref.incarnation);
    else {
      const { node, incarnation } = ref.far;
      writer.array(3).str(node).int(incarnation).int(ref.incarnation);
    }
  }

  read(reader: Reader): ConnectionRef {
    const name = reader.plain(2);
    if (typeof name === 'number') {
      if (name < 0) return this.#all.exports.get(-1 - name) ?? NOBODY;
      return this.#far.get(name) ?? this.#meet(name);
    }
    const [node, incarnation, number] = Array.isArray(name) ? (name as readonly Plain[]) : [];
    if (typeof node !== 'string' || typeof incarnation !== 'number' || typeof number !== 'number') return NOBODY;
    return this.#all.peer(node, incarnation)?.names.third(number) ?? NOBODY;
  }

  /** A connection of this peer, of which another node told us. */
  third(number: number): FarConnection {
    const known = this.#far.get(number);
    if (known !== undefined) return known;
    this.#say(OP.hold, number);
    return this.#meet(number);
  }

  #meet(number: number): FarConnection {
    const connection = new FarConnection(this.#peer, number);
    this.#far.set(number, connection);
    return connection;
  }

  /** One of ours that the peer knows has ended. */
  gone(number: number): void {
    this.#say(OP.gone, number);
  }

  /** One of the peer's has ended. */
  left(number: number): void {
    const connection = this.#far.get(number);
    if (connection === undefined) return;
    this.#far.delete(number);
    connection.end({ type: 'shutdown' });
    this.#all.ended(connection);
  }

  /** The session is over. */
  end(): void {
    this.#all.exports.left(this);
    for (const connection of [...this.#far.values()]) {
      connection.end({ type: 'noconnection' });
      this.#all.ended(connection);
    }
    this.#far.clear();
  }
}
