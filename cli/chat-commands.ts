// Owns the commands that a person types: their names, help and effects.
// Invariant: whatever goes wrong ends as a note with a code; an unknown command is answered with the nearest known one.
// Must not: draw.

import { LIMITS } from '../actors/limits.js';
import { type Chat, WeftError } from '../client/index.js';
import { detailOf, waiting } from './chat-session.js';
import { chatOf } from './chat-target.js';
import { cleanLine, pad } from './chat-text.js';
import type { Window } from './chat-window.js';
import { CliFailure } from './failure.js';

interface Command {
  readonly usage: string;
  readonly help: string;
  run(window: Window, args: readonly string[]): Promise<string | undefined>;
}

/** Messages that /history reads where it is not told. */
const EARLIER = 50;
/** Digits of a number that is one. */
const NUMBER = /^\d{1,4}$/;

const COMMANDS: Readonly<Record<string, Command>> = {
  help: {
    usage: '/help',
    help: 'these lines',
    run: async () => HELP,
  },
  chats: {
    usage: '/chats',
    help: 'your chats, with numbers for /open',
    run: (window) => chats(window),
  },
  open: {
    usage: '/open NAME',
    help: 'opens a chat: a user, a group’s title, or a number of /chats',
    run: async (window, [name = '', ...rest]) => {
      if (name === '' || rest.length > 0) return usage('open');
      await window.open(await find(window, name));
      return undefined;
    },
  },
  group: {
    usage: '/group TITLE USER…',
    help: 'makes a group and opens it (a title of several words in "quotes")',
    run: async (window, [title = '', ...members]) => {
      if (title === '' || members.length === 0) return usage('group');
      await window.open(await chatOf(window.session, { type: 'new', title, members }));
      return undefined;
    },
  },
  add: {
    usage: '/add USER…',
    help: 'adds to this group',
    run: (window, users) => change(window, 'add', users),
  },
  remove: {
    usage: '/remove USER…',
    help: 'removes from this group',
    run: (window, users) => change(window, 'remove', users),
  },
  leave: {
    usage: '/leave',
    help: 'leaves this group',
    run: (window) => change(window, 'leave', []),
  },
  members: {
    usage: '/members',
    help: 'who is in this chat',
    run: async (window) => members(window, opened(window)),
  },
  history: {
    usage: '/history [N]',
    help: `reads N earlier messages (${EARLIER}); PgUp and PgDn scroll`,
    run: async (window, [count = String(EARLIER)]) => {
      if (!NUMBER.test(count) || Number(count) < 1) return usage('history');
      opened(window);
      const got = await window.earlier(Math.min(Number(count), LIMITS.chatLines));
      if (got === 0) return 'There is nothing earlier.';
      window.scroll(Number.MAX_SAFE_INTEGER);
      return undefined;
    },
  },
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
  quit: {
    usage: '/quit',
    help: 'leaves; so do Ctrl-C and Ctrl-D',
    run: async () => undefined,
  },
};

const HELP = [
  'Enter sends, Alt-Enter begins a new line. PgUp and PgDn scroll.',
  ...Object.values(COMMANDS).map(({ usage, help }) => `${pad(usage, 20)}${help}`),
  `${pad('//text', 20)}sends a message that begins with /`,
  '◷ waits   ✓ the node has it, durably   ✓✓ delivered   coloured: read',
].join('\n');

/** Whether the line is a command that ends the chat. */
export function isQuit(line: string): boolean {
  return /^\/(quit|q|exit)\s*$/.test(line);
}

/** The message that a line is; undefined where it is a command. */
export function messageOf(line: string): string | undefined {
  if (line.startsWith('//')) return line.slice(1);
  return line.startsWith('/') ? undefined : line;
}

export async function runCommand(window: Window, line: string): Promise<void> {
  const [name = '', ...args] = words(line.slice(1));
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  try {
    const answer = command === undefined ? unknown(name) : await command.run(window, args);
    if (answer !== undefined) window.note(answer);
  } catch (error) {
    if (error instanceof WeftError) window.note(`/${name}: ${detailOf(error)} (${error.code})`);
    else if (error instanceof CliFailure) window.note(`/${name}: ${error.message}`);
    else throw error;
  }
}

/** The only command that begins so, completed; else the line as it is. */
export function completed(line: string): string {
  const found = Object.keys(COMMANDS).filter((name) => `/${name}`.startsWith(line));
  return line.length > 1 && found.length === 1 ? `/${found[0]} ` : line;
}

/** Words, of which those with spaces stand in quotes. */
export function words(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"?|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

function usage(name: keyof typeof COMMANDS): string {
  return `Write ${COMMANDS[name]?.usage}: ${COMMANDS[name]?.help}.`;
}

function unknown(name: string): string {
  const near = Object.keys(COMMANDS).find(
    (known) => name !== '' && (known.startsWith(name[0] ?? '') || known.includes(name)),
  );
  const hint = near === undefined ? '' : ` Did you mean /${near}?`;
  return `There is no command /${name}.${hint} /help lists them; //${name} sends it as a message.`;
}

function opened(window: Window): Chat {
  if (window.chat === undefined) throw new CliFailure('bad_usage', 'open a chat first, with /open NAME');
  return window.chat;
}

async function chats(window: Window): Promise<string> {
  const all = await window.chats();
  if (all.length === 0) return 'No chats yet. /open USER begins one.';
  const lines = all.map(({ name, kind, unread }, i) => {
    const label = kind === 'group' ? `“${cleanLine(name)}”` : cleanLine(name);
    return `${String(i + 1).padStart(3)}  ${pad(label, 24)}  ${unread === 0 ? '' : `${unread} unread`}`.trimEnd();
  });
  return ['Your chats; /open NUMBER or NAME opens one, and a user you have not met yet a new one:', ...lines].join(
    '\n',
  );
}

/** By number of /chats, by id, by name; a name that is none of them is a user. */
async function find(window: Window, name: string): Promise<Chat> {
  const all = await window.chats();
  const numbered = NUMBER.test(name) ? all[Number(name) - 1] : undefined;
  if (numbered !== undefined) return numbered.chat;
  const found = all.filter((chat) => chat.name === name || chat.id === name);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only.chat;
  if (found.length > 1) {
    throw new CliFailure('unknown_chat', `several chats have this name; open one by its number in /chats`);
  }
  return chatOf(window.session, { type: 'user', user: name });
}

async function change(
  window: Window,
  what: 'add' | 'remove' | 'leave',
  users: readonly string[],
): Promise<string | undefined> {
  const chat = opened(window);
  if (chat.kind === 'direct') return 'This is a chat of two. /group TITLE USER… makes a group.';
  if (what === 'leave') {
    await chat.leave();
    await window.load();
    return undefined;
  }
  if (users.length === 0) return usage(what);
  await chat[what](users);
  // The node tells its own device of no event that it caused itself.
  await window.load();
  return undefined;
}

async function members(window: Window, chat: Chat): Promise<string> {
  const all = await chat.members();
  const lines = all.map(({ user, role }) => {
    const me = user === window.connection.account.user;
    const there = me ? 'you' : window.presence.online(user) ? 'online' : '';
    return `  ${pad(cleanLine(user), 24)}  ${pad(role === 'member' ? '' : role, 6)}  ${there}`.trimEnd();
  });
  const title = chat.kind === 'group' ? `${all.length} members of “${cleanLine(chat.name)}”:` : 'In this chat:';
  return [title, ...lines].join('\n');
}
