// Owns those who left a chat: their rows as they stood then, and how far they have read since.
// Invariant: a row is written again only when its user has read further, never beyond the end of the user's last stay; it
// moves nothing that members are told, and claims nothing from retention.
// Must not: read the store (chat.ts does, for those who left before the chat woke).

import type { Inbox } from '../storage/rows.js';
import type { DevicePosition } from './cursor.js';
import { LIMITS } from './limits.js';
import { leftAt } from './visibility.js';

export class Departed {
  readonly #inboxes = new Map<string, Inbox>();
  /** Those who have read further than their rows say. */
  readonly #moved = new Set<string>();
  /** Those whose rows the newest commit holds: not durable yet, for all that is known here. */
  #writing: readonly string[] = [];

  /** The user has left, or was found to have left before: `inbox` is the row. */
  add(user: string, inbox: Inbox): void {
    this.#inboxes.set(user, inbox);
    if (this.#inboxes.size > LIMITS.members) this.remove(this.#inboxes.keys().next().value!);
  }

  has(user: string): boolean {
    return this.#inboxes.has(user);
  }

  /** The user comes back, or is forgotten: the row, undefined when it is not known here. */
  remove(user: string): Inbox | undefined {
    const inbox = this.#inboxes.get(user);
    this.#inboxes.delete(user);
    this.#moved.delete(user);
    return inbox;
  }

  /** Who left reads what came before; without it LIST would count it as unread for ever. False: nothing moved. */
  read(user: string, seq: number): boolean {
    const inbox = this.#inboxes.get(user);
    const end = inbox === undefined ? null : leftAt(inbox.spans);
    if (inbox === undefined || end === null || inbox.read >= Math.min(seq, end)) return false;
    inbox.read = Math.min(seq, end);
    inbox.delivered = Math.max(inbox.delivered, inbox.read);
    this.#moved.add(user);
    return true;
  }

  get dirty(): boolean {
    return this.#moved.size > 0;
  }

  /** Up to `most` of those whose rows are to be written, which counts as done. */
  take(most: number): { readonly user: string; readonly inbox: Inbox }[] {
    const rows = [...this.#moved]
      .slice(0, Math.max(0, most))
      .map((user) => ({ user, inbox: this.#inboxes.get(user)! }));
    for (const { user } of rows) this.#moved.delete(user);
    this.#writing = rows.map(({ user }) => user);
    return rows;
  }

  /** How far they have read that the next failure would take with it. */
  cursors(): DevicePosition[] {
    return [...new Set([...this.#moved, ...this.#writing])].flatMap((user) => {
      const { read } = this.#inboxes.get(user) ?? { read: 0 };
      return read === 0 ? [] : [{ user, device: '', delivered: read, read }];
    });
  }
}
