// Owns what is answered for an actor that took no message: its mailbox was full, it rests after a crash, or it is given up.
// Invariant: whoever waits for an answer hears as if he had been refused on his own node.
// Must not: answer what nobody waits for.

import type { Delivery } from '../actors/behaviour.js';
import { type Refusal, refuse } from '../actors/errors.js';
import type { ChatMessage, UserMessage } from '../actors/messages.js';

export function excuse(message: ChatMessage | UserMessage, told: Delivery): void {
  if (told === 'ok') return;
  const refusal: Refusal = refuse(told === 'busy' ? 'busy' : 'unavailable', 'it cannot be taken now');
  if (message.type === 'send') message.connection.tell({ type: 'failed', n: message.n, ...refusal });
  else if (message.type === 'register') {
    // Also of one that is given up for a time: a connection without its user is none, and asks again.
    const registration = refuse('busy', refusal.detail);
    message.connection.tell({ type: 'registered', round: message.round, registration });
  } else if ('asker' in message) {
    const { connection, r } = message.asker;
    connection.tell({ type: 'refused', r, ...refusal });
  }
}
