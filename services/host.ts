// Owns several nodes of one machine, each a process, under one parent: in which order they start and stop, when they are restarted,
// and when the host gives up.
//
//   host (one_for_one, no restarts)
//   ├─ node-1 (5 restarts in a minute)
//   │  └─ process
//   ├─ node-2 …
//
// Invariant: a node that ends is started again, with a backoff; one that cannot live, or says that starting again would end the
// same way, ends the host; when the host has ended, so have all of its nodes.
// Must not: know what a node is or how its process is made.

import type { ChildProcess } from 'node:child_process';
import { LIMITS } from '../actors/limits.js';
import { createRuntime } from '../actors/runtime.js';
import type { World } from '../actors/world.js';
import type { TreeEvent } from '../supervisors/events.js';
import { startTree, type Tree } from '../supervisors/root.js';
import type { ChildSpec, Seats } from '../supervisors/spec.js';
import { supervisor } from '../supervisors/supervisor.js';
import { type Service, service } from '../supervisors/worker.js';
import { type HostMessage, NodeFailure, NodeProcess } from './host-process.js';

/** Of one node. A restart takes about a second of CPU, so a node that never comes up has used them up in far less. */
const INTENSITY = { restarts: 5, within: 60_000 };
const BACKOFF = { min: 50, max: 5_000, jitter: 0.5, stable: 30_000 };
/** A node that gave up gives up the host: what is wrong is not in the processes. */
const NONE = { restarts: 0, within: 1_000 };

export interface HostOptions {
  /** Ids of the nodes, in the order in which they start. */
  readonly nodes: readonly string[];
  readonly world: World;
  readonly seats: Seats;
  /** Starts a node's process, with an IPC channel and a pipe for its stdout. */
  spawn(index: number): ChildProcess;
  /** A line that a node wrote on its stdout. */
  line(text: string): void;
  event(event: TreeEvent): void;
  /** Whether a node that ended so would end so again. */
  final(failure: NodeFailure): boolean;
}

interface Seat {
  readonly node: string;
  readonly index: number;
  /** Of the running process, or the one that was started ahead of its turn. */
  process: NodeProcess | null;
}

export class Host {
  readonly #options: HostOptions;
  readonly #seats: readonly Seat[];
  #tree: Tree | null = null;
  #url = '';
  #stopping = false;
  #failure: NodeFailure | null = null;

  constructor(options: HostOptions) {
    this.#options = options;
    this.#seats = options.nodes.map((node, index) => ({ node, index, process: null }));
  }

  /** Resolves when all nodes serve. Rejects with the NodeFailure of one that cannot, after the others were stopped. */
  async start(): Promise<void> {
    const { world, seats, event } = this.#options;
    const root = supervisor(
      'host',
      { intensity: NONE },
      this.#seats.map((seat) => this.#child(seat)),
    );
    try {
      this.#tree = await startTree({ world, actors: createRuntime(world), seats }, root, { emit: event });
    } catch (error) {
      await this.#abandon();
      throw error;
    }
  }

  /** Where clients reach the nodes. */
  get url(): string {
    return this.#url;
  }

  get pids(): ReadonlyMap<string, number> {
    return new Map(this.#seats.map(({ node, process }) => [node, process?.pid ?? 0]));
  }

  /** Resolves when all has ended: to why the host gave up, or null where it was told to stop. */
  async ended(): Promise<NodeFailure | null> {
    await this.#tree?.ended;
    const failure = this.#failure;
    if (failure === null || this.#options.final(failure)) return failure;
    const often = `it ended ${INTENSITY.restarts + 1} times within ${INTENSITY.within / 1_000} s`;
    return new NodeFailure(failure.code, `${failure.message}; ${often}`, failure.exit);
  }

  /** All nodes stop at once: clients that left one would only be sent on by the next. */
  stop(): void {
    if (this.#stopping) return;
    this.#failure = null;
    this.#end();
  }

  /** At once, for who ends without a stop: a node that hangs would not notice. */
  kill(): void {
    for (const { process } of this.#seats) process?.kill();
  }

  renew(): void {
    this.#tell({ type: 'renew' });
  }

  #end(): void {
    this.#stopping = true;
    this.#tell({ type: 'stop' });
    void this.#tree?.stop();
    // The tree ends one after the other, and all were told now.
    this.#options.world.timer(LIMITS.hostStopMs, () => this.kill());
  }

  #tell(message: HostMessage): void {
    for (const { process } of this.#seats) process?.tell(message);
  }

  #child(seat: Seat): ChildSpec {
    const options = { intensity: INTENSITY, backoff: BACKOFF };
    const process = service('process', () => this.#service(seat), { shutdown: LIMITS.hostStopMs });
    return supervisor(`node-${seat.index + 1}`, options, [process]);
  }

  #service(seat: Seat): Service {
    let process: NodeProcess;
    let told = false;
    return {
      start: async (failed) => {
        const first = this.#tree === null && seat.index === 0;
        process = seat.process ?? this.#spawn(seat);
        try {
          this.#url = await process.ready;
        } catch (error) {
          throw this.#lost(seat, error as NodeFailure);
        }
        if (first) this.#ahead();
        void process.ended.then((failure) => {
          if (!told && !this.#stopping) failed(this.#lost(seat, failure));
        });
      },
      stop: async () => {
        told = true;
        process.tell({ type: 'stop' });
        await process.ended;
      },
      kill: () => process.kill(),
      inspect: () => ({ node: seat.node, pid: process.pid }),
    };
  }

  /** The first node has made and checked what all share, so the others need not wait for each other. */
  #ahead(): void {
    for (const seat of this.#seats) seat.process ??= this.#spawn(seat);
  }

  #spawn(seat: Seat): NodeProcess {
    const { spawn, world, line } = this.#options;
    const process = new NodeProcess(spawn(seat.index), world, line);
    seat.process = process;
    void process.ended.then(() => {
      if (seat.process === process) seat.process = null;
    });
    return process;
  }

  /** The end of a node's process, told as its log should tell it. */
  #lost({ node }: Seat, { code, message, exit }: NodeFailure): NodeFailure {
    const failure = new NodeFailure(code, `${node}: ${message}`, exit);
    if (this.#stopping) return failure;
    this.#failure = failure;
    if (this.#tree !== null && this.#options.final(failure)) this.#end();
    return failure;
  }

  async #abandon(): Promise<void> {
    const left = this.#seats.flatMap(({ process }) => (process === null ? [] : [process]));
    for (const process of left) process.kill();
    await Promise.all(left.map(({ ended }) => ended));
  }
}
