// Owns one world: its clock, its network, its processes and the record of what outsiders saw of it.
// Invariant: everything follows from the seed; worlds share nothing.
// Must not: decide what happens (plans do), or judge it.

import { Clock } from './clock.js';
import { Network, type NetworkOptions } from './network.js';
import { Process } from './process.js';
import { type Random, stream } from './random.js';
import type { Fact, Fault } from './record.js';
import { faultOf, Strikes } from './strikes.js';

export interface UniverseOptions {
  readonly seed: number;
  readonly network: NetworkOptions;
  /** ms that a turn of a process's event loop takes. */
  readonly turn: readonly [number, number];
  /** Chance that a site of the product's `buggify` is active in this world, and that an active one is struck when asked (strikes.ts). */
  readonly buggify: { readonly active: number; readonly fires: number };
  /** Virtual ms at which faults stop. */
  readonly calmAt: number;
}

/** What a blow may wait for: a group committed, a group flushed, a frame on its way to a client, an answer of the shared store on its way. */
type Happening = 'commit' | 'flush' | 'out' | 'answer';

/** A fact without its time. */
type Told = Fact extends infer F ? (F extends Fact ? Omit<F, 'at'> : never) : never;

/** Notes kept: enough to see what led to a failure. */
const NOTES = 2_000;

export class Universe {
  readonly seed: number;
  readonly clock = new Clock();
  readonly network: Network;
  readonly record: Fact[] = [];
  /** What helps to understand a run and is no fact: what processes say of themselves. */
  readonly notes: string[] = [];
  /** From now on nothing is made to go wrong. */
  calm = false;
  readonly #options: UniverseOptions;
  readonly #strikes: Strikes;
  readonly #lives = new Map<string, number>();
  #processes = 0;
  /** Who waits for something to happen so many times more. */
  #waiting: { readonly what: Happening; left: number; readonly task: (whom: string) => void }[] = [];

  constructor(options: UniverseOptions) {
    this.seed = options.seed;
    this.#options = options;
    this.#strikes = new Strikes(options.seed, options.buggify, options.calmAt);
    this.network = new Network(this.clock, options.seed, options.network, {
      opened: ({ number: link, host, address }) =>
        this.fact({ kind: 'link', link, node: address.replace('ws://', ''), device: host }),
      left: ({ number: link }, bytes) => {
        this.fact({ kind: 'out', link, bytes });
        this.happened('out');
      },
      arrived: ({ number: link }, bytes) => this.fact({ kind: 'in', link, bytes }),
      closed: ({ number: link }, code) => this.fact({ kind: 'unlink', link, code }),
    });
  }

  stream(name: string): Random {
    return stream(this.seed, name);
  }

  /** The next process of this name. */
  process(name: string, skew: number): Process {
    const life = (this.#lives.get(name) ?? 0) + 1;
    this.#lives.set(name, life);
    this.#processes += 1;
    const { seed, turn } = this.#options;
    const { clock } = this;
    const buggify = (site: string, luck: Random): boolean => {
      const struck = !this.calm && this.#strikes.struck(site, luck, clock.now);
      const fault = struck ? faultOf(site) : undefined;
      if (fault !== undefined) this.fault(fault, name, site);
      return struck;
    };
    return new Process({ clock, seed, name: `${name}#${life}`, number: this.#processes, skew, turn, buggify });
  }

  fact(fact: Told): void {
    this.clock.trace.text(fact.kind);
    this.record.push({ at: this.clock.now, ...fact } as Fact);
  }

  fault(fault: Fault, whom: string, detail = ''): void {
    this.fact({ kind: 'fault', fault, whom, detail });
  }

  /** Calls `task` within the event in which `what` happens for the `count`-th time from now, with the node whose doing it is. */
  at(what: Happening, count: number, task: (whom: string) => void): void {
    this.#waiting.push({ what, left: Math.max(1, count), task });
  }

  happened(what: Happening, whom = ''): void {
    if (this.#waiting.length === 0) return;
    for (const each of this.#waiting) if (each.what === what) each.left -= 1;
    const due = this.#waiting.filter(({ left }) => left === 0);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter(({ left }) => left > 0);
    for (const { task } of due) task(whom);
  }

  note(text: string): void {
    if (this.notes.length < NOTES) this.notes.push(`${this.clock.now.toFixed(1)} ${text}`);
  }
}
