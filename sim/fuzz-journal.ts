// Owns the trial of a client's journal: whole and damaged ones.
// Invariant: the lines that are as they were written are applied, in order, and nothing else is.
// Must not: touch files.

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { line, replay } from '../client/journal.js';
import type { StoreChange } from '../client/store.js';
import { StoreImage } from '../client/store-memory.js';
import { slips } from './fuzz-frames.js';
import { hex } from './fuzz-rows.js';

const id = fc.integer({ min: 0, max: 9 }).map((n) => n.toString(16).padStart(32, '0'));
const text = fc.string({ unit: 'grapheme', maxLength: 8 });

const change: fc.Arbitrary<StoreChange> = fc.oneof(
  fc.constant({ type: 'owner', user: 'ada', device: 'd1' } as const),
  fc.tuple(id, text, fc.nat(50), fc.nat(50)).map(
    ([chat, name, cursor, read]): StoreChange => ({
      type: 'chat',
      chat: {
        id: chat,
        kind: 2,
        name,
        placed: true,
        cursor,
        read,
        lastOwn: 0,
        own: [cursor + 1],
      },
    }),
  ),
  fc
    .tuple(id, id, fc.uint8Array({ maxLength: 20 }))
    .map(([send, chat, body]): StoreChange => ({ type: 'add', send: { id: send, chat, user: '', body } })),
  id.map((send): StoreChange => ({ type: 'settle', id: send })),
  fc.nat(9).map((version): StoreChange => ({ type: 'marks', version })),
  fc.array(text, { maxLength: 3 }).map((users): StoreChange => ({ type: 'blocked', users })),
);

export interface Journal {
  readonly writes: readonly (readonly StoreChange[])[];
  readonly bytes: Uint8Array;
}

const writes = fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 });
const written = (all: Journal['writes']): Uint8Array => Uint8Array.from(Buffer.from(all.map(line).join('')));

/** Journals with something wrong in their bytes, and some that are whole. */
export const journals: fc.Arbitrary<Journal> = writes.chain((all) =>
  fc
    .oneof(
      { weight: 4, arbitrary: slips(fc.constant(written(all))) },
      { weight: 1, arbitrary: fc.constant(written(all)) },
    )
    .map((bytes) => ({ writes: all, bytes })),
);

/** What the journal amounts to. Throws where that is not what its sound lines say. */
export function tryJournal(journal: Journal): StoreImage {
  const image = new StoreImage();
  const { end } = replay(Buffer.from(journal.bytes), image);
  const known = new Map(journal.writes.map((changes) => [line(changes), changes]));
  const expected = new StoreImage();
  const whole = Buffer.from(journal.bytes).lastIndexOf(10) + 1;
  if (end !== whole) throw new Error(`${hex(journal.bytes)}: read up to ${end}, not ${whole}`);
  for (const part of Buffer.from(journal.bytes.subarray(0, whole)).toString('latin1').split('\n').slice(0, -1)) {
    const changes = known.get(Buffer.from(`${part}\n`, 'latin1').toString('utf8'));
    for (const one of changes ?? []) expected.apply(one);
  }
  if (!isDeepStrictEqual(image.state(), expected.state()))
    throw new Error(`${hex(journal.bytes)}: not what was written`);
  return image;
}
