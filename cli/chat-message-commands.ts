// Owns the commands for messages, and for the user's own state of a chat.
// Invariant: each says what it did, or shows what came of it in the chat.
// Must not: delete for all what was meant for one: /delete and /hide are two commands.

import { type Commands, newest, numberOf, onOff, opened, usage } from './chat-command.js';
import { cleanLine, pad } from './chat-text.js';
import { formatDuration, parseDuration } from './duration.js';

export const MESSAGE_COMMANDS: Commands = {
  delete: {
    usage: '/delete [N]',
    help: 'deletes your newest, or N, for everyone',
    async run(place, [number, ...rest]) {
      if (rest.length > 0) throw usage(this);
      const chat = opened(place);
      await chat.deleteForEveryone(number === undefined ? await newest(chat, true) : numberOf(number));
      await place.load();
      return undefined;
    },
  },
  hide: {
    usage: '/hide [N…]',
    help: 'deletes the newest, or N…, for you alone',
    run: async (place, numbers) => {
      const chat = opened(place);
      await chat.deleteForMe(numbers.length === 0 ? [await newest(chat, false)] : numbers.map(numberOf));
      return undefined;
    },
  },
  clear: {
    usage: '/clear',
    help: 'deletes all of this chat for you alone',
    run: async (place) => {
      await opened(place).clear();
      return undefined;
    },
  },
  receipts: {
    usage: '/receipts [N]',
    help: 'who has, and has read, your newest, or N',
    async run(place, [number, ...rest]) {
      if (rest.length > 0) throw usage(this);
      const chat = opened(place);
      const seq = number === undefined ? await newest(chat, true) : numberOf(number);
      const { delivered, read, members, devices } = await chat.receipts(seq);
      const lines = members.map(
        ({ user, state }) => `  ${pad(cleanLine(user), 24)}  ${state === 'none' ? '–' : state}`,
      );
      const own = devices.map(({ device, delivered }) => {
        return `  ${pad(`your device ${cleanLine(device)}`, 24)}  ${delivered >= seq ? 'has it' : '–'}`;
      });
      return [`Message ${seq}: ${delivered} of ${members.length} have it, ${read} have read it`, ...lines, ...own].join(
        '\n',
      );
    },
  },
  numbers: {
    usage: '/numbers',
    help: 'shows numbers in place of times, or times',
    run: async (place) => {
      place.terminal?.numbers();
      return undefined;
    },
  },
  expire: {
    usage: '/expire TIME|off',
    help: 'messages here end after 90s, 15m, 12h, 7d',
    async run(place, [time, ...rest]) {
      const chat = opened(place);
      if (time === undefined) {
        return chat.expiry === 0 ? 'Messages here stay.' : `Messages here end after ${formatDuration(chat.expiry)}.`;
      }
      const seconds = time === 'off' ? 0 : parseDuration(time);
      if (seconds === undefined || rest.length > 0) throw usage(this);
      await chat.setExpiry(seconds);
      await place.load();
      return undefined;
    },
  },
  mute: {
    usage: '/mute [TIME|off]',
    help: 'says nothing of the chat for a time',
    async run(place, [time, ...rest]) {
      const chat = opened(place);
      if (time === 'off' || time === undefined) {
        await (time === 'off' ? chat.mute(0) : chat.mute());
        return time === 'off' ? 'It is not muted any more.' : 'It is muted until /mute off.';
      }
      const seconds = parseDuration(time);
      if (seconds === undefined || rest.length > 0) throw usage(this);
      await chat.mute(Date.now() + seconds * 1_000);
      return `It is muted for ${formatDuration(seconds)}.`;
    },
  },
  pin: {
    usage: '/pin [off]',
    help: 'the chat stands first in /chats',
    async run(place, [word]) {
      const on = onOff(word, true);
      if (on === undefined) throw usage(this);
      await opened(place).pin(on);
      return on ? 'It stands first in /chats.' : 'It stands where its messages put it.';
    },
  },
  archive: {
    usage: '/archive [off]',
    help: 'the chat stands last in /chats',
    async run(place, [word]) {
      const on = onOff(word, true);
      if (on === undefined) throw usage(this);
      await opened(place).archive(on);
      return on ? 'It is archived: last in /chats.' : 'It is not archived any more.';
    },
  },
  unread: {
    usage: '/unread',
    help: 'marks the chat as unread, and closes it',
    run: async (place) => {
      await opened(place).markUnread();
      place.close();
      return 'It is marked as unread; opening it ends that.';
    },
  },
};
