// Owns the decoding of text that nobody trusts.
// Invariant: only valid UTF-8 becomes a string (no overlong forms, no surrogates: RFC 3629); a byte order mark is kept.
// Must not: repair: two receivers that repaired differently would disagree about a name.

/** Up to here a loop over characters of one or two bytes beats the call into the decoder. */
const SHORT = 40;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Text of the bytes from `start` to before `end`, or undefined where they are no UTF-8. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (end - start <= SHORT) {
    let text = '';
    let i = start;
    for (; i < end; i++) {
      const unit = bytes[i]!;
      if (unit <= 0x7f) {
        text += String.fromCharCode(unit);
        continue;
      }
      // 0xc2 is the lowest that is no overlong form.
      const next = i + 1 < end ? bytes[i + 1]! : 0;
      if (unit < 0xc2 || unit > 0xdf || next >>> 6 !== 2) break;
      text += String.fromCharCode(((unit & 0x1f) << 6) | (next & 0x3f));
      i++;
    }
    if (i === end) return text;
  }
  try {
    return utf8.decode(bytes.subarray(start, end));
  } catch {
    return undefined;
  }
}

/** Whether the bytes are text. None is made of them: a row may name a thousand users of whom nobody asks. */
export function isText(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! > 0x7f) return decodeText(bytes, i, end) !== undefined;
  return true;
}
