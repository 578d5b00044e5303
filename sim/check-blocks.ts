// Owns the rule about blocks: what is sent after one is on record does not pass between the two.
// Invariant: of several nodes it excuses what docs/semantics.md §10 says, and no more: the way from the node of who blocks to that of the
// chat, as long as it is, until it is known to be broken, or by a former owner. Who wrote what is read from the store's flushes.
// Must not: excuse a chat that has, since the block was durable, been read anew, or lives on the node that wrote the block.

import type { Evidence, Ordered, SendStory } from './evidence.js';
import type { Fact } from './record.js';
import type { Rule } from './rule.js';
import { short } from './says.js';
import { nodeOf, tenuresOf } from './tenures.js';

type Answered = Ordered<Extract<Fact, { kind: 'answered' }>>;

/** While one user blocks another, for certain. */
interface Block {
  readonly user: string;
  readonly other: string;
  readonly answered: Answered;
  /** Place of the fact at which it may end. */
  readonly until: number;
}

/** ms in which all nodes have seen that a shard has another owner, and the one before has passed on what came to it. */
const MOVING_MS = 1_000;
/** ms after which the chat's node knows that it cannot hear. */
const SILENCE_MS = 2_000;

const blocks: Rule = {
  name: 'blocked',
  promise: 'what is sent after a block is on record does not pass between the two',
  check(evidence, fault) {
    const { sends, chats } = evidence;
    const all = blocksOf(evidence);
    for (const chat of chats.values()) {
      if (chat.type !== 1) continue;
      for (const { seq, from, body } of chat.ever.values()) {
        const story = sends.get(body);
        const other = [...chat.parties].find((user) => user !== from);
        if (story === undefined || other === undefined) continue;
        const broken = [...(all.get(`${from} ${other}`) ?? []), ...(all.get(`${other} ${from}`) ?? [])].find(
          (block) =>
            story.send.order > block.answered.order &&
            firstAsked(story) < block.until &&
            !onItsWay(evidence, block, story),
        );
        if (broken !== undefined)
          fault(
            `${short(body)} of ${from} reached ${other} as ${seq}, though one blocked the other when it was sent`,
            story.send.at,
          );
      }
    }
  },
};

/** By who blocks whom. */
function blocksOf({ requests }: Evidence): Map<string, Block[]> {
  const all = new Map<string, Block[]>();
  const lifted = [...requests.values()].filter(({ asked }) => asked.what === 'unblock');
  for (const { asked, answered, user } of requests.values()) {
    const other = asked.users[0] ?? '';
    if (asked.what !== 'block' || answered?.code !== '') continue;
    // From when an unblock is asked for, whatever comes of it, nothing is certain; one that was under way may come after.
    const ends = lifted
      .filter(
        (each) =>
          each.user === user &&
          each.asked.users[0] === other &&
          (each.answered?.order ?? Number.POSITIVE_INFINITY) > asked.order,
      )
      .map((each) => each.asked.order);
    const key = `${user} ${other}`;
    all.set(key, [...(all.get(key) ?? []), { user, other, answered, until: Math.min(...ends) }]);
  }
  return all;
}

/** A message may be sent while blocked and stored after the unblocking: its acknowledgement decides. */
function firstAsked({ sent }: SendStory): number {
  return sent[0]?.order ?? Number.POSITIVE_INFINITY;
}

/** The block may not have been at the chat's node yet when the message was sent. */
function onItsWay(evidence: Evidence, { user, other, answered }: Block, { send }: SendStory): boolean {
  const { of, plan, cutOff } = evidence;
  if (plan.cluster === undefined) return false;
  const flushes = of('flushed');
  const noted = flushes.findLast(
    ({ order, writes }) =>
      order < answered.order && writes.some(({ key, value }) => value !== null && names(key, user, other)),
  );
  const stored = flushes.find(
    ({ order, writes }) => order > send.order && writes.some(({ value }) => value !== null && holds(value, send.body)),
  );
  const append = tenuresOf(evidence).appends.find(({ order }) => order === stored?.order);
  const teller = noted?.writes.find(({ key }) => names(key, user, other))?.by;
  if (noted === undefined || teller === undefined || append === undefined || append.grant === null) return false;
  if (teller === append.by || append.grant.order > noted.order) return false;
  const moved = append.grant.at > answered.at - MOVING_MS;
  if (send.at <= answered.at + (moved ? MOVING_MS : plan.cluster.wires[1])) return true;
  const late = send.at <= answered.at + SILENCE_MS + MOVING_MS;
  return late && (cutOff(nodeOf(teller), send.at) || cutOff(nodeOf(append.by), send.at));
}

/** The row of the one's block of the other. */
function names(key: Uint8Array, user: string, other: string): boolean {
  const text = Buffer.from(key).toString('latin1');
  return text.includes(user) && text.endsWith(other);
}

function holds(value: Uint8Array, body: string): boolean {
  return Buffer.from(value.buffer, value.byteOffset, value.length).includes(body);
}

export const blockRules = [blocks];
