// Owns which sites of the product's buggify are active in a history, and how often an active one is struck.
// Invariant: follows from the seed; handlers break off a few times in a history: a key that does so again and again is
// quarantined for minutes, which is right, and would leave nothing to see.
// Must not: know what a site does (actors/buggify.ts).

import { SITES, type Site } from '../actors/buggify.js';
import type { Options } from './plan.js';
import { type Random, stream } from './random.js';
import type { Fault } from './record.js';

/** Sites at which something breaks off are asked for each message or entry: how much less often they are struck. */
const BREAKING: Partial<Record<Site, number>> = { 'crash before': 0.15, 'crash after': 0.15, publish: 1 };

/** Sites that are asked again and again while something goes on. All others are asked once, where something is made: where
 * they are active at all they are struck often, or they would hardly be met. */
const REPEATED: ReadonlySet<Site> = new Set<Site>([
  ...['passivate', 'wake', 'sweep', 'page', 'certificates', 'history', 'list', 'read', 'write delay'],
] as Site[]);
const OFTEN = 0.6;

/** Least chances of a site's being active: what it brings about takes several things together. */
const LEAST: Partial<Record<Site, number>> = { mailbox: 0.5, publish: 0.5 };

/** ms before the calm in which alone handlers break off in a third of the histories. */
const LATE_MS = 300;

/** How often something breaks off in one history, at most: fewer than a key needs to be quarantined. */
const BREAKS = 4;

const FAULTS: Partial<Record<Site, Fault>> = {
  'crash before': 'handler_crash',
  'crash after': 'handler_crash',
  publish: 'handler_crash',
  passivate: 'passivated',
  mailbox: 'mailbox_shrunk',
};

/** What coverage calls it, where it counts as a fault. */
export function faultOf(site: string): Fault | undefined {
  return FAULTS[site as Site];
}

export class Strikes {
  /** Chance of each active site. */
  readonly #chances = new Map<string, number>();
  #breaks = 0;
  /** Virtual ms before which nothing breaks off: else it would mostly be soon, and much repairs it that follows. */
  readonly #since: number;

  constructor(seed: number, { active, fires }: Options['buggify'], calmAt: number) {
    for (const site of Object.keys(SITES) as Site[]) {
      if (active === 0 || !stream(seed, `site ${site}`).chance(Math.max(active, LEAST[site] ?? 0))) continue;
      const breaking = BREAKING[site];
      if (breaking !== undefined) this.#chances.set(site, fires * breaking);
      else this.#chances.set(site, REPEATED.has(site) ? fires : Math.max(fires, OFTEN));
    }
    const luck = stream(seed, 'since');
    this.#since = luck.pick([0, luck() * calmAt, calmAt - LATE_MS]);
  }

  /** `luck`: that of the process that asks; `now`: virtual ms. */
  struck(site: string, luck: Random, now: number): boolean {
    const chance = this.#chances.get(site);
    if (chance === undefined) return false;
    const breaks = BREAKING[site as Site] !== undefined;
    if (breaks && (this.#breaks >= BREAKS || now < this.#since)) return false;
    if (!luck.chance(chance)) return false;
    if (breaks) this.#breaks += 1;
    return true;
  }
}
