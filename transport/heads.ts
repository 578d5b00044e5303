// Owns which first byte begins what kind of MessagePack value.
// Invariant: as in the specification's table of formats.
// Must not: read on: lengths and values are the reader's.

export function isStr(head: number): boolean {
  return (head >= 0xa0 && head <= 0xbf) || (head >= 0xd9 && head <= 0xdb);
}

export function isArray(head: number): boolean {
  return (head >= 0x90 && head <= 0x9f) || head === 0xdc || head === 0xdd;
}

/** An integer, but for the short negative ones. */
export function isInt(head: number): boolean {
  return head <= 0x7f || (head >= 0xcc && head <= 0xd3);
}
