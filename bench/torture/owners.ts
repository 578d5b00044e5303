// Owns what nodes said of who may write: samples of their own reports under torture, and the grants in the store at the end.
// Invariant: a life of a node is told from its other lives by its incarnation; what is not known is no claim.
// Must not: ask anybody.

import type { ClusterReport } from '../../services/cluster-report.js';
import type { Violation } from './checker.js';

export class OwnerTrail {
  readonly violations: Violation[] = [];
  /** Who said that a shard was its own under an epoch. */
  readonly #claims = new Map<string, string>();
  readonly #highest = new Map<number, number>();
  /** Highest that each life of a node knew of, by shard. */
  readonly #known = new Map<string, number>();
  readonly #stale = new Map<string, number>();

  /** Changes of owner that were seen. */
  changes = 0;

  /** Refused appends of all lives, as last told. */
  get stale(): number {
    return [...this.#stale.values()].reduce((sum, count) => sum + count, 0);
  }

  took(report: ClusterReport): void {
    const incarnation = report.members.find(({ node }) => node === report.node)?.incarnation;
    if (incarnation === undefined) return;
    const life = `${report.node}#${incarnation}`;
    this.#stale.set(life, report.staleWrites);
    for (const { shard, epoch, users } of report.shards) {
      const before = this.#known.get(`${life} ${shard}`) ?? 0;
      if (epoch < before) this.#fault('epoch_back', shard, `${life} knew epoch ${before}, then ${epoch}`);
      this.#known.set(`${life} ${shard}`, epoch);
      if (users === null) continue;
      const claim = `${shard} ${epoch}`;
      const owner = this.#claims.get(claim);
      if (owner === undefined) this.changes += 1;
      else if (owner !== life) this.#fault('two_owners', shard, `epoch ${epoch} was ${owner}’s, then ${life}’s`);
      this.#claims.set(claim, life);
      this.#highest.set(shard, Math.max(epoch, this.#highest.get(shard) ?? 0));
    }
  }

  /** The store's own word, when nobody writes any more. */
  granted(shard: number, epoch: number): void {
    const highest = this.#highest.get(shard) ?? 0;
    if (epoch < highest) this.#fault('epoch_back', shard, `${highest} was owned, the store says ${epoch}`);
  }

  #fault(rule: 'two_owners' | 'epoch_back', shard: number, detail: string): void {
    this.violations.push({ rule, chat: `shard ${shard}`, detail });
  }
}
