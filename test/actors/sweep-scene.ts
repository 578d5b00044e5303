// Owns what tests of sweeping share: a chat of ada and bob on a manual clock, their devices, and a look into its log.
// Invariant: what is said of the log is read from the store.
// Must not: hold tests.

import assert from 'node:assert/strict';
import { LIMITS } from '../../actors/limits.js';
import type { ConnectionMessage, UserMessage } from '../../actors/messages.js';
import type { Retention } from '../../actors/retention.js';
import { encodeDevice } from '../../storage/account-rows.js';
import { deviceKey, messageKey, seqOf, sweepKey } from '../../storage/keys.js';
import { decodeSweep } from '../../storage/sweep-row.js';
import { OP, T } from '../../transport/frames.js';
import { decodeRow } from '../../transport/row.js';
import { answers, ChatScene, DIRECT, DIRECT_KEY, type Ear } from './chat-scene.js';

export const DAY = 86_400_000;
export const PACE = { restMs: 100, tickMs: 10, scanMs: 50, roundMs: 200 };
/** ms in which everything that is due is swept. */
export const DUE = 300;
export const UNTIL: Retention = { type: 'until-delivered' };

export async function open(retention: Retention = UNTIL, passivateMs: number = LIMITS.passivateMs): Promise<ChatScene> {
  return ChatScene.open({ retention, sweep: PACE, passivateMs });
}

export async function device(scene: ChatScene, user: string, name: string, removed = false): Promise<void> {
  const value = encodeDevice({ first: 1, last: 1, removed, lingers: false, barred: 0, name: '' });
  const done = scene.memory.commit({ checks: [], writes: [{ key: deviceKey(user, name), value }] });
  await scene.settle();
  assert.equal((await done).outcome, 'committed');
}

export function ack(scene: ChatScene, user: string, seq: number, device = '1', key = DIRECT_KEY): void {
  scene.fabric.chats.tell(key, { type: 'cursor', user, device, delivered: seq, read: 0 });
}

/** What is stored: `seq` of messages, `seq#op` of events. */
export async function log(scene: ChatScene, chat: Uint8Array = DIRECT): Promise<string[]> {
  const range = { start: messageKey(chat, 0), end: messageKey(chat, 2 ** 48 - 1), limit: 10_000 };
  const { rows } = await scene.memory.range(range);
  return rows.map(({ key, value }) => {
    const row = decodeRow(value);
    return row.type === T.MESSAGE
      ? `${seqOf(key)}`
      : `${seqOf(key)}#${row.op}${row.args.length > 0 ? ` ${row.args}` : ''}`;
  });
}

export async function swept(scene: ChatScene, chat: Uint8Array = DIRECT): Promise<number> {
  return decodeSweep(await scene.memory.get(sweepKey(chat))).swept;
}

/** Ends the chat's actor, as a crash would. */
export async function kill(scene: ChatScene, key = DIRECT_KEY): Promise<void> {
  const chat = scene.chats.get(key);
  if (chat?.alive === true) scene.runtime.exit(chat, { type: 'killed' });
  await scene.settle();
}

/** Ids of `count` sends, a ms apart. */
export async function say(
  scene: ChatScene,
  from: Ear<ConnectionMessage>,
  count: number,
  user = 'ada',
): Promise<Uint8Array[]> {
  const ids: Uint8Array[] = [];
  for (let i = 0; i < count; i += 1) {
    scene.world.time += 1;
    ids.push(scene.id());
    scene.send(from.ref, { id: ids[i]!, user });
  }
  await scene.settle();
  return ids;
}

/** The number or code that a repeated send is answered. */
export async function repeat(scene: ChatScene, id: Uint8Array, user = 'ada'): Promise<number | string> {
  const again = scene.connection();
  scene.send(again.ref, { id, user });
  await scene.settle();
  const [answer] = answers(again);
  assert(answer !== undefined);
  return 'seq' in answer ? answer.seq : answer.code;
}

export function expired(user: Ear<UserMessage>): { seq: number; from: string; range: unknown }[] {
  return user.heard.flatMap((news) => {
    if (news.type !== 'delivery') return [];
    return news.entries.flatMap(({ from, row: bytes }, at) => {
      const row = decodeRow(bytes);
      return row.type === T.EVENT && row.op === OP.expired ? [{ seq: news.seq + at, from, range: row.args }] : [];
    });
  });
}

export async function pair(retention: Retention = UNTIL, passivateMs?: number) {
  const scene = await open(retention, passivateMs);
  await device(scene, 'ada', '1');
  await device(scene, 'bob', '1');
  return { scene, ada: scene.connection(), bob: scene.user('bob') };
}
