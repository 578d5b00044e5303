// Owns the proof of which Redis URLs are understood, and that no refusal repeats what is secret.
// Invariant: one case per form and per fault.
// Must not: connect.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRedis } from '../../services/redis-target.js';

const standard = {
  kind: 'server',
  tls: false,
  name: '',
  db: 0,
  username: undefined,
  password: undefined,
  sentinelPassword: undefined,
  prefix: 'weft',
};

test('URLs of one server, of sentinels, of a cluster', () => {
  const at = (host: string, port: number) => ({ host, port });
  for (const [url, expected] of [
    ['redis://localhost', { places: [at('localhost', 6379)], where: 'redis://localhost:6379' }],
    ['redis://[::1]:7/3', { places: [at('::1', 7)], db: 3, where: 'redis://[::1]:7' }],
    [
      'rediss://me:s%40cret@r.example:6380/0?prefix=chat-2',
      {
        tls: true,
        places: [at('r.example', 6380)],
        username: 'me',
        password: 's@cret',
        prefix: 'chat-2',
        where: 'rediss://r.example:6380',
      },
    ],
    ['redis://:p:w@h', { places: [at('h', 6379)], password: 'p:w', where: 'redis://h:6379' }],
    ['redis://only@h', { places: [at('h', 6379)], password: 'only', where: 'redis://h:6379' }],
    [
      'redis+sentinel://:pw@a,b:5/main/2?sentinelPassword=other',
      {
        kind: 'sentinel',
        places: [at('a', 26379), at('b', 5)],
        name: 'main',
        db: 2,
        password: 'pw',
        sentinelPassword: 'other',
        where: 'redis+sentinel://a:26379,b:5/main',
      },
    ],
    [
      'rediss-cluster://a,b',
      { kind: 'cluster', tls: true, places: [at('a', 6379), at('b', 6379)], where: 'rediss+cluster://a:6379,b:6379' },
    ],
  ] as const) {
    assert.deepEqual(parseRedis(url), { ...standard, ...expected }, url);
  }
});

test('what is refused says how it is written, and nothing of a password', () => {
  for (const [url, reason] of [
    ['localhost:6379', /^write redis:\/\//],
    ['http://:geheim@localhost', /^write redis:\/\//],
    ['redis://:geheim@', /host/],
    ['redis://:geheim@h:0', /host/],
    ['redis://:geheim@h:70000', /host/],
    ['redis://:geheim@a,b', /sentinels or a cluster/],
    ['redis+sentinel://:geheim@a,b', /name/],
    ['redis+cluster://:geheim@a/1', /database/],
    ['redis://:geheim@h/one', /number/],
    ['redis://:geheim@h?db=1', /^db is no option/],
    ['redis://:geheim@h?prefix=', /prefix/],
    ['redis://:ge%heim@h', /%25/],
  ] as const) {
    const refused = parseRedis(url);
    assert.ok(typeof refused === 'string', url);
    assert.match(refused, reason, url);
    assert.doesNotMatch(refused, /geheim|ge%heim/, url);
  }
});
