// Owns a wire from its opening: the greeting first, then the session that came of it.
// Invariant: until both sides have proved themselves, nothing but the greeting is read, in frames of a few hundred bytes and within a time.
// Must not: decide who is let in; `judge` does.

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import type { Step } from './link-greeting.js';
import type { Session } from './link-session.js';
import type { End, Wire, WireHandler } from './net.js';

type Greeted = Extract<Step, { type: 'proved' | 'welcome' }>;

/** Who owns lines. */
export interface LineOwner {
  /** The other side has proved itself: a session begins, or why not. */
  judge(line: Line, step: Greeted): Session | End;
  /** Told after the line has its session. */
  begun(session: Session): void;
  /** No session came of it. */
  failed(line: Line, end: End): void;
}

export class Line implements WireHandler {
  /** Set right after the line was made. */
  wire: Wire | undefined;
  readonly #owner: LineOwner;
  readonly #greeting: { message(bytes: Uint8Array): Step };
  readonly #first: Uint8Array | undefined;
  #session: Session | undefined;
  #patience: (() => void) | undefined;

  /** `first` is sent when the wire stands. */
  constructor(world: World, owner: LineOwner, greeting: { message(bytes: Uint8Array): Step }, first?: Uint8Array) {
    this.#owner = owner;
    this.#greeting = greeting;
    this.#first = first;
    this.#patience = world.timer(LIMITS.linkGreetingMs, () => this.end('silent'));
  }

  opened(): void {
    if (this.#first !== undefined) this.wire?.send(this.#first);
  }

  message(bytes: Uint8Array): void {
    if (this.#session !== undefined) this.#session.message(bytes);
    else if (bytes.length > LIMITS.linkGreeting) this.end('frame');
    else this.#step(this.#greeting.message(bytes));
  }

  closed(end: End): void {
    if (this.#session !== undefined) this.#session.closed(end);
    else this.#fail(end);
  }

  /** Gives up the greeting. Whoever has a session ends that. */
  end(end: End): void {
    if (this.#session !== undefined || this.#patience === undefined) return;
    this.wire?.close(end);
    this.#fail(end);
  }

  #step(step: Step): void {
    if (step.type === 'wait') this.wire?.send(step.reply);
    else if (step.type === 'refused') this.end(step.end);
    else {
      const verdict = this.#owner.judge(this, step);
      if (typeof verdict === 'string') {
        this.end(verdict);
        return;
      }
      this.#patience?.();
      this.#patience = undefined;
      this.#session = verdict;
      if (step.type === 'proved') this.wire?.send(step.reply);
      this.#owner.begun(verdict);
    }
  }

  #fail(end: End): void {
    if (this.#patience === undefined) return;
    this.#patience();
    this.#patience = undefined;
    this.#owner.failed(this, end);
  }
}
