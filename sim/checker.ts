// Owns the judgement of a record: all rules, in the order in which a reader wants to hear of their violations.
// Invariant: written from the promises alone (docs/wire.md, docs/client.md, docs/semantics.md); no rule imports the product.
// Must not: run anything.

import { blockRules } from './check-blocks.js';
import { clusterRules } from './check-cluster.js';
import { durableRules } from './check-durable.js';
import { groupRules } from './check-group.js';
import { logRules } from './check-log.js';
import { receiptRules } from './check-receipts.js';
import { restRules } from './check-rest.js';
import { retentionRules } from './check-retention.js';
import { neverBack } from './check-rising.js';
import { viewRules } from './check-views.js';
import { wireRules } from './check-wire.js';
import { gather } from './evidence.js';
import type { Fact } from './record.js';
import type { Rule, Violation } from './rule.js';

export const RULES: readonly Rule[] = [
  ...durableRules,
  ...logRules,
  ...viewRules,
  ...wireRules,
  ...blockRules,
  ...groupRules,
  neverBack,
  ...receiptRules,
  ...retentionRules,
  ...clusterRules,
  ...restRules,
];

/** Violations of one rule that are kept: the first say it. */
const EACH = 5;

export function check(record: readonly Fact[]): Violation[] {
  const evidence = gather(record);
  return RULES.flatMap((rule) => {
    const found: Violation[] = [];
    rule.check(evidence, (detail, at = -1) => {
      if (found.length < EACH) found.push({ rule: rule.name, detail, at: at < 0 ? null : at });
    });
    return found;
  });
}
