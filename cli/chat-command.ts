// Owns what a command of the chat is, and what the commands share: arguments, the chat they are about, message numbers.
// Invariant: whatever cannot be done is a CliFailure that names what to write instead.
// Must not: know the screen; a command acts on a Place.

import type { Chat, Message, Session } from '../client/index.js';
import type { Connection } from './chat-session.js';
import { CliFailure } from './failure.js';

/** Where a command is given: on a terminal, or by --do. */
export interface Place {
  readonly session: Session;
  readonly connection: Connection;
  readonly chat: Chat | undefined;
  open(chat: Chat): Promise<void>;
  /** Shows no chat. */
  close(): void;
  /** Reads the chat again: its own device is told of no event that it caused. */
  load(): Promise<void>;
  readonly presence: { online(user: string): boolean };
  /** Only on a terminal. */
  readonly terminal?: {
    earlier(count: number): Promise<number>;
    scroll(lines: number): void;
    /** Shows the messages' numbers in place of their times, or no longer. */
    numbers(): boolean;
  };
}

export interface Command {
  readonly usage: string;
  readonly help: string;
  run(place: Place, args: readonly string[]): Promise<string | undefined>;
}

export type Commands = Readonly<Record<string, Command>>;

export function usage({ usage, help }: Pick<Command, 'usage' | 'help'>): CliFailure {
  return new CliFailure('bad_usage', `write ${usage}: ${help}`);
}

export function opened({ chat }: Place): Chat {
  if (chat === undefined) throw new CliFailure('bad_usage', 'open a chat first, with /open NAME');
  return chat;
}

export function group(place: Place): Chat {
  const chat = opened(place);
  if (chat.kind === 'direct') {
    throw new CliFailure('bad_usage', 'this is a chat of two; /group TITLE USER… makes a group');
  }
  return chat;
}

/** A message's number in the chat. */
export function numberOf(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new CliFailure('bad_usage', `"${text}" is no number of a message; /numbers shows them`);
}

/** The newest message of this user, or of anybody, among the newest of the chat. */
export async function newest(chat: Chat, own: boolean): Promise<number> {
  const { items } = await chat.history({ limit: 100 });
  const found = items.findLast((item): item is Message => item.type === 'message' && (item.own || !own));
  if (found !== undefined) return found.seq;
  const whose = own ? 'of yours ' : '';
  throw new CliFailure('bad_usage', `there is no message ${whose}among the newest here; name one by its number`);
}

/** `on` and `off`; `otherwise` where nothing is given. */
export function onOff(text: string | undefined, otherwise: boolean): boolean | undefined {
  if (text === undefined) return otherwise;
  return text === 'on' ? true : text === 'off' ? false : undefined;
}
