// Owns the proof of what a board promises: presence by way of a table outside is right, or unknown; it heals by itself; and what is kept
// for a table that is not there is bounded.
// Invariant: on a clock of its own, with the faults that users of such tables report: ghosts of nodes that died, published changes that
// were lost, a subscriber that hangs while commands are answered, queues that grow while nothing answers.
// Must not: use Redis (test/services/redis.test.ts does).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOARD_LIMITS, LIMITS } from '../../actors/limits.js';
import { PRECISION } from '../../transport/frames.js';
import { boardOf, FakeTable, Watching } from './board-scene.js';

const ON = { online: true, lastSeen: 0 };
const off = (lastSeen: number) => ({ online: false, lastSeen });

async function scene() {
  const table = new FakeTable();
  const one = boardOf(table, 'one', 5);
  const two = boardOf(table, 'two', 5);
  await table.run(100);
  const ada = new Watching(two);
  return { table, one, two, ada };
}

test('what one node says is shown at another, once, and as the user’s actor allows it', async () => {
  const { table, one, two, ada } = await scene();
  const [eve, far] = [new Watching(two), new Watching(two)];
  one.board.put('bob', ON);
  await table.run(50);
  for (const watching of [ada, eve]) watching.view('bob', true);
  far.view('bob', true, PRECISION.hidden);
  await table.run(100);
  assert.deepEqual([ada.shown, eve.shown, far.shown], [['bob on'], ['bob on'], ['bob hidden']]);
  const { listen } = table.calls;
  one.board.put('bob', off(7));
  await table.run(100);
  eve.view('bob', false, PRECISION.hidden);
  one.board.put('bob', ON);
  await table.run(100);
  assert.deepEqual(ada.shown, ['bob on', 'bob off 7', 'bob on']);
  assert.deepEqual(eve.shown, ['bob on', 'bob off 7', 'bob hidden']);
  assert.equal(table.calls.listen, listen, 'one for all who look');

  ada.end();
  await table.run(100);
  assert.equal(
    [...table.sessions].reduce((sum, { users }) => sum + users.size, 0),
    0,
    'nobody is listened to',
  );
  assert.equal(two.board.stats().followed, 0);
});

test('of users whose actors are out of reach nothing is shown any more, until these have said so anew', async () => {
  const { table, one, two, ada } = await scene();
  for (const user of ['bob', 'cleo']) one.board.put(user, ON);
  await table.run(50);
  for (const user of ['bob', 'cleo']) ada.view(user, true);
  await table.run(100);
  two.board.readers.forget('bob');
  for (const user of ['bob', 'cleo']) one.board.put(user, off(7));
  await table.run(100);
  assert.deepEqual(ada.shown, ['bob on', 'cleo on', 'cleo off 7']);
  assert.equal(two.board.stats().followed, 1);
  ada.view('bob', false, PRECISION.exact, 7);
  await table.run(100);
  assert.equal(ada.last, 'bob off 7');
});

test('the word of the user’s actor counts until the table has one', async () => {
  const { table, one, ada } = await scene();
  ada.view('bob', true);
  assert.equal(ada.last, 'bob on', 'at once');
  await table.run(1_000);
  assert.equal(ada.last, 'bob on', 'its entry may be on the way');
  one.board.put('bob', ON);
  await table.run(120_000);
  assert.deepEqual(ada.shown, ['bob on'], 'and stays, as long as the node says so');
});

test('who was on a node that died without a word is offline within 90 s, and nothing of it stays', async () => {
  const { table, one, ada } = await scene();
  await table.run(BOARD_LIMITS.settledMs);
  one.board.put('bob', ON);
  await table.run(50);
  ada.view('bob', true);
  await table.run(60_000);
  one.board.stop();
  await table.run(29_000);
  assert.equal(ada.last, 'bob on');
  await table.run(62_000);
  assert.equal(ada.last, 'bob off 0');
  assert.equal(table.get('bob'), null);
});

test('an earlier owner that goes on, as after a freeze, changes nothing', async () => {
  const { table, one, two, ada } = await scene();
  one.board.put('bob', ON);
  await table.run(50);
  ada.view('bob', true);
  await table.run(50);
  two.epoch = 6;
  two.board.put('bob', off(9));
  await table.run(50);
  one.board.put('bob', off(3));
  one.board.put('bob', ON);
  await table.run(70_000);
  assert.deepEqual(ada.shown, ['bob on', 'bob off 9']);
  assert.ok(one.board.stats().stale > 0);
  // It hears that the shard is not its own: nothing is left to say.
  one.board.put('bob', off(4));
  one.epoch = 7;
  const { put } = table.calls;
  await table.run(100);
  assert.equal(table.calls.put, put);
  assert.equal(one.board.stats().own, 0);
});

test('a table that ends: unknown to all at once; when it is back, empty, the online are known at once and the others in time', async () => {
  const { table, one, ada } = await scene();
  one.board.put('bob', ON);
  one.board.put('eve', off(4));
  await table.run(50);
  ada.view('bob', true);
  ada.view('eve', false, PRECISION.exact, 4);
  await table.run(50);
  table.kill();
  assert.deepEqual(ada.shown.slice(2), ['bob unknown', 'eve unknown']);
  ada.view('max', true);
  assert.equal(ada.last, 'max unknown');
  await table.run(20_000);
  assert.deepEqual(
    one.reports,
    ['presence_known', 'presence_unknown closed', 'presence_unknown ECONNREFUSED'],
    'a line for each reason, and not for each try',
  );
  assert.ok(table.calls.dial < 40, `${table.calls.dial} tries`);
  table.start();
  await table.run(3_000);
  assert.equal(ada.last, 'bob on');
  assert.equal(ada.shown.length, 6, 'nothing of who is not known');
  await table.run(BOARD_LIMITS.settledMs + BOARD_LIMITS.beatMs);
  assert.deepEqual(ada.shown.slice(6).sort(), ['eve off 4', 'max off 0']);
  assert.equal(one.reports.at(-1), 'presence_known');
});

test('who went while the table was away is shown to have gone when it is back', async () => {
  const { table, one, ada } = await scene();
  one.board.put('bob', ON);
  await table.run(50);
  ada.view('bob', true);
  table.kill();
  one.board.put('bob', off(8));
  await table.run(1_000);
  table.start();
  await table.run(3_000);
  assert.deepEqual(ada.shown, ['bob on', 'bob unknown', 'bob off 8']);
  assert.equal(one.board.stats().own, 0);
});

test('a table that answers nothing is gone within 2.5 s; what it answers later counts no more', async () => {
  const { table, one, two, ada } = await scene();
  one.board.put('bob', ON);
  await table.run(50);
  ada.view('bob', true);
  table.frozen = true;
  await table.run(BOARD_LIMITS.silenceMs + BOARD_LIMITS.probeMs + 10);
  assert.equal(ada.last, 'bob unknown');
  assert.equal(two.board.stats().reason, 'silent');
  await table.run(30_000);
  table.frozen = false;
  await table.run(10_000);
  assert.equal(ada.last, 'bob on');
  assert.ok(table.sessions.size === 2, 'one session each');
});

test('where commands are answered and nothing published is heard any more, presence is unknown, not frozen', async () => {
  const { table, one, ada } = await scene();
  one.board.put('bob', ON);
  await table.run(50);
  ada.view('bob', true);
  table.deaf = 'all';
  await table.run(3_000);
  assert.equal(ada.last, 'bob unknown');
  table.deaf = 'no';
  await table.run(10_000);
  assert.equal(ada.last, 'bob on');
});

test('a table that answers all, but seconds late, is no table: what it says is not shown', async () => {
  const { table, one, two, ada } = await scene();
  one.board.put('bob', ON);
  await table.run(50);
  ada.view('bob', true);
  table.lag = 800;
  await table.run(20_000);
  assert.equal(two.board.stats().losses, 0, 'slow is not gone');
  table.lag = 3_500;
  await table.run(5_000);
  assert.equal(ada.last, 'bob unknown');
  assert.equal(two.board.stats().reason, 'silent');
  assert.ok(two.board.stats().sinceMs < 5_000);
  await table.run(30_000);
  assert.equal(ada.last, 'bob unknown');
  table.lag = 0;
  await table.run(10_000);
  assert.equal(ada.last, 'bob on');

  // Commands are answered at once, and what is published piles up on its way, more and more of it.
  for (table.hearing = 0; table.hearing < 4_000; table.hearing += 200) await table.run(1_000);
  assert.equal(ada.last, 'bob unknown');
  table.hearing = 0;
  await table.run(10_000);
  assert.equal(ada.last, 'bob on');
});

test('part of a table that hangs, while probes come back, makes presence unknown too', async () => {
  const { table, one, ada } = await scene();
  one.board.put('bob', ON);
  await table.run(50);
  ada.view('bob', true);
  await table.run(50);
  table.hanging = true;
  one.board.put('bob', off(2));
  await table.run(7_000);
  assert.equal(one.board.stats().reason, 'silent');
  await table.run(20_000);
  assert.equal(ada.last, 'bob unknown');
  assert.deepEqual(one.reports, ['presence_known', 'presence_unknown silent'], 'it does not come and go');
  table.hanging = false;
  await table.run(5_000);
  assert.equal(ada.last, 'bob off 2');
});

test('published changes that are lost are made good by the next reading', async () => {
  const { table, one, ada } = await scene();
  one.board.put('bob', ON);
  await table.run(50);
  ada.view('bob', true);
  await table.run(1_000);
  table.deaf = 'changes';
  one.board.put('bob', off(6));
  await table.run(BOARD_LIMITS.beatMs + 1_000);
  assert.equal(ada.last, 'bob off 6');
});

test('coarsely: at most one change a minute, the last one in the end, times rounded', async () => {
  const { table, one, ada } = await scene();
  one.board.put('bob', ON);
  await table.run(50);
  ada.view('bob', true, PRECISION.coarse);
  const times: number[] = [];
  for (let i = 1; i <= 40; i++) {
    one.board.put('bob', i % 2 === 0 ? off(LIMITS.coarseSeenMs * 3 + i) : { online: true, lastSeen: i });
    const before = ada.shown.length;
    await table.run(3_000);
    if (ada.shown.length > before) times.push(i);
  }
  await table.run(LIMITS.coarseMs);
  assert.ok(ada.shown.length <= 5, ada.shown.join(', '));
  assert.equal(ada.last, `bob off ${LIMITS.coarseSeenMs * 3}`);
});

test('what waits for a table that is away is one entry a user, however often it changes, and there is no command on its way', async () => {
  const { table, one } = await scene();
  table.kill();
  const calls = { ...table.calls };
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 1_000; i++) one.board.put(`u${i}`, round % 2 === 0 ? ON : off(round));
    await table.run(20);
  }
  assert.equal(one.board.stats().own, 1_000);
  assert.deepEqual({ ...table.calls, dial: 0 }, { ...calls, dial: 0 });
  table.start();
  await table.run(5_000);
  assert.equal(one.board.stats().own, 0, 'who is offline is written once');
  assert.ok(table.calls.put - calls.put <= 16, 'in slices');
});

test('a storm of logins is some commands, and entries are written again before they end', async () => {
  const { table, one } = await scene();
  const before = table.calls.put;
  for (let i = 0; i < 5_000; i++) one.board.put(`${i % 10}u${i}`, ON);
  await table.run(1_000);
  assert.ok(
    table.calls.put - before <= 4 * Math.ceil(5_000 / BOARD_LIMITS.slice),
    `${table.calls.put - before} commands`,
  );
  await table.run(100_000);
  for (let i = 0; i < 5_000; i++) assert.ok(table.get(`${i % 10}u${i}`) !== null);
});
