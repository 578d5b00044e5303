// Owns when what devices say of their positions is written: at once in small chats; in large groups the first at once,
// then what has gathered, at most once in LIMITS.cursorMs.
// Invariant: a position is written in the end, also one that came while the chat could not be read, went down with a failed
// append, or is ahead of what the chat knows to be durable: an append's answer may be late, and who reads the store was faster.
// Must not: write or tell anything itself.

import type { ChatContext } from './chat-rules.js';
import type { DevicePosition } from './cursor.js';
import { LIMITS } from './limits.js';
import type { Roster } from './roster.js';
import type { Sequencer } from './sequencer.js';

/** Every device that a chat knows: beyond are such as are no members', and nobody knows yet who is. */
const HELD = LIMITS.members * (LIMITS.devices + 2) + LIMITS.conversationInFlight;

const nothing: readonly DevicePosition[] = [];

export class CursorPace {
  /** What goes on top of the state that is read next, or of the append in flight, by device. */
  #held = new Map<string, DevicePosition>();
  /** A timer is set: until then positions of a large group gather. */
  #gathering = false;

  /** A device's position. True: something is to be written now. `sequencer`: null while the chat is being read. */
  take(position: DevicePosition, roster: Roster | null, sequencer: Sequencer | null, context: ChatContext): boolean {
    if (sequencer === null) {
      this.#hold(position);
      return false;
    }
    const { user, device, delivered, read } = position;
    // Cut to the head it would be lost; what is claimed of entries that never were is cut when they are not there either.
    if (sequencer.inFlight && Math.max(delivered, read) > sequencer.head) this.#hold(position);
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

  /** Nothing waits for the state to be read, or for the append in flight. */
  get none(): boolean {
    return this.#held.size === 0;
  }

  /** Positions that a failed append took with it. */
  hold(lost: readonly DevicePosition[]): void {
    for (const position of lost) this.#hold(position);
  }

  /** What was held, to be taken again. */
  release(): readonly DevicePosition[] {
    if (this.none) return nothing;
    const held = [...this.#held.values()];
    this.#held.clear();
    return held;
  }

  #hold(position: DevicePosition): void {
    const { user, device, delivered, read } = position;
    const key = `${user}\n${device}`;
    const known = this.#held.get(key);
    if (known !== undefined) {
      const most = { user, device, delivered: Math.max(known.delivered, delivered), read: Math.max(known.read, read) };
      this.#held.set(key, most);
    } else if (this.#held.size < HELD) this.#held.set(key, position);
  }
}
