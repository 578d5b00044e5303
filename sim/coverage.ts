// Owns the count of which kinds of fault histories really met: a fault that never takes effect proves nothing.
// Invariant: counts what took effect (facts), not what was planned.
// Must not: judge.

import { CLUSTER_FAULTS, FAULTS, type Fact, type Fault } from './record.js';

/** What only a node with a disk of its own can meet, or is drawn for one alone. */
const ALONE: readonly Fault[] = ['node_freeze', 'disk_lost_tail', 'disk_stall', 'disk_full', 'client_store_fails'];

/** Faults that a cluster may meet. */
export const IN_CLUSTER: readonly Fault[] = [...FAULTS.filter((fault) => !ALONE.includes(fault)), ...CLUSTER_FAULTS];

/** How often each kind took effect. */
export type FaultCounts = Readonly<Partial<Record<Fault, number>>>;

export function faultsIn(record: readonly Fact[]): FaultCounts {
  const counts: Partial<Record<Fault, number>> = {};
  for (const fact of record) if (fact.kind === 'fault') counts[fact.fault] = (counts[fact.fault] ?? 0) + 1;
  return counts;
}

export class Coverage {
  readonly #kinds: readonly Fault[];
  readonly #counts: Map<Fault, number>;
  #histories = 0;

  constructor(kinds: readonly Fault[] = FAULTS) {
    this.#kinds = kinds;
    this.#counts = new Map(kinds.map((fault) => [fault, 0]));
  }

  /** Those of one history. */
  add(faults: FaultCounts): void {
    this.#histories += 1;
    for (const [fault, count] of Object.entries(faults) as [Fault, number][])
      this.#counts.set(fault, (this.#counts.get(fault) ?? 0) + count);
  }

  get histories(): number {
    return this.#histories;
  }

  /** How often each kind took effect, all kinds listed. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  get missing(): Fault[] {
    return this.#kinds.filter((fault) => this.#counts.get(fault) === 0);
  }
}
