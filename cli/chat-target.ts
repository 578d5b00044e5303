// Owns which chat is meant: by user, by a group's id or title, or a new group.
// Invariant: a name that fits several groups is refused with their ids, never guessed.
// Must not: open anything.

import type { Chat, ChatSummary, Session } from '../client/index.js';
import { cleanLine } from './chat-text.js';
import { CliFailure, EXIT } from './failure.js';

export type Target =
  | { readonly type: 'user'; readonly user: string }
  | { readonly type: 'group'; readonly group: string }
  | { readonly type: 'new'; readonly title: string; readonly members: readonly string[] };

const ID = /^[0-9a-f]{32}$/i;

/** Throws `unknown_chat`, and what the node answers to a new group. */
export async function chatOf(session: Session, target: Target): Promise<Chat> {
  switch (target.type) {
    case 'user':
      return session.direct(target.user);
    case 'new':
      return session.createGroup({ title: target.title, members: target.members });
    case 'group':
      return ID.test(target.group) ? session.group(target.group) : groupNamed(await session.chats(), target.group);
  }
}

function groupNamed(chats: readonly ChatSummary[], title: string): Chat {
  const found = chats.filter(({ kind, name }) => kind === 'group' && name === title);
  const [first] = found;
  if (first !== undefined && found.length === 1) return first.chat;
  const known = chats.filter(({ kind }) => kind === 'group').map(({ name }) => `“${cleanLine(name)}”`);
  const message =
    first === undefined
      ? `you are in no group “${cleanLine(title)}”${known.length === 0 ? '' : `; there is ${known.slice(0, 10).join(', ')}`}`
      : `several groups are called “${cleanLine(title)}”: name one by its id, ${found.map(({ id }) => id).join(' or ')}`;
  throw new CliFailure('unknown_chat', message);
}

/** What --to, --group and --new-group say; undefined where none is given. */
export function targetOf(options: {
  readonly to?: string;
  readonly group?: string;
  readonly newGroup?: string;
  readonly with?: string;
}): Target | undefined {
  const { to, group, newGroup, with: guests } = options;
  if ([to, group, newGroup].filter((given) => given !== undefined).length > 1) {
    throw new CliFailure('bad_usage', 'give one of --to, --group and --new-group', EXIT.usage);
  }
  if (guests !== undefined && newGroup === undefined) {
    throw new CliFailure('bad_usage', '--with names the members of a new group: add --new-group TITLE', EXIT.usage);
  }
  if (to !== undefined) return { type: 'user', user: to };
  if (group !== undefined) return { type: 'group', group };
  if (newGroup === undefined) return undefined;
  const members = (guests ?? '').split(',').map((user) => user.trim());
  return { type: 'new', title: newGroup, members: members.filter((user) => user !== '') };
}
