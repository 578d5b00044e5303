// Owns the tests of what concerns the user and not a chat: devices, profiles, privacy, blocks; and of the refusals that
// concern the device or come from being too quick.
// Invariant: the clock moves by hand.
// Must not: reach into the client.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MemoryStore } from '../../client/store-memory.js';
import { ManualWorld } from '../actors/manual-world.js';
import { advance, bench, live, settle } from './bench.js';
import { FakeServer } from './fake-server.js';

describe('account', () => {
  test('devices: listed, named, removed', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    server.account.devices = [
      ['phone', 'my phone', 1, 2, 1],
      ['laptop', '', 3, 4, 0],
    ];
    assert.deepEqual(await session.devices(), [
      { device: 'phone', name: 'my phone', firstSeen: 1, lastSeen: 2, online: true, current: true },
      { device: 'laptop', name: '', firstSeen: 3, lastSeen: 4, online: false, current: false },
    ]);
    await session.renameDevice('laptop', 'work');
    await session.removeDevice('laptop');
    assert.deepEqual(
      server.last.of(21).map(({ device, op, name }) => [device, op, name]),
      [
        ['laptop', 1, 'work'],
        ['laptop', 2, ''],
      ],
    );
  });

  test('profiles: asked for once, again when they changed, and known without a connection', async (t) => {
    const store = new MemoryStore();
    const { server, world, session } = await bench({ store });
    live(t, world);
    server.account.profiles.set('bob', [3, 'Bob', 'ref', 'hi', [['mail', 'b@x']]]);
    const bob = { user: 'bob', version: 3, name: 'Bob', avatar: 'ref', about: 'hi', fields: [['mail', 'b@x']] };
    assert.deepEqual([await session.profile('bob'), await session.profile('bob')], [bob, bob]);
    assert.equal(server.last.of(22).length, 1);
    const changed: string[] = [];
    session.on('profile', ({ user, version }) => void changed.push(`${user} ${version}`));
    server.account.profiles.set('bob', [4, 'Robert']);
    server.last.send({ type: 52, user: 'bob', version: 4 });
    await settle(world);
    assert.deepEqual(changed, ['bob 4']);
    assert.deepEqual(await session.profile('bob'), {
      ...bob,
      version: 4,
      name: 'Robert',
      avatar: '',
      about: '',
      fields: [],
    });
    server.last.cut();
    await advance(world, 5_000);
    assert.equal((await session.profile('bob')).name, 'Robert');
    assert.deepEqual(
      server.last.of(22).map(({ version }) => version),
      [4],
      'with what it has',
    );
    assert.equal((await session.profile('nobody')).version, 0);
    await session.close();
    server.up = false;
    const offline = await bench({ world, server, store, offline: true });
    assert.equal((await offline.session.profile('bob')).name, 'Robert');
    const unknown = assert.rejects(offline.session.profile('cleo'), { code: 'offline' });
    await advance(world, 20_000);
    await unknown;
  });

  test('one’s own profile: what is not given stays', async (t) => {
    const { server, world, session } = await bench();
    live(t, world);
    await session.setProfile({ name: 'Alice', fields: [['town', 'Ulm']] });
    const profile = await session.setProfile({ about: 'busy' });
    assert.deepEqual(profile, {
      user: 'alice',
      version: 2,
      name: 'Alice',
      avatar: '',
      about: 'busy',
      fields: [['town', 'Ulm']],
    });
    assert.deepEqual(await session.profile(), profile);
    assert.equal(server.account.profiles.get('alice')?.[3], 'busy');
  });

  test('privacy, and whom one blocks: here, on other devices, and without a connection', async (t) => {
    const store = new MemoryStore();
    const { server, world, session } = await bench({ store });
    live(t, world);
    assert.equal(await session.privacy(), 'everyone');
    await session.setPrivacy('contacts');
    assert.deepEqual([await session.privacy(), server.account.audience], ['contacts', 1]);
    await session.block('eve');
    await session.block('mallory');
    await session.unblock('eve');
    const news: string[] = [];
    session.on('blocked', ({ user, on }) => void news.push(`${user} ${on}`));
    server.account.blocked.add('trent');
    server.last.send({ type: 54, user: 'trent', on: true });
    server.last.send({ type: 54, user: 'trent', on: true });
    await settle(world);
    assert.deepEqual(news, ['trent true']);
    assert.deepEqual(await session.blocked(), ['mallory', 'trent']);
    await advance(world, 1_000);
    await session.close();
    server.up = false;
    const offline = await bench({ world, server, store, offline: true });
    assert.deepEqual(await offline.session.blocked(), ['mallory', 'trent']);
    // Changed while this device was away.
    server.account.blocked.delete('mallory');
    server.up = true;
    await advance(world, 60_000);
    server.up = false;
    server.last.cut();
    await settle(world);
    assert.deepEqual(await offline.session.blocked(), ['trent']);
  });

  test('presence says how exact it is', async () => {
    const { server, world, session } = await bench();
    const seen: string[] = [];
    session.on('presence', ({ user, online, precision }) => void seen.push(`${user} ${online} ${precision}`));
    session.on('count', ({ chat, online }) => void seen.push(`${chat.name} ${online}`));
    for (const precision of [0, 1, 2, 3]) {
      server.last.send({ type: 44, user: 'bob', online: precision < 2, lastSeen: 0, precision });
    }
    const chat = server.chat('all', 2);
    server.post(chat, 'x');
    server.last.send({ type: 51, chat: chat.id, count: 400 });
    await settle(world);
    assert.deepEqual(seen, ['bob true exact', 'bob true coarse', 'bob false count', 'bob false hidden', 'all 400']);
  });
});

describe('refusals', () => {
  for (const how of ['while connected', 'at the next connect'] as const) {
    test(`a removed device ends for good, with a token function too: ${how}`, async () => {
      let tokens = 0;
      const { server, world, session, states } = await bench({ token: () => `token ${++tokens}` });
      if (how === 'while connected') server.last.cut(4410);
      else {
        server.last.cut();
        server.intercept = (_frame, connection) => {
          connection.send({ type: 42, r: 0, code: 'device_removed', retry: false, after: 0, detail: '' });
          connection.end(4401);
          return true;
        };
      }
      await advance(world, 300_000);
      assert.equal(states.at(-1), 'failed');
      assert.equal(server.connections.length, how === 'while connected' ? 1 : 2);
      await assert.rejects(session.direct('bob').send('x'), { code: 'closed' });
    });
  }

  test('too many logins from an address: comes back when the server said, not before', async () => {
    const { server, world, session } = await bench({ backoff: { base: 100, cap: 200 } });
    server.last.cut();
    server.intercept = (frame, connection) => {
      if (frame.type !== 1 || server.connections.length > 2) return false;
      connection.send({ type: 42, r: 0, code: 'rate_limited', retry: true, after: 20_000, detail: '' });
      connection.end(4429);
      return true;
    };
    await advance(world, 30_000, 50);
    assert.equal(session.state, 'online');
    assert.equal(server.connections.length, 3);
    assert.ok(server.dials[2]! - server.dials[1]! >= 20_000, `after ${server.dials[2]! - server.dials[1]!} ms`);
  });

  test('a send that comes too often waits as long as the server says, and the next ones stay behind it', async () => {
    const { server, world, session } = await bench();
    const times: number[] = [];
    let refusals = 1;
    server.intercept = (frame, connection) => {
      if (frame.type !== 2) return false;
      times.push(world.time);
      if (refusals-- <= 0) return false;
      server.refuse(connection, frame, 'rate_limited', 3_000);
      return true;
    };
    const sent = ['1', '2', '3'].map((text) => session.direct('bob').send(text));
    await advance(world, 10_000);
    assert.deepEqual(await Promise.all(sent), [{ seq: 1 }, { seq: 2 }, { seq: 3 }]);
    assert.ok(times.at(-3)! - times[0]! >= 3_000);
    assert.deepEqual(
      server.chat('bob').rows.map(({ body }) => new TextDecoder().decode(body)),
      ['1', '2', '3'],
    );
  });

  test('a request that comes too often is asked again when it may pass, within its time', async () => {
    const world = new ManualWorld();
    const server = new FakeServer(world);
    const { session } = await bench({ world, server });
    let refusals = 2;
    server.intercept = (frame, connection) => {
      if (frame.type !== 8 || refusals-- <= 0) return false;
      connection.send({ type: 42, r: frame.r, code: 'rate_limited', retry: true, after: 2_000, detail: '' });
      return true;
    };
    const made = session.createGroup({ title: 'tea', members: ['bob'] });
    await advance(world, 14_000);
    assert.equal((await made).name, 'tea');
    assert.equal(server.chat('tea').rows.length, 1);
  });
});
