// Owns what a drain sees and does of a node's clients: its acceptor and its listener, whichever they are at that moment.
// Invariant: between two lives of the door there are no clients, and nothing is refused for that.
// Must not: pace anything (cluster/drain.ts).

import type { Acceptor } from '../actors/acceptor.js';
import type { Guests } from '../cluster/drain.js';
import type { Server } from '../transport/socket.js';

export function guestsOf(door: { readonly acceptor: Acceptor | null; readonly server: Server | null }): Guests {
  return {
    get open() {
      return door.acceptor?.size ?? 0;
    },
    away: (target) => door.acceptor?.away(target) ?? false,
    stay: () => door.acceptor?.stay(),
    aside: (on) => door.server?.aside?.(on),
  };
}
