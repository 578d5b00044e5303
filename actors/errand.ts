// Owns the long ways of one user's actor: through all chats of the user, a few at a time, at a pace that disturbs nobody.
// Invariant: one errand at a time, each from the first chat to the last; a step that could not be done is done again.
// Must not: promise anything: with its actor an errand is gone, and whoever needs its end keeps that on record.

import { chatOfInbox, inboxRange } from '../storage/keys.js';
import { decodeInbox, type Inbox } from '../storage/rows.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import type { UserContext } from './user.js';

/** What is to be done in every chat of a user. */
export interface Errand {
  /** Two of one name are one. */
  readonly name: string;
  /** Finds out what is to be done in one chat; the returned act does it, or answers false: not now. Null: nothing. */
  visit(chat: Uint8Array, inbox: Inbox): Promise<(() => boolean) | null> | null;
  /** It has been everywhere. */
  end(context: UserContext): void;
}

/** What one step found to do, and where it came to. */
export interface Stage {
  readonly acts: readonly (() => boolean)[];
  readonly after: Uint8Array | null;
  readonly more: boolean;
}

export class Errands {
  readonly #fabric: Fabric;
  readonly #user: string;
  readonly #waiting: Errand[] = [];
  #current: Errand | null = null;
  #after: Uint8Array | null = null;

  constructor(fabric: Fabric, user: string) {
    this.#fabric = fabric;
    this.#user = user;
  }

  get idle(): boolean {
    return this.#current === null;
  }

  has(name: string): boolean {
    return this.#current?.name === name || this.#waiting.some((errand) => errand.name === name);
  }

  /** One that waits already is not added; one that is on its way begins once more after its end. */
  add(errand: Errand, context: UserContext): void {
    if (this.#waiting.some(({ name }) => name === errand.name)) return;
    this.#waiting.push(errand);
    if (this.#current === null) this.#next(context);
  }

  #next(context: UserContext): void {
    this.#current = this.#waiting.shift() ?? null;
    this.#after = null;
    if (this.#current !== null) this.step(context);
  }

  /** Looks at the next chats. */
  step(context: UserContext): void {
    const errand = this.#current;
    if (errand === null) return;
    const done = context.completion({ type: 'stage' });
    this.#look(errand, this.#after).then(done, () => done(null));
  }

  async #look(errand: Errand, from: Uint8Array | null): Promise<Stage> {
    const page = await this.#fabric.store.range({ ...inboxRange(this.#user, from), limit: LIMITS.errandChats });
    const acts: (() => boolean)[] = [];
    let after = from;
    for (const { key, value } of page.rows) {
      after = chatOfInbox(key);
      const act = await errand.visit(after, decodeInbox(value));
      if (act !== null) acts.push(act);
    }
    return { acts, after, more: page.more };
  }

  /** `null`: the store could not be read. */
  stage(stage: Stage | null, context: UserContext): void {
    const errand = this.#current;
    if (errand === null) return;
    // Not `every`: one that cannot be done holds up no other.
    const undone = stage === null || stage.acts.filter((act) => !act()).length > 0;
    if (!undone) this.#after = stage.after;
    if (undone || stage.more) return void context.after(LIMITS.errandMs, { type: 'errand' });
    errand.end(context);
    this.#next(context);
  }
}
