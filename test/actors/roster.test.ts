// Owns the tests of a roster alone: cursors, what is written when, and what others are told.
// Invariant: a model that is plainer than the roster decides what is right.
// Must not: test who may do what (test/e2e/group.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ChatImage } from '../../actors/chat-image.js';
import { LIMITS } from '../../actors/limits.js';
import type { ChatInfo } from '../../actors/messages.js';
import { RecentIds } from '../../actors/recent-ids.js';
import { Roster } from '../../actors/roster.js';
import { chatKey, inboxKey } from '../../storage/keys.js';
import { type ChatRow, decodeChat, decodeInbox, type Inbox, UNSET } from '../../storage/rows.js';
import type { Write } from '../../storage/store.js';

const CHAT = Uint8Array.from({ length: 16 }, (_, at) => (at === 0 ? 2 : 5));
const info: ChatInfo = { chat: CHAT, key: chatKey(CHAT), kind: 2, pair: null, title: 't'.repeat(LIMITS.title) };

/** A roster with the rows that a store would hold. */
class Scene {
  readonly rows = new Map<string, Uint8Array>();
  roster: Roster;
  head = 0;

  constructor(
    users: readonly string[],
    readonly threshold = 100,
  ) {
    const row: ChatRow = { ...UNSET, kind: 2, created: 1, title: info.title, large: false, members: [] };
    this.roster = new Roster(info, row, null, threshold);
    this.change(users);
  }

  change(joined: readonly string[], gone: readonly string[] = []): void {
    this.head += 1;
    this.roster.apply({ joined: joined.map((user) => ({ user, role: 1, former: null })), gone, roles: [] }, this.head);
    this.roster.advance(this.head, this.head);
  }

  rename(title: string): void {
    this.head += 1;
    this.roster.apply({ joined: [], gone: [], roles: [], settings: { title } }, this.head);
    this.roster.advance(this.head, this.head);
  }

  message(): void {
    this.head += 1;
    this.roster.advance(this.head, this.head);
  }

  /** One commit; answers its bytes. */
  commit(): number {
    const writes: Write[] = [];
    const bytes = this.roster.flush(writes, LIMITS.batchBytes);
    for (const { key, value } of writes) this.rows.set(Buffer.from(key).toString('hex'), value!);
    return bytes;
  }

  all(): void {
    while (this.roster.dirty) this.commit();
  }

  inbox(user: string): Inbox {
    return decodeInbox(this.rows.get(Buffer.from(inboxKey(user, CHAT)).toString('hex'))!);
  }

  /** The roster as a next life reads it. */
  reload(): void {
    const row = decodeChat([...this.rows].find(([key]) => key.startsWith('03'))![1]);
    const inboxes = new Map(row.members.map(({ user }) => [user, this.inbox(user)]));
    const image: ChatImage = {
      row,
      head: this.head,
      recent: new RecentIds(''),
      clock: this.head,
      sweep: { swept: 0, forgot: 0 },
      blockers: [],
      heard: 0,
      inboxes,
    };
    this.roster = new Roster(info, row, image, this.threshold);
  }
}

const name = (i: number): string => `${i}`.padStart(LIMITS.userId, 'u');
const device = (i: number): string => `${i}`.padStart(LIMITS.deviceId, 'd');

test('cursors never go back, never beyond the head, and others are told what is durable', () => {
  const act = fc.record({
    user: fc.constantFrom('ada', 'bob'),
    device: fc.constantFrom('1', '2', '3'),
    delivered: fc.nat(30),
    read: fc.nat(30),
    next: fc.constantFrom('nothing', 'message', 'commit', 'reload'),
  });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const scene = new Scene(['ada', 'bob']);
      scene.all();
      scene.roster.takeWritten();
      const now = new Map([...'12'].map((_, at) => [['ada', 'bob'][at]!, { delivered: 0, read: 0 }]));
      const durable = new Map([...now].map(([user, cursor]) => [user, { ...cursor }]));
      const told = new Map([...now].map(([user, cursor]) => [user, { ...cursor }]));
      for (const { user, device, delivered, read, next } of acts) {
        const mine = now.get(user)!;
        scene.roster.cursor(user, device, delivered, read, scene.head);
        mine.delivered = Math.max(mine.delivered, Math.min(Math.max(delivered, read), scene.head));
        mine.read = Math.max(mine.read, Math.min(read, scene.head));
        if (next === 'message') scene.message();
        else if (next === 'commit') {
          scene.all();
          for (const [who, cursor] of now) durable.set(who, { ...cursor });
          for (const news of scene.roster.takeWritten()) {
            const before = told.get(news.user)!;
            assert.ok(news.delivered >= before.delivered && news.read >= before.read);
            told.set(news.user, { delivered: news.delivered, read: news.read });
          }
          assert.deepEqual(told, durable);
        } else if (next === 'reload') {
          scene.reload();
          for (const [who, cursor] of durable) now.set(who, { ...cursor });
        }
        for (const [who, member] of scene.roster.members) assert.deepEqual(member.told, durable.get(who));
      }
    }),
    { numRuns: 200 },
  );
});

test('what a lost commit took with it goes on top of what is read: same cursors, device by device', () => {
  const scene = new Scene(['ada', 'bob']);
  for (let i = 0; i < 9; i += 1) scene.message();
  scene.all();
  scene.roster.cursor('ada', '1', 5, 0, 10);
  scene.roster.cursor('ada', '2', 8, 7, 10);
  scene.roster.cursor('bob', '1', 3, 3, 10);
  const lost = scene.roster.cursors();
  scene.reload();
  for (const { user, device, delivered, read } of lost) scene.roster.cursor(user, device, delivered, read, 10);
  scene.all();
  const { delivered, read, devices } = scene.inbox('ada');
  assert.deepEqual(
    { delivered, read, devices },
    {
      delivered: 8,
      read: 7,
      devices: [
        { device: '1', delivered: 5 },
        { device: '2', delivered: 8 },
      ],
    },
  );
  assert.equal(scene.inbox('bob').read, 3);
});

test('a group of the largest rows: every commit fits, whatever it does', () => {
  const half = Array.from({ length: 100 }, (_, i) => name(i));
  const rest = Array.from({ length: LIMITS.members - 100 }, (_, i) => name(i + 100));
  const scene = new Scene(half);
  const most = { bytes: 0 };
  const all = (): void => {
    while (scene.roster.dirty) most.bytes = Math.max(most.bytes, scene.commit());
  };
  const acknowledge = (users: readonly string[]): void => {
    for (const user of users) {
      for (let i = 0; i < LIMITS.devices + 3; i += 1) scene.roster.cursor(user, device(i), scene.head, 1, scene.head);
    }
  };
  acknowledge(half);
  all();
  assert.ok(most.bytes < LIMITS.batchBytes - LIMITS.appendBytes, `${most.bytes} bytes beside the entries`);
  scene.change(rest);
  all();
  acknowledge([...half, ...rest]);
  all();
  assert.equal(scene.roster.cool(), true);
  all();
  assert.equal(scene.roster.cool(), false);
  scene.change([], [...half.slice(1), ...rest]);
  all();
  assert.ok(most.bytes <= LIMITS.batchBytes, `${most.bytes} bytes`);
  assert.equal(scene.inbox(half[5]!).spans[0]!.until, scene.head);
});

test('a chat that broke off on the way to rest: the next message makes every row hot again', () => {
  const users = Array.from({ length: 100 }, (_, i) => name(i));
  const scene = new Scene(users);
  scene.all();
  for (const user of users) assert.equal(scene.inbox(user).hot, true);
  scene.roster.cool();
  // Room for some of them only.
  const writes: Write[] = [];
  scene.roster.flush(writes, 20 * LIMITS.memberRowBytes);
  assert.ok(writes.length > 0 && writes.length < users.length);
  for (const { key, value } of writes) scene.rows.set(Buffer.from(key).toString('hex'), value!);
  scene.reload();
  scene.message();
  scene.commit();
  for (const user of users) assert.equal(scene.inbox(user).hot, true);
  scene.reload();
  assert.equal(scene.roster.cool(), true);
  scene.all();
  for (const user of users) assert.deepEqual([scene.inbox(user).hot, scene.inbox(user).head], [false, scene.head]);
});

test('a row is not written again as it stands: it is what tells an applied commit from a lost one', () => {
  const users = Array.from({ length: 20 }, (_, i) => name(i));
  const scene = new Scene(users);
  scene.all();
  scene.roster.cool();
  scene.all();
  for (const user of users) scene.roster.cursor(user, device(1), 1, 0, scene.head);
  scene.message();
  // Room for the rows that must be written, and for none that may wait.
  const writes: Write[] = [];
  scene.roster.flush(writes, 0);
  assert.equal(writes.length, users.length);
  assert.equal(scene.roster.dirty, false);
});

test("whoever reads a member's row learns where the chat stands: from the row, or that the log is to be asked", () => {
  const users = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  const act = fc.oneof(
    fc.record({ type: fc.constantFrom('join' as const, 'leave' as const, 'cursor' as const), at: fc.nat(6) }),
    fc.constantFrom({ type: 'message' as const }, { type: 'rest' as const }, { type: 'crash' as const }),
    fc.record({ type: fc.constant('flush' as const), room: fc.constantFrom(0, 2_200, LIMITS.batchBytes) }),
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 50 }), fc.constantFrom(2, 4, 100), (acts, threshold) => {
      const scene = new Scene(users.slice(0, 2), threshold);
      scene.all();
      let durable = scene.head;
      const commit = (room: number): void => {
        const writes: Write[] = [];
        scene.roster.flush(writes, room);
        for (const { key, value } of writes) scene.rows.set(Buffer.from(key).toString('hex'), value!);
        durable = scene.head;
      };
      for (const action of acts) {
        const here = 'at' in action && scene.roster.members.has(users[action.at]!);
        if (action.type === 'join' && !here) scene.change([users[action.at]!]);
        else if (action.type === 'leave' && here) scene.change([], [users[action.at]!]);
        else if (action.type === 'cursor') scene.roster.cursor(users[action.at]!, '1', durable, 0, durable);
        else if (action.type === 'message') scene.message();
        else if (action.type === 'flush') commit(action.room);
        else if (action.type === 'rest') {
          // Only what is written rests.
          if (scene.head !== durable) continue;
          scene.roster.cool();
          commit(2_200);
        } else if (action.type === 'crash') {
          scene.head = durable;
          scene.reload();
        }
        const row = decodeChat([...scene.rows].find(([key]) => key.startsWith('03'))![1]);
        for (const { user } of row.members) {
          const inbox = scene.inbox(user);
          assert.equal(inbox.spans.at(-1)!.until, 0);
          assert.equal(inbox.large, row.large);
          assert.ok(inbox.large || inbox.hot || inbox.head === durable, `${user}: ${inbox.head} of ${durable}`);
        }
        for (const user of users) {
          const known = scene.rows.has(Buffer.from(inboxKey(user, CHAT)).toString('hex'));
          if (known && !row.members.some((member) => member.user === user)) {
            assert.ok(scene.inbox(user).spans.at(-1)!.until > 0);
          }
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('a cursor that moves while its row is in flight is told with the next commit, not with this one', () => {
  const scene = new Scene(['ada', 'bob']);
  for (let i = 0; i < 9; i += 1) scene.message();
  scene.all();
  scene.roster.takeWritten();
  const ada = (): unknown => scene.roster.members.get('ada')!.told;
  scene.roster.cursor('ada', '1', 5, 2, scene.head);
  scene.commit();
  scene.roster.cursor('ada', '1', 8, 8, scene.head);
  assert.deepEqual(scene.roster.takeWritten(), [{ user: 'ada', device: '1', delivered: 5, read: 2 }]);
  assert.deepEqual(ada(), { delivered: 5, read: 2 });
  scene.commit();
  assert.deepEqual(scene.roster.takeWritten(), [{ user: 'ada', device: '1', delivered: 8, read: 8 }]);
  assert.deepEqual(ada(), { delivered: 8, read: 8 });
});

test('in a large group a moved cursor waits until it is ripe, or goes with a row that is written anyway, but once', () => {
  const users = Array.from({ length: 5 }, (_, i) => name(i));
  const scene = new Scene(users.slice(0, 4), 4);
  scene.message();
  scene.change([users[4]!]);
  scene.all();
  for (const user of users) scene.roster.cursor(user, device(1), 2, 0, scene.head);
  assert.deepEqual([scene.roster.dirty, scene.roster.unwritten], [false, true]);
  scene.message();
  assert.equal(scene.commit(), 0);
  // The group was small and lively when it grew: it has yet to come to rest.
  scene.roster.cool();
  scene.all();
  assert.deepEqual([scene.roster.ripen(), scene.roster.unwritten], [false, false]);
  for (const user of users) assert.equal(scene.inbox(user).delivered, 2);
  scene.roster.cursor(users[0]!, device(1), 3, 0, scene.head);
  assert.deepEqual([scene.roster.ripen(), scene.roster.dirty, scene.roster.ripen()], [true, true, false]);
  scene.all();
  assert.equal(scene.inbox(users[0]!).delivered, 3);
});

test('a small group has its title in every row with the same commit', () => {
  const users = ['ada', 'bob', 'cat'];
  const scene = new Scene(users);
  scene.all();
  scene.rename('second');
  scene.commit();
  for (const user of users) assert.equal(scene.inbox(user).name, 'second');
  assert.equal(scene.roster.unwritten, false);
});

test('a large group’s title goes into the rows at the pace of positions, as far as there is room; none is written as it stands', () => {
  const users = Array.from({ length: LIMITS.members }, (_, at) => `${at}`.padStart(64, 'u'));
  const scene = new Scene(users);
  scene.all();
  for (const user of users) {
    for (let device = 0; device < LIMITS.devices; device += 1) {
      scene.roster.cursor(user, `${device}`.padStart(64, 'd'), 1, 1, scene.head);
    }
  }
  scene.roster.ripen();
  scene.all();
  const named = (title: string): number => users.filter((user) => scene.inbox(user).name === title).length;
  scene.rename('second');
  scene.commit();
  assert.equal(named('second'), 0, 'with its event only the chat row');
  assert.deepEqual([scene.roster.dirty, scene.roster.unwritten, scene.roster.renamed], [false, true, true]);
  assert.equal(scene.roster.ripen(), true);
  scene.commit();
  const first = named('second');
  assert.ok(first > 0 && first < users.length, `${first} rows fit`);
  // Back again: the rest need not be written at all.
  scene.rename(info.title);
  scene.commit();
  const before = new Map(scene.rows);
  assert.equal(scene.roster.dirty, false, 'changed in the middle, it waits again');
  scene.roster.ripen();
  scene.all();
  const written = [...scene.rows].filter(([key, row]) => before.get(key) !== row);
  assert.equal(written.length, first);
  for (const [key, row] of written) assert.notDeepEqual(row, before.get(key));
  assert.equal(named(info.title), users.length);
  assert.equal(scene.roster.unwritten, false);
  scene.rename('third');
  scene.roster.ripen();
  scene.commit();
  scene.reload();
  assert.equal(scene.roster.renamed, true, 'a next life goes on');
  scene.roster.ripen();
  scene.all();
  assert.equal(named('third'), users.length);
});
