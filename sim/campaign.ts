// Owns a run of many histories: one seed after the other, some of them twice, until enough or until one fails.
// Invariant: a history that runs again must leave the same trace; one that does not has failed, whatever the rules say.
// Must not: print, shrink, or read the command line.

import { Coverage } from './coverage.js';
import type { Plan } from './plan.js';
import type { Fault } from './record.js';
import { attempt, type Outcome } from './trial.js';

/** Every so many-th history runs twice: 5 in 100. */
const AGAIN = 20;

export interface CampaignOptions {
  readonly seed: number;
  /** The plan of a seed. */
  readonly draw: (seed: number) => Plan;
  /** Kinds of fault that such plans meet; absent: those of one node. */
  readonly faults?: readonly Fault[];
  /** Infinity: until `until`. */
  readonly histories: number;
  /** Real ms, on the clock of `now`. */
  readonly until: number;
  readonly now: () => number;
  /** Goes on after a failure. */
  readonly keepGoing: boolean;
  readonly done?: (campaign: Campaign) => void;
  readonly failed?: (outcome: Outcome) => Promise<void> | void;
}

export class Campaign {
  readonly coverage: Coverage;
  readonly #options: CampaignOptions;
  readonly #began: number;
  histories = 0;
  failed = 0;
  replayed = 0;
  /** Events of all clocks. */
  events = 0;
  /** Of the newest history. */
  trace = '';
  stopped = false;

  constructor(options: CampaignOptions) {
    this.#options = options;
    this.coverage = new Coverage(options.faults);
    this.#began = options.now();
  }

  get ms(): number {
    return this.#options.now() - this.#began;
  }

  async run(): Promise<this> {
    const { seed, histories, until, now, keepGoing, done, failed } = this.#options;
    for (let n = 0; n < histories && now() < until && !this.stopped; n += 1) {
      const outcome = await this.#one(seed + n, n % AGAIN === 0);
      this.histories += 1;
      if (outcome.violations.length > 0) {
        this.failed += 1;
        await failed?.(outcome);
        if (!keepGoing) break;
      }
      done?.(this);
    }
    return this;
  }

  async #one(seed: number, twice: boolean): Promise<Outcome> {
    const { draw } = this.#options;
    const outcome = await attempt(draw(seed));
    this.coverage.add(outcome.record);
    this.events += outcome.events;
    this.trace = outcome.trace;
    if (!twice) return outcome;
    this.replayed += 1;
    const { trace } = await attempt(draw(seed));
    if (trace === outcome.trace) return outcome;
    const detail = `the trace is ${outcome.trace}, and ${trace} when it runs again`;
    return { ...outcome, violations: [{ rule: 'deterministic', detail, at: null }, ...outcome.violations] };
  }
}
