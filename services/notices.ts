// Owns how often the log is told of the same trouble: when a disk is full or a node was thrown out, each of thousands of chats says so.
// Invariant: the first of a kind are told at once and as they are; what comes above that is told in one line, with how often it happened.
// Must not: hold anything back that happens seldom.

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';

type Fields = Readonly<Record<string, string | number>>;

/** What actors of many chats and users say of one cause. */
const COMMON: readonly string[] = ['append_failed'];

export class Notices {
  readonly #world: World;
  readonly #write: (event: string, fields: Fields) => void;
  /** By event and reason: how often since its first line. Reasons are codes, and few. */
  readonly #seen = new Map<string, number>();

  constructor(world: World, write: (event: string, fields: Fields) => void) {
    this.#world = world;
    this.#write = write;
  }

  report(event: string, fields: Fields): void {
    if (!COMMON.includes(event)) return this.#write(event, fields);
    const { reason = '' } = fields;
    const kind = `${event}\0${reason}`;
    const times = (this.#seen.get(kind) ?? 0) + 1;
    this.#seen.set(kind, times);
    if (times <= LIMITS.noticeBurst) this.#write(event, fields);
    if (times > 1) return;
    this.#world.timer(LIMITS.noticeBurstMs, () => {
      const more = (this.#seen.get(kind) ?? 0) - LIMITS.noticeBurst;
      this.#seen.delete(kind);
      if (more > 0) this.#write(event, { reason, more });
    });
  }
}
