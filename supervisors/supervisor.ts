// Owns a running supervisor: feeds the rules (strategy.ts) with what its children report, and carries out what they say.
// Invariant: events are handled one at a time in the supervisor's seat; it exits only when every child has ended.
// Must not: decide about restarts itself, or let a child's exception pass.

import type { ExitReason } from '../actors/behaviour.js';
import {
  type ChildSpec,
  type Inspection,
  type Report,
  type Rules,
  type Running,
  rulesOf,
  type Scope,
  type Seat,
  type SupervisorOptions,
  type TreeNode,
} from './spec.js';
import { initial, step } from './strategy.js';
import type { Action, Event, SupervisorState } from './supervisor-state.js';

/** A supervisor as a child of another, or as the root (root.ts). Children start in this order and stop in reverse. */
export function supervisor(id: string, options: SupervisorOptions, children: readonly ChildSpec[]): ChildSpec {
  const rules = rulesOf(options, children);
  return {
    id,
    kind: 'supervisor',
    restart: options.restart ?? 'permanent',
    shutdown: options.shutdown ?? 'infinity',
    launch: (scope, report) => new Supervisor(rules, children, scope, report),
  };
}

export class Supervisor implements Running {
  private state: SupervisorState;
  private readonly seat: Seat<Event>;
  private readonly running = new Map<number, Running>();
  private readonly timers = new Map<number, () => void>();
  private up = false;
  private fault: { readonly reason: ExitReason & { readonly type: 'crash' } } | undefined;

  constructor(
    private readonly rules: Rules,
    private readonly specs: readonly ChildSpec[],
    private readonly scope: Scope,
    private readonly report: Report,
  ) {
    this.state = initial(rules);
    const name = scope.path.slice(scope.path.lastIndexOf('/') + 1);
    this.seat = scope.host.seats.open<Event>(scope.seat, name, (event) => this.handle(event));
    this.seat.post({ type: 'start' });
  }

  stop(): void {
    this.seat.post({ type: 'stop' });
  }

  kill(): void {
    this.seat.post({ type: 'kill' });
  }

  /** Stops and starts the child named by the path below this supervisor. False: there is none. */
  renew(path: readonly string[]): boolean {
    const index = this.specs.findIndex((spec) => spec.id === path[0]);
    if (index < 0 || this.state.phase !== 'running') return false;
    if (path.length > 1) return this.running.get(index)?.renew?.(path.slice(1)) ?? false;
    this.seat.post({ type: 'restart', child: index });
    return true;
  }

  inspect(): Inspection {
    return { queued: this.seat.queued, children: this.specs.map((spec, index) => this.node(spec, index)) };
  }

  private node(spec: ChildSpec, index: number): TreeNode {
    const { status, incarnation, restarts } = this.state.children[index]!;
    const inspection = this.running.get(index)?.inspect() ?? {};
    return { id: spec.id, path: this.path(index), kind: spec.kind, status, incarnation, restarts, ...inspection };
  }

  private handle(event: Event): void {
    if (this.fault !== undefined) return;
    try {
      const { world } = this.scope.host;
      const { state, actions } = step(this.rules, this.state, event, world.now(), () => world.random());
      this.state = state;
      for (const action of actions) this.act(action);
    } catch (error) {
      this.broken(error);
    }
  }

  private act(action: Action): void {
    const { emit } = this.scope;
    switch (action.type) {
      case 'start':
        this.launch(action.child, action.incarnation);
        return;
      case 'stop':
        this.running.get(action.child)?.stop();
        return;
      case 'kill':
        emit({ type: 'killed', path: this.path(action.child) });
        this.running.get(action.child)?.kill();
        return;
      case 'timer':
        this.timers.set(
          action.timer,
          this.scope.host.world.timer(action.ms, () => {
            this.timers.delete(action.timer);
            this.seat.post({ type: 'timer', timer: action.timer });
          }),
        );
        return;
      case 'cancel':
        this.timers.get(action.timer)?.();
        this.timers.delete(action.timer);
        return;
      case 'ready':
        this.up = true;
        this.report.started();
        return;
      case 'exit':
        this.close(action.reason, action.error);
        return;
      case 'restarting':
        emit({ type: 'restarting', path: this.path(action.child), ms: action.ms });
        return;
      case 'escalated':
        emit({ type: 'escalated', path: this.scope.path, child: this.specs[action.child]!.id });
        return;
    }
  }

  /** Every report travels through the seat, so that a child which fails within `launch` is no special case. */
  private launch(child: number, incarnation: number): void {
    const path = this.path(child);
    const { host, emit } = this.scope;
    const report = new ChildReport({
      started: () => {
        emit({ type: 'started', path, incarnation });
        this.seat.post({ type: 'started', child, incarnation });
      },
      failed: (error) => {
        emit({ type: 'start_failed', path, incarnation, error });
        this.gone(child, { type: 'failed', child, incarnation, error });
      },
      ended: (reason) => {
        emit({ type: 'exited', path, incarnation, reason });
        this.gone(child, { type: 'exited', child, incarnation, reason });
      },
    });
    try {
      const running = this.specs[child]!.launch({ host, path, seat: this.seat, emit }, report);
      if (!report.over) this.running.set(child, running);
    } catch (error) {
      report.failed(error);
    }
  }

  private gone(child: number, event: Event): void {
    this.running.delete(child);
    if (this.fault === undefined) this.seat.post(event);
    else if (this.running.size === 0) this.close(this.fault.reason, this.fault.reason.error);
  }

  /** A bug in the supervision itself: what is below can no longer be trusted to be supervised, so all of it goes. */
  private broken(error: unknown): void {
    this.fault = { reason: { type: 'crash', error } };
    for (const cancel of this.timers.values()) cancel();
    this.timers.clear();
    if (this.running.size === 0) this.close(this.fault.reason, error);
    // `gone` closes after the last of them.
    for (const [child, running] of [...this.running].reverse()) {
      try {
        running.kill();
      } catch {
        // Perhaps the very child that broke it; its end cannot be waited for.
        this.gone(child, { type: 'kill' });
      }
    }
  }

  private close(reason: ExitReason, error: unknown): void {
    this.seat.close();
    if (this.up) this.report.ended(reason);
    else this.report.failed(error ?? new Error('stopped while starting'));
  }

  private path(child: number): string {
    return `${this.scope.path}/${this.specs[child]!.id}`;
  }
}

/** Holds a child to its word: `started` or `failed` once, then `ended` once. A child may be confused; its supervisor not. */
class ChildReport implements Report {
  private state: 'starting' | 'up' | 'over' = 'starting';

  constructor(private readonly next: Report) {}

  get over(): boolean {
    return this.state === 'over';
  }

  started(): void {
    if (this.state !== 'starting') return;
    this.state = 'up';
    this.next.started();
  }

  failed(error: unknown): void {
    if (this.state !== 'starting') return;
    this.state = 'over';
    this.next.failed(error);
  }

  ended(reason: ExitReason): void {
    if (this.state !== 'up') return;
    this.state = 'over';
    this.next.ended(reason);
  }
}
