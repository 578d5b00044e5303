// Owns a run of many histories: one seed after the other, some of them twice, until enough or until one fails.
// Invariant: verdicts count in the order of the seeds, wherever and in whatever order histories end; so what is said of a campaign
// does not depend on how many judges it has.
// Must not: print, shrink, start processes, or read the command line.

import { Coverage } from './coverage.js';
import type { Plan } from './plan.js';
import type { Fault } from './record.js';
import { attempt, type Judge, judgeHere, type Outcome, unlike, type Verdict } from './trial.js';

/** Every so many-th history runs twice: 5 in 100. */
const AGAIN = 20;

export interface CampaignOptions {
  readonly seed: number;
  /** The plan of a seed. */
  readonly draw: (seed: number) => Plan;
  /** Each runs one history at a time. Absent: one, here. */
  readonly judges?: readonly Judge[];
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
  /** Histories that were begun. */
  #begun = 0;
  /** Verdicts that came before those of earlier seeds, by seed. */
  readonly #early = new Map<number, Verdict>();
  #counting: Promise<void> = Promise.resolve();

  constructor(options: CampaignOptions) {
    this.#options = options;
    this.coverage = new Coverage(options.faults);
    this.#began = options.now();
  }

  get ms(): number {
    return this.#options.now() - this.#began;
  }

  async run(): Promise<this> {
    const { draw, judges = [judgeHere(draw)] } = this.#options;
    await Promise.all(judges.map((judge) => this.#keepBusy(judge)));
    return this;
  }

  async #keepBusy(judge: Judge): Promise<void> {
    const { seed, histories, until, now } = this.#options;
    while (this.#begun < histories && now() < until && !this.stopped) {
      const n = this.#begun;
      this.#begun += 1;
      const verdict = await judge(seed + n, n % AGAIN === 0);
      this.#early.set(verdict.seed, verdict);
      this.#counting = this.#counting.then(() => this.#count());
      await this.#counting;
    }
  }

  /** Counts what is there, up to the first seed that is still under way. */
  async #count(): Promise<void> {
    const { seed, keepGoing, done, failed } = this.#options;
    for (;;) {
      const verdict = this.#early.get(seed + this.histories);
      if (verdict === undefined || this.stopped) return;
      this.#early.delete(verdict.seed);
      this.#add(verdict);
      if (verdict.violations.length > 0) {
        this.failed += 1;
        await failed?.(await this.#again(verdict));
        if (!keepGoing) this.stopped = true;
      }
      done?.(this);
    }
  }

  #add({ faults, events, trace, twice }: Verdict): void {
    this.histories += 1;
    this.coverage.add(faults);
    this.events += events;
    this.trace = trace;
    if (twice) this.replayed += 1;
  }

  /** With all that happened: a verdict has not that. */
  async #again({ seed, violations, trace }: Verdict): Promise<Outcome> {
    const outcome = await attempt(this.#options.draw(seed));
    return { ...outcome, violations: [...unlike(trace, outcome.trace), ...violations] };
  }
}
