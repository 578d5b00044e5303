// Owns the tags and fields of what is told to users of other nodes.
// Invariant: as in message-codec.ts; a type that is new in messages.ts does not compile before it has its place here.
// Must not: know what a message means.

import type { AccountFrame, ReceiptNews, TallyNews, UserMessage } from '../actors/messages.js';
import { decodeClient, encodeClient } from '../transport/codec.js';
import { T } from '../transport/frames.js';
import type { Reader } from '../transport/reader.js';
import { MessageCodec, readAsker, type Shape, writeAsker } from './message-codec.js';
import { delivery, profiled, receipt, tally, typing } from './news-codec.js';

type Of<K extends UserMessage['type']> = Extract<UserMessage, { readonly type: K }>;

const register: Shape<Of<'register'>> = {
  tag: 10,
  fields: 6,
  write({ device, issued, connection, round, since, late }, w, refs) {
    w.str(device).int(issued);
    refs.write(w, connection);
    w.int(round).int(since).flag(late);
  },
  read: (r, refs) => ({
    type: 'register',
    device: r.str(),
    issued: r.uint(),
    connection: refs.read(r),
    round: r.uint(),
    since: r.uint(),
    late: r.flag(),
  }),
};

/** The frame is as the client sent it, but for aliases that were resolved. */
const request: Shape<Of<'request'>> = {
  tag: 11,
  fields: 2,
  write({ asker, frame }, w, refs) {
    writeAsker(asker, w, refs);
    w.bin(encodeClient(frame));
  },
  read(r, refs) {
    const asker = readAsker(r, refs);
    return { type: 'request', asker, frame: accountFrame(r) };
  },
};

function accountFrame(reader: Reader): AccountFrame {
  const frame = decodeClient(reader.bin());
  switch (frame.type) {
    case T.DEVICES:
    case T.DEVICE:
    case T.DESCRIBE:
    case T.PRIVACY:
    case T.BLOCK:
      return frame;
    case T.MARK:
      if (typeof frame.chat !== 'number') return { ...frame, chat: frame.chat };
  }
  reader.fail('no request of a user');
  return { type: T.DEVICES, r: 0 };
}

/** `receipt` and `tally` as they are when told to all connections. */
const pass: Shape<Of<'pass'>> = {
  tag: 14,
  fields: 2,
  write({ connection, news }, w, refs) {
    refs.write(w, connection);
    passed.write(news, w, refs);
  },
  read(r, refs) {
    const connection = refs.read(r);
    const news = passed.read(r, refs);
    if (news === null) r.fail('nothing to pass');
    return { type: 'pass', connection, news: news! };
  },
};

const passed = new MessageCodec<ReceiptNews | TallyNews>({ receipt, tally });

export const userCodec = new MessageCodec<UserMessage>({
  delivery,
  receipt,
  tally,
  typing,
  profiled,
  register,
  request,
  blocked: {
    tag: 12,
    fields: 2,
    write: ({ user, on }, w) => w.str(user).flag(on),
    read: (r) => ({ type: 'blocked', user: r.str(), on: r.flag() }),
  },
  pass,
  resync: { tag: 15, fields: 0, write: () => undefined, read: () => ({ type: 'resync' }) },
  watched: {
    tag: 16,
    fields: 4,
    write({ connection, watcher, chat, contact }, w, refs) {
      refs.write(w, connection);
      w.str(watcher).str(chat).flag(contact);
    },
    read: (r, refs) => ({
      type: 'watched',
      connection: refs.read(r),
      watcher: r.str(),
      chat: r.str(),
      contact: r.flag(),
    }),
  },
  unwatched: {
    tag: 17,
    fields: 2,
    write({ connection, chat }, w, refs) {
      refs.write(w, connection);
      w.str(chat);
    },
    read: (r, refs) => ({ type: 'unwatched', connection: refs.read(r), chat: r.str() }),
  },
  parted: {
    tag: 19,
    fields: 2,
    write: ({ chat, user }, w) => w.str(chat).str(user),
    read: (r) => ({ type: 'parted', chat: r.str(), user: r.str() }),
  },
  contact: {
    tag: 18,
    fields: 1,
    write: ({ chat }, w) => w.str(chat),
    read: (r) => ({ type: 'contact', chat: r.str() }),
  },
});
