// Owns the commands that a person types: which there are, their help, and how a line becomes one.
// Invariant: whatever goes wrong ends as an answer with a code or a way out; an unknown command is answered with the
// nearest known one.
// Must not: draw.

import { LIMITS } from '../actors/limits.js';
import { type Chat, type ChatSummary, WeftError } from '../client/index.js';
import { ACCOUNT_COMMANDS } from './chat-account-commands.js';
import { type Command, type Commands, opened, type Place, usage } from './chat-command.js';
import { GROUP_COMMANDS } from './chat-group-commands.js';
import { MESSAGE_COMMANDS } from './chat-message-commands.js';
import { detailOf } from './chat-session.js';
import { chatOf } from './chat-target.js';
import { cleanLine, pad } from './chat-text.js';
import { CliFailure } from './failure.js';

/** Messages that /history reads where it is not told. */
const EARLIER = 50;
/** Digits of a number that is one. */
const NUMBER = /^\d{1,4}$/;

const CHAT_COMMANDS: Commands = {
  help: {
    usage: '/help [COMMAND]',
    help: 'these lines, or one command’s',
    run: async (_place, [name]) => help(name),
  },
  chats: {
    usage: '/chats',
    help: 'your chats, with numbers for /open',
    run: (place) => chats(place),
  },
  open: {
    usage: '/open NAME',
    help: 'opens a chat: a user, title or number',
    async run(place, [name = '', ...rest]) {
      if (name === '' || rest.length > 0) throw usage(this);
      await place.open(await find(place, name));
      return undefined;
    },
  },
  history: {
    usage: '/history [N]',
    help: `reads N earlier messages (${EARLIER})`,
    async run(place, [count = String(EARLIER)]) {
      if (!NUMBER.test(count) || Number(count) < 1) throw usage(this);
      opened(place);
      const got = await place.terminal?.earlier(Math.min(Number(count), LIMITS.chatLines));
      if (got === 0) return 'There is nothing earlier.';
      place.terminal?.scroll(Number.MAX_SAFE_INTEGER);
      return undefined;
    },
  },
  quit: {
    usage: '/quit',
    help: 'leaves; so do Ctrl-C and Ctrl-D',
    run: async () => undefined,
  },
};

const SECTIONS: Readonly<Record<string, Commands>> = {
  Chats: CHAT_COMMANDS,
  'Messages, and what you keep of a chat': MESSAGE_COMMANDS,
  Groups: GROUP_COMMANDS,
  You: ACCOUNT_COMMANDS,
};
const COMMANDS: Commands = Object.assign({}, ...Object.values(SECTIONS));

const line = ({ usage, help }: Command): string => `${pad(usage, 28)}${help}`;

const HELP = [
  'Enter sends, Alt-Enter begins a new line, Tab completes a command. PgUp and PgDn scroll.',
  `${pad('//text', 28)}sends a message that begins with /`,
  '◷ waits   ✓ the node has it, durably   ✓✓ delivered   coloured: read',
  ...Object.entries(SECTIONS).flatMap(([title, commands]) => [`${title}:`, ...Object.values(commands).map(line)]),
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

/** Runs a command; resolves to its answer, and rejects with what went wrong, told as a person would be. */
export async function answerOf(place: Place, line: string): Promise<string | undefined> {
  const [name = '', ...args] = words(line.slice(1));
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw new CliFailure('bad_usage', unknown(name));
  try {
    return await command.run(place, args);
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    const way = WAYS[error.code];
    throw new CliFailure(error.code, `${detailOf(error)}${way === undefined ? '' : `; ${way}`}`);
  }
}

/** What helps, where the node's own words do not say it. */
const WAYS: Readonly<Record<string, string>> = {
  bad_invite: 'ask for a new link',
  blocked: '/blocked shows whom you block',
  not_member: '/join LINK or an admin lets you back in',
  offline: 'it was not done; try again when the node can be reached',
  timeout: 'it may have been done; see before you try again',
};

/** The command that is meant, as far as it is clear; else the line as it is. */
export function completed(line: string): string {
  const found = Object.keys(COMMANDS).filter((name) => `/${name}`.startsWith(line));
  const [first = ''] = found;
  if (line.length < 2 || found.length === 0) return line;
  if (found.length === 1) return `/${first} `;
  let common = first;
  while (!found.every((name) => name.startsWith(common))) common = common.slice(0, -1);
  return `/${common}`;
}

/** Words, of which those with spaces stand in quotes. */
export function words(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"?|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
}

function help(name: string | undefined): string {
  if (name === undefined) return HELP;
  const known = name.replace(/^\//, '');
  const command = Object.hasOwn(COMMANDS, known) ? COMMANDS[known] : undefined;
  if (command === undefined) throw new CliFailure('bad_usage', unknown(known));
  return line(command);
}

function unknown(name: string): string {
  const names = Object.keys(COMMANDS);
  const near =
    name === ''
      ? undefined
      : (names.find((known) => known.startsWith(name)) ??
        names.find((known) => known.includes(name) || name.startsWith(known)) ??
        names.find((known) => known.startsWith(name.slice(0, 1))));
  const hint = near === undefined ? '' : ` Did you mean /${near}?`;
  return `there is no command /${name}.${hint} /help lists them; //${name} sends it as a message.`;
}

async function chats({ session }: Place): Promise<string> {
  const all = await listed(session);
  if (all.length === 0) return 'No chats yet. /open USER begins one, /group TITLE USER… a group.';
  const lines = all.map((chat, i) => {
    const label = chat.kind === 'group' ? `“${cleanLine(chat.name)}”` : cleanLine(chat.name);
    return `${String(i + 1).padStart(3)}  ${pad(label, 24)}  ${stateOf(chat)}`.trimEnd();
  });
  return ['Your chats; /open NUMBER or NAME opens one, and a user you have not met yet a new one:', ...lines].join(
    '\n',
  );
}

function stateOf({ unread, markedUnread, muted, pinned, archived }: ChatSummary): string {
  const count = unread >= LIMITS.unread ? `${LIMITS.unread} or more unread` : `${unread} unread`;
  const parts = [
    unread > 0 ? count : markedUnread ? 'unread' : '',
    pinned > 0 ? 'pinned' : '',
    muted > Date.now() ? 'muted' : '',
    archived ? 'archived' : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** As the session sorts them, the archived ones last. */
async function listed(session: Place['session']): Promise<ChatSummary[]> {
  const all = await session.chats();
  return [...all.filter(({ archived }) => !archived), ...all.filter(({ archived }) => archived)];
}

/** By number of /chats, by id, by name; a name that is none of them is a user. */
async function find({ session }: Place, name: string): Promise<Chat> {
  const all = await listed(session);
  const numbered = NUMBER.test(name) ? all[Number(name) - 1] : undefined;
  if (numbered !== undefined) return numbered.chat;
  const found = all.filter((chat) => chat.name === name || chat.id === name);
  const [only] = found;
  if (only !== undefined && found.length === 1) return only.chat;
  if (found.length > 1) {
    throw new CliFailure('unknown_chat', `several chats have this name; open one by its number in /chats`);
  }
  return chatOf(session, { type: 'user', user: name });
}
