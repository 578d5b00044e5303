// Owns what has to be said again: messages that nobody answers for, and that nothing else would bring.
// Invariant: bounded; each is told until its shard's owner takes it. What came later of the same device takes the place of what
// came before. All of them may come twice: they say how things are, not what has changed. A watch is not kept: until its turn
// comes the chat may be closed, so its connection is asked to say what is open.
// Must not: know links.

import type { Delivery } from '../actors/behaviour.js';
import { LIMITS } from '../actors/limits.js';
import type { ChatMessage, UserMessage } from '../actors/messages.js';
import type { World } from '../actors/world.js';

export type Lasting =
  | { readonly party: 'chat'; readonly key: string; readonly message: ChatMessage }
  | { readonly party: 'user'; readonly key: string; readonly message: UserMessage };

const LASTING: ReadonlySet<string> = new Set<(ChatMessage | UserMessage)['type']>([
  'cursor',
  'receipts',
  'forget',
  'blocked',
  'profiled',
  'parted',
  'contact',
]);

/** Whether a message to a chat or user has to be said again where it is lost. */
export function lasts({ type }: ChatMessage | UserMessage): boolean {
  return LASTING.has(type);
}

/** Whether it also concerns who is at rest: others read in the store what they missed. */
export function wakes({ type }: ChatMessage | UserMessage): boolean {
  return type !== 'blocked' && type !== 'profiled';
}

/** Whether somebody has to say it again where it is lost: this node, or the connection whose watch it is. */
export function owed(message: ChatMessage | UserMessage): boolean {
  return lasts(message) || message.type === 'watched' || (message.type === 'watch' && message.on);
}

/** A watch did not reach the chat, or one of its members: its connection hears of it. False: it is another message. */
export function unheard({ key, message }: Lasting): boolean {
  if (message.type !== 'watched' && message.type !== 'watch') return false;
  message.connection.tell({ type: 'rewatch', chat: message.type === 'watch' ? key : message.chat });
  return true;
}

export class LastingMessages {
  readonly #world: World;
  readonly #tell: (lasting: Lasting) => Delivery;
  readonly #waiting = new Map<string, Lasting>();
  #armed = false;
  dropped = 0;

  constructor(world: World, tell: (lasting: Lasting) => Delivery) {
    this.#world = world;
    this.#tell = tell;
  }

  get size(): number {
    return this.#waiting.size;
  }

  add(lasting: Lasting): void {
    const name = nameOf(lasting);
    const known = this.#waiting.get(name);
    if (known === undefined && this.#waiting.size >= LIMITS.lastingMessages) {
      this.dropped += 1;
      return;
    }
    this.#waiting.set(name, known === undefined ? lasting : later(known, lasting));
    this.#arm();
  }

  #arm(): void {
    if (this.#armed || this.#waiting.size === 0) return;
    this.#armed = true;
    this.#world.timer(LIMITS.retryMs, () => {
      this.#armed = false;
      this.#again();
    });
  }

  #again(): void {
    let room: number = LIMITS.lastingStep;
    for (const [name, lasting] of this.#waiting) {
      if (room-- === 0) break;
      this.#waiting.delete(name);
      // Behind the others: one that cannot be told holds up none.
      if (this.#tell(lasting) === 'busy') this.#waiting.set(name, lasting);
    }
    this.#arm();
  }
}

function nameOf({ party, key, message }: Lasting): string {
  const about = 'user' in message ? message.user : '';
  const device = 'device' in message ? message.device : '';
  const chat = 'chat' in message ? message.chat : '';
  return `${party}\n${key}\n${message.type}\n${about}\n${device}\n${chat}`;
}

function later(known: Lasting, lasting: Lasting): Lasting {
  const [before, now] = [known.message, lasting.message];
  if (lasting.party !== 'chat' || before.type !== 'cursor' || now.type !== 'cursor') return lasting;
  const delivered = Math.max(before.delivered, now.delivered);
  return { ...lasting, message: { ...now, delivered, read: Math.max(before.read, now.read) } };
}
