// Owns what the log is told of members that cannot be dialled: for a name, a port, a firewall or a certificate that is not right.
// Invariant: a node that ends or starts is not told of: it fails for some moments only, or is no member any more. Of each address a line
// a minute at most.
// Must not: decide what becomes of a link.

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';

interface Failing {
  /** When it failed first and last, and when that was told: ms. */
  readonly since: number;
  last: number;
  told: number;
}

export class Reach {
  readonly #world: World;
  readonly #report: (event: string, fields: Readonly<Record<string, string>>) => void;
  readonly #failing = new Map<string, Failing>();

  constructor(world: World, report: (event: string, fields: Readonly<Record<string, string>>) => void) {
    this.#world = world;
    this.#report = report;
  }

  /** A dial has ended: null where somebody answered. */
  dialled(address: string, reason: string | null): void {
    const now = this.#world.now();
    for (const [other, { last }] of this.#failing) if (now - last > LIMITS.noticeMs) this.#failing.delete(other);
    if (reason === null) return void this.#failing.delete(address);
    const failing = this.#failing.get(address) ?? { since: now, last: now, told: Number.NEGATIVE_INFINITY };
    this.#failing.set(address, failing);
    failing.last = now;
    if (now - failing.since < LIMITS.unreachedMs || now - failing.told < LIMITS.noticeMs) return;
    failing.told = now;
    this.#report('link_unreachable', { address, reason });
  }
}
