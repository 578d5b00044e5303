// Owns the proof that a history runs to its end, and runs the same again.
// Invariant: plans made here; no machine's time.
// Must not: judge what the product does (the checker does).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type History, runHistory } from '../../sim/history.js';
import type { Fact } from '../../sim/record.js';
import { deed, PLAN, planOf } from './plans.js';

function of<K extends Fact['kind']>({ record }: History, kind: K): Extract<Fact, { readonly kind: K }>[] {
  return record.filter((fact): fact is Extract<Fact, { readonly kind: K }> => fact.kind === kind);
}

const BUSY = planOf([
  ...deed('start', 'ada.1', 'ada.2', 'bob.1'),
  { at: 200, do: 'create', device: 'ada.1', chat: 'g1', users: ['bob'] },
  ...Array.from({ length: 20 }, (_, n) => ({
    at: 400 + n * 20,
    do: 'send' as const,
    device: n % 2 === 0 ? 'ada.1' : 'bob.1',
    chat: n % 3 === 0 ? 'g1' : 'direct:ada:bob',
    body: `body ${n}`,
    size: 40,
  })),
  { at: 500, do: 'cut', device: 'bob.1', after: 0 },
  { at: 550, do: 'kill', device: 'ada.2', keep: 0.5 },
  { at: 600, do: 'crash_node', keep: 0.5, ms: 200 },
  { at: 900, do: 'start', device: 'ada.2' },
  { at: 950, do: 'freeze_node', ms: 300 },
]);

test('everything sent arrives everywhere, in spite of a crash, and nothing stays behind', async () => {
  const history = await runHistory(BUSY);
  assert.deepEqual(of(history, 'trouble'), []);
  assert.deepEqual(
    of(history, 'rest').map(({ reached, why }) => [reached, why]),
    [[true, '']],
  );
  const sent = new Set(of(history, 'sent').map(({ body }) => body));
  assert.equal(sent.size, 20);
  for (const device of ['ada.1', 'ada.2', 'bob.1']) {
    const shown = of(history, 'shown').filter((fact) => fact.device === device && fact.entry.type === 'message');
    const own = of(history, 'sent').filter((fact) => fact.device === device);
    assert.equal(new Set([...shown.map(({ entry }) => entry.body), ...own.map(({ body }) => body)]).size, 20, device);
  }
  const faults = of(history, 'fault').map(({ fault }) => fault);
  for (const fault of ['link_cut', 'client_kill', 'node_crash', 'node_slow'])
    assert.ok(faults.includes(fault as never));
  const last = of(history, 'probe').at(-1);
  assert.equal(last?.rest, true);
  assert.deepEqual(
    last.gauges.filter(({ value, most }) => value > most),
    [],
  );
});

test('the same plan gives the same trace and the same facts; another seed another', async () => {
  const first = await runHistory(BUSY);
  const again = await runHistory(BUSY);
  assert.equal(again.trace, first.trace);
  assert.deepEqual(again.record, first.record);
  const other = await runHistory({ ...BUSY, seed: PLAN.seed + 1 });
  assert.notEqual(other.trace, first.trace);
});
