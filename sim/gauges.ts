// Owns what is measured of a running node: every size that has a bound, with that bound.
// Invariant: measuring changes nothing.
// Must not: judge.

import { LIMITS } from '../actors/limits.js';
import type { Wiring } from '../services/wiring.js';
import type { Process } from './process.js';
import type { Gauge } from './record.js';

/** Actors that stay when nobody is there; others than these may have been woken by a sweep. */
const STANDING: Readonly<Record<string, number>> = { sweeper: 1, connection: 0, user: 0 };

/** Timers that membership needs, and each link. */
const MEMBER_TIMERS = 8;
const LINK_TIMERS = 4;

export function gauges(wiring: Wiring, process: Process, rest: boolean): Gauge[] {
  const { runtime, users, chats } = wiring;
  const found: Gauge[] = [];
  const gauge = (name: string, value: number, most: number): void => void found.push({ name, value, most });
  const stats = runtime.stats();
  for (const [kind, alive] of Object.entries(stats.cells)) {
    gauge(`cells of ${kind}`, alive, rest ? (STANDING[kind] ?? LIMITS.cells) : LIMITS.cells);
  }
  gauge('messages queued', stats.queued, rest ? 0 : LIMITS.cells);
  gauge('faults', stats.faults, 0);
  for (const pool of [users, ...chats]) {
    let most = 0;
    for (const [, ref] of pool.entries()) most = Math.max(most, runtime.inspect(ref)?.messages ?? 0);
    const bound = (pool === users ? LIMITS.userMailbox : LIMITS.conversationMailbox) + LIMITS.admitted;
    gauge(`longest mailbox of ${pool === users ? 'users' : 'chats'}`, most, bound);
  }
  gauge('appends queued', wiring.log.stats().queued, rest ? 0 : LIMITS.shards * LIMITS.shardQueue);
  if (rest) {
    gauge('connections', wiring.acceptor.size, 0);
    // Each chat that a sweep woke has one, and the sweeper some of its own.
    // Beats, looks, links, and requests to the store.
    const { member } = wiring;
    const membership = member === null ? 0 : MEMBER_TIMERS + LINK_TIMERS * member.cluster.members.length;
    const awake = chats.reduce((sum, { size }) => sum + size, 0);
    if (member !== null) {
      const { far, exported } = member.router.stats();
      gauge('connections of other nodes', far, 0);
      gauge('connections that other nodes know', exported, 0);
    }
    gauge('timers', stats.timers, 4 + awake);
    gauge('timers of the process', process.timers, 4 + awake + membership);
  }
  return found;
}
