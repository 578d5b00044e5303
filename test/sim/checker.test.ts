// Owns the proof that every rule of the checker can fire.
// Invariant: each case spoils the clean scene in one place and names the rules that must find it; others may see more of the same.
// Must not: use the product.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, RULES } from '../../sim/checker.js';
import { append, CLUSTER_CASES, clustered, grant, member, stored } from './cases-cluster.js';
import { ENTRY_CASES } from './cases-entries.js';
import { OTHER_CASES } from './cases-rest.js';
import {
  bytes,
  clean,
  DIRECT,
  event,
  FIRST,
  frame,
  GROUP,
  IDS,
  idOf,
  into,
  message,
  out,
  recordOf,
  type Scene,
  SECOND,
  type Told,
} from './scene.js';
import { ask, calm, change, end, find, logs, type Of, put } from './spoil.js';

const CASES = [...ENTRY_CASES, ...OTHER_CASES, ...CLUSTER_CASES];

test('the clean scene gives no rule a reason', () => {
  assert.deepEqual(check(recordOf(clean())), []);
  assert.deepEqual(check(recordOf(clustered(clean()))), []);
});

for (const [name, rules, spoil] of CASES) {
  test(`found: ${name}`, () => {
    const scene = clean();
    spoil(scene);
    const found = check(recordOf(scene));
    const list = found.map(({ rule, detail }) => `${rule}: ${detail}`).join('\n');
    const named = new Set(found.map(({ rule }) => rule));
    for (const rule of rules) assert.ok(named.has(rule), `${rule} is silent; found:\n${list}`);
  });
}

/** What one rule finds. */
const found = (rule: string, scene: Scene): string[] =>
  check(recordOf(scene)).flatMap((each) => (each.rule === rule ? [each.detail] : []));

test('a deletion comes when nodes that stood still or could not be reached go on, after what was deleted', () => {
  const [, , spoil] = CASES.find(([name]) => name === 'a frame with a deleted body')!;
  for (const fault of ['node_zombie', 'wire_one_way', 'node_join'] as const) {
    const scene = clustered(clean());
    put(scene, calm(scene), { kind: 'fault', fault, whom: 'n2', detail: '' });
    spoil(scene);
    const [late] = found('deleted_is_gone', scene).filter((detail) => detail.includes('left for bob.1'));
    assert.equal(late === undefined, fault !== 'node_join');
  }
});

test('what somebody asked to be deleted may be erased, also where nobody saw the event', () => {
  const [, , spoil] = CASES.find(([name]) => name === 'an entry that is erased by itself')!;
  for (const [code, excused] of [
    ['', true],
    ['closed', true],
    ['not_allowed', false],
  ] as const) {
    const scene = clean();
    const [asked, answered] = ask('ada.1', 9, 'delete_for_all', DIRECT, [], [2]);
    put(scene, calm(scene), asked!, { ...(answered as Of<'answered'>), code });
    spoil(scene);
    const bare = found('kept', scene).filter((detail) => detail.includes('nobody deleted it'));
    assert.equal(bare.length === 0, excused, code);
  }
});

test('what was told while a node on its way was held up comes to a client that has read it, and only that comes twice', () => {
  for (const [fault, certified, excused] of [
    ['wire_one_way', true, true],
    ['wire_one_way', false, false],
    ['node_join', true, false],
  ] as const) {
    const scene = clustered(clean());
    const synced = certified ? [out('bob.1', 37, [[bytes(DIRECT), 2, 3]]), out('bob.1', 38, 1)] : [];
    const told = out('bob.1', 34, bytes(DIRECT), 'ada', 1, bytes(IDS.first), 0, Buffer.from(FIRST));
    put(scene, calm(scene), { kind: 'fault', fault, whom: 'n2', detail: '' }, ...synced, told);
    assert.equal(found('streamed_in_order', scene).length === 0, excused, `${fault} ${certified}`);
  }
});

test('of a chat that was cleared before anything of it was seen its member hears where he stands; of others he may not', () => {
  for (const [told, user, excused] of [
    ['bob.1', 'bob', true],
    ['bob.1', 'ada', false],
    ['ada.1', 'bob', false],
  ] as const) {
    const scene = clean();
    put(scene, calm(scene), out(told, 36, Buffer.alloc(16, 7), user, 1, 0));
    assert.equal(found('receipts_possible', scene).length === 0, excused, `${told} of ${user}`);
  }
});

test('what was removed comes to a node that was thrown out when it is back', () => {
  const [, , spoil] = CASES.find(([name]) => name === 'a removed device that still gets messages')!;
  for (const [node, back, excused] of [
    ['n1', 0, true],
    ['n1', 1, true],
    ['n1', 10_100, false],
    ['n2', 0, false],
  ] as const) {
    const scene = clustered(clean());
    put(scene, calm(scene), stored(member(node, 0, 0, 'n2#1')));
    const filler = Array.from(
      { length: back },
      (): Told => ({ kind: 'state', device: 'bob.1', life: 1, state: 'online' }),
    );
    if (back > 0) put(scene, calm(scene), stored(member(node, 3, 0, `${node}#1`)), ...filler);
    spoil(scene);
    assert.equal(found('removed_device', scene).length === 0, excused, `${node}, back for ${back} ms`);
  }
});

test('a client that its own node sends on while that is drained may go, and only then', () => {
  const [, , spoil] = CASES.find(([name]) => name === 'a client cut off though its node is well')!;
  for (const [node, ms, excused] of [
    ['n1', 8_000, true],
    ['n1', 50, false],
    ['n2', 8_000, false],
  ] as const) {
    const scene = clean();
    scene.plan = { ...scene.plan, steps: [...scene.plan.steps, { at: 1, do: 'drain_member', node, ms }] };
    spoil(scene);
    assert.equal(found('stays_connected', scene).length === 0, excused, `${node} for ${ms} ms`);
  }
});

/** Bob blocks ada, whose first message follows after so many ms. `by` wrote the block; the chat lives at n1. */
function blockedBy(by: string, ms: number, rested: number, ...meanwhile: Told[]): boolean {
  const scene = clustered(clean());
  scene.plan = { ...scene.plan, cluster: { ...scene.plan.cluster!, wires: [0, 20] } };
  const filler = (count: number): Told[] =>
    Array.from({ length: count }, () => ({ kind: 'state', device: 'ada.1', life: 1, state: 'online' }));
  const holds = ({ writes }: Of<'flushed'>): boolean =>
    writes.some(({ value }) => value !== null && Buffer.from(value).includes(FIRST));
  const { writes } = scene.facts[find(scene, 'flushed', holds)] as Of<'flushed'>;
  change(scene, 'flushed', holds, { writes: [...writes.map((write) => ({ ...write, by: 'n1#1' })), append('n1#1')] });
  const block = stored({ key: Buffer.from('\x20bob\0ada'), value: Uint8Array.of(1), by });
  const asked = ask('bob.1', 9, 'block', '', ['ada'], []);
  put(scene, find(scene, 'send'), ...filler(rested), block, ...asked, ...meanwhile, ...filler(ms));
  return found('blocked', scene).some((detail) => detail.includes(FIRST));
}

test('a block may be as late at the node of the chat as its way there is long or broken', () => {
  const blow = (whom: string): Told => ({ kind: 'fault', fault: 'wire_cut', whom, detail: '' });
  const [own, other, long] = ['n1#1', 'n2#1', 2_000];
  assert.equal(blockedBy(own, 1, long), true, 'the node that wrote it has the chat');
  assert.equal(blockedBy(own, 1, long, blow('n1')), true);
  assert.equal(blockedBy(other, 10, long), false, 'on its way');
  assert.equal(blockedBy(other, 30, long), true, 'there');
  assert.equal(blockedBy(other, 30, 0), false, 'the shard has just moved there');
  assert.equal(blockedBy(other, 1_030, 0), true);
  for (const [whom, excused] of [
    ['n1', true],
    ['n2', true],
    ['*', true],
    ['n3', false],
  ] as const)
    assert.equal(blockedBy(other, 30, long, blow(whom)), !excused, whom);
  assert.equal(blockedBy(other, 10, long, blow('n1'), stored(grant(2, 'n1', 'n1#1'))), true, 'read with the block');
});

test('an installation has to know who has a message of its user from before it only if it was shown it', () => {
  for (const shown of [true, false]) {
    const scene = clean();
    const entry = message(2, IDS.second, 'ada', SECOND);
    put(
      scene,
      calm(scene),
      { kind: 'start', device: 'ada.2', life: 1, user: 'ada', fresh: true },
      ...(shown ? [{ kind: 'shown', device: 'ada.2', life: 1, chat: DIRECT, entry } as const] : []),
    );
    assert.equal(found('ticks', scene).length > 0, shown);
  }
});

test('who left a chat is told of its members no more, nor they of him, also where nobody saw that he did', () => {
  const seen = event(4, idOf(8), 'cleo', 'left');
  const later = event(5, idOf(9), 'ada', 'expired', [], { first: 4, last: 4 });
  for (const [entries, role, faults] of [
    [[later], 'gone', 0],
    [[later], 'member', 2],
    [[seen, later], 'gone', 0],
    [[], 'gone', 2],
  ] as const) {
    const scene = clean();
    logs(scene, GROUP, (log) => [...log, ...entries], 'ada');
    change(scene, 'info', ({ chat }) => chat === GROUP, {
      members: [
        { user: 'ada', role: 'owner', delivered: 3, read: 0 },
        { user: 'cleo', role, delivered: 3, read: 0 },
      ],
    });
    for (const [device, other] of [
      ['ada.1', 'cleo'],
      ['cleo.1', 'ada'],
    ] as const)
      put(scene, calm(scene), into(device, 14, bytes(GROUP), 1), out(device, 44, other, 0, 0, 0));
    assert.equal(found('presence', scene).length, faults, `${entries.length} more entries, ${role}`);
  }
});

test('a device has its own change where the event came while it asked, though nobody lived to hear of it', () => {
  for (const [restarted, lacks] of [
    [false, false],
    [true, true],
  ]) {
    const scene = clean();
    change(scene, 'out', ({ bytes: sent }) => Buffer.from(sent).equals(frame(41, 2, 3)), {
      bytes: frame(35, bytes(GROUP), 'ada', 3, bytes(IDS.removed), 0, 3, [['bob']]),
    });
    const answered = find(scene, 'answered', ({ request }) => request === 2);
    scene.facts.splice(answered, 1);
    const start: Told = { kind: 'start', device: 'ada.1', life: 2, user: 'ada', fresh: false };
    put(scene, restarted ? answered - 1 : calm(scene), end('ada.1', 'killed'), start);
    const gaps = found('shown_all', scene).filter((detail) => detail.startsWith('ada.1') && detail.includes('removed'));
    assert.equal(gaps.length > 0, lacks, restarted ? 'asked by an earlier life' : 'asked by this one');
  }
});

test('what is told while INFO is on its way need not be in its answer', () => {
  for (const late of [true, false]) {
    const scene = clean();
    const ask = into('ada.1', 12, 9, bytes(DIRECT));
    const told = [into('bob.1', 4, bytes(DIRECT), 2), out('ada.1', 36, bytes(DIRECT), 'bob', 2, 2)];
    put(scene, calm(scene), ...(late ? [ask, ...told] : [...told, ask]));
    assert.equal(found('receipts_rise', scene).length === 0, late);
  }
});

test('every rule is proved to fire', () => {
  const proved = new Set(CASES.flatMap(([, rules]) => rules));
  assert.deepEqual(
    RULES.map(({ name }) => name).filter((name) => !proved.has(name)),
    [],
  );
});
