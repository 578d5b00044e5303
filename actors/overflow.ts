// Owns what full mailboxes of chats and connections do with each class of message.
// Invariant: a send or request is refused in a way that its sender hears; soft state gives way silently.
// Must not: depend on the chat's state: it is asked in the sender's turn.

import type { Overflow } from './behaviour.js';
import type { ChatMessage, ConnectionMessage } from './messages.js';

/** Positions are cumulative, typing is worth only its newest. */
function overflow(message: ChatMessage): Overflow {
  switch (message.type) {
    case 'typing':
      return 'latest';
    case 'cursor':
      // One for each device of a member at most, which are bounded: nothing would say the last one again before the next resume.
      return 'keep';
    case 'blocked':
      // As many as there are blocks to change, one after the other. It must not be lost: the next send would pass.
      return 'admit';
    default:
      return 'refuse';
  }
}

function coalesce(message: ChatMessage): unknown {
  if (message.type === 'typing') return `t${message.user}`;
  if (message.type === 'cursor') return `c${message.user}\0${message.device}`;
  return null;
}

/** The later word need not say more: an ACK comes behind a READ, and what a chat may have lost is told it again, late. */
function merged(queued: ChatMessage, message: ChatMessage): ChatMessage {
  if (message.type !== 'cursor' || queued.type !== 'cursor') return message;
  const { delivered, read } = queued;
  return { ...message, delivered: Math.max(delivered, message.delivered), read: Math.max(read, message.read) };
}

export const overflowOf = { overflow, coalesce, merged } as const;

export const connectionOverflow = {
  overflow(message: ConnectionMessage): Overflow {
    switch (message.type) {
      case 'delivery':
      case 'blocked':
      case 'marked':
      case 'receipt':
      case 'tally':
        return 'drop';
      case 'typing':
      case 'profiled':
        return 'latest';
      case 'rewatch':
      case 'presence':
      case 'unviewed':
      case 'count':
        // One for each user or chat that is watched, which is bounded: nothing would say it again.
        return 'keep';
      default:
        // Frames, which the acceptor counts; answers to a bounded window of requests; and what closes the connection.
        return 'admit';
    }
  },
  coalesce(message: ConnectionMessage): unknown {
    // What may be shown and what is shown do not replace each other.
    if (message.type === 'presence') return `${message.shown === true ? 'P' : 'p'}${message.user}`;
    // The last word on what may be shown.
    if (message.type === 'unviewed') return `p${message.user}`;
    if (message.type === 'profiled') return `d${message.user}`;
    if (message.type === 'count') return `n${message.info.key}`;
    if (message.type === 'rewatch') return `w${message.chat ?? ''}`;
    return message.type === 'typing' ? `t${message.info.key}${message.user}` : null;
  },
} as const;
