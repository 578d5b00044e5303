// Owns what an operator may have a node do over HTTP at the port of the nodes, and how he proves that he may: draining it, and ending that.
//
//   GET  /drain                                     →  node, how its drain stands, challenge
//   POST /drain?node=…&do=begin&…&challenge=…       →  200, or what is in the way
//        authorization: Weft HMAC(secret, all that is asked)
//
// Invariant: nothing is done without the cluster's secret, which never travels; a proof is good for one request, of this very process,
// within some seconds. Who has not got the secret costs no memory.
// Must not: do more than the cluster offers (cluster/cluster.ts); hide from who reads the network what is asked: that is TLS.

import { timingSafeEqual } from 'node:crypto';
import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import type { DrainPlan } from '../cluster/drain.js';
import type { Mac } from '../cluster/link-greeting.js';
import { json } from '../transport/http.js';
import type { HttpRequest, HttpResponse } from '../transport/socket.js';
import type { Node } from './node.js';

const PATH = '/drain';
const SCHEME = 'Weft ';
const NONCE_BYTES = 16;

/** The header with which a request is authorised; `target`: path and query. */
export function authorization(mac: Mac, target: string): string {
  return SCHEME + Buffer.from(mac(Buffer.from(`weft operator\0POST ${target}`))).toString('hex');
}

type Report = (event: string, fields: Readonly<Record<string, string | number>>) => void;

export class Operator {
  readonly #world: World;
  readonly #mac: Mac;
  readonly #report: Report;
  /** Makes this process's challenges differ from any other's. */
  readonly #own: Uint8Array;
  /** Challenges that were answered, until they would not be good any more: only who has the secret gets one in here. */
  readonly #used = new Map<string, number>();

  constructor(world: World, mac: Mac, report: Report) {
    this.#world = world;
    this.#mac = mac;
    this.#report = report;
    this.#own = world.randomBytes(NONCE_BYTES);
  }

  /** Null: it is not about this. */
  answer(node: Node, request: HttpRequest): HttpResponse | null {
    if (request.path !== PATH) return null;
    if (request.method === 'POST') return this.#post(node, request);
    const drain = node.member?.cluster.drainage ?? null;
    return json(200, { node: node.options.node, drain, challenge: this.#challenge() });
  }

  #post(node: Node, request: HttpRequest): HttpResponse {
    const query = new URLSearchParams(request.query);
    const { member } = node;
    if (!this.#proved(request)) {
      this.#report('operator_refused', { address: request.address });
      return refusal(401, 'secret_refused', 'the proof is not one of this cluster’s secret');
    }
    if (!this.#fresh(query.get('challenge') ?? '')) return refusal(401, 'stale_challenge', 'ask for another one');
    if (query.get('node') !== node.options.node) {
      return refusal(404, 'unknown_node', `this is ${node.options.node}`);
    }
    if (member === null || node.stopping || member.cluster.lapsed) {
      return refusal(503, 'between_lives', `${node.options.node} is no member of its cluster at this moment`);
    }
    const { cluster } = member;
    if (query.get('do') === 'end') {
      if (!cluster.stay()) return refusal(409, 'not_draining', `${node.options.node} does not drain`);
      this.#report('drain_ended', {});
      return json(200, {});
    }
    const plan = planOf(query);
    if (query.get('do') !== 'begin' || plan === null) return refusal(400, 'bad_request', 'what is asked is not known');
    switch (cluster.drain(plan)) {
      case 'already':
        return refusal(409, 'already_draining', `${node.options.node} drains already`);
      case 'last':
        return refusal(409, 'last_node', 'no other node is up that would take over');
      case 'begun':
        this.#report('drain_begun', { rate: plan.rate, clients: plan.clients, maxP99: plan.maxP99 });
        return json(200, {});
    }
  }

  // ---- proofs ----

  #proved(request: HttpRequest): boolean {
    const expected = Buffer.from(authorization(this.#mac, `${request.path}?${request.query}`));
    const given = Buffer.from(request.header('authorization'));
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  #challenge(): string {
    const ends = Math.ceil(this.#world.now() + LIMITS.operatorMs);
    const nonce = Buffer.from(this.#world.randomBytes(NONCE_BYTES)).toString('hex');
    return `${ends}.${nonce}.${this.#sign(ends, nonce)}`;
  }

  #fresh(challenge: string): boolean {
    const [ends = '', nonce = '', sign = ''] = challenge.split('.');
    const now = this.#world.now();
    for (const [used, until] of this.#used) if (until < now) this.#used.delete(used);
    if (sign !== this.#sign(Number(ends), nonce) || Number(ends) < now || this.#used.has(nonce)) return false;
    this.#used.set(nonce, Number(ends));
    return true;
  }

  #sign(ends: number, nonce: string): string {
    const bytes = Buffer.concat([Buffer.from(`weft challenge\0${ends}.${nonce}\0`), this.#own]);
    return Buffer.from(this.#mac(bytes)).toString('hex');
  }
}

function planOf(query: URLSearchParams): DrainPlan | null {
  const [rate, clients, maxP99] = ['rate', 'clients', 'maxP99'].map((name) => Number(query.get(name) ?? Number.NaN));
  if (![rate, clients, maxP99].every(Number.isFinite) || rate! <= 0 || clients! <= 0 || maxP99! < 0) return null;
  return { rate: rate!, clients: clients!, maxP99: maxP99! };
}

function refusal(status: number, code: string, message: string): HttpResponse {
  return json(status, { code, message });
}
