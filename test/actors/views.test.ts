// Owns the tests of what a connection keeps of chats: aliases, positions, eviction.
// Invariant: what an alias named once, it names as long as the connection.
// Must not: measure time, but for what would take minutes if it were wrong.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { UNKNOWN, Views } from '../../actors/views.js';
import { chatKey } from '../../storage/keys.js';

function chat(i: number): Uint8Array {
  const id = Buffer.alloc(16, 2);
  id.writeUInt32BE(i, 4);
  return id;
}

const open = (views: Views, i: number) => views.open(chat(i), chatKey(chat(i)));

test('views are bounded; those with an alias, behind, with sends under way or refused, or asked for by DIRECT stay', () => {
  const views = new Views();
  const named = open(views, 0);
  assert.equal(views.name(named), true);
  const behind = open(views, 1);
  views.fallBehind(behind, 5);
  const sending = open(views, 2);
  sending.unanswered = 1;
  const idle = open(views, 3);
  const refused = open(views, 4);
  views.refuse(refused, 'id', 1);
  const direct = open(views, 5);
  direct.pair = ['ada', 'bob'];
  const told = open(views, 6);
  Object.assign(told, { pair: ['ada', 'cleo'], cursor: 3 });
  for (let i = 10; i < 3 * LIMITS.sessionChats; i += 1) {
    open(views, i);
    assert.ok(views.size <= LIMITS.sessionChats);
  }
  assert.equal(views.resolve(1)?.view, named);
  assert.deepEqual(
    [open(views, 1), open(views, 2), open(views, 4), open(views, 5)],
    [behind, sending, refused, direct],
  );
  assert.deepEqual([views.get(idle.key), views.get(told.key)], [undefined, undefined]);
  assert.equal(open(views, 3).cursor, UNKNOWN);
});

test('a view that gave way a moment ago comes back with its position, until the client says where it stands', () => {
  const views = new Views({ chats: 1, chatAliases: 0, userAliases: 1 });
  for (let i = 0; i <= LIMITS.leftViews + 1; i += 1) open(views, i).cursor = i + 7;
  assert.deepEqual([open(views, 1).cursor, open(views, LIMITS.leftViews).cursor], [8, LIMITS.leftViews + 7]);
  assert.equal(open(views, 0).cursor, UNKNOWN);
  views.forget();
  assert.equal(open(views, 2).cursor, UNKNOWN);
});

test('refused sends to chats without end are forgotten at last', () => {
  const views = new Views();
  for (let i = 0; i < LIMITS.userChats + 1_000; i += 1) views.refuse(open(views, i), 'id', i);
  assert.equal(views.size, LIMITS.userChats);
});

test('aliases run out and stay what they are', () => {
  const views = new Views();
  for (let i = 0; i < LIMITS.chatAliases; i += 1) assert.equal(views.name(open(views, i)), true);
  const more = open(views, LIMITS.chatAliases);
  assert.equal(views.name(more), false);
  assert.deepEqual(views.ref(more), more.chat);
  for (let i = 0; i < 2 * LIMITS.sessionChats; i += 1) open(views, 10_000 + i);
  for (let i = 0; i < LIMITS.chatAliases; i += 1) {
    assert.deepEqual([views.ref(open(views, i)), views.resolve(i + 1)?.key], [i + 1, chatKey(chat(i))]);
  }
  assert.equal(views.resolve(LIMITS.chatAliases + 1), undefined);
  assert.equal(views.resolve(0), undefined);
  for (let i = 1; i <= LIMITS.userAliases; i += 1) assert.equal(views.nameUser(`u${i}`), i);
  assert.deepEqual([views.nameUser('one more'), views.userAlias('one more'), views.userAlias('u7')], [0, 0, 7]);
});

test('tens of thousands of chats behind: opening each costs no search through all', () => {
  const views = new Views();
  const began = performance.now();
  for (let i = 0; i < 60_000; i += 1) views.fallBehind(open(views, i), 1);
  assert.ok(performance.now() - began < 5_000);
  assert.equal(views.behind, 60_000, 'none that is behind is forgotten');
});

test('a view keeps its own copy of the chat id', () => {
  const views = new Views();
  const frame = Buffer.alloc(4_096, 2);
  const view = views.open(frame.subarray(100, 116), 'k');
  assert.equal(view.chat.buffer.byteLength, 16);
});
