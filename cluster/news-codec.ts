// Owns the fields of what members of a chat are told, which is the same on its way to users and to connections.
// Invariant: as in message-codec.ts. The tags are below 10 in both unions.
// Must not: know what a message means.

import type { ConnectionMessage, Delivery, ReceiptNews, TallyNews, TypingNews } from '../actors/messages.js';
import { readNames, type Shape, writeNames } from './message-codec.js';

export const delivery: Shape<Delivery> = {
  tag: 1,
  fields: 7,
  write({ info, from, seq, row, origin, joined, again }, w, refs) {
    refs.infos.write(info, w);
    w.str(from).int(seq).bin(row);
    if (origin === null) w.nil();
    else refs.write(w, origin);
    writeNames(joined, w);
    w.flag(again === true);
  },
  read(r, refs) {
    const info = refs.infos.read(r);
    const [from, seq, row] = [r.str(), r.uint(), r.bin()];
    const origin = r.nil() ? null : refs.read(r);
    const told = { type: 'delivery', info, from, seq, row, origin, joined: readNames(r) } as const;
    return r.flag() ? { ...told, again: true } : told;
  },
};

export const receipt: Shape<ReceiptNews> = {
  tag: 2,
  fields: 5,
  write({ info, user, device, delivered, read }, w, refs) {
    refs.infos.write(info, w);
    w.str(user).str(device).int(delivered).int(read);
  },
  read: (r, refs) => ({
    type: 'receipt',
    info: refs.infos.read(r),
    user: r.str(),
    device: r.str(),
    delivered: r.uint(),
    read: r.uint(),
  }),
};

export const tally: Shape<TallyNews> = {
  tag: 3,
  fields: 3,
  write({ info, delivered, read }, w, refs) {
    refs.infos.write(info, w);
    w.int(delivered).int(read);
  },
  read: (r, refs) => ({ type: 'tally', info: refs.infos.read(r), delivered: r.uint(), read: r.uint() }),
};

export const typing: Shape<TypingNews> = {
  tag: 4,
  fields: 3,
  write({ info, user, on }, w, refs) {
    refs.infos.write(info, w);
    w.str(user).flag(on);
  },
  read: (r, refs) => ({ type: 'typing', info: refs.infos.read(r), user: r.str(), on: r.flag() }),
};

export const profiled: Shape<Extract<ConnectionMessage, { readonly type: 'profiled' }>> = {
  tag: 5,
  fields: 2,
  write: ({ user, version }, w) => w.str(user).int(version),
  read: (r) => ({ type: 'profiled', user: r.str(), version: r.uint() }),
};
