// Owns what stands for actors of other nodes: connections, by their number, and chats and users, by their key.
// Invariant: one object for a connection as long as its session lasts, so refs to it compare by identity; whoever monitors it hears
// of its end, or of the session's. One for a chat or user is made each time it is asked for: only its monitors are kept (peer.ts).
// Must not: write to a link, or decide where an actor is.

import type { Delivery, ExitReason } from '../actors/behaviour.js';
import type { ChatMessage, ConnectionMessage, UserMessage } from '../actors/messages.js';
import { Outsider } from '../actors/outsider.js';
import { Watchers } from '../actors/watchers.js';

/** The session behind outsiders. */
export interface Far {
  readonly node: string;
  /** Of the node, in its life. */
  readonly incarnation: number;
  toConnection(connection: FarConnection, message: ConnectionMessage): Delivery;
}

export class FarConnection extends Outsider<ConnectionMessage> {
  readonly kind = 'connection';
  /** Its number at its node. */
  readonly incarnation: number;
  readonly far: Far;
  /** News for it were dropped: its client has to say where it stands. */
  missed = false;
  #watchers: Watchers | null = null;
  #ended = false;

  constructor(far: Far, number: number) {
    super();
    this.far = far;
    this.incarnation = number;
  }

  get key(): string {
    return `${this.far.node}/${this.incarnation}`;
  }

  get alive(): boolean {
    return !this.#ended;
  }

  tell(message: ConnectionMessage): Delivery {
    return this.#ended ? 'dead' : this.far.toConnection(this, message);
  }

  watchable(): Watchers | null {
    if (this.#ended) return null;
    this.#watchers ??= new Watchers();
    return this.#watchers;
  }

  /** Never within a handler. */
  end(reason: ExitReason): void {
    if (this.#ended) return;
    this.#ended = true;
    const watchers = this.#watchers;
    this.#watchers = null;
    watchers?.announce(reason);
  }
}

/** A connection that was named and is not there any more. */
export class NoConnection extends Outsider<ConnectionMessage> {
  readonly kind = 'connection';
  readonly key = '';
  readonly incarnation = 0;
  readonly alive = false;

  tell(): Delivery {
    return 'dead';
  }

  watchable(): null {
    return null;
  }
}

/** Where chats, or users, of other nodes are reached. */
export interface Elsewhere<M> {
  readonly kind: string;
  reachable(key: string): boolean;
  /** Without activation: who is not awake needs no telling. */
  whisper(key: string, message: M): Delivery;
  watchable(key: string): Watchers | null;
}

export class FarActor<M extends ChatMessage | UserMessage> extends Outsider<M> {
  readonly key: string;
  readonly incarnation = 0;
  readonly #place: Elsewhere<M>;

  constructor(place: Elsewhere<M>, key: string) {
    super();
    this.#place = place;
    this.key = key;
  }

  get kind(): string {
    return this.#place.kind;
  }

  get alive(): boolean {
    return this.#place.reachable(this.key);
  }

  tell(message: M): Delivery {
    return this.#place.whisper(this.key, message);
  }

  watchable(): Watchers | null {
    return this.#place.watchable(this.key);
  }
}
