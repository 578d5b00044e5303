// Owns the tests of presence, on a manual clock: who is told, how exactly, when, and what they are not told.
// Invariant: users and chats are real actors, connections are ears; each check is of all that an ear has heard.
// Must not: repeat what test/e2e/presence.test.ts shows over sockets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import type { ConnectionMessage } from '../../actors/messages.js';
import { user } from '../../actors/user.js';
import { decodeAccount, encodeAccount } from '../../storage/account-rows.js';
import { accountKey, blockKey } from '../../storage/keys.js';
import { AUDIENCE, OP } from '../../transport/frames.js';
import { ChatScene, DIRECT_KEY, type Ear } from './chat-scene.js';

type Line = Ear<ConnectionMessage>;

/** `bob+0`: bob is online, exactly. `bob-1@600000`: offline, coarsely, last seen then. `#5`: five are online. */
const heard = ({ heard }: Line): string[] =>
  heard.flatMap((news) => {
    if (news.type === 'count') return [`#${news.count}`];
    if (news.type !== 'presence') return [];
    const seen = !news.online && news.lastSeen > 0 ? `@${news.lastSeen}` : '';
    return [`${news.user}${news.online ? '+' : '-'}${news.precision}${seen}`];
  });

class Town {
  readonly scene: ChatScene;
  #request = 100;

  private constructor(scene: ChatScene) {
    this.scene = scene;
  }

  static async open(options: Parameters<typeof ChatScene.open>[0] = {}): Promise<Town> {
    return new Town(await ChatScene.open(options));
  }

  /** The user's actor, anew if it has ended. */
  live(name: string) {
    const known = this.scene.users.get(name);
    if (known?.ref.alive === true) return known.ref;
    const ref = this.scene.runtime.spawn(user, name, { fabric: this.scene.fabric, key: name });
    this.scene.users.set(name, { ref, heard: [] });
    return ref;
  }

  async online(name: string, device = '1'): Promise<Line> {
    const line = this.scene.connection();
    await this.register(name, line, device);
    return line;
  }

  async register(name: string, line: Line, device = '1'): Promise<void> {
    this.live(name).tell({
      type: 'register',
      device,
      issued: 0,
      connection: line.ref,
      round: 1,
      since: 0,
      late: false,
    });
    await this.scene.settle();
  }

  /** As the connection's own hook does. */
  async end(line: Line): Promise<void> {
    this.scene.fabric.watches.ended(line.ref);
    this.scene.runtime.exit(line.ref, { type: 'shutdown' });
    await this.scene.settle();
  }

  async watch(chat: string, name: string, line: Line, on = true): Promise<void> {
    this.scene.fabric.chats.tell(chat, { type: 'watch', user: name, connection: line.ref, on });
    await this.scene.settle();
  }

  /** A direct chat in which ada has written. */
  async direct(): Promise<void> {
    for (const name of ['ada', 'bob']) this.live(name);
    this.scene.send(this.scene.connection().ref);
    await this.scene.settle();
  }

  async group(members: readonly string[]): Promise<string> {
    for (const name of ['ada', ...members]) this.live(name);
    return this.scene.group(this.scene.connection().ref, members);
  }

  async change(chat: string, op: number, users: readonly string[]): Promise<void> {
    this.#request += 1;
    const asker = { user: 'ada', connection: this.scene.connection().ref, r: this.#request };
    this.scene.fabric.chats.tell(chat, { type: 'change', asker, id: this.scene.id(), op, users, args: [] });
    await this.scene.settle();
  }

  async store(key: Uint8Array, value: Uint8Array | null): Promise<void> {
    const done = this.scene.store.commit({ checks: [], writes: [{ key, value }] });
    await this.scene.settle();
    await done;
  }

  async audience(name: string, audience: number): Promise<void> {
    await this.store(accountKey(name), encodeAccount({ ...decodeAccount(undefined), audience }));
  }
}

test('a watcher is told how things stand, then of each change, and of nothing when it has closed the chat', async () => {
  const town = await Town.open();
  await town.direct();
  const ada = await town.online('ada');
  await town.watch(DIRECT_KEY, 'ada', ada);
  assert.deepEqual(heard(ada), ['bob-0']);
  const bob = await town.online('bob');
  await town.scene.pass(1_000);
  const left = town.scene.world.wall();
  await town.end(bob);
  assert.deepEqual(heard(ada), ['bob-0', 'bob+0', `bob-0@${left}`]);
  await town.watch(DIRECT_KEY, 'ada', ada, false);
  await town.online('bob');
  assert.equal(heard(ada).length, 3);
  assert.deepEqual(town.scene.fabric.watches.sizes, { connections: 0, users: 0, chats: 0 });
});

test('a watch outlives the crash and the rest of the user who is watched', async () => {
  const town = await Town.open({ passivateMs: 1_000 });
  await town.direct();
  const ada = await town.online('ada');
  const bob = await town.online('bob');
  await town.watch(DIRECT_KEY, 'ada', ada);
  town.scene.runtime.exit(town.live('bob'), { type: 'killed' });
  await town.scene.settle();
  // Nobody hears for bob now: that is told, and that it was over.
  assert.deepEqual(
    heard(ada).map((line) => line.slice(0, 5)),
    ['bob+0', 'bob-0'],
  );
  assert.equal(town.scene.fabric.online.count(['bob']), 0);
  await town.register('bob', bob);
  assert.equal(heard(ada)[2], 'bob+0');
  await town.end(bob);
  const known = town.live('bob');
  await town.scene.pass(3_000);
  assert.equal(known.alive, false, 'watched, but at rest');
  await town.online('bob');
  assert.equal(heard(ada)[4], 'bob+0');
});

test('a watch that came while the chat’s state was away after a failed append counts when it is back', async () => {
  const town = await Town.open();
  await town.direct();
  await town.online('bob');
  const ada = await town.online('ada');
  town.scene.faults = ['store_unavailable'];
  town.scene.send(ada.ref);
  await town.scene.pass(50);
  assert.deepEqual(town.scene.reports, ['append_failed']);
  await town.watch(DIRECT_KEY, 'ada', ada);
  assert.deepEqual(heard(ada), []);
  await town.scene.pass(LIMITS.reloadMs + 50);
  assert.deepEqual(heard(ada), ['bob+0']);
});

test('a watch that came while the user could not be told counts from the next change on', async () => {
  const town = await Town.open();
  await town.direct();
  const ada = await town.online('ada');
  town.scene.usersBusy = true;
  await town.watch(DIRECT_KEY, 'ada', ada);
  town.scene.usersBusy = false;
  assert.deepEqual(heard(ada), []);
  await town.online('bob');
  assert.deepEqual(heard(ada), ['bob+0']);
});

test('nothing is shown before what decides was read, and the reading is tried again', async () => {
  const town = await Town.open();
  await town.direct();
  const ada = await town.online('ada');
  await town.online('bob');
  await town.scene.pass(LIMITS.passivateMs);
  town.scene.runtime.exit(town.live('bob'), { type: 'shutdown' });
  await town.scene.settle();
  await town.audience('bob', AUDIENCE.nobody);
  town.scene.unreadable = true;
  town.live('bob');
  await town.watch(DIRECT_KEY, 'ada', ada);
  await town.scene.pass(3 * LIMITS.reloadMs);
  assert.deepEqual(heard(ada), []);
  town.scene.unreadable = false;
  await town.scene.pass(2 * LIMITS.reloadMs);
  assert.deepEqual(heard(ada), ['bob-3']);
});

test('privacy: contacts are who shares a group, or a direct chat in which one has written', async () => {
  const town = await Town.open();
  await town.audience('bob', AUDIENCE.contacts);
  await town.direct();
  const ada = await town.online('ada');
  const bob = await town.online('bob');
  await town.watch(DIRECT_KEY, 'ada', ada);
  assert.deepEqual(heard(ada), ['bob-3']);
  // bob answers.
  town.scene.send(bob.ref, { user: 'bob' });
  await town.scene.settle();
  assert.deepEqual(heard(ada), ['bob-3', 'bob+0']);
  town.scene.send(bob.ref, { user: 'bob' });
  await town.scene.settle();
  assert.equal(heard(ada).length, 2);
  // In the row, so it holds after a restart of both.
  for (const ref of [town.live('bob'), town.scene.chats.get(DIRECT_KEY)!]) {
    town.scene.runtime.exit(ref, { type: 'shutdown' });
  }
  await town.scene.settle();
  await town.register('bob', bob);
  const again = await town.online('ada', '2');
  await town.watch(DIRECT_KEY, 'ada', again);
  assert.deepEqual(heard(again), ['bob+0']);
});

test('privacy: by way of a group one sees whom one does not see by way of the direct chat', async () => {
  const town = await Town.open();
  await town.audience('bob', AUDIENCE.contacts);
  await town.direct();
  const group = await town.group(['bob']);
  const ada = await town.online('ada');
  await town.online('bob');
  await town.watch(DIRECT_KEY, 'ada', ada);
  await town.watch(group, 'ada', ada);
  assert.deepEqual(heard(ada), ['bob-3', 'bob+0']);
});

test('degrading: exact, coarse, only counted, and back only when there are far fewer', async () => {
  const town = await Town.open();
  await town.direct();
  const lines: Line[] = [];
  const watch = async (count: number): Promise<void> => {
    while (lines.length < count) {
      const line = town.scene.connection();
      lines.push(line);
      town.scene.fabric.chats.tell(DIRECT_KEY, { type: 'watch', user: 'ada', connection: line.ref, on: true });
      if (lines.length % 200 === 0) await town.scene.settle();
    }
    await town.scene.settle();
  };
  const end = async (count: number): Promise<void> => {
    for (const line of lines.splice(0, count)) await town.end(line);
  };
  const last = (): string[] => [...new Set(lines.map((line) => heard(line).at(-1)!))];
  let bob = await town.online('bob');
  const cycle = async (): Promise<void> => {
    await town.end(bob);
    bob = await town.online('bob');
  };
  await watch(LIMITS.exactWatchers);
  await cycle();
  assert.deepEqual(last(), ['bob+0']);
  assert.equal(heard(lines[0]!).length, 3);
  await watch(LIMITS.exactWatchers + 1);
  assert.deepEqual(last(), ['bob+1']);
  // Once a minute, however often he comes and goes, and as it stands in the end.
  const before = heard(lines[0]!).length;
  for (let i = 0; i < 10; i += 1) await cycle();
  assert.equal(heard(lines[0]!).length, before + 1);
  await town.scene.pass(LIMITS.coarseMs + 100);
  assert.equal(heard(lines[0]!).length, before + 2);
  assert.deepEqual(last(), ['bob+1']);
  await town.scene.pass(LIMITS.coarseMs);
  const left = town.scene.world.wall();
  await town.end(bob);
  assert.deepEqual(last(), [`bob-1@${left - (left % LIMITS.coarseSeenMs)}`]);
  await watch(LIMITS.coarseWatchers + 1);
  assert.deepEqual(last(), ['bob-2']);
  const counted = heard(lines[0]!).length;
  bob = await town.online('bob');
  await town.scene.pass(2 * LIMITS.coarseMs);
  assert.equal(heard(lines[0]!).length, counted, 'told once, then nothing');
  // A few less change nothing; far fewer do, with the next change.
  await end(LIMITS.coarseWatchers / 8);
  await cycle();
  assert.deepEqual(last(), ['bob-2']);
  await end(LIMITS.coarseWatchers / 4);
  await cycle();
  assert.deepEqual(last(), ['bob+1']);
  await end(lines.length - LIMITS.exactWatchers / 2);
  await cycle();
  assert.deepEqual(last(), ['bob+0']);
});

test('a chat of over 256 is counted: when it is opened, then as it changes, at most every 10 s', async () => {
  const town = await Town.open();
  const others = Array.from({ length: LIMITS.watches }, (_, at) => `u${at}`);
  const chat = await town.group(others);
  await town.audience('u9', AUDIENCE.nobody);
  const ada = await town.online('ada');
  await town.watch(chat, 'ada', ada);
  assert.deepEqual(heard(ada), ['#1']);
  const lines = [];
  for (const name of ['u1', 'u2', 'u3', 'u9']) lines.push(await town.online(name));
  const later = await town.online('u4');
  await town.watch(chat, 'u4', later);
  // u9 shows himself to nobody.
  assert.deepEqual([heard(ada), heard(later)], [['#1'], ['#5']]);
  await town.scene.pass(LIMITS.countMs + 100);
  assert.deepEqual([heard(ada), heard(later)], [['#1', '#5'], ['#5']]);
  await town.scene.pass(5 * LIMITS.countMs);
  assert.equal(town.scene.chats.get(chat)!.alive, true, 'stays while it is counted');
  await town.end(lines[0]!);
  await town.change(chat, OP.removed, ['u2']);
  await town.scene.pass(LIMITS.countMs + 100);
  assert.deepEqual(
    [heard(ada), heard(later)],
    [
      ['#1', '#5', '#3'],
      ['#5', '#3'],
    ],
  );
  await town.change(chat, OP.removed, ['u4']);
  await town.end(ada);
  await town.scene.pass(2 * LIMITS.passivateMs);
  assert.deepEqual(heard(later), ['#5', '#3']);
  assert.equal(town.scene.chats.get(chat)!.alive, false);
});

test('a group that grows: who joins is told of, and beyond 256 all are counted', async () => {
  const town = await Town.open();
  const others = Array.from({ length: LIMITS.watches - 2 }, (_, at) => `u${at}`);
  const chat = await town.group(others);
  const ada = await town.online('ada');
  await town.watch(chat, 'ada', ada);
  assert.equal(heard(ada).length, others.length);
  const zoe = await town.online('zoe');
  await town.change(chat, OP.added, ['zoe']);
  assert.equal(heard(ada).at(-1), 'zoe+0');
  await town.change(chat, OP.added, ['yan']);
  assert.equal(heard(ada).at(-1), '#2');
  await town.end(zoe);
  await town.scene.pass(LIMITS.countMs + 100);
  assert.equal(heard(ada).at(-1), '#1');
  assert.equal(heard(ada).length, others.length + 3);
  assert.equal(town.scene.fabric.watches.sizes.users, 0);
  // Small again: so it is told from the next WATCH on, and no longer counted.
  await town.change(chat, OP.removed, ['yan']);
  await town.watch(chat, 'ada', ada);
  const known = heard(ada).length;
  await town.online('zoe');
  await town.scene.pass(2 * LIMITS.countMs);
  assert.deepEqual(heard(ada).slice(known), ['zoe+0']);
});

test('a connection that ended before its watch was looked at leaves nothing behind', async () => {
  const town = await Town.open();
  await town.direct();
  const ada = await town.online('ada');
  await town.end(ada);
  await town.watch(DIRECT_KEY, 'ada', ada);
  assert.deepEqual(town.scene.fabric.watches.sizes, { connections: 0, users: 0, chats: 0 });
});

test('presence writes nothing but when a user was last seen', async () => {
  const town = await Town.open();
  await town.direct();
  const ada = await town.online('ada');
  await town.end(await town.online('bob'));
  const appends = town.scene.log.stats().transactions;
  const commits = town.scene.commits;
  for (let i = 0; i < 20; i += 1) {
    await town.watch(DIRECT_KEY, 'ada', ada);
    await town.end(await town.online('bob'));
    await town.scene.pass(10);
  }
  assert.equal(town.scene.log.stats().transactions, appends);
  assert.equal(town.scene.commits - commits, 20);
});

test('a block while watched: both see nothing at once, and again what there is when it is lifted', async () => {
  const town = await Town.open();
  await town.direct();
  const [ada, bob] = [await town.online('ada'), await town.online('bob')];
  await town.watch(DIRECT_KEY, 'ada', ada);
  await town.watch(DIRECT_KEY, 'bob', bob);
  assert.deepEqual([heard(ada), heard(bob)], [['bob+0'], ['ada+0']]);
  await town.store(blockKey('ada', 'bob'), new Uint8Array(6));
  town.live('bob').tell({ type: 'blocked', user: 'ada', on: true });
  await town.scene.settle();
  assert.deepEqual(
    [heard(ada), heard(bob)],
    [
      ['bob+0', 'bob-3'],
      ['ada+0', 'ada-3'],
    ],
  );
  await town.end(bob);
  const back = await town.online('bob');
  await town.watch(DIRECT_KEY, 'bob', back);
  assert.deepEqual([heard(ada).length, heard(back)], [2, ['ada-3']]);
  await town.store(blockKey('ada', 'bob'), null);
  town.live('bob').tell({ type: 'blocked', user: 'ada', on: false });
  await town.scene.settle();
  assert.deepEqual([heard(ada).at(-1), heard(back)], ['bob+0', ['ada-3', 'ada+0']]);
});
