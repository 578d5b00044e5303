// Owns the errand of a removed device: each chat of its user forgets how far it was, so that it begins anew should it come back.
// Invariant: it is over when no member's row shows the device. A chat may lose what it was told, with its actor or a failed append,
// so its row is looked at again.
// Must not: wait for ever: a chat that cannot be read, or was given up, is left for the next connection of the user.

import { chatKey } from '../storage/keys.js';
import type { Errand } from './errand.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import type { UserContext } from './user.js';

/** `back`: the device is connected again. `settled`: no chat knows it any more. */
export function removal(
  { chats }: Pick<Fabric, 'chats'>,
  user: string,
  device: string,
  back: () => boolean,
  settled: (context: UserContext) => void,
): Errand {
  /** How often each chat of the present step was told. */
  const tries = new Map<string, number>();
  let left = false;
  return {
    name: removalOf(device),
    visit(chat, { devices }) {
      const key = chatKey(chat);
      const tried = tries.get(key) ?? 0;
      tries.delete(key);
      if (!devices.some((cursor) => cursor.device === device)) return null;
      if (tried >= LIMITS.forgetTries) {
        left = true;
        return null;
      }
      return Promise.resolve(() => {
        const told = chats.tell(key, { type: 'forget', user, device });
        // What it acknowledges now is of its new life, and to be forgotten once at most.
        if (told === 'ok' && back()) return true;
        tries.set(key, told === 'busy' ? tried : tried + 1);
        return false;
      });
    },
    end(context) {
      if (!left) settled(context);
    },
  };
}

export function removalOf(device: string): string {
  return `drop ${device}`;
}
