// Owns comparison of byte strings, the order of every store.
// Invariant: order is by unsigned byte, a prefix before what it begins; equal to Buffer.compare, LMDB's and FoundationDB's order.
// Must not: allocate.

/** Negative, zero or positive as `a` is before, equal to or after `b`. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = a[i]! - b[i]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Compared from the end: keys of one table share their beginnings. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  let i = a.length;
  if (i !== b.length) return false;
  while (--i >= 0) if (a[i] !== b[i]) return false;
  return true;
}
