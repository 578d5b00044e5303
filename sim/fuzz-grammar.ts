// Owns the vocabulary of docs/wire.md §4 and §5 as data: which fields a frame has, and of what kind.
// Invariant: written from the document alone; shares no code with transport/, so that the two can be compared.
// Must not: know bytes (fuzz-value.ts) or make anything up (fuzz-frames.ts).

import { parse, type Value } from './fuzz-value.js';

/** Kinds of fields that are one value. */
export type Simple = 'int' | 'uint' | 'request' | 'flag' | 'str' | 'bin' | 'id' | 'chat' | 'user' | 'plain';
export type Kind =
  | Simple
  | { readonly nil: Simple }
  /** `most`: more is a bad frame. `kept`: what is beyond is not looked at, the frame being too long anyway. */
  | { readonly list: Kind; readonly most?: number; readonly kept?: number }
  /** A list of records. */
  | { readonly row: readonly Field[] }
  /** A list of pairs, as arrays. */
  | { readonly pairs: Kind }
  | { readonly special: 'cert' | 'page' };

export type Field = readonly [name: string, kind: Kind, missing?: unknown];
export type Grammar = Readonly<Record<number, readonly Field[]>>;

const R: Field = ['r', 'request'];
const CHAT: Field = ['chat', 'chat'];
const TYPE_OK = 41;
/** §7 */
const ENTRIES = 4_000;
const MEMBERS = 1_024;

export const CLIENT: Grammar = {
  1: [
    ['version', 'uint'],
    ['token', 'str'],
    ['credit', 'uint'],
    ['agent', 'str', ''],
  ],
  2: [CHAT, ['id', 'id'], ['body', 'bin']],
  3: [CHAT, ['seq', 'uint']],
  4: [CHAT, ['seq', 'uint']],
  5: [['n', 'uint']],
  6: [
    [
      'entries',
      {
        list: {
          row: [
            ['chat', 'id'],
            ['seq', 'uint'],
            ['read', 'uint', 0],
            ['flags', 'uint', 0],
          ],
        },
        most: ENTRIES,
      },
    ],
    ['more', 'flag'],
    ['backfill', 'uint', 0],
  ],
  7: [R, ['user', 'str']],
  8: [R, ['id', 'id'], ['title', 'str'], ['users', { list: 'str', kept: MEMBERS + 1 }]],
  9: [
    R,
    CHAT,
    ['id', 'id'],
    ['op', 'uint'],
    ['users', { list: 'str', kept: MEMBERS + 1 }],
    ['args', { list: 'plain' }, []],
  ],
  10: [R, CHAT, ['before', 'uint'], ['limit', 'uint']],
  11: [R, ['after', { nil: 'id' }], ['limit', 'uint']],
  12: [R, CHAT],
  13: [CHAT, ['on', 'flag']],
  14: [CHAT, ['on', 'flag']],
  15: [['n', 'uint']],
  16: [R, ['token', 'str']],
  17: [R, CHAT],
  18: [R, ['id', 'id'], ['invite', 'bin']],
  19: [R, CHAT, ['seq', 'uint']],
  20: [R],
  21: [R, ['device', 'str'], ['op', 'uint'], ['name', 'str', '']],
  22: [R, ['user', 'str'], ['version', 'uint', 0]],
  23: [R, ['name', 'str'], ['avatar', 'str'], ['about', 'str'], ['fields', { list: { pairs: 'str' }, kept: 17 }]],
  24: [R, ['audience', { nil: 'uint' }]],
  25: [R, ['user', 'str'], ['on', 'flag']],
  26: [R],
  27: [R, CHAT, ['op', 'uint'], ['value', 'uint'], ['seqs', { list: 'uint', kept: 1_001 }, []]],
  28: [R, ['since', 'uint'], ['limit', 'uint']],
};

const MESSAGE: readonly Field[] = [
  ['seq', 'uint'],
  ['id', 'id'],
  ['lag', 'int'],
  ['body', 'bin'],
];
const EVENT: readonly Field[] = [...MESSAGE.slice(0, 3), ['op', 'uint'], ['args', { list: 'plain' }]];
const FAILURE: readonly Field[] = [
  ['code', 'str'],
  ['retry', 'flag'],
  ['after', 'uint'],
  ['detail', 'str'],
];
const FROM: Field = ['from', 'user'];
const USER: Field = ['user', 'user'];
const POSITIONS: readonly Field[] = [
  ['delivered', 'uint'],
  ['read', 'uint'],
];

export const SERVER: Grammar = {
  32: [
    ['user', 'str'],
    ['device', 'str'],
    ['durability', 'uint'],
    ['window', 'uint'],
    ['maxBody', 'uint'],
    ['time', 'uint'],
    ['heartbeat', 'uint'],
    ['expires', 'uint'],
  ],
  33: [
    ['n', 'uint'],
    ['seq', 'uint'],
    ['durability', 'uint'],
  ],
  34: [CHAT, FROM, ...MESSAGE],
  35: [CHAT, FROM, ...EVENT],
  36: [CHAT, USER, ...POSITIONS],
  37: [['entries', { list: { special: 'cert' } }]],
  38: [['chats', 'uint']],
  39: [
    ['alias', 'uint'],
    ['chat', 'id'],
    ['kind', 'uint'],
    ['name', 'str'],
  ],
  40: [
    ['alias', 'uint'],
    ['user', 'str'],
  ],
  [TYPE_OK]: [R],
  42: [['r', 'uint'], ...FAILURE],
  43: [CHAT, USER, ['on', 'flag']],
  44: [USER, ['online', 'flag'], ['lastSeen', 'uint'], ['precision', 'uint', 0]],
  45: [R, ['rows', { list: { special: 'page' } }], ['more', 'flag']],
  46: [],
  47: [
    ['after', 'uint'],
    ['reason', 'str'],
    ['target', 'str', ''],
  ],
  48: [['n', 'uint']],
  49: [['n', 'uint'], ...FAILURE],
  50: [CHAT, ...POSITIONS],
  51: [CHAT, ['count', 'uint']],
  52: [USER, ['version', 'uint']],
  53: [
    ['chat', 'id'],
    ['version', 'uint'],
    ['muted', 'uint'],
    ['pinned', 'uint'],
    ['archived', 'flag'],
    ['unread', 'flag'],
    ['cleared', 'uint'],
    ['hidden', { list: 'uint' }],
  ],
  54: [
    ['user', 'str'],
    ['on', 'flag'],
  ],
};

/** Rows of PAGE, by type: sender by name. */
export const PAGE_ROWS: Grammar = { 34: [['from', 'str'], ...MESSAGE], 35: [['from', 'str'], ...EVENT] };
export const CERT: readonly Field[] = [
  ['chat', 'id'],
  ['head', 'uint'],
  ['start', 'uint'],
];
export const CERT_NEW: readonly Field[] = [...CERT, ['kind', 'uint'], ['name', 'str']];

const BAD: unique symbol = Symbol('bad');
type Record_ = Record<string, unknown>;

/** What docs/wire.md makes of these bytes: a bad frame, an unknown one by its tag, or the fields of a known one. */
export function judge(bytes: Uint8Array, grammar: Grammar, depth: number): Record_ & { readonly type: number } {
  const frame = parse(bytes, depth);
  const [head, ...rest] = frame?.t === 'array' ? frame.v : [];
  if (head?.t !== 'int' || head.v < 0) return { type: -1 };
  const fields = grammar[head.v];
  if (fields === undefined) return { type: 0, tag: head.v };
  const known: Record_ = { type: head.v };
  if (grammar === CLIENT && head.v === 1) {
    const [version] = rest;
    if (version?.t === 'int' && version.v >= 0 && version.v !== 1) {
      return { type: 1, version: version.v, token: '', credit: 0, agent: '' };
    }
  }
  if (head.v === TYPE_OK) known.results = rest.slice(1).map(plain);
  return read(rest, fields, known) ? { ...known, type: head.v } : { type: -1 };
}

function read(values: readonly Value[], fields: readonly Field[], into: Record_): boolean {
  for (const [i, [name, kind, missing]] of fields.entries()) {
    const value = values[i];
    const field = value === undefined ? (missing ?? BAD) : of(value, kind);
    if (field === BAD) return false;
    into[name] = field;
  }
  return true;
}

function of(value: Value, kind: Kind): unknown {
  if (typeof kind === 'string') return simple(value, kind);
  if ('nil' in kind) return value.t === 'nil' ? null : simple(value, kind.nil);
  if (value.t !== 'array') return BAD;
  if ('list' in kind) {
    if (value.v.length > (kind.most ?? Number.POSITIVE_INFINITY)) return BAD;
    const items: unknown[] = [];
    for (const item of value.v.slice(0, kind.kept)) {
      const field = of(item, kind.list);
      if (field === BAD) return BAD;
      // A row of a type that nobody knows is passed over.
      if (field !== undefined) items.push(field);
    }
    return items;
  }
  if ('row' in kind) return row(value.v, kind.row);
  if ('pairs' in kind) {
    const pair = [0, 1].map((i) => (value.v[i] === undefined ? BAD : of(value.v[i], kind.pairs)));
    return pair.includes(BAD) ? BAD : pair;
  }
  if (kind.special === 'cert') return row(value.v, value.v.length >= 5 ? CERT_NEW : CERT);
  const [type, ...rest] = value.v;
  if (type?.t !== 'int' || type.v < 0) return BAD;
  const known = PAGE_ROWS[type.v];
  return known === undefined ? undefined : row(rest, known, { type: type.v });
}

function row(values: readonly Value[], fields: readonly Field[], into: Record_ = {}): unknown {
  return read(values, fields, into) ? into : BAD;
}

function simple(value: Value, kind: Simple): unknown {
  switch (kind) {
    case 'int':
      return value.t === 'int' ? value.v : BAD;
    case 'uint':
      return value.t === 'int' && value.v >= 0 ? value.v : BAD;
    case 'request':
      return value.t === 'int' && value.v >= 1 ? value.v : BAD;
    case 'flag':
      return value.t === 'int' && (value.v === 0 || value.v === 1) ? value.v === 1 : BAD;
    case 'str':
      return value.t === 'str' ? value.v : BAD;
    case 'bin':
      return value.t === 'bin' ? value.v : BAD;
    case 'id':
      return value.t === 'bin' && value.v.length === 16 ? value.v : BAD;
    case 'chat':
      return simple(value, value.t === 'int' ? 'uint' : 'id');
    case 'user':
      return simple(value, value.t === 'int' ? 'uint' : 'str');
    case 'plain':
      return plain(value);
  }
}

function plain(value: Value): unknown {
  if (value.t === 'nil') return null;
  return value.t === 'array' ? value.v.map(plain) : value.v;
}
