// Owns the tests of the SDK's whole surface against a real node: groups, marks, accounts, deletion, and that two devices
// and the node count the same unread messages.
// Invariant: what one session does is seen by another, over real sockets and a real store.
// Must not: know the node's insides.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, type TestContext, test } from 'node:test';
import { type Chat, connect, type Session } from '../../client/index.js';
import { T } from '../../transport/frames.js';
import { RawClient, testNode, token } from '../e2e/harness.js';

const BACKOFF = { base: 20, cap: 100 };

async function open(t: TestContext, url: string, user: string, device = 'phone'): Promise<Session> {
  const session = await connect({ url, token: () => token(user, device), backoff: BACKOFF });
  t.after(() => session.close());
  return session;
}

/** Resolves when it holds; a failure shows what was there last. */
async function until<V>(read: () => V | Promise<V>, expected: V, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const value = await read();
    try {
      assert.deepEqual(value, expected, what);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await new Promise((done) => setTimeout(done, 20));
  }
}

describe('the SDK and a real node', () => {
  test('a group from its making to its last member', async (t) => {
    const { url } = await testNode(t);
    const [ada, bob, cleo] = [await open(t, url, 'ada'), await open(t, url, 'bob'), await open(t, url, 'cleo')];
    const heard: string[] = [];
    // Without a listener nothing is handed out, so nothing counts as delivered.
    for (const session of [ada, cleo]) session.on('message', () => {});
    bob.on('event', ({ change, from, seq }) => void heard.push(`${seq} ${change} ${from}`));
    const group = await ada.createGroup({ title: 'tea', members: ['bob'] });
    const link = await group.invite('open');
    const joined = await cleo.join(link);
    assert.deepEqual([joined.waiting, joined.chat.id], [false, group.id]);
    await group.promote(['bob']);
    const theirs = bob.group(group.id);
    await until(() => theirs.name, 'tea', 'bob knows it');
    await theirs.rename('coffee');
    await theirs.setAnnounceOnly(true);
    await assert.rejects(joined.chat.send('may I?'), { code: 'not_allowed' });
    await group.setAnnounceOnly(false);
    const { seq } = await joined.chat.send('thanks');
    await until(async () => (await joined.chat.receipts(seq)).delivered, 2, 'both have it');
    await theirs.deleteForEveryone(seq);
    await group.passOwnership('bob');
    await group.leave();
    await until(() => heard.length, 7, 'all events but his own');
    assert.deepEqual(heard.slice(0, 5), [
      '1 created ada',
      '2 invite ada',
      '3 joined cleo',
      '4 role ada',
      '7 announce ada',
    ]);
    assert.deepEqual(heard.slice(-2), ['10 owner ada', '11 left ada']);
    const { members, name, inviteMode, announceOnly } = await theirs.info();
    assert.deepEqual([name, inviteMode, announceOnly], ['coffee', 'open', false]);
    assert.deepEqual(members.map(({ user, role }) => `${user} ${role}`).sort(), ['bob owner', 'cleo member']);
    const { items } = await joined.chat.history({ before: seq + 1, limit: 1 });
    assert.deepEqual(
      items.map((item) => item.type === 'event' && item.change),
      ['erased'],
    );
    await until(() => [joined.chat.name, group.name], ['coffee', 'coffee'], 'everybody knows the title');
  });

  test('a removed device ends; a blocked user is told so; profiles and marks reach the other device', async (t) => {
    const { url } = await testNode(t);
    const [phone, laptop, bob] = [
      await open(t, url, 'ada'),
      await open(t, url, 'ada', 'laptop'),
      await open(t, url, 'bob'),
    ];
    await bob.direct('ada').send('hi');
    await until(async () => (await laptop.chats()).length, 1, 'the chat is there');
    await phone.setProfile({ name: 'Ada' });
    await until(async () => (await bob.profile('ada')).name, 'Ada', 'bob sees it');
    await phone.direct('bob').pin(3);
    await phone.direct('bob').archive();
    await until(() => [laptop.direct('bob').marks.pinned, laptop.direct('bob').marks.archived], [3, true], 'marks');
    await phone.block('bob');
    await assert.rejects(bob.direct('ada').send('still there?'), { code: 'blocked' });
    assert.deepEqual(await laptop.blocked(), ['bob']);
    const ended = new Promise<string | undefined>((resolve) => {
      laptop.on('state', ({ state, error }) => (state === 'failed' ? resolve(error?.code) : undefined));
    });
    await phone.removeDevice('laptop');
    assert.equal(await ended, 'device_removed');
    assert.deepEqual(
      (await phone.devices()).map(({ device }) => device),
      ['phone'],
    );
  });

  test('unread: two devices and the node agree after any interleaving of what people do', async (t) => {
    const { url } = await testNode(t);
    let laptop = await open(t, url, 'ada', 'laptop');
    const [phone, bob] = [await open(t, url, 'ada'), await open(t, url, 'bob')];
    for (const session of [phone, laptop]) session.on('message', () => {});
    const group = await bob.createGroup({ title: 'tea', members: ['ada'] });
    await bob.direct('ada').send('first');
    const raw = await RawClient.join(url, 'ada', 'raw');
    const places: readonly { readonly of: (session: Session) => Chat; readonly theirs: Chat }[] = [
      { of: (session) => session.direct('bob'), theirs: bob.direct('ada') },
      { of: (session) => session.group(group.id), theirs: group },
    ];
    const steps: string[] = [];
    for (let i = 0; i < 120; i++) {
      const { of, theirs } = places[randomInt(2)]!;
      const mine = randomInt(2) === 0 ? phone : laptop;
      const seq = Math.max(1, theirs.head - randomInt(6));
      const step = randomInt(20);
      steps.push(`${step} ${theirs.name} ${seq}`);
      const doing =
        step < 8
          ? theirs.send(`${i}`)
          : step < 10
            ? of(mine).send(`own ${i}`)
            : step < 13
              ? of(mine).read(seq)
              : step < 16
                ? theirs.deleteForEveryone(seq)
                : step < 18
                  ? of(mine).deleteForMe([seq])
                  : step < 19
                    ? of(mine).clear(Math.max(1, seq - 8))
                    : undefined;
      // What may not be, as deleting another's message in a chat of two, changes nothing.
      const done = Promise.resolve(doing).catch(() => {});
      if (randomInt(3) === 0) await done;
      if (step === 19) {
        await laptop.close();
        laptop = await open(t, url, 'ada', 'laptop');
        laptop.on('message', () => {});
      }
    }
    for (const { theirs } of places) await theirs.send('last');
    const counted = async (): Promise<Map<string, number>> => {
      raw.send({ type: T.LIST, r: 1, after: null, limit: 100 });
      const { results } = await raw.next(T.OK);
      return new Map(
        (results[0] as [Uint8Array, ...number[]][]).map((row) => [Buffer.from(row[0]).toString('hex'), row[7]!]),
      );
    };
    for (const [name, session] of [
      ['phone', phone],
      ['laptop', () => laptop],
    ] as const) {
      const device = typeof session === 'function' ? session() : session;
      for (const { of } of places) {
        const difference = async (): Promise<number> =>
          of(device).unread - ((await counted()).get(of(device).id) ?? -1);
        await until(difference, 0, `${name}, ${of(device).name}: ${steps.join('; ')}`);
      }
    }
  });
});
