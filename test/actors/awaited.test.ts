// Owns the tests of what a connection remembers of the actors of chats that it told something.
// Invariant: actors and their ends are the test's.
// Must not: repeat follow-up.test.ts, which has what becomes of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Awaited } from '../../actors/awaited.js';
import type { ConnectionContext } from '../../actors/connection.js';
import type { Fabric } from '../../actors/fabric.js';
import { LIMITS } from '../../actors/limits.js';

/** A connection's actor that only monitors, and chats that are all alive. */
function scenery() {
  const monitored: string[] = [];
  const released: number[] = [];
  const context: ConnectionContext = {
    monitor: ({ key }: { readonly key: string }) => monitored.push(key),
    demonitor: (monitor: number) => void released.push(monitor),
  } as never;
  const alive = new Set<string>();
  const chats: Fabric['chats'] = {
    lookup: (key: string) => (alive.has(key) ? { key } : undefined),
  } as never;
  const awaited = new Awaited();
  const claim = (key: string, delivered: number, read: number): void => {
    alive.add(key);
    awaited.claim(key, { delivered, read }, chats, context);
  };
  const end = (key: string, broke: boolean): unknown => {
    alive.delete(key);
    const { claim: lost } = awaited.ended(key, broke ? 'crash' : 'normal', chats, context);
    return lost === null ? null : [lost.delivered, lost.read];
  };
  return { awaited, monitored, released, claim, end, chats, context };
}

test('the furthest claim stands until the chat’s actor has ended, and is to be told again only if that broke off', () => {
  const { monitored, claim, end } = scenery();
  claim('a', 5, 0);
  claim('a', 3, 3);
  claim('b', 1, 0);
  assert.deepEqual(monitored, ['a', 'b'], 'one monitor a chat');
  assert.deepEqual(end('a', true), [5, 3]);
  assert.equal(end('b', false), null);
  assert.equal(end('b', true), null);
  claim('a', 6, 0);
  assert.deepEqual(monitored, ['a', 'b', 'a']);
});

test('a successor that is there before the news of its predecessor’s end is watched in its place', () => {
  const { awaited, monitored, claim, end, chats, context } = scenery();
  claim('a', 5, 0);
  assert.equal(awaited.ended('a', 'normal', chats, context).claim, null);
  assert.deepEqual(monitored, ['a', 'a']);
  assert.deepEqual(end('a', true), [5, 0]);
});

test('where no successor came, nothing is told again: a chat that rests is left in peace', () => {
  const { awaited, monitored, claim, chats, context } = scenery();
  claim('a', 5, 0);
  awaited.ended('a', 'normal', chats, context);
  assert.deepEqual(monitored, ['a', 'a']);
  assert.equal(awaited.ended('a', 'noproc', chats, context).claim, null);
  claim('a', 6, 0);
  awaited.ended('a', 'normal', chats, context);
  claim('a', 7, 0);
  assert.equal(awaited.ended('a', 'noproc', chats, context).claim?.delivered, 7, 'told since: it is lost');
});

test('as many chats as a user may have: who names more loses what he said first', () => {
  const { released, claim, end } = scenery();
  for (let at = 0; at <= LIMITS.userChats; at += 1) claim(`${at}`, 1, 0);
  assert.deepEqual(released, [1]);
  assert.equal(end('0', true), null);
  assert.deepEqual(end('1', true), [1, 0]);
});
