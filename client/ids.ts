// Owns ids on the client: UUIDv7 message ids (RFC 9562 §5.7) and the text forms of ids.
// Invariant: ids of one generator rise strictly, also within a ms and when the clock steps back (§6.2, method 1).
// Must not: read clocks or chance except through the World.

import type { World } from '../actors/world.js';

/*
 *  0                             47 48  51 52              63 64 65 66             127
 * ┌────────────────────────────────┬──────┬──────────────────┬─────┬─────────────────┐
 * │ ms since 1970                  │ 0111 │ counter, 12 bits │ 10  │ random, 62 bits │
 * └────────────────────────────────┴──────┴──────────────────┴─────┴─────────────────┘
 * The counter starts below 2,048 in each ms, so at least 2,048 ids fit before the ms is advanced ahead of the clock.
 */
export class IdSource {
  readonly #world: World;
  #ms = -1;
  #counter = 0;

  constructor(world: World) {
    this.#world = world;
  }

  next(): Uint8Array {
    const id = this.#world.randomBytes(16);
    const wall = this.#world.wall();
    if (wall > this.#ms) this.#restart(wall, id);
    else if (this.#counter === 0xfff) this.#restart(this.#ms + 1, id);
    else this.#counter++;
    for (let i = 5, rest = this.#ms; i >= 0; i--, rest = Math.floor(rest / 256)) id[i] = rest % 256;
    id[6] = 0x70 | (this.#counter >> 8);
    id[7] = this.#counter & 0xff;
    id[8] = 0x80 | (id[8]! & 0x3f);
    return id;
  }

  #restart(ms: number, chance: Uint8Array): void {
    this.#ms = ms;
    this.#counter = ((chance[6]! & 0x07) << 8) | chance[7]!;
  }
}

/** The ms since 1970 in an id's first 48 bits. */
export function idTime(id: Uint8Array): number {
  let ms = 0;
  for (let i = 0; i < 6; i++) ms = ms * 256 + (id[i] ?? 0);
  return ms;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** Undefined where the text is not 32 hexadecimal digits, with or without a UUID's dashes. */
export function unhex(text: string): Uint8Array | undefined {
  const digits = text.length === 32 ? text : text.replaceAll('-', '');
  if (!/^[0-9a-fA-F]{32}$/.test(digits)) return undefined;
  // A start reads ten thousand of them.
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 16; i++) bytes[i] = (digit(digits.charCodeAt(2 * i)) << 4) | digit(digits.charCodeAt(2 * i + 1));
  return bytes;
}

/** The value of a hexadecimal digit by its character code. */
function digit(code: number): number {
  return (code & 0xf) + (code > 0x39 ? 9 : 0);
}

/** 8-4-4-4-12. */
export function uuidText(id: Uint8Array): string {
  const digits = hex(id);
  return [0, 8, 12, 16, 20].map((at, i) => digits.slice(at, [8, 12, 16, 20, 32][i])).join('-');
}
