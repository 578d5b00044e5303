// Owns what applications of a plan ask of their SDK beyond sending and reading, and the record of the answers.
// Invariant: each request makes one fact `asked`, and one `answered` if its run of the application lives to hear it.
// Must not: judge answers.

import type { Chat } from '../client/chat.js';
import type { Session } from '../client/session.js';
import type { Device } from './device.js';
import { codeOf } from './entries.js';
import type { Request } from './plan.js';

const MODES = ['off', 'open', 'approval'] as const;
const AUDIENCES = ['everyone', 'contacts', 'nobody'] as const;

interface Asking {
  readonly chat: Chat | null;
  readonly users?: readonly string[];
  readonly values?: readonly number[];
  /** What resolves may have a number (`seq`), or be a chat. */
  readonly call: () => Promise<unknown>;
}

/** False: it makes no sense now. */
export function request(device: Device, step: Request): boolean {
  const { session, process, community } = device;
  if (session === null || process === null) return false;
  const asking = askingOf(device, session, step);
  if (asking === null) return false;
  const number = community.request();
  const { chat, users = [], values = [] } = asking;
  device.tell({ kind: 'asked', request: number, what: step.do, chat: chat?.id ?? '', users, values });
  device.busy += 1;
  const answered = (code: string, seq: number, id: string): void => {
    if (device.process !== process) return;
    device.busy -= 1;
    device.tell({ kind: 'answered', request: number, code, seq, chat: id });
  };
  let answer: Promise<unknown>;
  try {
    answer = asking.call();
  } catch (error) {
    answered(codeOf(error), 0, chat?.id ?? '');
    return true;
  }
  answer.then(
    (value) => {
      const made = value !== null && typeof value === 'object' && 'id' in value ? String(value.id) : (chat?.id ?? '');
      const seq = value !== null && typeof value === 'object' && 'seq' in value ? Number(value.seq) : 0;
      answered('', seq, made);
    },
    (error: unknown) => answered(codeOf(error), 0, chat?.id ?? ''),
  );
  return true;
}

function askingOf(device: Device, session: Session, step: Request): Asking | null {
  const { community } = device;
  switch (step.do) {
    case 'chats':
      return { chat: null, call: () => session.chats() };
    case 'devices':
      return { chat: null, call: () => session.devices() };
    case 'block':
      return { chat: null, users: [step.user], call: () => session.block(step.user) };
    case 'unblock':
      return { chat: null, users: [step.user], call: () => session.unblock(step.user) };
    case 'privacy':
      return {
        chat: null,
        values: [step.value],
        call: () => session.setPrivacy(AUDIENCES[step.value] ?? 'everyone'),
      };
    case 'profile':
      return { chat: null, call: () => session.setProfile({ name: step.title }) };
    case 'remove_device': {
      const which = step.which.slice(step.which.lastIndexOf('.') + 1);
      return { chat: null, users: [step.which], call: () => session.removeDevice(which) };
    }
    case 'create':
      return community.groups.has(step.chat) ? null : creation(device, session, step.chat, step.users);
    case 'join':
      return joining(device, session, step.chat);
  }
  const chat = device.chat(step.chat);
  return chat === null ? null : inChat(device, chat, step);
}

function creation(device: Device, session: Session, name: string, members: readonly string[]): Asking {
  const users = [...members];
  // Its first entry, `created`, is the answer's.
  const call = async (): Promise<{ readonly id: string; readonly seq: number }> => {
    const chat = await session.createGroup({ title: name, members: users });
    // Two may have made it, where an answer came late: the first one has the name.
    const { groups } = device.community;
    if (!groups.has(name)) groups.set(name, chat.id);
    device.name(chat);
    return { id: chat.id, seq: 1 };
  };
  return { chat: null, users, call };
}

function joining(device: Device, session: Session, name: string): Asking | null {
  const link = device.community.invites.get(name);
  if (link === undefined) return null;
  return { chat: device.chat(name), call: async () => (await session.join(link)).chat };
}

type InChat = Exclude<
  Request,
  {
    readonly do:
      | 'chats'
      | 'devices'
      | 'block'
      | 'unblock'
      | 'privacy'
      | 'profile'
      | 'remove_device'
      | 'create'
      | 'join';
  }
>;

function inChat(device: Device, chat: Chat, step: InChat): Asking | null {
  switch (step.do) {
    case 'add':
      return { chat, users: step.users, call: () => chat.add(step.users) };
    case 'remove':
      return { chat, users: step.users, call: () => chat.remove(step.users) };
    case 'promote':
      return { chat, users: step.users, call: () => chat.promote(step.users) };
    case 'demote':
      return { chat, users: step.users, call: () => chat.demote(step.users) };
    case 'decline':
      return { chat, users: step.users, call: () => chat.decline(step.users) };
    case 'pass_ownership': {
      const [user] = step.users;
      return user === undefined ? null : { chat, users: [user], call: () => chat.passOwnership(user) };
    }
    case 'leave':
      return { chat, call: () => chat.leave() };
    case 'rename':
      return { chat, call: () => chat.rename(step.title) };
    case 'history':
      return { chat, call: () => chat.history({ limit: 20 }) };
    case 'info':
      return { chat, call: () => chat.info() };
    case 'clear':
      return { chat, values: [chat.head], call: () => chat.clear() };
    case 'delete_for_all':
    case 'delete_for_me':
    case 'receipts':
      return onEntry(device, chat, step.do, step.pick);
    default:
      return { chat, values: [step.value], call: valued(device, chat, step) };
  }
}

function onEntry(
  device: Device,
  chat: Chat,
  what: 'delete_for_all' | 'delete_for_me' | 'receipts',
  pick: number,
): Asking | null {
  const seq = device.pick(chat, pick);
  if (seq === null) return null;
  const call = {
    delete_for_all: () => chat.deleteForEveryone(seq),
    delete_for_me: () => chat.deleteForMe([seq]),
    receipts: () => chat.receipts(seq),
  }[what];
  return { chat, values: [seq], call };
}

function valued(device: Device, chat: Chat, step: Extract<InChat, { readonly value: number }>): () => Promise<unknown> {
  const { value } = step;
  switch (step.do) {
    case 'announce':
      return () => chat.setAnnounceOnly(value !== 0);
    case 'expiry':
      return () => chat.setExpiry(value);
    case 'invite':
      return async () => {
        const link = await chat.invite(MODES[value] ?? 'off');
        if (link !== '') device.community.invites.set(step.chat, link);
      };
    case 'pin':
      return () => chat.pin(value !== 0);
    case 'archive':
      return () => chat.archive(value !== 0);
    case 'mark_unread':
      return () => chat.markUnread(value !== 0);
    case 'mute':
      return () => chat.mute(value);
  }
}
