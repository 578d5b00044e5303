// Owns a bench for supervision trees: a world moved by hand, children that log their lives, services that end when told.
// Invariant: cells are real; only time and services are played.
// Must not: hold cases.

import { setImmediate as turn } from 'node:timers/promises';
import type { Behaviour } from '../../actors/behaviour.js';
import type { Ref } from '../../actors/ref.js';
import { createRuntime } from '../../actors/runtime.js';
import { directHost } from '../../supervisors/direct-host.js';
import type { TreeEvent } from '../../supervisors/events.js';
import { startTree, type Tree } from '../../supervisors/root.js';
import type { ChildOptions, ChildSpec } from '../../supervisors/spec.js';
import { service, worker } from '../../supervisors/worker.js';
import { ManualWorld } from '../actors/manual-world.js';

export type Order = 'crash' | 'stop' | 'hello';

export class Bench {
  readonly world = new ManualWorld();
  readonly runtime = createRuntime(this.world);
  readonly seats = directHost(this.world);
  readonly events: TreeEvent[] = [];
  readonly log: string[] = [];
  readonly refs = new Map<string, Ref<Order>>();

  /** An actor that logs its life. `fails` is asked at each start. */
  actor(id: string, options: ChildOptions = {}, fails: () => boolean = () => false): ChildSpec {
    const behaviour: Behaviour<string, Order, string> = {
      kind: 'probe',
      level: 'interactive',
      capacity: 8,
      init: (_context, name) => {
        if (fails()) throw new Error(`${name} cannot`);
        this.log.push(`+${name}`);
        return name;
      },
      receive: (_state, order, context) => {
        if (order === 'crash') throw new Error('told to');
        if (order === 'stop') context.stop();
      },
      terminated: (name, reason) => void this.log.push(`-${name} ${reason.type}`),
    };
    return worker(id, behaviour, () => id, { ...options, started: (ref) => this.refs.set(id, ref) });
  }

  /** A service whose start and stop end when told. */
  service(id: string, options: ChildOptions = {}): { spec: ChildSpec; made: Probe[] } {
    const made: Probe[] = [];
    const spec = service(
      id,
      () => {
        const probe = new Probe(id, this.log);
        made.push(probe);
        return probe;
      },
      options,
    );
    return { spec, made };
  }

  start(spec: ChildSpec, signal: AbortSignal = new AbortController().signal): Promise<Tree> {
    const host = { world: this.world, actors: this.runtime, seats: this.seats };
    const emit = (event: TreeEvent): void => {
      this.events.push(event);
      throw new Error('a log that fails');
    };
    return startTree(host, spec, { emit, signal });
  }

  async started(spec: ChildSpec): Promise<Tree> {
    const tree = this.start(spec);
    await this.settle();
    this.log.push('|');
    return tree;
  }

  tell(id: string, order: Order): void {
    this.refs.get(id)?.tell(order);
  }

  /** Services answer by promises: lets them through. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 6; quiet++) {
      this.world.settle();
      await turn();
    }
  }

  async pass(ms: number): Promise<void> {
    this.world.advance(ms);
    await this.settle();
  }

  take(): string[] {
    return this.log.splice(0);
  }

  kinds(): string[] {
    return this.events.map((event) => `${event.type} ${event.path}`);
  }
}

class Probe {
  ready: () => void = () => undefined;
  refuse: (error: Error) => void = () => undefined;
  done: () => void = () => undefined;
  fail: (error: unknown) => void = () => undefined;

  constructor(
    private readonly id: string,
    private readonly log: string[],
  ) {}

  start(failed: (error: unknown) => void): Promise<void> {
    this.log.push(`start ${this.id}`);
    this.fail = failed;
    return new Promise((resolve, reject) => {
      this.ready = resolve;
      this.refuse = reject;
    });
  }

  stop(): Promise<void> {
    this.log.push(`stop ${this.id}`);
    return new Promise((resolve) => {
      this.done = resolve;
    });
  }

  kill(): void {
    this.log.push(`kill ${this.id}`);
  }
}
