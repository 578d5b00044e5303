// Owns what the chat prints where no terminal is: plain lines, or one JSON object a line.
// Invariant: a plain line that begins with a name is one message of that user: what follows on further lines is indented.
// JSON fields are only ever added. No control character comes out, in either form.
// Must not: write; it makes text.

import type { Chat, GroupEvent, Message, SessionEvents } from '../client/index.js';
import { clean, cleanLine } from './chat-text.js';
import { eventText } from './chat-transcript.js';

/** What is printed for what happened; undefined: nothing. */
export interface Format {
  item(item: Message | GroupEvent): string | undefined;
  /** Everything else that only programs want to know. */
  other<K extends Exclude<keyof SessionEvents, 'message' | 'event' | 'chat'>>(
    name: K,
    event: SessionEvents[K],
  ): string | undefined;
  /** A group was made. */
  group(chat: Chat): string | undefined;
  /** What a command answered. */
  answer(command: string, text: string): string | undefined;
}

/** `named`: more than one chat is shown, so a group's lines tell which it is. */
export function plainFormat(named: boolean): Format {
  return {
    item(item) {
      const place = named && item.chat.kind === 'group' ? `[${cleanLine(item.chat.name)}] ` : '';
      if (item.type === 'event') return `${place}* ${eventText(item)}`;
      return `${place}${cleanLine(item.from)}: ${clean(item.text).replaceAll('\n', '\n  ')}`;
    },
    other: () => undefined,
    group: (chat) => `* group ${chat.id}`,
    answer: (_command, text) => text,
  };
}

export const jsonFormat: Format = {
  item(item) {
    const { type, from, seq, id, at } = item;
    const stamp = { type, ...place(item.chat), seq, from, id, at };
    if (item.type === 'message') return json({ ...stamp, text: item.text });
    const { chat: _chat, own: _own, read: _read, ...event } = item;
    return json({ ...stamp, ...event });
  },
  other(name, event) {
    const { chat, error, ...fields } = { chat: undefined, error: undefined, ...wrapped(event) };
    const reason = error === undefined ? {} : { code: error.code, error: error.message };
    return json({ type: name, ...(chat === undefined ? {} : place(chat)), ...fields, ...reason });
  },
  group: (chat) => json({ type: 'group', ...place(chat) }),
  answer: (command, text) => json({ type: 'answer', command, text }),
};

function wrapped(event: SessionEvents[keyof SessionEvents]) {
  return event instanceof Error ? { error: event } : event;
}

function place(chat: Chat): { readonly chat: string; readonly name: string } {
  return { chat: chat.id, name: chat.name };
}

/** JSON leaves DEL, C1 and what turns the direction of text as they are; terminals do not. */
function json(value: object): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
