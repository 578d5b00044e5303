// Owns when what was refused for now is sent again: the pauses of one chat and of the whole outbox.
// Invariant: never before the server's `after`; the refused of one overload do not come back together.
// Must not: know messages.

import { CODES } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';

export class Pace {
  readonly #world: World;
  readonly #over: () => void;
  #cancel: (() => void) | undefined;

  /** `over`: a pause of the whole outbox has ended. */
  constructor(world: World, over: () => void) {
    this.#world = world;
    this.#over = over;
  }

  /** Nothing may be sent. */
  get paused(): boolean {
    return this.#cancel !== undefined;
  }

  /** ms that a chat waits whose message was refused for the `attempts`th time: full jitter over the refusal's own pause. */
  backOff(attempts: number, after: number): number {
    const spread = Math.max(after, CODES.busy.after) * 2 ** Math.min(attempts - 1, 8);
    return after + this.#world.random() * Math.min(spread, LIMITS.clientBackoffCapMs);
  }

  /**
   * The device sends too often, whatever the chat: all of it pauses. Answers the ms that this chat waits beyond: a long pause
   * is that of new chats, and the others go on before.
   */
  slowDown(after: number): number {
    // Not at the first token: some gather meanwhile, and go out together.
    const gather = this.#world.random() * CODES.busy.after;
    this.#cancel ??= this.#world.timer(Math.min(after, CODES.rate_limited.after) + gather, () => {
      this.#cancel = undefined;
      this.#over();
    });
    return after > CODES.rate_limited.after ? after + gather : 0;
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
