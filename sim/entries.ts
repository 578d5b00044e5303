// Owns how what the SDK gives an application is written down in facts.
// Invariant: everything that an application can see of it is there, in the record's own words.
// Must not: add what the application cannot see.

import { WeftError } from '../client/errors.js';
import type { GroupEvent, Message } from '../client/message.js';
import type { Entry, EventSays } from './record.js';

export function codeOf(error: unknown): string {
  return error instanceof WeftError ? error.code : `not a WeftError: ${error}`;
}

export function entryOf(item: Message | GroupEvent): Entry {
  const { seq, id, from, type } = item;
  const body = item.type === 'message' ? item.text : '';
  return { seq, id, from, type, body, event: item.type === 'event' ? says(item) : null };
}

function says(item: GroupEvent): EventSays {
  const { change, users } = item;
  switch (item.change) {
    case 'created':
    case 'title':
      return { change, users, title: item.title };
    case 'role':
      return { change, users, role: item.role };
    case 'announce':
      return { change, users, on: item.on };
    case 'expiry':
      return { change, users, seconds: item.seconds };
    case 'deleted':
      return { change, users, target: item.target };
    case 'expired':
      return { change, users, first: item.first, last: item.last };
    default:
      return { change, users };
  }
}
