// Owns messages and group events as the application sees them.
// Invariant: immutable; `read` and `text` are all they do.
// Must not: hold on to frames.

import { OP, type Plain, ROLE } from '../transport/frames.js';
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

/** What an event says. `users` is empty where it names none; who did it is the event's `from`. */
export type Change = { readonly users: readonly string[] } & (
  | {
      /** `users`: the first members. */
      readonly change: 'created';
      readonly title: string;
    }
  | {
      /**
       * `owner`: `users` has the new one. `joined`: `from` came by the invite link. `asked`: `from` asks to be let in.
       * `declined`: `users` will not be. `erased`: here was a message, which was deleted. `other`: a newer server's.
       */
      readonly change: 'added' | 'removed' | 'left' | 'owner' | 'asked' | 'declined' | 'joined' | 'erased' | 'other';
    }
  | { readonly change: 'role'; readonly role: 'member' | 'admin' }
  | { readonly change: 'title'; readonly title: string }
  | {
      /** A reference, say a URL; empty for none. */
      readonly change: 'avatar';
      readonly avatar: string;
    }
  | {
      /** Only owner and admins may send. */
      readonly change: 'announce';
      readonly on: boolean;
    }
  | { readonly change: 'invite'; readonly mode: InviteMode }
  | {
      /** Entries end after so many seconds; 0: never. */
      readonly change: 'expiry';
      readonly seconds: number;
    }
  | {
      /** The entry `target` was deleted for everyone. */
      readonly change: 'deleted';
      readonly target: number;
    }
  | {
      /** Of the entries from `first` to `last` some ended before everyone had them. */
      readonly change: 'expired';
      readonly first: number;
      readonly last: number;
    }
);

export type GroupChange = Change['change'];

/** A change of a chat: an entry of its log like a message, with a number of its own. */
export type GroupEvent = Stamp &
  Change & {
    readonly type: 'event';
    read(): void;
  };

export const INVITE_MODES = ['off', 'open', 'approval'] as const;
/** `approval`: an admin lets those in who ask. */
export type InviteMode = (typeof INVITE_MODES)[number];

const USERS: Readonly<Record<number, Exclude<GroupChange, 'created' | 'role'>>> = {
  [OP.added]: 'added',
  [OP.removed]: 'removed',
  [OP.left]: 'left',
  [OP.owner]: 'owner',
  [OP.asked]: 'asked',
  [OP.declined]: 'declined',
  [OP.joined]: 'joined',
  [OP.erased]: 'erased',
};

/** What an EVENT says (docs/wire.md §5). One of another form is a newer server's. */
export function changeOf(op: number, args: readonly Plain[]): Change {
  const [first, second] = args;
  const users = texts(first);
  const change = USERS[op];
  if (change !== undefined) return { change, users } as Change;
  const text = typeof first === 'string' ? first : '';
  const count = typeof first === 'number' ? first : 0;
  switch (op) {
    case OP.created:
      return { change: 'created', users: texts(second), title: text };
    case OP.role:
      return { change: 'role', users, role: second === ROLE.admin ? 'admin' : 'member' };
    case OP.title:
      return { change: 'title', users: [], title: text };
    case OP.avatar:
      return { change: 'avatar', users: [], avatar: text };
    case OP.announce:
      return { change: 'announce', users: [], on: count !== 0 };
    case OP.invite:
      return { change: 'invite', users: [], mode: INVITE_MODES[count] ?? 'open' };
    case OP.expiry:
      return { change: 'expiry', users: [], seconds: count };
    case OP.deleted:
      return { change: 'deleted', users: [], target: count };
    case OP.expired:
      return { change: 'expired', users: [], first: count, last: typeof second === 'number' ? second : count };
    default:
      return { change: 'other', users };
  }
}

function texts(value: Plain | undefined): string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : [];
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
  if (content.type === 'event') return { type: 'event', ...stamp, ...changeOf(content.op, content.args) };
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
