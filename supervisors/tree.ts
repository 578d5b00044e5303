// Owns the supervision tree of a node, top-down.
// Invariant: what stands lower in a list depends on what stands above it, so a failure restarts itself and what follows
// (rest_for_one), and the node stops from the bottom up: first the door, last the store.
// Must not: build the parts; it is given them.
//
//   node (rest_for_one)
//   ├─ store            the engine, and the log with its shards
//   ├─ actors (one_for_one)
//   │  ├─ users         pool by user id
//   │  ├─ conversations pool by chat id
//   │  ├─ groups        pool by chat id
//   │  └─ sweeper       whose turn it is to be swept
//   └─ door (rest_for_one)
//      ├─ connections   one actor per socket; never restarted: the client reconnects
//      └─ listener      WebSocket and HTTP

import { LIMITS } from '../actors/limits.js';
import type { ChatMessage, UserMessage } from '../actors/messages.js';
import type { Pool } from './pool.js';
import type { ChildSpec } from './spec.js';
import { supervisor } from './supervisor.js';
import { type Service, service } from './worker.js';

export interface NodeParts {
  readonly store: () => Service;
  readonly users: Pool<UserMessage>;
  readonly conversations: Pool<ChatMessage>;
  readonly groups: Pool<ChatMessage>;
  readonly sweeper: ChildSpec;
  readonly connections: () => Service;
  readonly listener: () => Service;
}

export function nodeTree({
  store,
  users,
  conversations,
  groups,
  sweeper,
  connections,
  listener,
}: NodeParts): ChildSpec {
  return supervisor('node', { strategy: 'rest_for_one', intensity: { restarts: 3, within: 30_000 } }, [
    service('store', store, { shutdown: LIMITS.storeStopMs }),
    supervisor('actors', { strategy: 'one_for_one' }, [users.child(), conversations.child(), groups.child(), sweeper]),
    supervisor('door', { strategy: 'rest_for_one' }, [
      service('connections', connections),
      service('listener', listener, { shutdown: LIMITS.drainMs + LIMITS.lingerMs }),
    ]),
  ]);
}
