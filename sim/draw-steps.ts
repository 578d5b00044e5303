// Owns the verbs of a history: what one step of each kind looks like, drawn for the people and chats that there are.
// Invariant: a step is drawn from its own stream of luck; what it refers to may not exist when its time comes.
// Must not: choose times or how often (draw.ts does).

import type { Act, Cast } from './draw-cast.js';
import type { Hostile } from './plan.js';
import type { Random } from './random.js';
import type { DeviceName } from './record.js';

type Draw = (random: Random, cast: Cast, device: DeviceName, chat: string, count: number) => Act;

const SIZES = [0, 0, 0, 60, 300, 2_000, 20_000];
const KINDS: readonly Hostile[] = ['noise', 'nonsense', 'overrun', 'glutton', 'knocking', 'boaster', 'boaster'];

/** What applications do in a chat, with how often of a hundred where it is on at all. */
export const DEEDS: Readonly<Record<string, readonly [weight: number, draw: Draw]>> = {
  send: [
    100,
    (random, _cast, device, chat, count) => ({
      do: 'send',
      device,
      chat,
      body: `${device}#${count};`,
      size: random.pick(SIZES),
    }),
  ],
  read: [20, (random, _cast, device, chat) => ({ do: 'read', device, chat, pick: random() })],
  typing: [8, (random, _cast, device, chat) => ({ do: 'typing', device, chat, on: random.chance(0.8) })],
  watch: [8, (random, _cast, device, chat) => ({ do: 'watch', device, chat, on: random.chance(0.85) })],
  add: [12, (random, cast, device, chat) => ({ do: 'add', device, chat, users: some(random, cast) })],
  remove: [10, (random, cast, device, chat) => ({ do: 'remove', device, chat, users: [somebody(random, cast)] })],
  leave: [4, (_random, _cast, device, chat) => ({ do: 'leave', device, chat })],
  promote: [6, (random, cast, device, chat) => ({ do: 'promote', device, chat, users: [somebody(random, cast)] })],
  demote: [3, (random, cast, device, chat) => ({ do: 'demote', device, chat, users: [somebody(random, cast)] })],
  pass_ownership: [
    3,
    (random, cast, device, chat) => ({ do: 'pass_ownership', device, chat, users: [somebody(random, cast)] }),
  ],
  rename: [4, (random, _cast, device, chat) => ({ do: 'rename', device, chat, title: `t${random.between(1, 9)}` })],
  announce: [3, (random, _cast, device, chat) => ({ do: 'announce', device, chat, value: random.between(0, 1) })],
  invite: [6, (random, _cast, device, chat) => ({ do: 'invite', device, chat, value: random.pick([0, 1, 1, 2]) })],
  join: [10, (_random, _cast, device, chat) => ({ do: 'join', device, chat })],
  decline: [2, (random, cast, device, chat) => ({ do: 'decline', device, chat, users: [somebody(random, cast)] })],
  delete_for_all: [8, (random, _cast, device, chat) => ({ do: 'delete_for_all', device, chat, pick: random() })],
  delete_for_me: [6, (random, _cast, device, chat) => ({ do: 'delete_for_me', device, chat, pick: random() })],
  clear: [3, (_random, _cast, device, chat) => ({ do: 'clear', device, chat })],
  expiry: [2, (random, _cast, device, chat) => ({ do: 'expiry', device, chat, value: random.pick([2, 10, 60, 0]) })],
  history: [5, (_random, _cast, device, chat) => ({ do: 'history', device, chat })],
  info: [5, (_random, _cast, device, chat) => ({ do: 'info', device, chat })],
  receipts: [4, (random, _cast, device, chat) => ({ do: 'receipts', device, chat, pick: random() })],
  pin: [3, (random, _cast, device, chat) => ({ do: 'pin', device, chat, value: random.between(0, 1) })],
  archive: [3, (random, _cast, device, chat) => ({ do: 'archive', device, chat, value: random.between(0, 1) })],
  mark_unread: [3, (random, _cast, device, chat) => ({ do: 'mark_unread', device, chat, value: random.between(0, 1) })],
  mute: [
    2,
    (random, _cast, device, chat) => ({ do: 'mute', device, chat, value: random.pick([0, 2_000_000_000_000]) }),
  ],
  block: [4, (random, cast, device) => ({ do: 'block', device, user: somebody(random, cast) })],
  unblock: [6, (random, cast, device) => ({ do: 'unblock', device, user: somebody(random, cast) })],
  privacy: [3, (random, _cast, device) => ({ do: 'privacy', device, value: random.between(0, 2) })],
  profile: [2, (random, _cast, device) => ({ do: 'profile', device, title: `p${random.between(1, 9)}` })],
  remove_device: [2, (random, cast, device) => ({ do: 'remove_device', device, which: sibling(random, cast, device) })],
  chats: [4, (_random, _cast, device) => ({ do: 'chats', device })],
  devices: [2, (_random, _cast, device) => ({ do: 'devices', device })],
};

/** What goes wrong. Times are such that a history has several, and an end. */
export const TROUBLES: Readonly<Record<string, readonly [weight: number, draw: Draw]>> = {
  kill: [10, (random, _cast, device) => ({ do: 'kill', device, keep: keep(random) })],
  close: [6, (_random, _cast, device) => ({ do: 'close', device })],
  offline: [10, (random, _cast, device) => ({ do: 'offline', device, ms: random.pick([30, 700, 6_000, 40_000]) })],
  cut: [14, (random, _cast, device) => ({ do: 'cut', device, after: random.chance(0.4) ? 0 : random.between(1, 600) })],
  half_open: [
    8,
    (random, _cast, device) => ({ do: 'half_open', device, told: random.pick(['client', 'client', 'node', 'nobody']) }),
  ],
  stop_reading: [6, (random, _cast, device) => ({ do: 'stop_reading', device, ms: random.pick([50, 900, 8_000]) })],
  slow_link: [
    6,
    (random, _cast, device) => ({
      do: 'slow_link',
      device,
      ms: random.pick([300, 3_000]),
      latency: random.pick([80, 900]),
    }),
  ],
  client_store_fails: [
    3,
    (random, _cast, device) => ({ do: 'client_store_fails', device, ms: random.pick([40, 1_500]) }),
  ],
  takeover: [4, (_random, _cast, device) => ({ do: 'takeover', device })],
  crash_node: [10, (random) => ({ do: 'crash_node', keep: keep(random), ms: random.pick([0, 20, 900]) })],
  crash_at: [
    16,
    (random) => ({
      do: 'crash_at',
      event: random.pick(['flush', 'commit', 'out']),
      count: random.between(1, 4),
      keep: keep(random),
      ms: random.pick([0, 20, 900]),
    }),
  ],
  stop_node: [4, (random) => ({ do: 'stop_node', ms: random.pick([0, 500]) })],
  freeze_node: [5, (random) => ({ do: 'freeze_node', ms: random.pick([20, 300, 4_000, 70_000]) })],
  stall_disk: [6, (random) => ({ do: 'stall_disk', ms: random.pick([10, 400, 5_000]) })],
  fill_disk: [3, (random) => ({ do: 'fill_disk', ms: random.pick([50, 1_500]) })],
  break_disk: [4, (random) => ({ do: 'break_disk', ms: random.pick([50, 1_500]) })],
  fail_commits: [
    8,
    (random) => ({
      do: 'fail_commits',
      fault: random.pick([
        'conflict',
        'unknown_applied',
        'unknown_applied',
        'unknown_dropped',
        'unknown_dropped',
        'store_unavailable',
      ]),
      count: random.between(1, 3),
    }),
  ],
  jump_clock: [2, (random) => ({ do: 'jump_clock', ms: random.pick([-5_000, -50, 200, 100_000]) })],
  hostile: [
    3,
    (random, cast) => ({
      do: 'hostile',
      kind: random.pick(KINDS),
      user: somebody(random, cast),
      count: random.between(1, 40),
    }),
  ],
};

function keep(random: Random): number {
  return random.pick([0, 0, 1, random()]);
}

function somebody(random: Random, { users }: Cast): string {
  return random.pick(users).user;
}

function some(random: Random, cast: Cast): string[] {
  return [...new Set([somebody(random, cast), ...(random.chance(0.3) ? [somebody(random, cast)] : [])])];
}

/** Mostly another one of the same user. */
function sibling(random: Random, { users }: Cast, device: DeviceName): DeviceName {
  const own = users.find(({ devices }) => devices.includes(device))?.devices ?? [device];
  return random.pick(own);
}
