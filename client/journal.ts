// Owns the form of a client's journal: lines of changes, each with a checksum.
// Invariant: a line is applied whole or not at all; what follows a damaged one is read all the same.
// Must not: touch files, or be imported by browser code.
//
//   one line a write: <SHA-256 of the rest, first 8 hex digits> <JSON array of changes>\n

import { createHash } from 'node:crypto';
import { LIMITS } from '../actors/limits.js';
import type { StoreChange, StoredState } from './store.js';
import type { StoreImage } from './store-memory.js';

export function line(changes: readonly StoreChange[]): string {
  const json = JSON.stringify(changes, (_key, value: unknown) =>
    value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value,
  );
  return `${checksum(json)} ${json}\n`;
}

/** Applies the journal's whole and undamaged lines; returns where the last whole line ends, and how many changes it took. */
export function replay(journal: Buffer, image: StoreImage): { readonly end: number; readonly changes: number } {
  let start = 0;
  let count = 0;
  for (let end = journal.indexOf(10); end >= 0; end = journal.indexOf(10, start)) {
    const changes = parse(journal.toString('utf8', start, end));
    for (const change of changes) image.apply(change);
    count += changes.length;
    start = end + 1;
  }
  return { end: start, changes: count };
}

/** The lines of a journal that holds nothing but this state. */
export function* lines({
  owner,
  chats,
  outbox,
  marks = 0,
  blocked = [],
  profiles = [],
}: StoredState): Iterable<string> {
  if (owner !== undefined) yield line([{ type: 'owner', ...owner }]);
  for (let i = 0; i < chats.length; i += LIMITS.clientJournalChats) {
    yield line(chats.slice(i, i + LIMITS.clientJournalChats).map((chat) => ({ type: 'chat', chat })));
  }
  for (const send of outbox) yield line([{ type: 'add', send }]);
  for (const profile of profiles) yield line([{ type: 'profile', user: profile.user, profile }]);
  yield line([
    { type: 'marks', version: marks },
    { type: 'blocked', users: blocked },
  ]);
}

/** Nothing for a damaged line: what it settled is sent again under its old id, what it added is lost with it alone. */
function parse(text: string): StoreChange[] {
  const json = text.slice(9);
  if (text[8] !== ' ' || text.slice(0, 8) !== checksum(json)) return [];
  // Few lines hold bytes, and looking at every value of the others is most of the time that a start takes.
  return JSON.parse(json, json.includes('"base64"') ? bytes : undefined) as StoreChange[];
}

function bytes(_key: string, value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'base64' in value && typeof value.base64 === 'string'
    ? Uint8Array.from(Buffer.from(value.base64, 'base64'))
    : value;
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
