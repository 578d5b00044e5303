// Owns what a runtime must know of an actor that is not its own: that it can be told, and that its end can be heard of.
// Invariant: like any ref it stands for one incarnation; whoever monitors it hears of its end, or of not being able to hear any
// more (`noconnection`), exactly once.
// Must not: know how messages get there (cluster/), or be asked or linked: an answer comes as a message of its own.

import type { Delivery } from './behaviour.js';
import type { Ref } from './ref.js';
import type { Watchers } from './watchers.js';

export abstract class Outsider<M> implements Ref<M> {
  abstract readonly kind: string;
  abstract readonly key: string;
  abstract readonly incarnation: number;
  abstract readonly alive: boolean;

  abstract tell(message: M): Delivery;

  /** Where a monitor of it waits; null: it has ended. */
  abstract watchable(): Watchers | null;
}
