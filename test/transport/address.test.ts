// Owns the proof of what addresses are written as and count as.
// Invariant: none.
// Must not: open sockets (contract.test.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOf, isLoopback, networkOf, plainAddress } from '../../transport/address.js';

test('an IPv4 address counts for itself, an IPv6 address for its /64', () => {
  assert.equal(networkOf('192.0.2.7'), '192.0.2.7');
  const same = ['2001:db8::1', '2001:db8:0:0:ffff::2', '2001:0DB8:0::3:4:5', '2001:db8::'];
  assert.deepEqual([...new Set(same.map(networkOf))], ['2001:db8:0:0::/64']);
  assert.equal(networkOf('2001:db8:0:1::1'), '2001:db8:0:1::/64');
  assert.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0::/64');
  assert.equal(networkOf('1:2:3:4:5:6:7:8'), '1:2:3:4::/64');
});

test('mapped IPv4 is IPv4, in both engines', () => {
  const mapped = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7);
  assert.equal(addressOf(mapped), '192.0.2.7');
  assert.equal(plainAddress('::ffff:192.0.2.7'), '192.0.2.7');
});

test('loopback is known by its address', () => {
  assert.deepEqual(['127.0.0.1', '127.9.9.9', '::1', '::2', '12.7.0.1', ''].map(isLoopback), [
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
});
