// Owns the fields of every frame that the server sends (docs/wire.md §5): reading and writing them side by side.
// Invariant: what writeServer writes, readServer reads back equal; surplus fields and rows of unknown type are passed over.
// Must not: resolve aliases or judge meaning. Must not use Node built-ins.

import {
  type CertEntry,
  type FieldCounts,
  type PageRow,
  type Plain,
  PRECISION,
  type ServerFrame,
  T,
} from './frames.js';
import type { Reader } from './reader.js';
import type { Writer } from './writer.js';

export const SERVER_FIELDS: Readonly<Record<ServerFrame['type'], FieldCounts>> = {
  [T.WELCOME]: [9, 9],
  [T.SENT]: [4, 4],
  [T.MESSAGE]: [7, 7],
  [T.EVENT]: [8, 8],
  [T.RECEIPT]: [5, 5],
  [T.CERT]: [2, 2],
  [T.SYNCED]: [2, 2],
  [T.CHAT]: [5, 5],
  [T.USER]: [3, 3],
  [T.OK]: [2, Number.MAX_SAFE_INTEGER],
  [T.ERROR]: [6, 6],
  [T.TYPING_OF]: [4, 4],
  [T.PRESENCE]: [4, 5],
  [T.PAGE]: [4, 4],
  [T.RESYNC]: [1, 1],
  [T.GOAWAY]: [3, 4],
  [T.PONG]: [2, 2],
  [T.FAILED]: [6, 6],
  [T.TALLY]: [4, 4],
  [T.COUNT]: [3, 3],
  [T.PROFILED]: [3, 3],
  [T.MARKED]: [9, 9],
  [T.BLOCKED]: [3, 3],
};

export function isServerType(type: number): type is ServerFrame['type'] {
  return type >= T.WELCOME && type <= T.BLOCKED;
}

/** Reads the fields after the type of a frame that has `count` elements. Faults stay in the reader. */
export function readServer(r: Reader, type: ServerFrame['type'], count: number): ServerFrame {
  switch (type) {
    case T.WELCOME:
      return {
        type,
        user: r.str(),
        device: r.str(),
        durability: r.uint(),
        window: r.uint(),
        maxBody: r.uint(),
        time: r.uint(),
        heartbeat: r.uint(),
        expires: r.uint(),
      };
    case T.SENT:
      return { type, n: r.uint(), seq: r.uint(), durability: r.uint() };
    case T.MESSAGE:
      return { type, chat: r.chat(), from: r.user(), seq: r.uint(), id: r.id(), lag: r.int(), body: r.bin() };
    case T.EVENT:
      return {
        type,
        chat: r.chat(),
        from: r.user(),
        seq: r.uint(),
        id: r.id(),
        lag: r.int(),
        op: r.uint(),
        args: r.plains(2),
      };
    case T.RECEIPT:
      return { type, chat: r.chat(), user: r.user(), delivered: r.uint(), read: r.uint() };
    case T.CERT:
      return { type, entries: certEntries(r) };
    case T.SYNCED:
      return { type, chats: r.uint() };
    case T.CHAT:
      return { type, alias: r.uint(), chat: r.id(), kind: r.uint(), name: r.str() };
    case T.USER:
      return { type, alias: r.uint(), user: r.str() };
    case T.OK: {
      const results: Plain[] = [];
      const number = r.request();
      for (let i = 2; i < count && r.fault === ''; i++) results.push(r.plain(1));
      return { type, r: number, results };
    }
    case T.ERROR:
      return { type, r: r.uint(), code: r.str(), retry: r.flag(), after: r.uint(), detail: r.str() };
    case T.TYPING_OF:
      return { type, chat: r.chat(), user: r.user(), on: r.flag() };
    case T.PRESENCE:
      return {
        type,
        user: r.user(),
        online: r.flag(),
        lastSeen: r.uint(),
        precision: count > 4 ? r.uint() : PRECISION.exact,
      };
    case T.PAGE:
      return { type, r: r.request(), rows: pageRows(r), more: r.flag() };
    case T.RESYNC:
      return { type };
    case T.GOAWAY:
      return { type, after: r.uint(), reason: r.str(), target: count > 3 ? r.str() : '' };
    case T.PONG:
      return { type, n: r.uint() };
    case T.FAILED:
      return { type, n: r.uint(), code: r.str(), retry: r.flag(), after: r.uint(), detail: r.str() };
    case T.TALLY:
      return { type, chat: r.chat(), delivered: r.uint(), read: r.uint() };
    case T.COUNT:
      return { type, chat: r.chat(), count: r.uint() };
    case T.PROFILED:
      return { type, user: r.user(), version: r.uint() };
    case T.MARKED:
      return {
        type,
        chat: r.id(),
        version: r.uint(),
        muted: r.uint(),
        pinned: r.uint(),
        archived: r.flag(),
        unread: r.flag(),
        cleared: r.uint(),
        hidden: seqs(r),
      };
    case T.BLOCKED:
      return { type, user: r.str(), on: r.flag() };
  }
}

function seqs(r: Reader): number[] {
  const count = r.array();
  const list: number[] = [];
  for (let i = 0; i < count && r.fault === ''; i++) list.push(r.uint());
  return list;
}

function certEntries(r: Reader): CertEntry[] {
  const count = r.array();
  const list: CertEntry[] = [];
  for (let i = 0; i < count && r.fault === ''; i++) {
    const fields = r.array();
    if (fields < 3) r.fail('field missing');
    const entry = { chat: r.id(), head: r.uint(), start: r.uint() };
    list.push(fields >= 5 ? { ...entry, kind: r.uint(), name: r.str() } : entry);
    r.skip(fields - (fields >= 5 ? 5 : 3), 3);
  }
  return list;
}

/** Rows of a type that this build does not know are passed over, as such frames are. */
function pageRows(r: Reader): PageRow[] {
  const count = r.array();
  const list: PageRow[] = [];
  for (let i = 0; i < count && r.fault === ''; i++) {
    const fields = r.array();
    if (fields === 0) r.fail('an empty row');
    const type = r.uint();
    if (type === T.MESSAGE) {
      if (fields < 6) r.fail('field missing');
      list.push({ type, from: r.str(), seq: r.uint(), id: r.id(), lag: r.int(), body: r.bin() });
      r.skip(fields - 6, 3);
    } else if (type === T.EVENT) {
      if (fields < 7) r.fail('field missing');
      list.push({ type, from: r.str(), seq: r.uint(), id: r.id(), lag: r.int(), op: r.uint(), args: r.plains(4) });
      r.skip(fields - 7, 3);
    } else r.skip(fields - 1, 3);
  }
  return list;
}

/** Writes the whole frame. */
export function writeServer(w: Writer, f: ServerFrame): void {
  w.array(f.type === T.OK ? 2 + f.results.length : SERVER_FIELDS[f.type][1]).int(f.type);
  switch (f.type) {
    case T.WELCOME:
      w.str(f.user).str(f.device).int(f.durability).int(f.window).int(f.maxBody);
      w.int(f.time).int(f.heartbeat).int(f.expires);
      break;
    case T.SENT:
      w.int(f.n).int(f.seq).int(f.durability);
      break;
    case T.MESSAGE:
      w.chat(f.chat).user(f.from).int(f.seq).bin(f.id).int(f.lag).bin(f.body);
      break;
    case T.EVENT:
      w.chat(f.chat).user(f.from).int(f.seq).bin(f.id).int(f.lag).int(f.op).plains(f.args);
      break;
    case T.RECEIPT:
      w.chat(f.chat).user(f.user).int(f.delivered).int(f.read);
      break;
    case T.CERT:
      w.array(f.entries.length);
      for (const entry of f.entries) writeCertEntry(w, entry);
      break;
    case T.SYNCED:
      w.int(f.chats);
      break;
    case T.CHAT:
      w.int(f.alias).bin(f.chat).int(f.kind).str(f.name);
      break;
    case T.USER:
      w.int(f.alias).str(f.user);
      break;
    case T.OK:
      w.int(f.r);
      for (const result of f.results) w.plain(result);
      break;
    case T.ERROR:
      w.int(f.r).str(f.code).flag(f.retry).int(f.after).str(f.detail);
      break;
    case T.TYPING_OF:
      w.chat(f.chat).user(f.user).flag(f.on);
      break;
    case T.PRESENCE:
      w.user(f.user).flag(f.online).int(f.lastSeen).int(f.precision);
      break;
    case T.PAGE:
      w.int(f.r).array(f.rows.length);
      for (const row of f.rows) writePageRow(w, row);
      w.flag(f.more);
      break;
    case T.RESYNC:
      break;
    case T.GOAWAY:
      w.int(f.after).str(f.reason).str(f.target);
      break;
    case T.PONG:
      w.int(f.n);
      break;
    case T.FAILED:
      w.int(f.n).str(f.code).flag(f.retry).int(f.after).str(f.detail);
      break;
    case T.TALLY:
      w.chat(f.chat).int(f.delivered).int(f.read);
      break;
    case T.COUNT:
      w.chat(f.chat).int(f.count);
      break;
    case T.PROFILED:
      w.user(f.user).int(f.version);
      break;
    case T.MARKED:
      w.bin(f.chat).int(f.version).int(f.muted).int(f.pinned);
      w.flag(f.archived).flag(f.unread).int(f.cleared).plains(f.hidden);
      break;
    case T.BLOCKED:
      w.str(f.user).flag(f.on);
      break;
  }
}

function writeCertEntry(w: Writer, { chat, head, start, kind, name }: CertEntry): void {
  w.array(kind === undefined ? 3 : 5)
    .bin(chat)
    .int(head)
    .int(start);
  if (kind !== undefined) w.int(kind).str(name ?? '');
}

function writePageRow(w: Writer, row: PageRow): void {
  w.array(row.type === T.MESSAGE ? 6 : 7)
    .int(row.type)
    .str(row.from)
    .int(row.seq)
    .bin(row.id)
    .int(row.lag);
  if (row.type === T.MESSAGE) w.bin(row.body);
  else w.int(row.op).plains(row.args);
}
