// Owns the count of which kinds of fault histories really met: a fault that never takes effect proves nothing.
// Invariant: counts what took effect (facts), not what was planned.
// Must not: judge.

import { FAULTS, type Fact, type Fault } from './record.js';

export class Coverage {
  readonly #counts = new Map<Fault, number>(FAULTS.map((fault) => [fault, 0]));
  #histories = 0;

  add(record: readonly Fact[]): void {
    this.#histories += 1;
    for (const fact of record) {
      if (fact.kind === 'fault') this.#counts.set(fact.fault, (this.#counts.get(fact.fault) ?? 0) + 1);
    }
  }

  get histories(): number {
    return this.#histories;
  }

  /** How often each kind took effect, all kinds listed. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  get missing(): Fault[] {
    return FAULTS.filter((fault) => this.#counts.get(fault) === 0);
  }
}
