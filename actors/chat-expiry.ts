// Owns the change of a chat's expiry timer, which direct chats and groups have alike.
// Invariant: the timer is part of the log like any change, so all devices agree from which entry on it counts.
// Must not: ask who may set it (the kinds of chat do), or end anything (retention does).

import { OP, type Plain } from '../transport/frames.js';
import { type ChatEvent, noChange } from './chat-event.js';
import { type Refusal, refuse } from './errors.js';
import { LIMITS } from './limits.js';
import type { Roster } from './roster.js';

/** `args`: seconds, 0 for none. */
export function expiry({ settings }: Roster, args: readonly Plain[]): Refusal | { readonly events: [ChatEvent] } {
  const [seconds] = args;
  if (typeof seconds !== 'number' || seconds < 0 || seconds > LIMITS.expiry) {
    return refuse('bad_request', `an entry ends after 1 to ${LIMITS.expiry} s; 0: never`);
  }
  if (seconds === settings.expiry) return refuse('bad_request', 'the timer says so already');
  return { events: [{ op: OP.expiry, args: [seconds], change: { ...noChange, settings: { expiry: seconds } } }] };
}
