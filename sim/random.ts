// Owns chance in the simulation: generators that follow from the history's seed and a name.
// Invariant: a stream's numbers depend on nothing but seed and name, so that taking one step out of a history leaves the
// luck of the others as it was.
// Must not: read the machine's clock or randomness.

export interface Random {
  /** Uniform in [0, 1). */
  (): number;
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  chance(probability: number): boolean;
  /** One of them; the list is not empty. */
  pick<T>(from: readonly T[]): T;
  bytes(length: number): Uint8Array;
}

/** FNV-1a, 32 bits, over UTF-16 units. */
function mixed(text: string, start: number): number {
  let value = start;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 0;
}

/** sfc32 by Chris Doty-Humphrey (PractRand, public domain): quick, and passes what tests there are. */
export function stream(seed: number, name: string): Random {
  let a = mixed(name, 0x811c9dc5 ^ seed);
  let b = mixed(name, a ^ 0x9e3779b9);
  let c = Math.floor(seed / 2 ** 32) ^ b;
  let counter = 1;
  const word = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  // Seeds that differ in a bit must not begin alike.
  for (let n = 0; n < 12; n += 1) word();
  const random = (): number => word() / 2 ** 32;
  return Object.assign(random, {
    between: (low: number, high: number) => low + Math.floor(random() * (high - low + 1)),
    chance: (probability: number) => random() < probability,
    pick: <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!,
    bytes: (length: number) => {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length; at += 1) bytes[at] = word();
      return bytes;
    },
  });
}
