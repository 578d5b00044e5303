// Owns the tags and fields of what is told to chats of other nodes.
// Invariant: as in message-codec.ts; a type that is new in messages.ts does not compile before it has its place here.
// Must not: know what a message means.

import { idText } from '../actors/message-id.js';
import type { ChatMessage } from '../actors/messages.js';
import type { Reader } from '../transport/reader.js';
import type { Writer } from '../transport/writer.js';
import {
  MessageCodec,
  type Refs,
  readAsker,
  readNames,
  readPair,
  type Shape,
  writeAsker,
  writeNames,
  writePair,
} from './message-codec.js';

type Of<T extends ChatMessage['type']> = Extract<ChatMessage, { readonly type: T }>;

const send: Shape<Of<'send'>> = {
  tag: 1,
  fields: 7,
  write({ user, connection, n, id, after, body, pair }, w, refs) {
    w.str(user);
    refs.write(w, connection);
    w.int(n).bin(id);
    if (after === null) w.nil();
    else w.str(after);
    writePair(pair, w.bin(body));
  },
  read(r, refs) {
    const user = r.str();
    const connection = refs.read(r);
    const n = r.uint();
    const id = r.id();
    const after = r.nil() ? null : r.str();
    const body = r.bin();
    return { type: 'send', user, connection, n, id, idText: idText(id), after, body, pair: readPair(r) };
  },
};

const cursor: Shape<Of<'cursor'>> = {
  tag: 2,
  fields: 4,
  write: ({ user, device, delivered, read }, w) => w.str(user).str(device).int(delivered).int(read),
  read: (r) => ({ type: 'cursor', user: r.str(), device: r.str(), delivered: r.uint(), read: r.uint() }),
};

type Question = Extract<ChatMessage, { readonly type: 'info' | 'invite' }>;

const asking = (type: Question['type'], tag: number): Shape<Question> => ({
  tag,
  fields: 1,
  write: ({ asker }, w, refs) => writeAsker(asker, w, refs),
  read: (r, refs) => ({ type, asker: readAsker(r, refs) }),
});

/** `typing` and `watch` have the same fields. */
const said = {
  write({ user, connection, on }: Of<'typing'> | Of<'watch'>, w: Writer, refs: Refs): void {
    w.str(user);
    refs.write(w, connection);
    w.flag(on);
  },
  read: (r: Reader, refs: Refs) => ({ user: r.str(), connection: refs.read(r), on: r.flag() }),
};

const typing: Shape<Of<'typing'>> = {
  tag: 5,
  fields: 3,
  write: said.write,
  read: (r, refs) => ({ type: 'typing', ...said.read(r, refs) }),
};

const watch: Shape<Of<'watch'>> = {
  tag: 6,
  fields: 3,
  write: said.write,
  read: (r, refs) => ({ type: 'watch', ...said.read(r, refs) }),
};

const create: Shape<Of<'create'>> = {
  tag: 11,
  fields: 4,
  write({ asker, id, title, users }, w, refs) {
    writeAsker(asker, w, refs);
    writeNames(users, w.bin(id).str(title));
  },
  read: (r, refs) => ({
    type: 'create',
    asker: readAsker(r, refs),
    id: r.id(),
    title: r.str(),
    users: readNames(r),
  }),
};

const change: Shape<Of<'change'>> = {
  tag: 12,
  fields: 5,
  write({ asker, id, op, users, args }, w, refs) {
    writeAsker(asker, w, refs);
    writeNames(users, w.bin(id).int(op));
    w.plains(args);
  },
  read: (r, refs) => ({
    type: 'change',
    asker: readAsker(r, refs),
    id: r.id(),
    op: r.int(),
    users: readNames(r),
    args: r.plains(2),
  }),
};

const join: Shape<Of<'join'>> = {
  tag: 13,
  fields: 3,
  write({ asker, id, secret }, w, refs) {
    writeAsker(asker, w, refs);
    w.bin(id).bin(secret);
  },
  read: (r, refs) => ({ type: 'join', asker: readAsker(r, refs), id: r.id(), secret: r.bin() }),
};

export const chatCodec = new MessageCodec<ChatMessage>({
  send,
  cursor,
  blocked: {
    tag: 3,
    fields: 2,
    write: ({ user, on }, w) => w.str(user).flag(on),
    read: (r) => ({ type: 'blocked', user: r.str(), on: r.flag() }),
  },
  forget: {
    tag: 4,
    fields: 2,
    write: ({ user, device }, w) => w.str(user).str(device),
    read: (r) => ({ type: 'forget', user: r.str(), device: r.str() }),
  },
  typing,
  watch,
  receipts: {
    tag: 7,
    fields: 2,
    write({ user, connection }, w, refs) {
      w.str(user);
      refs.write(w, connection);
    },
    read: (r, refs) => ({ type: 'receipts', user: r.str(), connection: refs.read(r) }),
  },
  info: asking('info', 8),
  invite: asking('invite', 9),
  positions: {
    tag: 10,
    fields: 2,
    write({ asker, seq }, w, refs) {
      writeAsker(asker, w, refs);
      w.int(seq);
    },
    read: (r, refs) => ({ type: 'positions', asker: readAsker(r, refs), seq: r.uint() }),
  },
  create,
  change,
  join,
  // Each node sweeps its own, and takes up what the owner before left.
  sweep: null,
  recover: null,
});
