// Owns the tags and fields of what is told to connections of other nodes.
// Invariant: as in message-codec.ts; a type that is new in messages.ts does not compile before it has its place here.
// Must not: know what a message means.

import { LIMITS } from '../actors/limits.js';
import type { ConnectionMessage, Registration } from '../actors/messages.js';
import type { MarksRow } from '../storage/account-rows.js';
import type { Reader } from '../transport/reader.js';
import type { Writer } from '../transport/writer.js';
import { MessageCodec, readInfo, readRefusal, type Shape, writeInfo, writeRefusal } from './message-codec.js';
import { delivery, profiled, receipt, tally, typing } from './news-codec.js';

type Of<T extends ConnectionMessage['type']> = Extract<ConnectionMessage, { readonly type: T }>;

/** One that its type says all of. */
const bare = <T extends 'replaced' | 'removed' | 'resync'>(type: T, tag: number): Shape<{ readonly type: T }> => ({
  tag,
  fields: 0,
  write: () => undefined,
  read: () => ({ type }),
});

const answer: Shape<Of<'answer'>> = {
  tag: 12,
  fields: 3,
  write({ r, results, members }, w) {
    w.int(r).plains(results);
    if (members === undefined) w.nil();
    else w.int(members);
  },
  read(r) {
    const [number, results] = [r.uint(), r.plains(2)];
    const answered = { type: 'answer', r: number, results } as const;
    return r.nil() ? answered : { ...answered, members: r.uint() };
  },
};

const registered: Shape<Of<'registered'>> = {
  tag: 14,
  fields: 2,
  write({ round, registration }, w) {
    w.int(round);
    if (registration === null) w.nil();
    else writeRefusal(registration, w);
  },
  read(r) {
    const round = r.uint();
    const registration: Registration = r.nil() ? null : readRefusal(r);
    return { type: 'registered', round, registration };
  },
};

const marked: Shape<Of<'marked'>> = {
  tag: 18,
  fields: 2,
  write: ({ chat, marks }, w) => writeMarks(marks, w.bin(chat)),
  read: (r) => ({ type: 'marked', chat: r.id(), marks: readMarks(r) }),
};

function writeMarks({ version, muted, pinned, archived, unread, cleared, hidden }: MarksRow, writer: Writer): void {
  writer.array(7).int(version).int(muted).int(pinned).flag(archived).flag(unread).int(cleared).plains(hidden);
}

function readMarks(reader: Reader): MarksRow {
  const count = reader.array();
  const marks = {
    version: reader.uint(),
    muted: reader.uint(),
    pinned: reader.uint(),
    archived: reader.flag(),
    unread: reader.flag(),
    cleared: reader.uint(),
    hidden: numbers(reader),
  };
  reader.skip(count - 7, 2);
  return marks;
}

function numbers(reader: Reader): number[] {
  const found: number[] = [];
  for (let rest = reader.array(); rest > 0; rest--) found.push(reader.uint());
  return found;
}

export const connectionCodec = new MessageCodec<ConnectionMessage>({
  delivery,
  receipt,
  tally,
  typing,
  profiled,
  sent: {
    tag: 10,
    fields: 4,
    least: 3,
    write: ({ n, seq, members, count }, w) => w.int(n).int(seq).int(members).int(count),
    read(r, _, count) {
      const first = { type: 'sent', n: r.uint(), seq: r.uint(), members: r.uint() } as const;
      const several = count < 4 ? 1 : r.uint();
      if (several < 1 || several > LIMITS.window) r.fail('no SEND, or more than may be open');
      return { ...first, count: several };
    },
  },
  failed: {
    tag: 11,
    fields: 2,
    write: (failed, w) => writeRefusal(failed, w.int(failed.n)),
    read: (r) => ({ type: 'failed', n: r.uint(), ...readRefusal(r) }),
  },
  answer,
  refused: {
    tag: 13,
    fields: 2,
    write: (refused, w) => writeRefusal(refused, w.int(refused.r)),
    read: (r) => ({ type: 'refused', r: r.uint(), ...readRefusal(r) }),
  },
  registered,
  replaced: bare('replaced', 15),
  removed: bare('removed', 16),
  resync: bare('resync', 17),
  marked,
  blocked: {
    tag: 19,
    fields: 2,
    write: ({ user, on }, w) => w.str(user).flag(on),
    read: (r) => ({ type: 'blocked', user: r.str(), on: r.flag() }),
  },
  presence: {
    tag: 20,
    fields: 4,
    write: ({ user, online, lastSeen, precision }, w) => w.str(user).flag(online).int(lastSeen).int(precision),
    read: (r) => ({ type: 'presence', user: r.str(), online: r.flag(), lastSeen: r.uint(), precision: r.uint() }),
  },
  count: {
    tag: 21,
    fields: 2,
    write({ info, count }, w) {
      writeInfo(info, w);
      w.int(count);
    },
    read: (r) => ({ type: 'count', info: readInfo(r), count: r.uint() }),
  },
  unpassed: {
    tag: 22,
    fields: 2,
    write: ({ key, large }, w) => w.str(key).flag(large),
    read: (r) => ({ type: 'unpassed', key: r.str(), large: r.flag() }),
  },
  unviewed: {
    tag: 23,
    fields: 1,
    write: ({ user }, w) => w.str(user),
    read: (r) => ({ type: 'unviewed', user: r.str() }),
  },
  rewatch: {
    tag: 24,
    fields: 1,
    write: ({ chat }, w) => w.str(chat ?? ''),
    read: (r) => ({ type: 'rewatch', chat: r.str() }),
  },
  // What its own socket and node tell it.
  frame: null,
  raw: null,
  violation: null,
  drained: null,
  goaway: null,
});
