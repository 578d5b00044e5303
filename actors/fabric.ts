// Owns the list of what a node gives its actors: store, log, directories, verifier, settings.
// Invariant: actors reach everything outside themselves through this or their context, so simulation can supply it.
// Must not: hold behaviour or reach the machine.

import type { Log } from '../storage/log.js';
import type { Store } from '../storage/store.js';
import type { Allowances, Quotas } from './allowances.js';
import type { Delivery as Told } from './behaviour.js';
import type { Board } from './board.js';
import { shrunk } from './buggify.js';
import type { Latency } from './latency.js';
import type { ChatMessage, UserMessage } from './messages.js';
import type { Online } from './online.js';
import type { ReadLine } from './read-line.js';
import type { Ref } from './ref.js';
import type { Retention, SweepPace } from './retention.js';
import type { Watches } from './watches.js';
import type { World } from './world.js';

/** Actors by key, made on demand (supervisors/pool.ts). */
export interface Directory<M> {
  /** Activates the actor if need be. `busy`: mailbox full or backing off after a crash. `dead`: quarantined. */
  tell(key: string, message: M): Told;
  /** The live actor, if there is one; activates nothing. */
  lookup(key: string): Ref<M> | undefined;
}

/** What a simulation may make of it. */
const SHORT_REST_MS = 20;

export type Verdict =
  /** `issued` and `expires` in wall ms; `issued` 0: the token does not say. */
  | {
      readonly ok: true;
      readonly user: string;
      readonly device: string;
      readonly issued: number;
      readonly expires: number;
    }
  /** `unavailable`: keys cannot be had now; the same token may be good later. */
  | { readonly ok: false; readonly code: 'bad_token' | 'token_expired' | 'unavailable'; readonly detail: string };

export interface Settings {
  /** Members up to which each message writes a row per member. */
  readonly fanOutThreshold: number;
  /** ms of idleness before a conversation or user leaves memory. */
  readonly passivateMs: number;
  /** How long entries are kept. */
  readonly retention: Retention;
  readonly sweep: SweepPace;
  /** What clients may do how often. */
  readonly quotas: Quotas;
}

/** Where chats say that there is something to sweep (sweeper.ts). */
export interface SweepDesk {
  /** In `ms`, or later. False: it takes no more; the scan will find the chat. */
  due(chat: string, ms: number): boolean;
}

export interface Fabric {
  readonly node: string;
  readonly world: World;
  readonly store: Store;
  /** The store, for what clients wait for: one read after the other, and other work in between. */
  readonly reader: ReadLine;
  readonly log: Log;
  /** Conversations and groups, by hex of the chat id. */
  readonly chats: Directory<ChatMessage>;
  /** Users by user id. Live while a device is connected or watched. */
  readonly users: Directory<UserMessage>;
  readonly sweeper: SweepDesk;
  /** The chat's actor lives here, or would. */
  owns(chat: string): boolean;
  /**
   * Stands for what this node has heard from the users' actors: another number where something that they told may have been lost since;
   * -1 while one of them is out of reach.
   */
  heard(users: readonly string[]): number;
  readonly online: Online;
  readonly watches: Watches;
  /** Null: user actors tell presence themselves. */
  readonly board: Board | null;
  readonly settings: Settings;
  readonly allowances: Allowances;
  readonly latency: Latency;
  verify(token: string): Promise<Verdict>;
  /** Told of failures that no caller waits for. Never with bodies, tokens or keys. */
  report(event: string, fields: Readonly<Record<string, string | number>>): void;
}

/** ms of idleness after which an actor looks whether it may leave memory. */
export function restMs({ world, settings }: Pick<Fabric, 'world' | 'settings'>): number {
  return shrunk(world, 'passivate', settings.passivateMs, SHORT_REST_MS);
}
