// Owns what is drawn apart from a history's other steps: bursts of messages, and chats whose actors are ended while an append of
// theirs is on its way.
// Invariant: from streams of their own, so a history without them is what it would be; half of them come at the very end, where
// nothing follows that would repair what they leave.
// Must not: draw anything else.

import { add, type Cast, chatOf } from './draw-cast.js';
import type { Options, Step } from './plan.js';
import { type Random, stream } from './random.js';

/** Shares of histories that have bursts, and actors that end. */
const BURSTS = 0.4;
const ENDS = 0.3;

/** Where a burst comes, it shall often meet a disk that lets it gather and a client that lets it go. */
export function optionsFor(options: Options, seed: number): Options {
  if (!stream(seed, 'burst').chance(BURSTS) || stream(seed, 'burst options').chance(0.4)) return options;
  return { ...options, pipeline: 16, flush: [20, 60] };
}

/** `end`: virtual ms of the last step. */
export function extras(steps: Step[], cast: Cast, seed: number, end: number): void {
  const burst = stream(seed, 'burst');
  if (burst.chance(BURSTS)) for (let n = burst.between(1, 2); n > 0; n -= 1) addBurst(steps, cast, burst, n, end);
  const ends = stream(seed, 'ends');
  if (ends.chance(ENDS)) for (let n = ends.between(1, 3); n > 0; n -= 1) addEnd(steps, cast, ends, n, end);
}

function addBurst(steps: Step[], cast: Cast, luck: Random, n: number, end: number): void {
  const at = when(luck, end);
  const devices = luck.chance(0.5) ? [luck.pick(cast.devices)] : cast.devices;
  const chat = chatOf(cast, luck.pick(devices), luck);
  for (let message = luck.between(10, 60); message > 0; message -= 1) {
    const device = luck.pick(devices);
    add(steps, at, { do: 'send', device, chat: chatFor(chat, device), body: `${device}#${n}0${message};`, size: 0 });
  }
}

/** A direct chat belongs to its two users alone; anybody else's message goes to one of them. */
function chatFor(chat: string, device: string): string {
  const user = device.split('.')[0]!;
  const [kind, ...users] = chat.split(':');
  return kind !== 'direct' || users.includes(user) ? chat : `direct:${[user, users[0]!].sort().join(':')}`;
}

/** Somebody sends, and the chat's actor ends when that is on its way to the disk. */
function addEnd(steps: Step[], cast: Cast, luck: Random, n: number, end: number): void {
  const at = when(luck, end);
  const device = luck.pick(cast.devices);
  const event = luck.pick(['commit', 'commit', 'flush', 'out'] as const);
  add(steps, at, { do: 'end_chats', event, count: luck.between(1, 2) });
  add(steps, at, { do: 'send', device, chat: chatOf(cast, device, luck), body: `${device}#${n}000;`, size: 0 });
}

function when(luck: Random, end: number): number {
  return luck.chance(0.5) ? end : luck.between(0, end);
}
