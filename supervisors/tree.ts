// Owns the supervision tree of a node, top-down.
// Invariant: what stands lower in a list depends on what stands above it, so a failure restarts itself and what follows
// (rest_for_one), and the node stops from the bottom up: first the door, last the store.
// Must not: build the parts; it is given them.
//
//   node (rest_for_one)
//   ├─ store            the engine, and the log of a node that is alone
//   ├─ members (rest_for_one), where there are several nodes; else only its actors
//   │  ├─ links         with the other nodes
//   │  ├─ membership    one life as a member, with its shards and their log: out of it, what follows begins anew
//   │  └─ actors (one_for_one)
//   │     ├─ users         pool by user id
//   │     ├─ conversations pool by chat id
//   │     ├─ groups        pool by chat id
//   │     └─ sweeper       whose turn it is to be swept
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
  /** Null: the node is alone. */
  readonly members: { readonly links: () => Service; readonly membership: () => Service } | null;
  readonly users: Pool<UserMessage>;
  readonly conversations: Pool<ChatMessage>;
  readonly groups: Pool<ChatMessage>;
  readonly sweeper: ChildSpec;
  readonly connections: () => Service;
  readonly listener: () => Service;
}

export function nodeTree({
  store,
  members,
  users,
  conversations,
  groups,
  sweeper,
  connections,
  listener,
}: NodeParts): ChildSpec {
  const pools = [users.child(), conversations.child(), groups.child(), sweeper];
  const actors = supervisor('actors', { strategy: 'one_for_one' }, pools);
  return supervisor('node', { strategy: 'rest_for_one', intensity: { restarts: 3, within: 30_000 } }, [
    service('store', store, { shutdown: LIMITS.storeStopMs }),
    members === null
      ? actors
      : supervisor('members', { strategy: 'rest_for_one', intensity: { restarts: 5, within: 30_000 } }, [
          service('links', members.links),
          service('membership', members.membership, { shutdown: LIMITS.leaveMs + LIMITS.childStopMs }),
          actors,
        ]),
    supervisor('door', { strategy: 'rest_for_one' }, [
      service('connections', connections),
      service('listener', listener, { shutdown: LIMITS.drainMs + LIMITS.lingerMs }),
    ]),
  ]);
}
