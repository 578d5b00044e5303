// Owns a second reading of the wire's encoding (docs/wire.md §2): values as trees, from bytes and to bytes, in every form
// that MessagePack has for them.
// Invariant: shares no code with transport/; `parse` takes exactly what §2 allows.
// Must not: know frames (fuzz-grammar.ts).

export type Value =
  | { readonly t: 'int'; readonly v: number }
  | { readonly t: 'str'; readonly v: string }
  | { readonly t: 'bin'; readonly v: Uint8Array }
  | { readonly t: 'bool'; readonly v: boolean }
  | { readonly t: 'nil' }
  | { readonly t: 'array'; readonly v: Value[] }
  /** Bytes that go out as they are: what the protocol does not have, or half of what it has. */
  | { readonly t: 'raw'; readonly v: Uint8Array };

export const int = (v: number): Value => ({ t: 'int', v });
export const str = (v: string): Value => ({ t: 'str', v });
export const bin = (v: Uint8Array): Value => ({ t: 'bin', v });
export const array = (v: Value[]): Value => ({ t: 'array', v });
export const raw = (...v: number[]): Value => ({ t: 'raw', v: Uint8Array.from(v) });
export const NIL: Value = { t: 'nil' };

/** Which of so many forms to write, the shortest being 0. */
export type Choose = (forms: number) => number;
const shortest: Choose = () => 0;

const INTS: readonly [head: number, bytes: number, min: bigint, max: bigint][] = [
  [0xcc, 1, 0n, 0xffn],
  [0xd0, 1, -0x80n, 0x7fn],
  [0xcd, 2, 0n, 0xffffn],
  [0xd1, 2, -0x8000n, 0x7fffn],
  [0xce, 4, 0n, 0xffff_ffffn],
  [0xd2, 4, -0x8000_0000n, 0x7fff_ffffn],
  [0xcf, 8, 0n, 2n ** 64n - 1n],
  [0xd3, 8, -(2n ** 63n), 2n ** 63n - 1n],
];
/** Heads with a length of 1, 2 and 4 bytes; 0 where there is none. */
const LENGTHS = { str: [0xd9, 0xda, 0xdb], bin: [0xc4, 0xc5, 0xc6], array: [0, 0xdc, 0xdd] } as const;
const FIXED = { str: [0xa0, 31], bin: [0, -1], array: [0x90, 15] } as const;

/** The bytes of a value. */
export function write(value: Value, choose: Choose = shortest): Uint8Array {
  const out: Uint8Array[] = [];
  put(value, choose, out);
  return Uint8Array.from(Buffer.concat(out));
}

function put(value: Value, choose: Choose, out: Uint8Array[]): void {
  switch (value.t) {
    case 'raw':
      out.push(value.v);
      return;
    case 'nil':
      out.push(Uint8Array.of(0xc0));
      return;
    case 'bool':
      out.push(Uint8Array.of(value.v ? 0xc3 : 0xc2));
      return;
    case 'int':
      out.push(one(intForms(value.v), choose));
      return;
    case 'str': {
      const bytes = Buffer.from(value.v, 'utf8');
      out.push(one(lengthForms('str', bytes.length), choose), bytes);
      return;
    }
    case 'bin':
      out.push(one(lengthForms('bin', value.v.length), choose), value.v);
      return;
    case 'array':
      out.push(one(lengthForms('array', value.v.length), choose));
      for (const item of value.v) put(item, choose, out);
  }
}

function one(forms: readonly Uint8Array[], choose: Choose): Uint8Array {
  return forms[choose(forms.length) % forms.length]!;
}

function intForms(value: number): Uint8Array[] {
  const big = BigInt(value);
  const forms: Uint8Array[] = [];
  if (value >= -32 && value <= 0x7f) forms.push(Uint8Array.of(value & 0xff));
  for (const [head, bytes, min, max] of INTS) if (big >= min && big <= max) forms.push(headed(head, bytes, big));
  return forms;
}

function lengthForms(kind: keyof typeof LENGTHS, length: number): Uint8Array[] {
  const forms: Uint8Array[] = [];
  const [fixed, most] = FIXED[kind];
  if (length <= most) forms.push(Uint8Array.of(fixed | length));
  LENGTHS[kind].forEach((head, i) => {
    const bytes = 1 << i;
    if (head !== 0 && length < 256 ** bytes) forms.push(headed(head, bytes, BigInt(length)));
  });
  return forms;
}

function headed(head: number, bytes: number, value: bigint): Uint8Array {
  const form = new Uint8Array(1 + bytes);
  form[0] = head;
  for (let i = bytes, rest = BigInt.asUintN(64, value); i > 0; i--, rest >>= 8n) form[i] = Number(rest & 0xffn);
  return form;
}

const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The one value that the bytes are, arrays nesting at most `depth` deep; undefined where §2 does not allow them. */
export function parse(bytes: Uint8Array, depth: number): Value | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const value = (level: number): Value => {
    const head = view.getUint8(at++);
    if (head <= 0x7f) return int(head);
    if (head >= 0xe0) return int(head - 256);
    if (head <= 0x8f) throw new RangeError('map');
    if (head <= 0x9f) return items(head & 15, level);
    if (head <= 0xbf) return str(text.decode(part(head & 31)));
    switch (head) {
      case 0xc0:
        return NIL;
      case 0xc2:
      case 0xc3:
        return { t: 'bool', v: head === 0xc3 };
    }
    for (const [format, size, min] of INTS) if (format === head) return int(number(size, min < 0n));
    for (let i = 0; i < 3; i++) {
      if (LENGTHS.str[i] === head) return str(text.decode(part(number(1 << i, false))));
      if (LENGTHS.bin[i] === head) return bin(part(number(1 << i, false)).slice());
      if (LENGTHS.array[i] === head) return items(number(1 << i, false), level);
    }
    throw new RangeError('format');
  };
  const number = (size: number, signed: boolean): number => {
    let big = 0n;
    for (let i = 0; i < size; i++) big = (big << 8n) | BigInt(view.getUint8(at++));
    const exact = Number(signed ? BigInt.asIntN(8 * size, big) : big);
    if (!Number.isSafeInteger(exact)) throw new RangeError('integer');
    return exact;
  };
  const part = (length: number): Uint8Array => {
    if (length > bytes.length - at) throw new RangeError('length');
    at += length;
    return bytes.subarray(at - length, at);
  };
  const items = (count: number, level: number): Value => {
    if (level > depth || count > bytes.length - at) throw new RangeError('array');
    const list: Value[] = [];
    for (let i = 0; i < count; i++) list.push(value(level + 1));
    return array(list);
  };
  try {
    const whole = value(1);
    return at === bytes.length ? whole : undefined;
  } catch {
    return undefined;
  }
}
