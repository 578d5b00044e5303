// Owns the frames inside a batch: arrays that begin with what they are for; a batch is one after the other.
// Invariant: numbers never change meaning, fields are only appended; frames of an unknown number are passed over.
// Must not: know what becomes of them (outbound.ts writes, peer.ts reads).

import type { ExitReason } from '../actors/behaviour.js';
import type { Reader } from '../transport/reader.js';

export const OP = {
  /** key, message: for a chat; it is activated if need be. */
  chat: 1,
  /** key, message: for a user, likewise. */
  user: 2,
  /** keys, message: for users, those of them that are awake. */
  news: 3,
  /** key, message: for a chat, if it is awake. */
  whisper: 4,
  /** numbers, message: for connections of the receiver. */
  connection: 5,
  /** party, key: the sender wants to hear of this actor's end. */
  watch: 6,
  /** party, key, reason: of an actor that was watched. */
  ended: 7,
  /** number: the sender was told of this connection of the receiver by another node, and wants to hear of its end. */
  hold: 8,
  /** number: this connection of the sender's has ended. */
  gone: 9,
  /** party, key, flag: the receiver of this told or watched an actor whose shard is not the sender's; 1: it told it news, which are lost. */
  moved: 10,
  /** shard, flag: news for its users were lost, so all of them have to have their clients say where they stand; 1: the receiver of
   * this said so, and the shard is not the sender's. An earlier build, which says no flag, has taken the duty over. */
  resync: 11,
  /** Whoever reads this was given a shard: time to look. */
  hint: 12,
} as const;

export type Op = (typeof OP)[keyof typeof OP];

export const PARTY = { chat: 0, user: 1 } as const;
export type Party = (typeof PARTY)[keyof typeof PARTY];

export function readParty(reader: Reader): Party {
  return reader.uint() === PARTY.user ? PARTY.user : PARTY.chat;
}

const REASONS = ['normal', 'shutdown', 'killed', 'crash', 'noproc', 'noconnection'] as const;

export function reasonNumber({ type }: ExitReason): number {
  return REASONS.indexOf(type);
}

export function reasonOf(number: number): ExitReason {
  const type = REASONS[number] ?? 'noconnection';
  return type === 'crash' ? { type, error: new Error('crashed on its node') } : { type };
}
