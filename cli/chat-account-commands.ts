// Owns the commands for what concerns the user: devices, profile, privacy, whom to hear nothing of.
// Invariant: each says what is so now.
// Must not: know chats.

import type { Profile } from '../client/index.js';
import { type Commands, type Place, usage } from './chat-command.js';
import { waiting } from './chat-session.js';
import { cleanLine, pad } from './chat-text.js';
import { clock, dayOf } from './chat-view.js';

export const ACCOUNT_COMMANDS: Commands = {
  whoami: {
    usage: '/whoami',
    help: 'user, device, node',
    run: async ({ connection: { account, url }, session }) =>
      [
        `user    ${cleanLine(account.user)}`,
        `device  ${cleanLine(account.device)}`,
        `node    ${url.href} (${session.state})`,
        `outbox  ${account.journal} (${waiting(session.pending().length)})`,
      ].join('\n'),
  },
  profile: {
    usage: '/profile [USER]',
    help: 'what somebody, or you, tell the others',
    async run({ session }, [user, ...rest]) {
      if (rest.length > 0) throw usage(this);
      return shown(await session.profile(user));
    },
  },
  set: {
    usage: '/set FIELD [TEXT]',
    help: 'name, about, avatar or what you like',
    async run({ session }, [field, ...words]) {
      if (field === undefined) throw usage(this);
      const text = words.join(' ');
      if (field === 'name' || field === 'about' || field === 'avatar') {
        return shown(await session.setProfile({ [field]: text }));
      }
      const others = (await session.profile()).fields.filter(([name]) => name !== field);
      return shown(await session.setProfile({ fields: text === '' ? others : [...others, [field, text]] }));
    },
  },
  privacy: {
    usage: '/privacy [WHO]',
    help: 'who sees you: everyone, contacts, nobody',
    async run({ session }, [audience]) {
      if (audience === 'everyone' || audience === 'contacts' || audience === 'nobody') {
        await session.setPrivacy(audience);
      } else if (audience !== undefined) throw usage(this);
      const now = await session.privacy();
      const who = { everyone: 'Everyone you share a chat with', contacts: 'Your contacts', nobody: 'Nobody' }[now];
      return `${who} may see whether you are online (${now}).`;
    },
  },
  block: {
    usage: '/block USER',
    help: 'hears nothing of somebody any more',
    async run({ session }, [user, ...rest]) {
      if (user === undefined || rest.length > 0) throw usage(this);
      await session.block(user);
      return `You block ${cleanLine(user)}; /unblock ${cleanLine(user)} ends it.`;
    },
  },
  unblock: {
    usage: '/unblock USER',
    help: 'ends that',
    async run({ session }, [user, ...rest]) {
      if (user === undefined || rest.length > 0) throw usage(this);
      await session.unblock(user);
      return `You do not block ${cleanLine(user)} any more.`;
    },
  },
  blocked: {
    usage: '/blocked',
    help: 'whom you block',
    run: async ({ session }) => {
      const users = await session.blocked();
      return users.length === 0
        ? 'You block nobody.'
        : ['You block:', ...users.map((user) => `  ${cleanLine(user)}`)].join('\n');
    },
  },
  devices: {
    usage: '/devices',
    help: 'your devices',
    run: (place) => devices(place),
  },
  'rename-device': {
    usage: '/rename-device DEVICE NAME',
    help: 'names a device',
    async run(place, [device, ...words]) {
      if (device === undefined || words.length === 0) throw usage(this);
      await place.session.renameDevice(device, words.join(' '));
      return devices(place);
    },
  },
  'remove-device': {
    usage: '/remove-device DEVICE',
    help: 'ends it; its tokens are good no more',
    async run(place, [device, ...rest]) {
      if (device === undefined || rest.length > 0) throw usage(this);
      await place.session.removeDevice(device);
      return place.session.device === device ? undefined : devices(place);
    },
  },
};

async function devices({ session }: Place): Promise<string> {
  const lines = (await session.devices()).map(({ device, name, lastSeen, online, current }) => {
    const there = current
      ? 'this one'
      : online
        ? 'online'
        : lastSeen === 0
          ? ''
          : `last seen ${dayOf(lastSeen)}, ${clock(lastSeen)}`;
    return `  ${pad(cleanLine(device), 16)}  ${pad(cleanLine(name), 20)}  ${there}`.trimEnd();
  });
  return ['Your devices; /rename-device and /remove-device take the first word:', ...lines].join('\n');
}

function shown({ user, version, name, avatar, about, fields }: Profile): string {
  if (version === 0) return `${cleanLine(user)} tells nothing, or not to you.`;
  const all = [['name', name], ['about', about], ['avatar', avatar], ...fields].filter(([, text]) => text !== '');
  const lines = all.map(([label = '', text = '']) => `  ${pad(cleanLine(label), 12)}  ${cleanLine(text)}`);
  return [`${cleanLine(user)}:`, ...lines].join('\n');
}
