// Owns the tests of a chat's order alone: dense numbers, batches within their bounds, what is refused when an append fails.
// Invariant: the model is a list of what became durable.
// Must not: test answers or fan-out (chat.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Change } from '../../actors/chat-event.js';
import { Entry } from '../../actors/entry.js';
import { LIMITS } from '../../actors/limits.js';
import { idText, makeMessageId } from '../../actors/message-id.js';
import type { ChatInfo } from '../../actors/messages.js';
import { RecentIds } from '../../actors/recent-ids.js';
import { Roster } from '../../actors/roster.js';
import { Sequencer } from '../../actors/sequencer.js';
import type { Append } from '../../storage/append.js';
import { decodeIdPage, lastOn } from '../../storage/id-page.js';
import { chatKey, groupChat, idKey, messageKey } from '../../storage/keys.js';
import { UNSET } from '../../storage/rows.js';
import { encodeMessageRow } from '../../transport/row.js';
import { ManualWorld } from './manual-world.js';

const world = new ManualWorld();
const CHAT = groupChat('ada', makeMessageId(world));
const info: ChatInfo = { chat: CHAT, key: chatKey(CHAT), kind: 2, pair: null, title: 'crew' };

function roster(): Roster {
  const row = { ...UNSET, kind: 2, created: 1, title: 'crew', large: false, members: [] };
  const made = new Roster(info, row, null, 100);
  made.apply({ joined: [{ user: 'ada', role: 3, former: null }], gone: [], roles: [] }, 1);
  return made;
}

interface Shape {
  readonly size?: number;
  readonly change?: Change | null;
  readonly tied?: boolean;
  /** ms by which the sender's clock is behind. */
  readonly late?: number;
}

function entry({ size = 10, change = null, tied = false, late = 0 }: Shape = {}): Entry {
  world.time += 1;
  const id = makeMessageId(world);
  const row = encodeMessageRow('ada', id, 0, new Uint8Array(size));
  const ref = { kind: 'c', key: 'c', incarnation: 1, alive: true, tell: () => 'ok' as const };
  const waiter = tied ? null : ({ type: 'send', connection: ref, n: 1 } as const);
  return new Entry('ada', id, idText(id), world.wall() + late, row, change, waiter);
}

const unused: Append['done'] = () => assert.fail('the log answers, not the sequencer');

test('any course of offers, commits and failures: dense numbers, each entry once, in the order of its offer', () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant('offer' as const), count: fc.integer({ min: 1, max: 200 }), size: fc.nat(9_000) }),
    fc.constant({ type: 'compose' as const }),
    fc.constant({ type: 'commit' as const }),
    fc.constant({ type: 'fail' as const }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      const members = roster();
      const durable: string[] = [];
      let line: string[] = [];
      let flying = 0;
      let sequencer = new Sequencer(CHAT, 0, new RecentIds(''));
      for (const action of steps) {
        if (action.type === 'offer') {
          for (let i = 0; i < action.count; i += 1) {
            const one = entry({ size: action.size });
            assert.equal(sequencer.find(one.idText), 'fresh');
            const taken = sequencer.offer([one]);
            assert.equal(taken, line.length < LIMITS.conversationInFlight);
            if (!taken) break;
            line.push(one.idText);
            assert.equal(sequencer.find(one.idText), one);
          }
        } else if (action.type === 'compose') {
          if (sequencer.inFlight || (sequencer.idle && !members.dirty)) continue;
          const append = sequencer.compose(members, null, unused);
          flying = append.head - sequencer.head;
          assert.ok(append.bytes <= LIMITS.batchBytes);
          let bytes = 0;
          for (const { key, value } of append.writes) bytes += key.length + value!.length;
          assert.equal(append.bytes, bytes);
          assert.equal(append.head, durable.length + flying);
        } else if (action.type === 'commit' && sequencer.inFlight) {
          const entries = sequencer.commit();
          assert.deepEqual(
            entries.map(({ idText, seq }) => [idText, seq]),
            line.slice(0, flying).map((id, at) => [id, durable.length + at + 1]),
          );
          durable.push(...line.splice(0, flying));
          assert.equal(sequencer.head, durable.length);
        } else if (action.type === 'fail' && sequencer.inFlight) {
          assert.deepEqual(
            sequencer.abandon().map(({ idText }) => idText),
            line,
          );
          line = [];
          sequencer = new Sequencer(CHAT, durable.length, new RecentIds(durable.at(-1) ?? ''));
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('an append takes entries up to its bytes, one of any size, and never parts what is tied', () => {
  const large = Array.from({ length: 20 }, () => entry({ size: LIMITS.body }));
  const sequencer = new Sequencer(CHAT, 0, new RecentIds(''));
  const members = roster();
  sequencer.offer(large);
  sequencer.compose(members, null, unused);
  assert.equal(sequencer.commit().length, Math.floor(LIMITS.appendBytes / (LIMITS.body + LIMITS.entryBytes + 40)));
  const joined = Array.from({ length: 500 }, (_, i) => ({ user: `u${i}`, role: 1, former: null }));
  const other = new Sequencer(CHAT, 0, new RecentIds(''));
  other.offer([
    entry({ size: LIMITS.body }),
    entry({ tied: true }),
    entry({ change: { joined, gone: [], roles: [] } }),
  ]);
  other.offer([
    entry({ size: LIMITS.body }),
    entry({ change: { joined: [], gone: joined.map((j) => j.user), roles: [] } }),
  ]);
  other.offer([entry()]);
  const batches: number[] = [];
  while (!other.idle) {
    other.compose(roster(), null, unused);
    batches.push(other.commit().length);
  }
  assert.deepEqual(batches, [4, 2]);
});

test('what a sweep tells gets its number before what an append has no room for, and a time no later: pages of ids stay in order', () => {
  const recent = new RecentIds('', 0, 2);
  const line = new Sequencer(CHAT, 0, recent, 0, 0, { open: 10, bytes: 1 });
  const members = roster();
  const entries = [entry(), entry(), entry(), entry()];
  assert.ok(line.offer(entries));
  const asked: number[] = [];
  const notice = (until: number): Entry => {
    asked.push(until);
    const late = entry();
    return new Entry(late.from, late.id, late.idText, Math.min(until, late.at), late.row, null, null);
  };
  const pages: Uint8Array[] = [];
  for (const cut of [{ upTo: 1, notice, write: () => undefined }, null, null, null]) {
    for (const { key, value } of line.compose(members, cut, unused).writes) {
      if (key[0] !== 9) continue;
      const { first, ids } = decodeIdPage(value!);
      assert.equal(lastOn({ highest: '', first, ids }), line.head + (cut === null ? 1 : 2));
      pages.push(key);
    }
    line.commit();
  }
  assert.deepEqual(asked, [entries[1]!.at]);
  assert.equal(pages.length, 2);
  assert.deepEqual(pages.toSorted(Buffer.compare), pages);
});

test('an id accepted far from its own time has a row of its own', () => {
  const sequencer = new Sequencer(CHAT, 0, new RecentIds(''));
  const [near, far] = [entry({ late: LIMITS.idSkewMs }), entry({ late: LIMITS.idSkewMs + 1 })];
  sequencer.offer([near, far]);
  const keys = sequencer.compose(roster(), null, unused).writes.map(({ key }) => Buffer.from(key).toString('hex'));
  const has = (key: Uint8Array): boolean => keys.includes(Buffer.from(key).toString('hex'));
  assert.deepEqual(
    [has(messageKey(CHAT, 1)), has(messageKey(CHAT, 2)), has(idKey(CHAT, near.id)), has(idKey(CHAT, far.id))],
    [true, true, false, true],
  );
});

test('accepted: on its way or lately stored, and nothing else', () => {
  const sequencer = new Sequencer(CHAT, 0, new RecentIds(''));
  const one = entry();
  assert.equal(sequencer.accepted(one.idText), false);
  sequencer.offer([one]);
  assert.equal(sequencer.accepted(one.idText), true);
  sequencer.compose(roster(), null, unused);
  assert.equal(sequencer.accepted(one.idText), true);
  sequencer.commit();
  assert.equal(sequencer.accepted(one.idText), true);
  assert.deepEqual(sequencer.find(one.idText), { seq: 1, from: 'ada' });
  sequencer.offer([entry()]);
  sequencer.compose(roster(), null, unused);
  const lost = sequencer.abandon();
  assert.equal(sequencer.accepted(lost[0]!.idText), false);
});

test('what would break the order is a bug, not a result', () => {
  const sequencer = new Sequencer(CHAT, 0, new RecentIds(''));
  const one = entry();
  sequencer.offer([one]);
  assert.throws(() => sequencer.offer([one]), /an id is offered once/);
  sequencer.compose(roster(), null, unused);
  assert.throws(() => sequencer.compose(roster(), null, unused), /an append is due/);
  sequencer.commit();
  assert.throws(() => sequencer.commit(), /an append is in flight/);
});
