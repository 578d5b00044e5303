// Owns the fields of every frame that a client sends (docs/wire.md §4): reading and writing them side by side.
// Invariant: what writeClient writes, readClient reads back equal; missing optional fields get their defaults.
// Must not: judge meaning (versions, ids' clocks, sizes of bodies, titles and user ids): such frames get a coded answer of
// their own, so they must decode. Must not use Node built-ins.

import { LIMITS } from '../actors/limits.js';
import { type ClientFrame, type FieldCounts, type Plain, T, WIRE_VERSION } from './frames.js';
import type { Reader } from './reader.js';
import { ID_BYTES, SyncList } from './sync-list.js';
import type { Writer } from './writer.js';

export const CLIENT_FIELDS: Readonly<Record<ClientFrame['type'], FieldCounts>> = {
  [T.HELLO]: [2, 5],
  [T.SEND]: [4, 4],
  [T.ACK]: [3, 3],
  [T.READ]: [3, 3],
  [T.CREDIT]: [2, 2],
  [T.SYNC]: [3, 4],
  [T.DIRECT]: [3, 3],
  [T.CREATE]: [5, 5],
  [T.CHANGE]: [6, 7],
  [T.HISTORY]: [5, 5],
  [T.LIST]: [4, 4],
  [T.INFO]: [3, 3],
  [T.TYPING]: [3, 3],
  [T.WATCH]: [3, 3],
  [T.PING]: [2, 2],
  [T.TOKEN]: [3, 3],
  [T.INVITE]: [3, 3],
  [T.JOIN]: [4, 4],
  [T.RECEIPTS]: [4, 4],
  [T.DEVICES]: [2, 2],
  [T.DEVICE]: [4, 5],
  [T.PROFILE]: [3, 4],
  [T.DESCRIBE]: [6, 6],
  [T.PRIVACY]: [3, 3],
  [T.BLOCK]: [4, 4],
  [T.BLOCKS]: [2, 2],
  [T.MARK]: [5, 6],
  [T.MARKS]: [4, 4],
};

export function isClientType(type: number): type is ClientFrame['type'] {
  return type >= T.HELLO && type <= T.MARKS;
}

/** Reads the fields after the type of a frame that has `count` elements. Faults stay in the reader. */
export function readClient(r: Reader, type: ClientFrame['type'], count: number): ClientFrame {
  switch (type) {
    case T.HELLO:
      return hello(r, count);
    case T.SEND:
      return { type, chat: r.chat(), id: r.id(), body: r.bin() };
    case T.ACK:
    case T.READ:
      return { type, chat: r.chat(), seq: r.uint() };
    case T.CREDIT:
    case T.PING:
      return { type, n: r.uint() };
    case T.SYNC:
      return { type, entries: syncEntries(r), more: r.flag(), backfill: count > 3 ? r.uint() : 0 };
    case T.DIRECT:
      return { type, r: r.request(), user: r.str() };
    case T.CREATE:
      return { type, r: r.request(), id: r.id(), title: r.str(), users: users(r) };
    case T.CHANGE:
      return { type, r: r.request(), chat: r.chat(), id: r.id(), op: r.uint(), users: users(r), args: args(r, count) };
    case T.HISTORY:
      return { type, r: r.request(), chat: r.chat(), before: r.uint(), limit: r.uint() };
    case T.LIST:
      return { type, r: r.request(), after: r.nil() ? null : r.id(), limit: r.uint() };
    case T.INFO:
      return { type, r: r.request(), chat: r.chat() };
    case T.TYPING:
    case T.WATCH:
      return { type, chat: r.chat(), on: r.flag() };
    case T.TOKEN:
      return { type, r: r.request(), token: r.str() };
    case T.INVITE:
      return { type, r: r.request(), chat: r.chat() };
    case T.JOIN:
      return { type, r: r.request(), id: r.id(), invite: r.bin() };
    case T.RECEIPTS:
      return { type, r: r.request(), chat: r.chat(), seq: r.uint() };
    case T.DEVICES:
    case T.BLOCKS:
      return { type, r: r.request() };
    case T.DEVICE:
      return { type, r: r.request(), device: r.str(), op: r.uint(), name: count > 4 ? r.str() : '' };
    case T.PROFILE:
      return { type, r: r.request(), user: r.str(), version: count > 3 ? r.uint() : 0 };
    case T.DESCRIBE:
      return { type, r: r.request(), name: r.str(), avatar: r.str(), about: r.str(), fields: profileFields(r) };
    case T.PRIVACY:
      return { type, r: r.request(), audience: r.nil() ? null : r.uint() };
    case T.BLOCK:
      return { type, r: r.request(), user: r.str(), on: r.flag() };
    case T.MARK:
      return { type, r: r.request(), chat: r.chat(), op: r.uint(), value: r.uint(), seqs: count > 5 ? seqs(r) : [] };
    case T.MARKS:
      return { type, r: r.request(), since: r.uint(), limit: r.uint() };
  }
}

/** Of another version only the version is read, whatever follows it: the answer is `bad_version`, not `bad_frame`. */
function hello(r: Reader, count: number): ClientFrame {
  const version = r.uint();
  if (version !== WIRE_VERSION) {
    r.skip(Math.min(count, 5) - 2, 1);
    return { type: T.HELLO, version, token: '', credit: 0, agent: '' };
  }
  if (count < 4) r.fail('field missing');
  return { type: T.HELLO, version, token: r.str(), credit: r.uint(), agent: count > 4 ? r.str() : '' };
}

/** One user more than a group may have is kept, so that the caller sees that the list is too long; the rest is not. */
function users(r: Reader): string[] {
  const count = r.array();
  const kept = Math.min(count, LIMITS.members + 1);
  const list: string[] = [];
  for (let i = 0; i < kept && r.fault === ''; i++) list.push(r.str());
  r.skip(count - kept, 2);
  return list;
}

function args(r: Reader, count: number): readonly Plain[] {
  return count > 6 ? r.plains(2) : [];
}

/** One more than there may be is kept, as with users. */
function profileFields(r: Reader): [string, string][] {
  const count = r.array();
  const kept = Math.min(count, LIMITS.profileFields + 1);
  const list: [string, string][] = [];
  for (let i = 0; i < kept && r.fault === ''; i++) {
    const parts = r.array();
    if (parts < 2) r.fail('field missing');
    list.push([r.str(), r.str()]);
    r.skip(parts - 2, 3);
  }
  r.skip(count - kept, 2);
  return list;
}

/** One more than there may be is kept, as with users. */
function seqs(r: Reader): number[] {
  const count = r.array();
  const kept = Math.min(count, LIMITS.markSeqs + 1);
  const list: number[] = [];
  for (let i = 0; i < kept && r.fault === ''; i++) list.push(r.uint());
  r.skip(count - kept, 2);
  return list;
}

function syncEntries(r: Reader): SyncList {
  const count = r.array();
  if (count > LIMITS.syncEntries) r.fail('too many entries');
  const list = new SyncList(r.fault === '' ? count : 0);
  for (let i = 0; i < count && r.fault === ''; i++) {
    const fields = r.array();
    if (fields < 2) r.fail('field missing');
    r.idInto(list.ids, i * ID_BYTES);
    list.push(r.uint(), fields > 2 ? r.uint() : 0, fields > 3 ? r.uint() : 0);
    r.skip(fields - 4, 3);
  }
  return list;
}

/** Writes the whole frame. */
export function writeClient(w: Writer, f: ClientFrame): void {
  w.array(CLIENT_FIELDS[f.type][1]).int(f.type);
  switch (f.type) {
    case T.HELLO:
      w.int(f.version).str(f.token).int(f.credit).str(f.agent);
      break;
    case T.SEND:
      w.chat(f.chat).bin(f.id).bin(f.body);
      break;
    case T.ACK:
    case T.READ:
      w.chat(f.chat).int(f.seq);
      break;
    case T.CREDIT:
    case T.PING:
      w.int(f.n);
      break;
    case T.SYNC:
      w.array(f.entries.length);
      for (const e of f.entries) w.array(4).bin(e.chat).int(e.seq).int(e.read).int(e.flags);
      w.flag(f.more).int(f.backfill);
      break;
    case T.DIRECT:
      w.int(f.r).str(f.user);
      break;
    case T.CREATE:
      w.int(f.r).bin(f.id).str(f.title).plains(f.users);
      break;
    case T.CHANGE:
      w.int(f.r).chat(f.chat).bin(f.id).int(f.op).plains(f.users).plains(f.args);
      break;
    case T.HISTORY:
      w.int(f.r).chat(f.chat).int(f.before).int(f.limit);
      break;
    case T.LIST:
      w.int(f.r).plain(f.after).int(f.limit);
      break;
    case T.INFO:
      w.int(f.r).chat(f.chat);
      break;
    case T.TYPING:
    case T.WATCH:
      w.chat(f.chat).flag(f.on);
      break;
    case T.TOKEN:
      w.int(f.r).str(f.token);
      break;
    case T.INVITE:
      w.int(f.r).chat(f.chat);
      break;
    case T.JOIN:
      w.int(f.r).bin(f.id).bin(f.invite);
      break;
    case T.RECEIPTS:
      w.int(f.r).chat(f.chat).int(f.seq);
      break;
    case T.DEVICES:
    case T.BLOCKS:
      w.int(f.r);
      break;
    case T.DEVICE:
      w.int(f.r).str(f.device).int(f.op).str(f.name);
      break;
    case T.PROFILE:
      w.int(f.r).str(f.user).int(f.version);
      break;
    case T.DESCRIBE:
      w.int(f.r).str(f.name).str(f.avatar).str(f.about).plains(f.fields);
      break;
    case T.PRIVACY:
      w.int(f.r).plain(f.audience);
      break;
    case T.BLOCK:
      w.int(f.r).str(f.user).flag(f.on);
      break;
    case T.MARK:
      w.int(f.r).chat(f.chat).int(f.op).int(f.value).plains(f.seqs);
      break;
    case T.MARKS:
      w.int(f.r).int(f.since).int(f.limit);
      break;
  }
}
