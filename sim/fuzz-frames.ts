// Owns hostile frames: whole ones of the vocabulary, and those with something wrong in their fields, their encoding or
// their bytes; as arbitraries of fast-check, so that what fails is made small.
// Invariant: a seed decides everything.
// Must not: know what becomes of them (fuzz-targets.ts).

import fc from 'fast-check';
import { CERT, CERT_NEW, type Field, type Grammar, type Kind, PAGE_ROWS, type Simple } from './fuzz-grammar.js';
import { array, bin, int, NIL, raw, str, type Value, write } from './fuzz-value.js';

/** Values that mean something where the frames go. */
export interface Words {
  readonly chats: readonly Uint8Array[];
  readonly users: readonly string[];
  readonly tokens: readonly string[];
  /** Wall ms: message ids are made around it. */
  readonly time: number;
}

const EDGES = [0, 1, 31, 32, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 48, 2 ** 53 - 1];
/** Bytes with a meaning in MessagePack, and the ends of ranges: they lead deeper than random ones. */
const HEADS = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x91, 0x9f, 0xa0, 0xbf, ...Array.from({ length: 64 }, (_, i) => 0xc0 + i)];

const uint = fc.oneof(
  { weight: 6, arbitrary: fc.nat(12) },
  { weight: 2, arbitrary: fc.nat(100_000) },
  { weight: 2, arbitrary: fc.constantFrom(...EDGES) },
);
const integer = fc.oneof(
  uint,
  uint.map((n) => -n),
);
const text = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('', 'a', 'tea', 'zoë', '☃'.repeat(11), 'x'.repeat(32), 'y'.repeat(256)) },
  { weight: 3, arbitrary: fc.string({ maxLength: 12 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
);
const bytes = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 24 }) },
  { weight: 1, arbitrary: fc.constantFrom(255, 256, 4_096).map((length) => new Uint8Array(length)) },
);

function idAround(time: number): fc.Arbitrary<Uint8Array> {
  return fc
    .tuple(fc.integer({ min: -90_000, max: 90_000 }), fc.uint8Array({ minLength: 10, maxLength: 10 }))
    .map(([off, tail]) => {
      const id = new Uint8Array(16);
      id.set(tail, 6);
      for (let i = 5, rest = time + off; i >= 0; i--, rest = Math.floor(rest / 256)) id[i] = rest % 256;
      id[6] = 0x70 | (id[6]! & 15);
      id[8] = 0x80 | (id[8]! & 63);
      return id;
    });
}

/** Frames of a grammar, each well formed. */
export function frames(grammar: Grammar, words: Words): fc.Arbitrary<Value> {
  const id = fc.oneof(
    { weight: 4, arbitrary: idAround(words.time) },
    { weight: 2, arbitrary: fc.constantFrom(...words.chats) },
    { weight: 1, arbitrary: fc.uint8Array({ minLength: 16, maxLength: 16 }) },
  );
  const chat = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...words.chats).map(bin) },
    { weight: 3, arbitrary: fc.nat(5).map(int) },
    { weight: 1, arbitrary: id.map(bin) },
  );
  const name = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...words.users) }, { weight: 1, arbitrary: text });
  const leaf: fc.Arbitrary<Value> = fc.oneof(
    integer.map(int),
    text.map(str),
    bytes.map(bin),
    fc.boolean().map((v): Value => ({ t: 'bool', v })),
    fc.constant(NIL),
  );
  const plain = fc.oneof(
    { weight: 4, arbitrary: leaf },
    { weight: 1, arbitrary: fc.array(leaf, { maxLength: 3 }).map(array) },
  );
  const simples: Readonly<Record<Simple, fc.Arbitrary<Value>>> = {
    int: integer.map(int),
    uint: uint.map(int),
    request: fc.integer({ min: 1, max: 400 }).map(int),
    flag: fc.constantFrom(0, 1).map(int),
    str: text.map(str),
    bin: bytes.map(bin),
    id: id.map(bin),
    chat,
    user: fc.oneof(fc.nat(5).map(int), name.map(str)),
    plain,
  };
  const named: Readonly<Record<string, fc.Arbitrary<Value>>> = {
    user: name.map(str),
    token: fc.constantFrom(...words.tokens).map(str),
    version: fc.constantFrom(1, 1, 1, 1, 0, 2).map(int),
  };
  const fieldOf = (key: string, kind: Kind): fc.Arbitrary<Value> => {
    if (typeof kind === 'string')
      return kind === 'str' || key === 'version' ? (named[key] ?? simples[kind]) : simples[kind];
    if ('nil' in kind) return fc.oneof(fc.constant(NIL), simples[kind.nil]);
    if ('list' in kind) {
      const item = key === 'users' ? name.map(str) : fieldOf('', kind.list);
      return fc.array(item, { maxLength: 5 }).map(array);
    }
    if ('row' in kind) return rowOf(kind.row).map(array);
    if ('pairs' in kind) return fc.array(fieldOf('', kind.pairs), { minLength: 2, maxLength: 2 }).map(array);
    if (kind.special === 'cert') return fc.oneof(rowOf(CERT), rowOf(CERT_NEW)).map(array);
    return fc.oneof(...Object.entries(PAGE_ROWS).map(([type, fields]) => headed(Number(type), fields)));
  };
  /** With all fields, or without some of the optional ones. */
  const rowOf = (fields: readonly Field[]): fc.Arbitrary<Value[]> => {
    const required = fields.filter((field) => field.length < 3).length;
    const all = fc.tuple(...fields.map(([key, kind]) => fieldOf(key, kind)));
    if (required === fields.length) return all;
    return fc.tuple(all, fc.integer({ min: required, max: fields.length })).map(([values, n]) => values.slice(0, n));
  };
  const headed = (type: number, fields: readonly Field[]): fc.Arbitrary<Value> =>
    rowOf(fields).map((values) => array([int(type), ...values]));
  return fc.oneof(...Object.entries(grammar).map(([type, fields]) => headed(Number(type), fields)));
}

/** Something wrong inside: `at` says where, `n` what. */
interface Edit {
  readonly act: 'replace' | 'drop' | 'double' | 'append' | 'nest' | 'type' | 'edge' | 'swap';
  readonly at: number;
  readonly n: number;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  act: fc.constantFrom('replace', 'replace', 'drop', 'double', 'append', 'nest', 'type', 'edge', 'swap'),
  at: fc.nat(63),
  n: fc.nat(1_000),
});

/** What does not belong, or not there. */
const ODD: readonly Value[] = [
  NIL,
  { t: 'bool', v: true },
  int(-1),
  int(2 ** 53 - 1),
  int(-(2 ** 53 - 1)),
  str(''),
  str('\u0000\u001f'),
  bin(new Uint8Array(0)),
  bin(new Uint8Array(15)),
  bin(new Uint8Array(17)),
  array([]),
  array([array([array([array([])])])]),
  // No value at all, floats, maps, extensions, a timestamp.
  raw(0xc1),
  raw(0xca, 0x3f, 0x80, 0, 0),
  raw(0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0),
  raw(0x80),
  raw(0x81, 0xa1, 0x61, 1),
  raw(0xde, 0, 0),
  raw(0xd4, 1, 0),
  raw(0xc7, 0, 1),
  raw(0xd6, 0xff, 0, 0, 0, 0),
  // Integers beyond what is exact.
  raw(0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0),
  raw(0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0),
  raw(0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  // Text that is none: a stray byte, a surrogate, an overlong slash, a character cut short.
  raw(0xa1, 0xff),
  raw(0xa3, 0xed, 0xa0, 0x80),
  raw(0xa2, 0xc0, 0xaf),
  raw(0xa2, 0xe2, 0x98),
  // Claims of more than there is.
  raw(0xdd, 0x7f, 0xff, 0xff, 0xff),
  raw(0xdc, 0xff, 0xff),
  raw(0xdb, 0xff, 0xff, 0xff, 0xff),
  raw(0xc6, 0x7f, 0xff, 0xff, 0xff),
  raw(0xc5, 0xff, 0xff),
  raw(0xd9, 0xff),
];

function edited(frame: Value, edits: readonly Edit[]): Value {
  let whole = frame;
  for (const { act, at, n } of edits) {
    const lists: Value[][] = [];
    const copy = (value: Value): Value => {
      if (value.t !== 'array') return value;
      const items = value.v.map(copy);
      lists.push(items);
      return array(items);
    };
    whole = copy(whole);
    const list = lists[at % Math.max(1, lists.length)];
    if (list === undefined) continue;
    const place = n % (list.length + 1);
    const value = list[place];
    if (act === 'append') list.push(ODD[n % ODD.length]!);
    else if (act === 'type') list[0] = int(n % 70);
    else if (value === undefined) continue;
    else if (act === 'drop') list.splice(place, 1);
    else if (act === 'double') list.splice(place, 0, value);
    else if (act === 'edge') list[place] = int(EDGES[(at * 7 + n) % EDGES.length]!);
    else if (act === 'swap') [list[0], list[place]] = [value, list[0]!];
    else if (act === 'replace') list[place] = ODD[(at * 13 + n) % ODD.length]!;
    else for (let i = n % 11; i >= 0; i--) list[place] = array([list[place]!]);
  }
  return whole;
}

/** Something wrong in the bytes. */
interface Slip {
  readonly act: 'set' | 'flip' | 'insert' | 'delete' | 'cut' | 'repeat';
  readonly at: number;
  readonly byte: number;
}

const slip: fc.Arbitrary<Slip> = fc.record({
  act: fc.constantFrom('set', 'flip', 'insert', 'delete', 'cut', 'repeat'),
  at: fc.nat(0xffff),
  byte: fc.oneof(fc.constantFrom(...HEADS), fc.nat(255)),
});

/** Bytes with slips of the pen. */
function slipped(whole: Uint8Array, slips: readonly Slip[]): Uint8Array {
  let list = [...whole];
  for (const { act, at, byte } of slips) {
    const place = at % (list.length + 1);
    if (act === 'set') list[Math.min(place, Math.max(0, list.length - 1))] = byte;
    else if (act === 'flip') list[Math.min(place, Math.max(0, list.length - 1))]! ^= 1 << (byte & 7);
    else if (act === 'insert') list.splice(place, 0, byte);
    else if (act === 'delete') list.splice(place, 1 + (byte & 3));
    else if (act === 'cut') list = list.slice(0, place);
    else list.splice(place, 0, ...list.slice(place, place + 16));
  }
  return Uint8Array.from(list, (value) => value & 255);
}

/** Any bytes near those that an arbitrary makes. */
export function slips(whole: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  return fc.tuple(whole, fc.array(slip, { minLength: 1, maxLength: 4 })).map(([all, list]) => slipped(all, list));
}

/** The same frame in any of MessagePack's forms. */
export function inAnyForm(value: fc.Arbitrary<Value>): fc.Arbitrary<{ value: Value; bytes: Uint8Array }> {
  return fc.tuple(value, fc.array(fc.nat(8), { minLength: 1, maxLength: 12 })).map(([tree, forms]) => {
    let next = 0;
    return { value: tree, bytes: write(tree, () => forms[next++ % forms.length]!) };
  });
}

/** Bytes as a hostile peer would send them. */
export function hostile(grammar: Grammar, words: Words): fc.Arbitrary<Uint8Array> {
  const whole = frames(grammar, words);
  const wrong = fc
    .tuple(whole, fc.array(edit, { minLength: 1, maxLength: 3 }))
    .map(([value, edits]) => edited(value, edits));
  const written = whole.map((value) => write(value));
  return fc.oneof(
    { weight: 3, arbitrary: written },
    { weight: 2, arbitrary: inAnyForm(whole).map((frame) => frame.bytes) },
    { weight: 6, arbitrary: wrong.map((value) => write(value)) },
    { weight: 1, arbitrary: inAnyForm(wrong).map((frame) => frame.bytes) },
    { weight: 5, arbitrary: slips(written) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 80 }) },
  );
}
