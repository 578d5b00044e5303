// Owns the proof that presence by way of Redis keeps every promise that it keeps without: the same tests, of presence and of blocks, on
// nodes that have it in Redis.
// Invariant: each node has its own prefix, so no test sees another's users.
// Must not: have tests of its own (redis.test.ts has).

import { after, test } from 'node:test';
import { redisLine } from '../../services/redis-line.js';
import { parseRedis } from '../../services/redis-target.js';
import { needs } from '../needs.js';
import { RedisServer } from '../redis-server.js';
import { keepPresence } from './harness.js';

const { skip } = needs('redis');
if (skip !== undefined) test('presence in Redis', { skip }, () => undefined);
else {
  const redis = await RedisServer.start({ after });
  let nodes = 0;
  keepPresence(async () => {
    nodes += 1;
    const target = parseRedis(`${redis.url}?prefix=test${nodes}`);
    if (typeof target === 'string') throw new Error(target);
    return redisLine(target, 'test', 'token');
  });
  await import('./presence.test.js');
  await import('./blocks.test.js');
}
