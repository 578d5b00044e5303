// Owns the end-to-end test of invite links: joining, asking, approval, revocation, and who is told what.
// Invariant: real sockets, a real store.
// Must not: test what happens at the same moment (group-races.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INVITE_MODE, OP, ROLE, T } from '../../transport/frames.js';
import { alter, info, join, link, log } from './group-acts.js';
import { newId, RawClient, testNode, text, utf8 } from './harness.js';
import { ask, create, results, say } from './talk.js';

const { none, open, approval } = INVITE_MODE;

/** Code of INVITE's refusal. */
async function refusal(client: RawClient, chat: Uint8Array): Promise<string> {
  const answer = await ask(client, (r) => ({ type: T.INVITE, r, chat }));
  return answer.type === T.ERROR ? answer.code : 'told';
}

test('an open link makes members: they see the log from there on, until they leave, and may come again', async (t) => {
  const { url } = await testNode(t);
  const [ada, bob] = await Promise.all([RawClient.join(url, 'ada', '1'), RawClient.join(url, 'bob', '1')]);
  const chat = await create(ada, []);
  const invite = await link(ada, chat, open);
  assert.equal(invite.length, 32);
  await say(ada, chat, 'before');
  assert.equal(await join(bob, invite), '1 4');
  const cert = await bob.next(T.CERT, (frame) => frame.entries.length > 0);
  assert.deepEqual([cert.entries[0]!.start, cert.entries[0]!.name], [4, 'crew']);
  assert.equal((await bob.next(T.EVENT)).op, OP.joined);
  const event = await ada.next(T.EVENT, (frame) => frame.op === OP.joined);
  assert.deepEqual([event.seq, event.args], [4, []]);
  await say(ada, chat, 'welcome');
  assert.equal(text((await bob.next(T.MESSAGE)).body), 'welcome');
  assert.equal(await join(bob, invite), '1 5', 'a member already: the newest number, and no event');
  assert.equal(await alter(bob, chat, OP.left), 6);
  await say(ada, chat, 'away');
  assert.equal(await join(bob, invite), '1 8');
  assert.deepEqual(await log(bob, chat), ['4 bob joined', '5 ada: welcome', '6 bob left', '8 bob joined']);
  const fresh = await RawClient.join(url, 'bob', '2');
  const seen: number[] = [];
  while (seen.at(-1) !== 8) {
    await fresh.changed();
    for (const frame of fresh.frames.splice(0)) {
      if (frame.type === T.MESSAGE || frame.type === T.EVENT) seen.push(frame.seq);
    }
  }
  assert.deepEqual(seen, [4, 5, 6, 8]);
  assert.deepEqual((await info(ada, chat)).roles, { ada: ROLE.owner, bob: ROLE.member });
});

test('with approval one waits, unheard and told nothing, until an admin adds or declines', async (t) => {
  const { url } = await testNode(t);
  const [ada, bob, eve, fay] = await Promise.all(
    ['ada', 'bob', 'eve', 'fay'].map((name) => RawClient.join(url, name, '1')),
  );
  const chat = await create(ada!, ['bob']);
  const invite = await link(ada!, chat, approval);
  assert.equal(await join(eve!, invite), '2 3');
  const event = await bob!.next(T.EVENT, (frame) => frame.op === OP.asked);
  assert.deepEqual([event.seq, event.args], [3, []]);
  assert.equal(await join(eve!, invite), '2 3', 'it waits already: no event');
  assert.equal(await join(fay!, invite), '2 4');
  assert.deepEqual((await info(ada!, chat)).waiting, ['eve', 'fay']);
  assert.deepEqual((await info(bob!, chat)).waiting, [], 'for those who approve alone');
  assert.equal((await info(bob!, chat)).invite, approval);
  await say(ada!, chat, 'who is eve?');
  eve!.send({ type: T.SEND, chat, id: newId(), body: utf8('it is me') });
  assert.equal((await eve!.next(T.FAILED)).code, 'not_member');
  for (const type of [T.INFO, T.INVITE] as const) {
    const refused = await ask(eve!, (r) => ({ type, r, chat }));
    assert.equal(refused.type === T.ERROR && refused.code, 'unknown_chat');
  }
  const history = await ask(eve!, (r) => ({ type: T.HISTORY, r, chat, before: 0, limit: 10 }));
  assert.equal(history.type === T.ERROR && history.code, 'unknown_chat');
  assert.equal(await alter(ada!, chat, OP.added, { users: ['eve'] }), 6);
  assert.equal((await eve!.next(T.EVENT)).seq, 6, 'the first that it hears');
  assert.equal(await alter(ada!, chat, OP.declined, { users: ['fay'] }), 7);
  assert.deepEqual((await info(ada!, chat)).waiting, []);
  assert.equal(await join(fay!, invite), '2 8', 'who was declined may ask again');
  assert.equal(await alter(ada!, chat, OP.removed, { users: ['eve'] }), 9);
  assert.equal(await join(eve!, invite), '2 10', 'who was removed, too');
  const wide = await link(ada!, chat, open);
  assert.deepEqual((await info(ada!, chat)).waiting, ['fay', 'eve'], 'another link changes nothing for them');
  assert.equal(await join(fay!, wide), '1 12');
  assert.deepEqual((await info(ada!, chat)).waiting, ['eve'], 'who comes by an open link waits no longer');
  assert.equal(fay!.frames.filter((frame) => frame.type === T.EVENT && frame.seq < 12).length, 0);
});

test('a link is made and read by owner and admins; a new one ends the old one; none ends all', async (t) => {
  const { url } = await testNode(t);
  const [ada, bob, eve] = await Promise.all(['ada', 'bob', 'eve'].map((name) => RawClient.join(url, name, '1')));
  const chat = await create(ada!, ['bob']);
  assert.deepEqual(await results(ada!, (r) => ({ type: T.INVITE, r, chat })), [none, new Uint8Array(0)]);
  const first = await link(ada!, chat, open);
  assert.equal(await refusal(bob!, chat), 'not_allowed');
  assert.equal(await refusal(eve!, chat), 'unknown_chat');
  await alter(ada!, chat, OP.role, { users: ['bob'], args: [ROLE.admin] });
  assert.deepEqual(await results(bob!, (r) => ({ type: T.INVITE, r, chat })), [open, first]);
  const second = await link(bob!, chat, open);
  assert.notDeepEqual(second, first);
  assert.deepEqual(second.subarray(0, 16), first.subarray(0, 16), 'the chat is in it');
  const direct = new Uint8Array(32).fill(9);
  direct[0] = 1;
  const nowhere = Uint8Array.from(second, (byte, at) => (at === 5 ? byte ^ 1 : byte));
  const guessed = Uint8Array.from(second, (byte, at) => (at === 31 ? byte ^ 1 : byte));
  const bad = [first, direct, nowhere, guessed, second.subarray(0, 31), new Uint8Array(0), new Uint8Array(33).fill(2)];
  for (const invite of bad) assert.equal(await join(eve!, invite), 'bad_invite');
  assert.equal(await join(bob!, first), 'bad_invite', 'a member neither');
  const odd = await ask(eve!, (r) => ({ type: T.JOIN, r, id: new Uint8Array(16), invite: second }));
  assert.equal(odd.type === T.ERROR && odd.code, 'bad_id');
  assert.equal(await alter(ada!, chat, OP.invite, { args: [none] }), 5);
  assert.equal(await join(eve!, second), 'bad_invite');
  assert.equal(await alter(ada!, chat, OP.invite, { args: [none] }), 'bad_request');
  const third = await link(ada!, chat, approval);
  assert.equal(await join(eve!, third), '2 7');
});
