// Owns the form of message ids: UUIDv7 (RFC 9562 §5.7).
// Invariant: the text form sorts as the bytes do, so id order is time order.
// Must not: read a clock; ids made here take the world's.

import type { World } from './world.js';

/** True for 16 bytes with version 7 and the RFC's variant. */
export function isMessageId(id: Uint8Array): boolean {
  return id.length === 16 && id[6]! >>> 4 === 7 && id[8]! >>> 6 === 2;
}

/** The id as a map key of 16 characters, one per byte. */
export function idText(id: Uint8Array): string {
  // Not by a Buffer over it: V8 keeps so short an array in its own heap, and would have to make memory of its own for it.
  return String.fromCharCode(
    id[0]!,
    id[1]!,
    id[2]!,
    id[3]!,
    id[4]!,
    id[5]!,
    id[6]!,
    id[7]!,
    id[8]!,
    id[9]!,
    id[10]!,
    id[11]!,
    id[12]!,
    id[13]!,
    id[14]!,
    id[15]!,
  );
}

/** Milliseconds since 1970 by the clock of whoever made the id. */
export function idTime(id: Uint8Array): number {
  return (id[0]! * 0x100 + id[1]!) * 0x1_0000_0000 + (((id[2]! << 24) | (id[3]! << 16) | (id[4]! << 8) | id[5]!) >>> 0);
}

/** A fresh id for what the server itself appends. */
export function makeMessageId(world: World): Uint8Array {
  const id = world.randomBytes(16);
  const wall = world.wall();
  const high = Math.floor(wall / 0x1_0000_0000);
  id[0] = high >>> 8;
  id[1] = high;
  id[2] = wall >>> 24;
  id[3] = wall >>> 16;
  id[4] = wall >>> 8;
  id[5] = wall;
  id[6] = 0x70 | (id[6]! & 0x0f);
  id[8] = 0x80 | (id[8]! & 0x3f);
  return id;
}
