// Owns hand-made records: a small history in which every promise is kept, and the means to spoil it in one place.
// Invariant: the clean scene gives no rule a reason; frames are encoded here with a plain MessagePack library.
// Must not: use the product.

import { pack } from 'msgpackr';
import type { Plan } from '../../sim/plan.js';
import type { DiskWrite, Entry, EventSays, Fact } from '../../sim/record.js';

/** A fact without its time. */
export type Told = Fact extends infer F ? (F extends Fact ? Omit<F, 'at'> : never) : never;

const PLAN: Plan = {
  seed: 1,
  options: {
    retention: 'forever',
    retentionMs: 0,
    fanOutThreshold: 100,
    quotas: false,
    latency: [0, 0],
    flush: [0, 0],
    diskRead: [0, 0],
    commitFaults: { conflict: 0, unknown_applied: 0, unknown_dropped: 0, store_full: 0, store_unavailable: 0 },
    buggify: { active: 0, fires: 0 },
    credit: 100,
    pipeline: 16,
    backfill: 0,
    handling: [0, 0],
    slowHandler: 0,
    readAtOnce: 0,
  },
  users: [
    { user: 'ada', devices: ['ada.1'] },
    { user: 'bob', devices: ['bob.1', 'bob.2'] },
    { user: 'cleo', devices: ['cleo.1'] },
  ],
  steps: [],
  calmAt: 1_000,
  restWithin: 1_000,
};

export const DIRECT = '01'.repeat(16);
export const GROUP = '02'.repeat(16);
const LINKS = { 'ada.1': 1, 'bob.1': 2, 'bob.2': 3, 'cleo.1': 4 } as const;
export type Name = keyof typeof LINKS;

export const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');
export const frame = (...fields: unknown[]): Uint8Array => new Uint8Array(pack(fields));
/** The n-th id of a record: 32 digits. */
export const idOf = (n: number): string => n.toString(16).padStart(32, 'a');
export const out = (name: Name, ...fields: unknown[]): Told => ({
  kind: 'out',
  link: LINKS[name],
  bytes: frame(...fields),
});
export const into = (name: Name, ...fields: unknown[]): Told => ({
  kind: 'in',
  link: LINKS[name],
  bytes: frame(...fields),
});
export const flush = (...parts: (string | Buffer)[]): Told => ({
  kind: 'flushed',
  disk: 'n1',
  writes: [
    {
      key: Buffer.from(parts[0]!),
      value: Buffer.concat(parts.map((part) => Buffer.from(part))),
    } satisfies DiskWrite,
  ],
});
export const message = (seq: number, id: string, from: string, body: string): Entry => ({
  seq,
  id,
  from,
  type: 'message',
  body,
  event: null,
});
export const event = (
  seq: number,
  id: string,
  from: string,
  change: string,
  users: string[] = [],
  more: Partial<EventSays> = {},
): Entry => ({
  seq,
  id,
  from,
  type: 'event',
  body: '',
  event: { change, users, ...more },
});

/** Ids of the clean scene: two direct messages, the group's creation, its message, bob's removal. */
export const IDS = { first: idOf(1), second: idOf(2), created: idOf(3), hello: idOf(4), removed: idOf(5) } as const;
export const FIRST = 'ada.1#1;';
export const SECOND = 'ada.1#2;';
export const HELLO = 'ada.1#3;';

const direct = (): Entry[] => [message(1, IDS.first, 'ada', FIRST), message(2, IDS.second, 'ada', SECOND)];
const group = (): Entry[] => [
  event(1, IDS.created, 'ada', 'created', ['bob', 'cleo'], { title: 'g1' }),
  message(2, IDS.hello, 'ada', HELLO),
  event(3, IDS.removed, 'ada', 'removed', ['bob']),
];

export interface Scene {
  plan: Plan;
  readonly facts: Told[];
}

/** Ada writes to bob and in a group with him and cleo, and removes him from it; all receive, acknowledge, and bob reads. */
export function clean(): Scene {
  const facts: Told[] = [];
  const add = (...more: Told[]): void => void facts.push(...more);
  for (const [name, link] of Object.entries(LINKS) as [Name, number][]) {
    const [user = '', device = ''] = name.split('.');
    add(
      { kind: 'start', device: name, life: 1, user, fresh: true },
      { kind: 'link', link, node: 'n1', device: name },
      into(name, 1, 1, 'token', 100),
      into(name, 6, [], 0),
      out(name, 32, user, device, 1, 64, 65_536, 0, 30_000, 0),
      out(name, 38, 0),
      { kind: 'state', device: name, life: 1, state: 'online' },
    );
  }
  add({ kind: 'named', device: 'ada.1', life: 1, chat: DIRECT, name: 'direct:ada:bob' });
  for (const [seq, id, body] of [
    [1, IDS.first, FIRST],
    [2, IDS.second, SECOND],
  ] as const) {
    add(
      { kind: 'send', device: 'ada.1', life: 1, name: 'direct:ada:bob', body },
      into('ada.1', 2, bytes(DIRECT), bytes(id), Buffer.from(body)),
      flush(bytes(id), body),
      out('ada.1', 33, seq, seq, 1),
      { kind: 'sent', device: 'ada.1', life: 1, by: 'promise', chat: DIRECT, id, body, seq },
    );
    for (const name of ['bob.1', 'bob.2'] as const) {
      const delivery = out(name, 34, bytes(DIRECT), 'ada', seq, bytes(id), 0, Buffer.from(body));
      // Begins anew, while the stream from before goes on past a hole.
      if (name === 'bob.2' && seq === 2) {
        const cert = out(name, 37, [[bytes(DIRECT), 2, 2]]);
        add(into(name, 6, [[bytes(DIRECT), 1, 0]], 0), cert, delivery, cert, out(name, 38, 1));
      }
      add(
        delivery,
        { kind: 'shown', device: name, life: 1, chat: DIRECT, entry: message(seq, id, 'ada', body) },
        { kind: 'handled', device: name, life: 1, chat: DIRECT, seq },
        into(name, 3, bytes(DIRECT), seq),
      );
    }
    add(out('ada.1', 36, bytes(DIRECT), 'bob', seq, 0), {
      kind: 'receipt',
      device: 'ada.1',
      life: 1,
      chat: DIRECT,
      user: 'bob',
      delivered: seq,
      read: 0,
    });
  }
  add(
    { kind: 'read', device: 'bob.1', life: 1, chat: DIRECT, seq: 1 },
    into('bob.1', 4, bytes(DIRECT), 1),
    out('ada.1', 36, bytes(DIRECT), 'bob', 2, 1),
    { kind: 'receipt', device: 'ada.1', life: 1, chat: DIRECT, user: 'bob', delivered: 2, read: 1 },
  );
  grouped(add);
  ended(add);
  return { plan: PLAN, facts };
}

function grouped(add: (...facts: Told[]) => void): void {
  add(
    {
      kind: 'asked',
      device: 'ada.1',
      life: 1,
      request: 1,
      what: 'create',
      chat: '',
      users: ['bob', 'cleo'],
      values: [],
    },
    into('ada.1', 8, 1, bytes(IDS.created), 'g1', ['bob', 'cleo']),
    flush(bytes(IDS.created)),
    out('ada.1', 41, 1, bytes(GROUP), 1),
    { kind: 'named', device: 'ada.1', life: 1, chat: GROUP, name: 'g1' },
    { kind: 'answered', device: 'ada.1', life: 1, request: 1, code: '', seq: 1, chat: GROUP },
  );
  const toAll = (names: readonly Name[], entry: Entry, fields: unknown[]): void => {
    for (const name of names) {
      add(
        out(name, ...fields),
        { kind: 'shown', device: name, life: 1, chat: GROUP, entry },
        { kind: 'handled', device: name, life: 1, chat: GROUP, seq: entry.seq },
        into(name, 3, bytes(GROUP), entry.seq),
      );
    }
  };
  const [created, hello, removed] = group() as [Entry, Entry, Entry];
  const all = ['bob.1', 'bob.2', 'cleo.1'] as const;
  toAll(all, created, [35, bytes(GROUP), 'ada', 1, bytes(IDS.created), 0, 1, ['g1', ['bob', 'cleo']]]);
  add(
    { kind: 'send', device: 'ada.1', life: 1, name: 'g1', body: HELLO },
    into('ada.1', 2, bytes(GROUP), bytes(IDS.hello), Buffer.from(HELLO)),
    flush(bytes(IDS.hello), HELLO),
    out('ada.1', 33, 3, 2, 1),
    { kind: 'sent', device: 'ada.1', life: 1, by: 'promise', chat: GROUP, id: IDS.hello, body: HELLO, seq: 2 },
  );
  toAll(all, hello, [34, bytes(GROUP), 'ada', 2, bytes(IDS.hello), 0, Buffer.from(HELLO)]);
  for (const user of ['bob', 'cleo']) {
    add(out('ada.1', 36, bytes(GROUP), user, 2, 0), {
      kind: 'receipt',
      device: 'ada.1',
      life: 1,
      chat: GROUP,
      user,
      delivered: 2,
      read: 0,
    });
  }
  add(
    { kind: 'asked', device: 'ada.1', life: 1, request: 2, what: 'remove', chat: GROUP, users: ['bob'], values: [] },
    into('ada.1', 9, 2, bytes(GROUP), bytes(IDS.removed), 3, ['bob'], []),
    flush(bytes(IDS.removed)),
    out('ada.1', 41, 2, 3),
    { kind: 'answered', device: 'ada.1', life: 1, request: 2, code: '', seq: 3, chat: GROUP },
  );
  toAll(all, removed, [35, bytes(GROUP), 'ada', 3, bytes(IDS.removed), 0, 3, [['bob']]]);
}

function ended(add: (...facts: Told[]) => void): void {
  const plain = { muted: 0, pinned: 0, archived: false, markedUnread: false };
  add({ kind: 'calm' }, { kind: 'rest', reached: true, ms: 10, why: '' });
  for (const user of ['ada', 'bob']) add({ kind: 'log', user, chat: DIRECT, entries: direct() });
  for (const user of ['ada', 'bob', 'cleo']) add({ kind: 'log', user, chat: GROUP, entries: group() });
  add(
    {
      kind: 'info',
      user: 'ada',
      chat: DIRECT,
      members: [
        { user: 'ada', role: 'member', delivered: 2, read: 0 },
        { user: 'bob', role: 'member', delivered: 2, read: 1 },
      ],
    },
    {
      kind: 'info',
      user: 'ada',
      chat: GROUP,
      members: [
        { user: 'ada', role: 'owner', delivered: 3, read: 0 },
        { user: 'bob', role: 'gone', delivered: 3, read: 0 },
        { user: 'cleo', role: 'member', delivered: 3, read: 0 },
      ],
    },
    {
      kind: 'list',
      device: 'ada.1',
      chats: [
        { chat: DIRECT, head: 2, read: 0, unread: 0, ...plain },
        { chat: GROUP, head: 3, read: 0, unread: 0, ...plain },
      ],
    },
    { kind: 'pending', device: 'ada.1', bodies: [] },
  );
  for (const device of ['bob.1', 'bob.2']) {
    add({
      kind: 'list',
      device,
      chats: [
        { chat: DIRECT, head: 2, read: 1, unread: 1, ...plain },
        { chat: GROUP, head: 3, read: 0, unread: 1, ...plain },
      ],
    });
  }
  add({ kind: 'probe', node: 'n1', rest: true, gauges: [{ name: 'cells', value: 1, most: 2 }] });
}

/** The record of a scene: a ms between facts. */
export function recordOf({ plan, facts }: Scene): Fact[] {
  return [{ at: 0, kind: 'plan', plan }, ...facts.map((fact, n) => ({ at: n + 1, ...fact }) as Fact)];
}
