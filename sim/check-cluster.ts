// Owns the rules about several nodes on one store: who may write, who is a member, who may answer, what holds when all has healed.
// Invariant: the store itself says who wrote what and when; nodes are asked nothing but what they tell operators at the end.
// Must not: judge what every node has to keep alone (the other check-*.ts do).

import type { Evidence } from './evidence.js';
import type { Rule } from './rule.js';
import { short } from './says.js';
import { type NodeWrite, nodeOf, tenuresOf } from './tenures.js';

/** ms of a node's silence before others may count it out (docs/operations.md). */
const LEASE_MS = 1_500;
/** ms before the calm: what happened within them may have its effect after it. */
const AFTERMATH_MS = 5_000;

const oneOwner: Rule = {
  name: 'one_owner',
  promise: 'nobody writes to a shard but the process that wrote its newest grant, and for itself',
  check(evidence, fault) {
    if (evidence.plan.cluster === undefined) return;
    for (const { shard, by, grant, at } of tenuresOf(evidence).appends) {
      if (grant === null) fault(`${by} writes to shard ${shard}, which nobody was granted`, at);
      else if (grant.by !== by || grant.node !== nodeOf(by))
        fault(`${by} writes to shard ${shard}, of which ${grant.by} granted epoch ${grant.epoch} to ${grant.node}`, at);
    }
  },
};

const epochsRise: Rule = {
  name: 'epochs_rise',
  promise: 'each grant of a shard is the one before it plus one; who is a member is never robbed, but gives',
  check(evidence, fault) {
    if (evidence.plan.cluster === undefined) return;
    for (const { shard, epoch, node, by, before, at, robs } of tenuresOf(evidence).grants) {
      if (epoch !== (before?.epoch ?? 0) + 1)
        fault(`shard ${shard}: epoch ${epoch} of ${by} follows ${before?.epoch ?? 0}`, at);
      if (robs) fault(`${by} takes shard ${shard} from ${before!.node}, which is a member`, at);
      if (node !== nodeOf(by) && before?.by !== by) fault(`${by} gives away shard ${shard}, which is not its own`, at);
    }
  },
};

const evictedLate: Rule = {
  name: 'evicted_late',
  promise: 'a node is taken for dead only when it has said nothing for the time of its lease',
  check(evidence, fault) {
    if (evidence.plan.cluster === undefined) return;
    for (const { node, by, incarnation, before, at } of tenuresOf(evidence).nodes) {
      if (incarnation !== 0 || before === null || nodeOf(by) === node) continue;
      const silence = at - before.at;
      if (silence < LEASE_MS) fault(`${by} evicts ${node}, which said something ${silence.toFixed(0)} ms before`, at);
    }
  },
};

const ackedUnderLease: Rule = {
  name: 'acked_under_lease',
  promise: 'a node whose lease is over acknowledges nothing that became durable after that',
  check(evidence, fault) {
    const { plan, wire, of } = evidence;
    if (plan.cluster === undefined) return;
    const { nodes } = tenuresOf(evidence);
    const rows = new Map<string, NodeWrite[]>();
    for (const write of nodes) rows.set(write.node, [...(rows.get(write.node) ?? []), write]);
    const lives = of('process').filter(({ alive }) => alive);
    for (const { order, at, way, tap, what } of wire) {
      if (way !== 'out' || what.kind !== 'sent') continue;
      const life = lives.findLast(({ node, order: since }) => node === tap.node && since < order)?.process;
      const said = rows.get(tap.node) ?? [];
      const own = said.findLast(({ by, order: since }) => by === life && since < order);
      if (life === undefined || own === undefined) continue;
      const next = said.find(({ order: since }) => since > own.order && since < order);
      if (next === undefined && at - own.at <= LEASE_MS) continue;
      const over = next?.order ?? Number.POSITIVE_INFINITY;
      const late = of('flushed').find(
        (flush) =>
          flush.order < order &&
          (flush.order > over || flush.at > own.at + LEASE_MS) &&
          flush.writes.some(({ value, by }) => by === life && value !== null && holds(value, what.send.id)),
      );
      if (late !== undefined)
        fault(`${life} acknowledges ${short(what.send.body)}, written when it was no member any more`, at);
    }
  },
};

function holds(value: Uint8Array, id: string): boolean {
  return Buffer.from(value.buffer, value.byteOffset, value.length).includes(Buffer.from(id, 'hex'));
}

const agreed: Rule = {
  name: 'agreed',
  promise: 'in the end all nodes know the same members, and of each shard the same owner, who knows it too',
  check({ of, plan }, fault) {
    if (plan.cluster === undefined) return;
    const told = new Map(of('shards').map((fact) => [fact.node, fact]));
    const [first] = told.values();
    if (first === undefined) return;
    for (const { node, members, owners, mine, at } of told.values()) {
      if (members.join() !== [...told.keys()].sort().join())
        fault(`${node} sees ${members.join(', ')} of ${[...told.keys()].join(', ')}`, at);
      for (const [shard, owner] of owners.entries()) {
        if (owner !== first.owners[shard])
          fault(`shard ${shard} is ${first.owners[shard]}'s for ${first.node}, ${owner}'s for ${node}`, at);
        if (told.get(owner)?.mine.includes(shard) !== true) fault(`${owner} does not know of shard ${shard}`, at);
        if (owner !== node && mine.includes(shard)) fault(`${node} takes shard ${shard} of ${owner} for its own`, at);
      }
    }
  },
};

const staysConnected: Rule = {
  name: 'stays_connected',
  promise: 'whatever other nodes go through, a client whose own node lives stays connected and learns everything',
  check(evidence, fault) {
    const { plan, of, taps, lives, requests } = evidence;
    if (plan.cluster === undefined) return;
    const [calm] = of('calm');
    const [rest] = of('rest');
    if (calm === undefined || rest === undefined || !rest.reached) return;
    const shaken = shakenNodes(evidence, calm.at - AFTERMATH_MS);
    const troubled = new Set(of('fault').map(({ whom }) => whom));
    for (const { asked } of requests.values())
      if (asked.what === 'remove_device') troubled.add(evidence.userOf(asked.device));
    for (const { link, code, order, at } of of('unlink')) {
      const tap = taps.find((each) => each.link === link);
      if (tap === undefined || order < calm.order || order > rest.order || tap.opened >= calm.at) continue;
      const { device, user, node } = tap;
      // Who was let in; before that anything may be refused.
      if (device === '' || user === '' || troubled.has(device) || troubled.has(user) || shaken.has(node)) continue;
      if (lives.get(device)?.at(-1)?.end !== null) continue;
      fault(`${device} is cut off from ${node} (${code}), which was well all the time`, at);
    }
  },
};

/** Nodes that something befell from then on, or whose process or membership changed. */
function shakenNodes(evidence: Evidence, since: number): Set<string> {
  const { of, plan } = evidence;
  const names = new Set<string>();
  for (const { whom, at } of of('fault')) if (at >= since) names.add(whom);
  for (const { node, at } of of('process')) if (at >= since) names.add(node);
  for (const { node, before, incarnation, at } of tenuresOf(evidence).nodes)
    if (at >= since && before?.incarnation !== incarnation) names.add(node);
  // A drain lasts: who is told of it while it logs in leaves when it is in (seed 63323509344 of the cluster).
  for (const step of plan.steps) if (step.do === 'drain_member' && step.at + step.ms >= since) names.add(step.node);
  return names;
}

export const clusterRules = [oneOwner, epochsRise, evictedLate, ackedUnderLease, agreed, staysConnected];
