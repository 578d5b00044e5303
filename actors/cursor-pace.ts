// Owns when what devices say of their positions is written: at once in small chats; in large groups the first at once,
// then what has gathered, at most once in LIMITS.cursorMs.
// Invariant: a position is written in the end, also one that came while the chat could not be read or went down with a
// failed append.
// Must not: write or tell anything itself.

import type { ChatContext } from './chat-rules.js';
import type { DevicePosition } from './cursor.js';
import { LIMITS } from './limits.js';
import type { Roster } from './roster.js';
import type { Sequencer } from './sequencer.js';

export class CursorPace {
  /** What goes on top of the state that is read next. */
  #held: DevicePosition[] = [];
  /** A timer is set: until then positions of a large group gather. */
  #gathering = false;

  /** A device's position. True: something is to be written now. `sequencer`: null while the chat is being read. */
  take(position: DevicePosition, roster: Roster | null, sequencer: Sequencer | null, context: ChatContext): boolean {
    if (sequencer === null) {
      // Beyond the bound it is dropped: its client says it again with its next ACK or SYNC.
      if (this.#held.length < LIMITS.conversationInFlight) this.#held.push(position);
      return false;
    }
    const { user, device, delivered, read } = position;
    if (roster?.cursor(user, device, delivered, read, sequencer.head) !== true) return false;
    return !roster.large || (!this.#gathering && this.due(roster, context));
  }

  /** A large group has another title, which its members' rows get at the same pace. True: they are to be written now. */
  rename(roster: Roster, context: ChatContext): boolean {
    return roster.renamed && !this.#gathering && this.due(roster, context);
  }

  /** The time is over. True: something is to be written now. */
  due(roster: Roster | null, context: ChatContext): boolean {
    this.#gathering = roster?.ripen() === true;
    if (this.#gathering) context.after(LIMITS.cursorMs, { type: 'cursors' });
    return this.#gathering;
  }

  /** Positions that a failed append took with it. */
  hold(lost: readonly DevicePosition[]): void {
    this.#held = [...lost];
  }

  /** What was held, to be taken again. */
  release(): readonly DevicePosition[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }
}
