// Owns supervisor seats without nact: one deferred task per event, in order. For simulation and tests.
// Invariant: same contract as nact-host.ts (test/supervisors/host.test.ts runs both).
// Must not: run a handler within `post`.

import { assert } from '../actors/errors.js';
import type { World } from '../actors/world.js';
import type { Seat, Seats } from './spec.js';

export function directHost(world: World): Seats {
  let seats = 0;
  return {
    open<E>(_below: Seat<never> | undefined, _name: string, handle: (event: E) => void): Seat<E> {
      let open = true;
      let queued = 0;
      seats++;
      return {
        get queued(): number {
          return queued;
        },
        post(event: E): void {
          if (!open) return;
          queued++;
          world.defer(() => {
            queued--;
            if (open) handle(event);
          });
        },
        close(): void {
          if (open) seats--;
          open = false;
        },
      };
    },
    close: () => assert(seats === 0, 'a host outlives its seats'),
  };
}
