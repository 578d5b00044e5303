// Owns a host of several nodes as real processes: started as `weft start --nodes`, asked at the nodes' own ports, each killed at will.
// Invariant: a node is named by its place, 1 to N, through all of its lives; a started host is gone when its starter is.
// Must not: share anything with the nodes but their data folder.

import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CLUSTER_SECRET_FILE } from '../cli/cluster-settings.js';
import { DrainControl } from '../cli/drain-control.js';
import { CliFailure } from '../cli/failure.js';
import type { DrainPlan, DrainStatus } from '../cluster/drain.js';
import type { ClusterReport } from '../services/cluster-report.js';
import { hmac } from '../services/mac.js';
import { readSecret } from '../services/secret.js';
import { type Exit, NodeProcess, type NodeProcessOptions, quietPort } from './node-process.js';
import { childrenOf } from './process-stat.js';

export interface HostProcessOptions extends NodeProcessOptions {
  readonly nodes: number;
  /** First of the ports at which the nodes hear each other. */
  readonly peers: number;
}

/** ms to wait for what a node says of its cluster. */
const ASK_MS = 1_000;
/** ms for which a node that ought to be there is asked again. */
const PATIENCE_MS = 5_000;
/** ms between two looks at a drain. */
const DRAIN_LOOK_MS = 50;

export class HostProcess {
  readonly #parent: NodeProcess;
  readonly #options: HostProcessOptions;

  private constructor(parent: NodeProcess, options: HostProcessOptions) {
    this.#parent = parent;
    this.#options = options;
  }

  /** Resolves when all nodes serve. Rejects with StartFailure. */
  static async start(options: HostProcessOptions): Promise<HostProcess> {
    const { nodes, peers, flags = [] } = options;
    const several = ['--nodes', `${nodes}`, '--node-id', 'n', '--peer-listen', `127.0.0.1:${peers}`];
    return new HostProcess(await NodeProcess.start({ ...options, flags: [...several, ...flags] }), options);
  }

  /** Ports for `start`: where clients come, and the first of those between nodes. */
  static async ports(nodes: number): Promise<{ readonly port: number; readonly peers: number }> {
    return { port: await quietPort(1), peers: await quietPort(nodes) };
  }

  get url(): string {
    return this.#parent.url;
  }

  get readyMs(): number {
    return this.#parent.readyMs;
  }

  get pid(): number {
    return this.#parent.pid;
  }

  get lines(): readonly string[] {
    return this.#parent.lines;
  }

  /** Ends with the parent. */
  get ended(): Promise<Exit> {
    return this.#parent.ended;
  }

  /** Of the process that is this node now; undefined between two lives. */
  pidOf(node: number): number | undefined {
    return this.pids.get(`n-${node}`);
  }

  get pids(): ReadonlyMap<string, number> {
    return childrenOf(this.pid);
  }

  /** False where there is no such process. */
  signal(node: number, signal: NodeJS.Signals): boolean {
    const pid = this.pidOf(node);
    if (pid === undefined) return false;
    try {
      return process.kill(pid, signal);
    } catch {
      return false;
    }
  }

  /** Signals the parent; resolves when all of its processes are gone. */
  stop(signal: NodeJS.Signals): Promise<Exit> {
    return this.#parent.stop(signal);
  }

  /** What a node says of its cluster; null where it does not. */
  async report(node: number): Promise<ClusterReport | null> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.#options.peers + node - 1}/cluster`, {
        signal: AbortSignal.timeout(ASK_MS),
      });
      return answer.ok ? ((await answer.json()) as ClusterReport) : null;
    } catch {
      return null;
    }
  }

  /** Resolves when the node is empty, or `over` says that this is no longer asked for; rejects with CliFailure where it cannot be drained. */
  async drain(node: number, plan: DrainPlan, over: (status: DrainStatus) => boolean = () => false): Promise<void> {
    const control = await answered(() => this.#control(node));
    await answered(() => control.begin(this.#mac(), plan));
    for (;;) {
      const status = await answered(() => control.state());
      if (status === null || status.state === 'drained' || over(status)) return;
      await pause(DRAIN_LOOK_MS);
    }
  }

  /** Ends a drain. */
  async stay(node: number): Promise<void> {
    const control = await answered(() => this.#control(node));
    await answered(() => control.end(this.#mac()));
  }

  #control(node: number): Promise<DrainControl> {
    return DrainControl.find(`http://127.0.0.1:${this.#options.peers + node - 1}`, `n-${node}`);
  }

  #mac(): ReturnType<typeof hmac> {
    const found = readSecret(join(this.#options.data, CLUSTER_SECRET_FILE));
    if (!found.ok) throw new Error(found.detail);
    return hmac(found.secret);
  }

  reports(): Promise<(ClusterReport | null)[]> {
    return Promise.all(Array.from({ length: this.#options.nodes }, (_, at) => this.report(at + 1)));
  }

  /** All nodes are members, see each other, and each shard has one owner by that owner's own word. */
  async whole(): Promise<boolean> {
    const { nodes } = this.#options;
    const reports = await this.reports();
    const owned = reports.flatMap((report) => report?.shards.filter(({ users }) => users !== null) ?? []);
    return (
      reports.every((report) => report?.healthy === true && report.members.length === nodes) &&
      reports.every((report) => report!.links.every(({ state }) => state === 'up')) &&
      reports.every((report) => report!.shards.every(({ owner }) => owner !== null)) &&
      owned.length === reports[0]!.shards.length
    );
  }
}

/** Asked again for a while where nobody answers: a pooled socket may still lead to the process before, on a busy machine. */
async function answered<T>(ask: () => Promise<T>): Promise<T> {
  for (const until = performance.now() + PATIENCE_MS; ; await pause(DRAIN_LOOK_MS)) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof CliFailure) || error.code !== 'unreachable' || performance.now() > until) throw error;
    }
  }
}
