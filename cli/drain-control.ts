// Owns the way from the command line to one node of a cluster: finding it, asking how its drain stands, telling it what to do.
// Invariant: the cluster's secret proves who asks and is never sent; each order carries the node's own challenge.
// Must not: print, or wait.

import { z } from 'zod';
import type { DrainPlan, DrainStatus } from '../cluster/drain.js';
import type { Mac } from '../cluster/link-greeting.js';
import { authorization } from '../services/operator.js';
import { get, noNode, parse } from './ask.js';
import { askCluster, drainSchema, peerAddress } from './cluster-view.js';
import { CliFailure, EXIT } from './failure.js';

/** ms that a node has to answer an order. */
const PATIENCE = 5_000;

const stateSchema = z.object({ node: z.string(), drain: drainSchema.nullable(), challenge: z.string() });
const refusalSchema = z.object({ code: z.string(), message: z.string() });

/** What to do about a refusal. */
const WAYS: Readonly<Record<string, (node: string) => string>> = {
  secret_refused: () => 'give the cluster’s own with --cluster-secret-file, or the nodes’ --data',
  already_draining: (node) => `"weft drain ${node} --watch" shows how far it is, "weft drain ${node} --cancel" ends it`,
  last_node: () => 'start another one first, or end a drain; to stop the whole cluster no drain is needed',
  not_draining: () => '"weft status" shows who does',
  between_lives: () => 'ask again in some seconds',
};

export class DrainControl {
  readonly node: string;
  readonly #base: URL;

  private constructor(node: string, base: URL) {
    this.node = node;
    this.#base = base;
  }

  /** Throws CliFailure: `unreachable`, `unknown_node`, `no_cluster`. */
  static async find(url: string, node: string): Promise<DrainControl> {
    const { own } = await askCluster(url);
    const member = own.members.find((each) => each.node === node);
    if (member === undefined) {
      const names = own.members.map((each) => each.node).join(', ');
      throw new CliFailure('unknown_node', `there is no member ${node}; the members are ${names}`);
    }
    if (member.address === '') {
      throw new CliFailure('no_cluster', `${node} is alone, so nobody would take over; stop it with SIGTERM`);
    }
    return new DrainControl(node, peerAddress(member.address));
  }

  /** Null: it does not drain. Throws `unreachable`. */
  async state(): Promise<DrainStatus | null> {
    return (await this.#ask()).drain;
  }

  begin(mac: Mac, { rate, clients, maxP99 }: DrainPlan): Promise<void> {
    return this.#order(mac, { do: 'begin', rate: `${rate}`, clients: `${clients}`, maxP99: `${maxP99}` });
  }

  end(mac: Mac): Promise<void> {
    return this.#order(mac, { do: 'end' });
  }

  async #ask(): Promise<z.infer<typeof stateSchema>> {
    const url = new URL('/drain', this.#base);
    const way = `${this.node} hangs or has just ended, or its peer port cannot be reached from here`;
    const answer = await get(url, undefined, way);
    const parsed = stateSchema.safeParse(answer.ok ? parse(answer.body) : null);
    if (!parsed.success) throw noNode(url);
    return parsed.data;
  }

  async #order(mac: Mac, fields: Readonly<Record<string, string>>): Promise<void> {
    const { challenge } = await this.#ask();
    const target = `/drain?${new URLSearchParams({ node: this.node, ...fields, challenge })}`;
    const answer = await fetch(new URL(target, this.#base), {
      method: 'POST',
      headers: { authorization: authorization(mac, target) },
      signal: AbortSignal.timeout(PATIENCE),
      redirect: 'error',
    }).catch((error: unknown) => {
      const reason = error instanceof Error ? error.name : 'unknown error';
      throw new CliFailure('unreachable', `${this.node} did not answer (${reason})`, EXIT.unreachable);
    });
    if (answer.ok) return;
    const refused = refusalSchema.safeParse(parse(await answer.text()));
    if (!refused.success) throw noNode(this.#base);
    const { code, message } = refused.data;
    const way = WAYS[code]?.(this.node);
    throw new CliFailure(code, way === undefined ? message : `${message}; ${way}`);
  }
}
