// Owns the proof that the torture's checker finds what it is for: a sound history passes, and each way of doctoring it is
// caught by name.
// Invariant: every rule of the checker has at least one doctored history here.
// Must not: run a node.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Ack,
  check,
  type Entry,
  type Evidence,
  type Position,
  ReceiptTrail,
  type Rule,
  type View,
} from '../../../bench/torture/checker.js';
import { authorOf, writeBody } from '../../../bench/torture/plan.js';

const CHAT = 'c1';

/** Evidence that may be doctored. */
interface Sample extends Evidence {
  readonly history: Entry[];
  readonly acks: Ack[];
  readonly views: View[];
  readonly positions: Position[];
}

/** A group of ada and bob: an event, then eight messages by turns; ada's device was closed once, bob's never. */
function sound(): Sample {
  const random = (): number => 0.5;
  const history: Entry[] = [{ seq: 1, id: 'i1', from: 'ada', type: 'event', body: 'created ada bob' }];
  for (let seq = 2; seq <= 9; seq += 1) {
    const from = seq % 2 === 0 ? 'ada' : 'bob';
    const body = writeBody(`${from}/d1`, 0, seq >> 1, random);
    history.push({ seq, id: `i${seq}`, from, type: 'message', body });
  }
  const of = (user: string): Entry[] => history.filter(({ from }) => from === user);
  const view = (user: string, cut: number): View => {
    const others = history.filter(({ from }) => from !== user);
    const lives = [others.slice(0, cut), others.slice(cut)].map((sights) => ({ afterCrash: false, sights }));
    return { chat: CHAT, device: `${user}/d1`, user, lives, own: of(user).map(({ seq, id }) => ({ seq, id })) };
  };
  const acks = history.slice(1).map(({ seq, from, body }) => ({ chat: CHAT, device: `${from}/d1`, seq, body }));
  const receipts = new ReceiptTrail();
  for (const delivered of [3, 5, 5, 9]) receipts.told('ada/d1', { chat: CHAT, user: 'bob', delivered, read: 3 });
  const positions = [
    { chat: CHAT, user: 'ada', delivered: 9, read: 0 },
    { chat: CHAT, user: 'bob', delivered: 9, read: 3 },
  ];
  const views = [view('ada', 2), view('bob', 5)];
  return { history, histories: new Map([[CHAT, history]]), acks, views, receipts, positions, author: authorOf };
}

const rules = (sample: Sample): Set<Rule> => new Set(check(sample).map(({ rule }) => rule));

test('a sound history passes', () => {
  assert.deepEqual(check(sound()), []);
});

test('after a crash of the client, what it had not noted may come again; after a restart it may not', () => {
  const crashed = sound();
  const [first, second] = crashed.views[0]!.lives;
  crashed.views[0]!.lives[1] = { afterCrash: true, sights: [...first!.sights.slice(1), ...second!.sights] };
  assert.deepEqual(check(crashed), []);
  const restarted = sound();
  restarted.views[0]!.lives[1] = { ...crashed.views[0]!.lives[1]!, afterCrash: false };
  assert.deepEqual([...rules(restarted)], ['seen_twice']);
});

test('a crash excuses one repetition, also in a life after the next, and not a second one', () => {
  const sample = sound();
  const { lives } = sample.views[0]!;
  const [first, second] = lives;
  lives.splice(1, 1, { afterCrash: true, sights: [] }, { afterCrash: false, sights: first!.sights }, second!);
  assert.deepEqual(check(sample), []);
  lives.splice(1, 1, { afterCrash: true, sights: first!.sights.slice(0, 1) });
  assert.deepEqual(
    check(sample).map(({ rule, detail }) => `${rule}: ${detail}`),
    ['seen_twice: ada/d1 saw 3 again'],
  );
});

/** Removes the entry and closes the ranks. */
function lose({ history }: Sample, seq: number): void {
  history.splice(seq - 1, 1);
  for (let at = seq - 1; at < history.length; at += 1) history[at] = { ...history[at]!, seq: at + 1 };
}

/** What is done to a sound history, and the rule that must name it. Others may speak up too. */
const DOCTORED: readonly [what: string, rule: Rule, doctor: (sample: Sample) => void][] = [
  ['an acknowledged message is not there', 'lost', (sample) => lose(sample, 4)],
  ['the newest acknowledged message is not there', 'lost', (sample) => lose(sample, 9)],
  ['a message has another number than was acknowledged', 'moved', (sample) => lose(sample, 4)],
  ['a number is left out', 'dense', ({ history }) => void history.splice(3, 1)],
  ['a log does not begin with 1', 'dense', ({ history }) => void history.shift()],
  ['two entries change places', 'dense', ({ history }) => void history.splice(3, 2, history[4]!, history[3]!)],
  [
    'two messages change numbers',
    'moved',
    ({ history }) => void history.splice(3, 2, { ...history[4]!, seq: 4 }, { ...history[3]!, seq: 5 }),
  ],
  [
    'two messages of one sender change numbers',
    'sender_order',
    ({ history }) => void history.splice(3, 3, { ...history[5]!, seq: 4 }, history[4]!, { ...history[3]!, seq: 6 }),
  ],
  ['a retry was appended again', 'doubled', ({ history }) => void history.push({ ...history[3]!, seq: 10 })],
  [
    'a retry was appended again under another id',
    'doubled',
    ({ history }) => void history.push({ ...history[3]!, seq: 10, id: 'i10' }),
  ],
  [
    'an id stands for two messages',
    'doubled',
    ({ history }) => void history.splice(8, 1, { ...history[8]!, id: history[4]!.id }),
  ],
  [
    'a body was altered',
    'lost',
    ({ history }) => void history.splice(3, 1, { ...history[3]!, body: history[3]!.body.replace('weft', 'wefT') }),
  ],
  [
    'a body was altered to what nobody wrote',
    'forged',
    ({ history }) => void history.splice(3, 1, { ...history[3]!, body: `${history[3]!.body}x` }),
  ],
  [
    'a message goes by another user’s name',
    'forged',
    ({ history }) => void history.splice(3, 1, { ...history[3]!, from: 'bob' }),
  ],
  [
    'a device saw another body',
    'differs',
    ({ views, history }) => void views[1]!.lives[0]!.sights.splice(2, 1, { ...history[5]!, body: 'x' }),
  ],
  [
    'a device saw another id',
    'differs',
    ({ views, history }) => void views[1]!.lives[0]!.sights.splice(2, 1, { ...history[5]!, id: 'x' }),
  ],
  [
    'a device’s own message has another id',
    'differs',
    ({ views }) => void views[0]!.own.splice(1, 1, { seq: 2, id: 'x' }),
  ],
  [
    'a device saw what the log does not hold',
    'differs',
    ({ views, history }) => void views[1]!.lives[1]!.sights.push({ ...history[8]!, seq: 10 }),
  ],
  ['a device missed one', 'missed', ({ views }) => void views[1]!.lives[0]!.sights.splice(2, 1)],
  ['a device missed the newest', 'missed', ({ views }) => void views[0]!.lives[1]!.sights.pop()],
  ['a device was never told of its own message', 'missed', ({ views }) => void views[0]!.own.pop()],
  ['a device saw nothing', 'missed', ({ views }) => void views[1]!.lives.splice(0)],
  [
    'a device saw one twice in a row',
    'seen_out_of_order',
    ({ views }) => void views[1]!.lives[0]!.sights.splice(2, 0, views[1]!.lives[0]!.sights[2]!),
  ],
  [
    'a device saw two in another order',
    'seen_out_of_order',
    ({ views }) => void views[1]!.lives[0]!.sights.splice(1, 2, ...views[1]!.lives[0]!.sights.slice(1, 3).reverse()),
  ],
  [
    'a device saw an own message as a delivery too',
    'seen_twice',
    ({ views, history }) => void views[0]!.lives[1]!.sights.splice(2, 0, history[7]!),
  ],
  ['a device was told its own message twice', 'seen_twice', ({ views }) => void views[0]!.own.push(views[0]!.own[1]!)],
  [
    'delivered went back',
    'receipt_back',
    ({ receipts }) => receipts.told('ada/d1', { chat: CHAT, user: 'bob', delivered: 8, read: 3 }),
  ],
  [
    'read went back',
    'receipt_back',
    ({ receipts }) => receipts.told('ada/d1', { chat: CHAT, user: 'bob', delivered: 9, read: 2 }),
  ],
  [
    'a position that was told is not stored',
    'receipt_back',
    ({ receipts }) => receipts.told('ada/d1', { chat: CHAT, user: 'bob', delivered: 9, read: 9 }),
  ],
  [
    'a position stays behind',
    'receipt_wrong',
    ({ positions }) => void positions.splice(0, 1, { ...positions[0]!, delivered: 8 }),
  ],
  [
    'a position is ahead of the log',
    'receipt_wrong',
    ({ positions }) => void positions.splice(0, 1, { ...positions[0]!, delivered: 10 }),
  ],
];

for (const [what, rule, doctor] of DOCTORED) {
  test(`caught: ${what} (${rule})`, () => {
    const sample = sound();
    doctor(sample);
    assert.ok(rules(sample).has(rule), `found ${[...rules(sample)].join(', ') || 'nothing'}`);
  });
}

test('a body names its writer, whatever its length', () => {
  for (const chance of [0, 0.001, 0.004, 0.3, 0.999]) {
    assert.deepEqual(authorOf(writeBody('u1/d2', 3, 77, () => chance)), { device: 'u1/d2', chat: 3, count: 77 });
  }
  assert.equal(authorOf('u1/d2 3'), null);
});
