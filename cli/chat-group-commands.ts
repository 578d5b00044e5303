// Owns the commands for groups: who is in one, who may do what, and how people come in.
// Invariant: each says what it did, or shows what came of it in the chat.
// Must not: judge who may; the node does.

import type { Chat } from '../client/index.js';
import { type Command, type Commands, group, onOff, opened, type Place, usage } from './chat-command.js';
import { chatOf } from './chat-target.js';
import { cleanLine, pad } from './chat-text.js';

/** A change of named users. */
function users(use: string, help: string, change: (chat: Chat, users: readonly string[]) => Promise<unknown>): Command {
  const command: Command = {
    usage: use,
    help,
    run: async (place, names) => {
      if (names.length === 0) throw usage(command);
      await change(group(place), names);
      await place.load();
      return undefined;
    },
  };
  return command;
}

export const GROUP_COMMANDS: Commands = {
  group: {
    usage: '/group TITLE USER…',
    help: 'makes a group ("title of several words")',
    async run(place, [title = '', ...members]) {
      if (title === '' || members.length === 0) throw usage(this);
      await place.open(await chatOf(place.session, { type: 'new', title, members }));
      return undefined;
    },
  },
  members: {
    usage: '/members',
    help: 'who is in this chat',
    run: async (place) => members(place, opened(place)),
  },
  add: users('/add USER…', 'adds to this group', (chat, names) => chat.add(names)),
  remove: users('/remove USER…', 'removes from this group', (chat, names) => chat.remove(names)),
  leave: {
    usage: '/leave',
    help: 'leaves this group',
    run: async (place) => {
      await group(place).leave();
      await place.load();
      return undefined;
    },
  },
  promote: users('/promote USER…', 'makes admins of members', (chat, names) => chat.promote(names)),
  demote: users('/demote USER…', 'makes members of admins', (chat, names) => chat.demote(names)),
  owner: {
    usage: '/owner USER',
    help: 'passes the group on; you stay as admin',
    async run(place, [user, ...rest]) {
      if (user === undefined || rest.length > 0) throw usage(this);
      await group(place).passOwnership(user);
      await place.load();
      return undefined;
    },
  },
  title: {
    usage: '/title TEXT',
    help: 'renames the group',
    async run(place, words) {
      if (words.length === 0) throw usage(this);
      await group(place).rename(words.join(' '));
      await place.load();
      return undefined;
    },
  },
  avatar: {
    usage: '/avatar URL|off',
    help: 'sets the group’s picture',
    async run(place, [url, ...rest]) {
      if (url === undefined || rest.length > 0) throw usage(this);
      await group(place).setAvatar(url === 'off' ? '' : url);
      await place.load();
      return undefined;
    },
  },
  announce: {
    usage: '/announce [on|off]',
    help: 'only owner and admins may write',
    async run(place, [word]) {
      const on = onOff(word, true);
      if (on === undefined) throw usage(this);
      await group(place).setAnnounceOnly(on);
      await place.load();
      return undefined;
    },
  },
  invite: {
    usage: '/invite [open|approval|off]',
    help: 'shows the invite link, makes or ends one',
    async run(place, [mode]) {
      const chat = group(place);
      if (mode !== undefined && mode !== 'open' && mode !== 'approval' && mode !== 'off') throw usage(this);
      if (mode === 'off') {
        await chat.invite('off');
        await place.load();
        return 'There is no invite link any more.';
      }
      if (mode !== undefined) await chat.invite(mode);
      const { mode: present, link } = await chat.inviteLink();
      if (mode !== undefined) await place.load();
      if (present === 'off') return 'There is no invite link. /invite open or /invite approval makes one.';
      const how = present === 'open' ? 'Whoever has it joins' : 'Whoever has it may ask, and /approve lets in';
      return `${link}\n${how}: /join LINK`;
    },
  },
  join: {
    usage: '/join LINK',
    help: 'joins a group by its invite link',
    async run(place, [link, ...rest]) {
      if (link === undefined || rest.length > 0) throw usage(this);
      const { chat, waiting } = await place.session.join(link);
      if (waiting) return 'You asked to join; an admin has to let you in first.';
      await place.open(chat);
      return undefined;
    },
  },
  waiting: {
    usage: '/waiting',
    help: 'who asks to be let in',
    run: async (place) => {
      const { waiting } = await group(place).info();
      if (waiting.length === 0) return 'Nobody asks to be let in, as far as you may know.';
      return [
        'Who asks to be let in; /approve USER or /decline USER:',
        ...waiting.map((user) => `  ${cleanLine(user)}`),
      ].join('\n');
    },
  },
  approve: users('/approve USER…', 'lets in who asked', (chat, names) => chat.approve(names)),
  decline: users('/decline USER…', 'does not', (chat, names) => chat.decline(names)),
};

async function members(place: Place, chat: Chat): Promise<string> {
  const details = await chat.info();
  const present = details.members.filter(({ role }) => role !== 'gone');
  const lines = present.map(({ user, role }) => {
    const me = user === place.connection.account.user;
    const there = me ? 'you' : place.presence.online(user) ? 'online' : '';
    return `  ${pad(cleanLine(user), 24)}  ${pad(role === 'member' ? '' : role, 6)}  ${there}`.trimEnd();
  });
  const waiting = details.waiting.length === 0 ? [] : [`${details.waiting.length} ask to be let in: /waiting`];
  const title = chat.kind === 'group' ? `${present.length} members of “${cleanLine(chat.name)}”:` : 'In this chat:';
  return [title, ...lines, ...waiting].join('\n');
}
