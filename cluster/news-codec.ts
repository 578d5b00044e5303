// Owns the fields of what members of a chat are told, which is the same on its way to users and to connections.
// Invariant: as in message-codec.ts. The tags are below 10 in both unions.
// Must not: know what a message means.

import { LIMITS } from '../actors/limits.js';
import type {
  ConnectionMessage,
  ConnectionRef,
  Delivery,
  ReceiptNews,
  TallyNews,
  Told,
  TypingNews,
} from '../actors/messages.js';
import type { Reader } from '../transport/reader.js';
import type { Writer } from '../transport/writer.js';
import { type Refs, readNames, type Shape, writeNames } from './message-codec.js';

export const delivery: Shape<Delivery> = {
  tag: 1,
  fields: 8,
  least: 7,
  write({ info, seq, entries, joined, again }, w, refs) {
    const { from, row, origin } = entries[0]!;
    refs.infos.write(info, w);
    w.str(from).int(seq).bin(row);
    writeOrigin(origin, w, refs);
    writeNames(joined, w);
    w.flag(again === true).array(entries.length - 1);
    for (let at = 1; at < entries.length; at += 1) {
      const { from, row, origin } = entries[at]!;
      writeOrigin(origin, w.array(3).str(from).bin(row), refs);
    }
  },
  read(r, refs, count) {
    const info = refs.infos.read(r);
    const [from, seq, row] = [r.str(), r.uint(), r.bin()];
    const entries: Told[] = [{ from, row, origin: readOrigin(r, refs) }];
    const joined = readNames(r);
    const again = r.flag();
    let rest = count < 8 ? 0 : r.array();
    if (rest >= LIMITS.runEntries || seq > Number.MAX_SAFE_INTEGER - rest) r.fail('more entries than a delivery has');
    for (; rest > 0 && r.fault === ''; rest--) {
      const fields = r.array();
      const [from, row] = [r.str(), r.bin()];
      entries.push({ from, row, origin: readOrigin(r, refs) });
      r.skip(fields - 3, 2);
    }
    const told = { type: 'delivery', info, seq, entries, joined } as const;
    return again ? { ...told, again } : told;
  },
};

function writeOrigin(origin: ConnectionRef | null, writer: Writer, refs: Refs): void {
  if (origin === null) writer.nil();
  else refs.write(writer, origin);
}

function readOrigin(reader: Reader, refs: Refs): ConnectionRef | null {
  return reader.nil() ? null : refs.read(reader);
}

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
