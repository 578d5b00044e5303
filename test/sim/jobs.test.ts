// Owns the proof that a campaign says the same however many processes run its histories.
// Invariant: real histories of one node, which are short.
// Must not: depend on which process is quicker.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Campaign } from '../../sim/campaign.js';
import { draw } from '../../sim/draw.js';
import { Jobs } from '../../sim/jobs.js';
import { type Judge, judgeHere, type Verdict } from '../../sim/trial.js';

const FIRST = 7_000;
const OPTIONS = { seed: FIRST, draw, until: Number.POSITIVE_INFINITY, now: () => 0, histories: 8 } as const;

test('processes of their own judge as this one does', async () => {
  const jobs = new Jobs(2, false);
  const here = await new Campaign({ ...OPTIONS, keepGoing: true }).run();
  const there = await new Campaign({ ...OPTIONS, keepGoing: true, judges: jobs.judges }).run();
  const sums = ({ histories, failed, replayed, events, trace, coverage }: Campaign) =>
    JSON.stringify({ histories, failed, replayed, events, trace, counts: coverage.counts });
  assert.equal(sums(there), sums(here));
  assert.equal(there.replayed, 1);
  jobs.end();
  await assert.rejects(jobs.judges[0]!(FIRST, false), /seed 7000 broke off/);
});

test('verdicts count in the order of the seeds; the first that fails ends it, or the last does', async () => {
  for (const keepGoing of [false, true]) {
    const here = judgeHere(draw);
    /** Those that are asked for first answer last. */
    const waiting: (() => void)[] = [];
    const late: Judge = async (seed, twice): Promise<Verdict> => {
      const verdict = await here(seed, twice);
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        if (waiting.length === 4) for (const answer of waiting.splice(0).reverse()) answer();
      });
      const bad = seed === FIRST + 1 || seed === FIRST + 3;
      return bad ? { ...verdict, violations: [{ rule: 'bad', detail: `${seed}`, at: null }] } : verdict;
    };
    const said: string[] = [];
    const campaign = new Campaign({
      ...{ ...OPTIONS, keepGoing, judges: Array.from({ length: 4 }, () => late) },
      done: ({ histories, failed }) => void said.push(`${histories}/${failed}`),
      failed: ({ plan, violations }) => void said.push(`${plan.seed} ${violations.map(({ rule }) => rule).join()}`),
    });
    await campaign.run();
    const all = ['1/0', '7001 bad', '2/1', '3/1', '7003 bad', '4/2', '5/2', '6/2', '7/2', '8/2'];
    assert.deepEqual(said, keepGoing ? all : all.slice(0, 3));
  }
});
