// Owns messages and group events as the application sees them.
// Invariant: immutable; `read` and `text` are all they do.
// Must not: hold on to frames.

import { OP, type Plain } from '../transport/frames.js';
import type { Chat } from './chat.js';
import type { Item } from './chat-log.js';
import { idTime, uuidText } from './ids.js';

const decoder = new TextDecoder();

interface Stamp {
  readonly chat: Chat;
  readonly from: string;
  /** Position in the chat: 1, 2, 3, … */
  readonly seq: number;
  /** UUIDv7 as text. */
  readonly id: string;
  /** ms since 1970 at which the server accepted it. */
  readonly at: number;
  /** From this user: this or another of its devices. */
  readonly own: boolean;
}

export interface Message extends Stamp {
  readonly type: 'message';
  readonly body: Uint8Array;
  /** The body as UTF-8. */
  readonly text: string;
  /** Says that the user has read up to here. Cumulative, and kept while offline. */
  read(): void;
}

export type GroupChange = 'created' | 'added' | 'removed' | 'left' | 'owner' | 'other';

export interface GroupEvent extends Stamp {
  readonly type: 'event';
  readonly change: GroupChange;
  /** The users added, removed or made owner; at `created` the first members. */
  readonly users: readonly string[];
  /** At `created`. */
  readonly title?: string;
  read(): void;
}

const CHANGES: Readonly<Record<number, GroupChange>> = {
  [OP.created]: 'created',
  [OP.added]: 'added',
  [OP.removed]: 'removed',
  [OP.left]: 'left',
  [OP.owner]: 'owner',
};

function texts(value: Plain | undefined): string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
}

/** The users and title that an EVENT names (docs/wire.md §5). */
export function eventDetails(
  op: number,
  args: readonly Plain[],
): { readonly change: GroupChange; readonly users: string[]; readonly title?: string } {
  const change = CHANGES[op] ?? 'other';
  const first = args[0];
  if (change !== 'created') return { change, users: texts(first) };
  return { change, users: texts(args[1]), title: typeof first === 'string' ? first : '' };
}

export function present(chat: Chat, item: Item, me: string): Message | GroupEvent {
  const stamp = {
    chat,
    from: item.from,
    seq: item.seq,
    id: uuidText(item.id),
    at: idTime(item.id) + item.lag,
    own: item.from === me,
    read: () => chat.read(item.seq),
  };
  const { content } = item;
  if (content.type === 'event') return { type: 'event', ...stamp, ...eventDetails(content.op, content.args) };
  const { body } = content;
  return {
    type: 'message',
    ...stamp,
    body,
    get text() {
      return decoder.decode(body);
    },
  };
}
