// Owns who takes part in a history, and which chats they have.
// Invariant: plain data, drawn once; steps refer to it by name.
// Must not: draw steps.

import type { Step } from './plan.js';
import type { Random } from './random.js';
import type { DeviceName } from './record.js';

const NAMES = ['ada', 'bob', 'cleo', 'dan', 'eve'];

/** Who and what there is to draw from. */
export interface Cast {
  readonly users: readonly { readonly user: string; readonly devices: readonly DeviceName[] }[];
  readonly devices: readonly DeviceName[];
  /** Chats with those who take part at first. */
  readonly chats: readonly { readonly chat: string; readonly users: readonly string[] }[];
}

/** A step but for its time. */
export type Act = Step extends infer S ? (S extends Step ? Omit<S, 'at'> : never) : never;

export function drawCast(random: Random): Cast {
  const users = NAMES.slice(0, random.between(2, NAMES.length)).map((user) => ({
    user,
    devices: Array.from({ length: random.pick([1, 1, 1, 2, 2, 3]) }, (_, n) => `${user}.${n + 1}`),
  }));
  const names = users.map(({ user }) => user);
  const chats: { chat: string; users: readonly string[] }[] = [];
  for (let n = random.between(0, 2); n > 0; n -= 1) {
    const pair = [random.pick(names), random.pick(names)].sort();
    if (pair[0] !== pair[1]) chats.push({ chat: `direct:${pair.join(':')}`, users: pair });
  }
  for (let n = random.between(chats.length === 0 ? 1 : 0, 2); n > 0; n -= 1) {
    chats.push({ chat: `g${n}`, users: names.filter(() => random.chance(0.7)) });
  }
  return { users, devices: users.flatMap(({ devices }) => devices), chats };
}

/** A chat that this device's user belongs to, mostly. */
export function chatOf({ chats }: Cast, device: string, luck: Random): string {
  const user = device.split('.')[0]!;
  const own = chats.filter(({ users }) => users.includes(user));
  const { chat } = luck.pick(own.length > 0 && luck.chance(0.9) ? own : chats);
  return chat.startsWith('direct:') && !chat.split(':').includes(user)
    ? `direct:${[user, chat.split(':')[1]!].sort().join(':')}`
    : chat;
}

export function add(steps: Step[], at: number, act: Act): void {
  steps.push({ at, ...act } as Step);
}
