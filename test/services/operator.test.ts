// Owns the proof that a node takes orders only from who has the cluster's secret, each once, and says what is in the way.
// Invariant: the cluster behind it is the test's; the proofs are real.
// Must not: need a listener.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { hmac } from '../../services/mac.js';
import type { Node } from '../../services/node.js';
import { authorization, Operator } from '../../services/operator.js';
import type { HttpRequest } from '../../transport/socket.js';
import { ManualWorld } from '../actors/manual-world.js';

const SECRET = hmac(new Uint8Array(32).fill(7));
const OTHER = hmac(new Uint8Array(32).fill(8));
const PLAN = 'do=begin&rate=2&clients=10&maxP99=0';

class Bench {
  readonly world = new ManualWorld();
  readonly reports: string[] = [];
  readonly done: string[] = [];
  lapsed = false;
  begins: 'begun' | 'already' | 'last' = 'begun';
  readonly operator = new Operator(this.world, SECRET, (event) => void this.reports.push(event));
  readonly node: Node;

  constructor() {
    const bench = this;
    const cluster = {
      get lapsed() {
        return bench.lapsed;
      },
      drainage: null,
      drain: (plan: object) => {
        bench.done.push(JSON.stringify(plan));
        return bench.begins;
      },
      stay: () => bench.done.push('stay') > 1,
    };
    this.node = { options: { node: 'n-1' }, stopping: false, member: { cluster } } as never;
  }

  ask(method: string, query = '', authorised = ''): { status: number; code: string; challenge: string } {
    const request: HttpRequest = {
      method,
      path: '/drain',
      query,
      address: '10.0.0.1',
      header: (name) => (name === 'authorization' ? authorised : ''),
    };
    const { status, body } = this.operator.answer(this.node, request)!;
    const { code = '', challenge = '' } = JSON.parse(String(body)) as { code?: string; challenge?: string };
    return { status, code, challenge };
  }

  order(query: string, mac = SECRET, node = 'n-1'): string {
    const whole = `node=${node}&${query}&challenge=${this.ask('GET').challenge}`;
    const { status, code } = this.ask('POST', whole, authorization(mac, `/drain?${whole}`));
    return `${status} ${code}`.trim();
  }
}

test('who has the secret is obeyed, who has another one is not, and it is told', () => {
  const bench = new Bench();
  assert.equal(bench.order(PLAN), '200');
  assert.deepEqual(bench.done, ['{"rate":2,"clients":10,"maxP99":0}']);
  assert.equal(bench.order('do=end'), '200');
  assert.equal(bench.order(PLAN, OTHER), '401 secret_refused');
  assert.equal(bench.ask('POST', PLAN).status, 401);
  assert.equal(bench.done.length, 2);
  assert.deepEqual(bench.reports, ['drain_begun', 'drain_ended', 'operator_refused', 'operator_refused']);
});

test('a proof is good once, for a while, for what it says, and for one process', () => {
  const bench = new Bench();
  const whole = (challenge: string): [string, string] => {
    const query = `node=n-1&${PLAN}&challenge=${challenge}`;
    return [query, authorization(SECRET, `/drain?${query}`)];
  };
  const [query, proof] = whole(bench.ask('GET').challenge);
  assert.equal(bench.ask('POST', query.replace('rate=2', 'rate=9'), proof).code, 'secret_refused');
  assert.equal(bench.ask('POST', query, proof).status, 200);
  assert.equal(bench.ask('POST', query, proof).code, 'stale_challenge');
  const late = whole(bench.ask('GET').challenge);
  bench.world.time += LIMITS.operatorMs + 1;
  assert.equal(bench.ask('POST', ...late).code, 'stale_challenge');
  bench.world.randomBytes(1);
  const elsewhere = new Operator(bench.world, SECRET, () => undefined);
  const foreign = elsewhere.answer(bench.node, { method: 'GET', path: '/drain' } as HttpRequest)!;
  const { challenge } = JSON.parse(String(foreign.body)) as { challenge: string };
  assert.equal(bench.ask('POST', ...whole(challenge)).code, 'stale_challenge');
  assert.equal(bench.ask('POST', ...whole('made.up.one')).code, 'stale_challenge');
  assert.equal(bench.done.length, 1);
});

test('what is in the way is said', () => {
  const bench = new Bench();
  bench.begins = 'last';
  assert.equal(bench.order(PLAN), '409 last_node');
  bench.begins = 'already';
  assert.equal(bench.order(PLAN), '409 already_draining');
  const fresh = new Bench();
  assert.equal(fresh.order('do=end'), '409 not_draining');
  assert.equal(fresh.order('do=stop'), '400 bad_request');
  assert.equal(fresh.order('do=begin&rate=0&clients=1&maxP99=1'), '400 bad_request');
  assert.equal(fresh.order('do=begin&rate=Infinity&clients=1&maxP99=1'), '400 bad_request');
  assert.equal(fresh.order(PLAN, SECRET, 'n-2'), '404 unknown_node');
  fresh.lapsed = true;
  assert.equal(fresh.order(PLAN), '503 between_lives');
  const request = { method: 'GET', path: '/status' } as HttpRequest;
  assert.equal(fresh.operator.answer(fresh.node, request), null);
});
