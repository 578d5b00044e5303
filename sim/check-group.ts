// Owns the rules about groups: every entry was its sender's right at that place, and what was answered happened.
// Invariant: rights are followed through the log by the table of docs/wire.md (Changes) alone.
// Must not: excuse an entry by what came later.

import type { Evidence } from './evidence.js';
import type { Entry, EventSays } from './record.js';
import type { Rule } from './rule.js';
import { isErased, show } from './says.js';

type Role = 'member' | 'admin' | 'owner';

interface Group {
  readonly roles: Map<string, Role>;
  readonly waiting: Set<string>;
  announce: boolean;
  link: string;
}

const entitled: Rule = {
  name: 'entitled',
  promise: 'an entry has a number only if its sender might write it at that place: member, role, settings',
  check({ chats }, fault) {
    for (const chat of chats.values()) {
      if (chat.type === 0 || !chat.whole) continue;
      const group: Group = { roles: new Map(), waiting: new Set(), announce: false, link: 'off' };
      for (const entry of chat.inOrder()) {
        const wrong = chat.type === 1 ? direct(entry, chat.parties) : take(group, entry, chat.ever);
        if (wrong !== null)
          fault(`chat ${chat.id.slice(0, 8)}: ${entry.seq}, ${show(entry)} from ${entry.from}: ${wrong}`);
      }
    }
  },
};

function direct({ from, event }: Entry, parties: ReadonlySet<string>): string | null {
  if (!parties.has(from)) return 'not one of the two';
  if (event === null || ['expiry', 'deleted', 'erased', 'expired'].includes(event.change)) return null;
  return 'no change of a direct chat';
}

/** Judges the entry by what came before, then lets it happen. Null: it was right. */
function take(group: Group, entry: Entry, all: ReadonlyMap<number, Entry>): string | null {
  const { roles } = group;
  const { from, event, seq } = entry;
  const role = roles.get(from);
  if (event === null || isErased(entry)) {
    if (role === undefined) return 'no member';
    return group.announce && role === 'member' && event === null ? 'only owner and admins may send' : null;
  }
  if (event.change === 'expired') return null;
  const wrong = judge(group, event, from, seq, all);
  apply(group, event, from);
  return wrong;
}

function judge(
  { roles, waiting, link }: Group,
  event: EventSays,
  from: string,
  seq: number,
  all: ReadonlyMap<number, Entry>,
): string | null {
  const role = roles.get(from);
  const { users } = event;
  if (event.change === 'created') return seq === 1 ? null : 'a group is created once';
  if (event.change === 'joined')
    return role === undefined && link === 'open' ? null : 'no open link, or a member already';
  if (event.change === 'asked')
    return role === undefined && link === 'approval' ? null : 'no link with approval, or a member already';
  if (role === undefined) return 'no member';
  switch (event.change) {
    case 'left':
      return role === 'owner' && roles.size > 1 ? 'the owner passes the group on first' : null;
    case 'owner':
      return role === 'owner' && users.every((user) => roles.has(user)) ? null : 'for the owner, to a member';
    case 'deleted': {
      const target = all.get(event.target ?? 0);
      if (target === undefined || target.seq >= seq) return 'no such message';
      return target.from === from || role !== 'member' ? null : 'for its sender, owner and admins';
    }
    case 'removed':
      if (users.some((user) => !roles.has(user) || user === from || roles.get(user) === 'owner'))
        return 'not one who can be removed';
      break;
    case 'role':
      if (users.some((user) => !roles.has(user) || roles.get(user) === 'owner')) return 'not a member, or the owner';
      break;
    case 'added':
      if (users.some((user) => roles.has(user))) return 'a member already';
      break;
    case 'declined':
      if (users.some((user) => !waiting.has(user))) return 'did not ask';
      break;
    default:
      break;
  }
  return role === 'member' ? 'for owner and admins' : null;
}

function apply(group: Group, event: EventSays, from: string): void {
  const { roles, waiting } = group;
  switch (event.change) {
    case 'created':
      for (const user of event.users) roles.set(user, 'member');
      roles.set(from, 'owner');
      break;
    case 'added':
      for (const user of event.users) {
        roles.set(user, 'member');
        waiting.delete(user);
      }
      break;
    case 'joined':
      roles.set(from, 'member');
      break;
    case 'asked':
      waiting.add(from);
      break;
    case 'declined':
      for (const user of event.users) waiting.delete(user);
      break;
    case 'removed':
      for (const user of event.users) roles.delete(user);
      break;
    case 'left':
      roles.delete(from);
      break;
    case 'owner':
      roles.set(from, 'admin');
      for (const user of event.users) roles.set(user, 'owner');
      break;
    case 'role':
      for (const user of event.users) roles.set(user, event.role === 'admin' ? 'admin' : 'member');
      break;
    case 'announce':
      group.announce = event.on === true;
      break;
    case 'invite':
      group.link = event.role ?? 'off';
      break;
    default:
      break;
  }
}

/** The plan's verbs and the events they make. */
const MAKES: Readonly<Record<string, string>> = {
  create: 'created',
  add: 'added',
  remove: 'removed',
  promote: 'role',
  demote: 'role',
  pass_ownership: 'owner',
  decline: 'declined',
  leave: 'left',
  rename: 'title',
  announce: 'announce',
  expiry: 'expiry',
  delete_for_all: 'deleted',
};

const happened: Rule = {
  name: 'answered_is_done',
  promise: 'a change that was answered with a number is in the log at that number, made by who asked, and once',
  check(evidence: Evidence, fault) {
    const places = new Map<string, number>();
    for (const { asked, answered, user } of evidence.requests.values()) {
      const change = MAKES[asked.what];
      if (change === undefined || answered?.code !== '' || answered.seq === 0) continue;
      const chat = evidence.chats.get(answered.chat);
      const entry = chat?.final.get(answered.seq) ?? chat?.ever.get(answered.seq);
      const what = `${asked.what} of ${asked.device}, answered with ${answered.seq} of ${answered.chat.slice(0, 8)}`;
      if (entry === undefined) {
        const hidden = evidence.hid(user, answered.chat, answered.seq);
        if (!hidden && !evidence.ends(answered.chat) && (chat?.logs.size ?? 0) > 0)
          fault(`${what}, is not there`, answered.at);
        continue;
      }
      if (entry.from !== user || (entry.event?.change !== change && !isErased(entry))) {
        fault(`${what}: there is ${show(entry)} from ${entry.from}`, answered.at);
      }
      const place = `${answered.chat} ${answered.seq}`;
      const other = places.get(place);
      if (other !== undefined) fault(`${what}: request ${other} was answered with the same number`, answered.at);
      places.set(place, asked.request);
    }
  },
};

const present: Rule = {
  name: 'members_known',
  promise: 'in the end the list of members is the one that the log tells',
  check({ of, chats }, fault) {
    for (const { chat: id, user, members } of of('info')) {
      const chat = chats.get(id);
      if (chat === undefined || chat.type !== 2 || !chat.whole) continue;
      const told = members.filter(({ role }) => role !== 'gone').map((each) => each.user);
      const log = chat.members();
      if ([...told].sort().join(' ') !== [...log].sort().join(' ')) {
        fault(
          `${user} is told that ${id.slice(0, 8)} has ${told.sort().join(' ')}; the log says ${log.sort().join(' ')}`,
        );
      }
    }
  },
};

export const groupRules = [entitled, happened, present];
