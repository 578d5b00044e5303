// Owns the rules of supervision as one pure function: which child starts, stops or is left alone after which event.
// Invariant: one thing at a time, as in OTP's supervisor process. While a sequence of stops and starts runs, further
// exits wait their turn; a child is started only when its former incarnation has ended.
// Must not: read a clock, roll dice or touch a child; supervisor.ts carries out the actions and reports back.
//
//                     started                    exited, must restart              delay over
//   down ──▶ starting ───────▶ up ──▶ stopping ──▶ ended ─────────────▶ waiting ─────────────▶ starting …
//                │ killed          └──▶ killing ┘    └─▶ down (transient, normal)  └─▶ gone (temporary)
//
// Where this leaves OTP: restarts may be delayed (backoff.ts); a stop interrupts a start; `significant` children and
// auto_shutdown do not exist. See Erlang/OTP, stdlib, supervisor(3).

import type { ExitReason } from '../actors/behaviour.js';
import { delay } from './backoff.js';
import { record } from './intensity.js';
import type { Rules } from './spec.js';
import type { Action, ChildState, Event, Goal, Step, SupervisorState, Turn, Work } from './supervisor-state.js';

const SHUTDOWN: ExitReason = { type: 'shutdown' };
const KILLED: ExitReason = { type: 'killed' };

export function initial(rules: Rules): SupervisorState {
  const down = (): ChildState => ({ status: 'down', incarnation: 0, restarts: 0, failures: 0, since: 0, timer: 0 });
  return { phase: 'new', children: rules.children.map(down), window: [], work: undefined, turns: [], timers: 0 };
}

/** `now` in monotonic ms; `random` uniform in [0, 1), asked once per delay. The given state stays as it was. */
export function step(rules: Rules, before: SupervisorState, event: Event, now: number, random: () => number): Step {
  const draft = new Draft(rules, copy(before), now, random);
  draft.on(event);
  draft.advance();
  return { state: draft.state, actions: draft.actions };
}

function copy(state: SupervisorState): SupervisorState {
  const work = state.work && { ...state.work, stop: [...state.work.stop], start: [...state.work.start] };
  return { ...state, children: state.children.map((child) => ({ ...child })), turns: [...state.turns], work };
}

class Draft {
  readonly actions: Action[] = [];

  constructor(
    private readonly rules: Rules,
    readonly state: SupervisorState,
    private readonly now: number,
    private readonly random: () => number,
  ) {}

  on(event: Event): void {
    const { state } = this;
    switch (event.type) {
      case 'start':
        if (state.phase !== 'new') return;
        state.phase = 'starting';
        state.work = { stop: [], start: this.all(), goal: { type: 'ready' } };
        return;
      case 'stop':
        if (state.phase !== 'exited' && state.phase !== 'stopping') this.end({ type: 'exit', reason: SHUTDOWN });
        return;
      case 'kill':
        if (state.phase === 'exited') return;
        this.end({ type: 'exit', reason: KILLED });
        for (const child of this.all().reverse()) this.kill(child);
        return;
      case 'started':
        this.started(event.child, event.incarnation);
        return;
      case 'failed':
        this.failed(event.child, event.incarnation, event.error);
        return;
      case 'exited':
        this.exited(event.child, event.incarnation, event.reason);
        return;
      case 'timer':
        this.fired(event.timer);
        return;
      case 'restart':
        if (state.phase === 'running') state.turns.push({ why: 'operator', child: event.child, reason: SHUTDOWN });
    }
  }

  /** Goes on until something has to be waited for. */
  advance(): void {
    const { state } = this;
    for (;;) {
      const { work } = state;
      if (work === undefined) {
        const turn = state.turns.shift();
        if (turn === undefined) return;
        this.take(turn);
      } else if (work.stop.length > 0) {
        if (!this.stopped(work.stop[0]!)) return;
        work.stop.shift();
      } else if (work.start.length > 0) {
        if (!this.startNext(work)) return;
      } else {
        state.work = undefined;
        this.reach(work.goal);
      }
    }
  }

  private started(index: number, incarnation: number): void {
    const child = this.current(index, incarnation);
    if (child?.status !== 'starting') return;
    child.status = 'up';
    child.since = this.now;
    if (this.state.work?.start[0] === index) this.state.work.start.shift();
  }

  private failed(index: number, incarnation: number, error: unknown): void {
    const { state } = this;
    const child = this.current(index, incarnation);
    if (child === undefined) return;
    if (child.status === 'stopping' || child.status === 'killing') {
      this.cancel(child);
      child.status = 'down';
    } else if (child.status === 'starting' && state.phase === 'starting') {
      // The first start is all or nothing: what is up goes down again and the parent learns why.
      child.status = 'down';
      this.end({ type: 'exit', reason: SHUTDOWN, error });
    } else if (child.status === 'starting') {
      // As OTP's try_again_restart: this start was a restart, so its failure asks for one more. Exits that came in
      // meanwhile are taken first; the rest of the sequence is given up, those children are part of the next one.
      child.status = 'ended';
      state.work = undefined;
      state.turns.push({ why: 'retry', child: index, reason: { type: 'crash', error } });
    }
  }

  private exited(index: number, incarnation: number, reason: ExitReason): void {
    const child = this.current(index, incarnation);
    if (child === undefined) return;
    if (child.status === 'up') {
      child.status = 'ended';
      if (this.now - child.since >= this.rules.backoff.stable) child.failures = 0;
      this.state.turns.push({ why: 'exit', child: index, reason });
    } else if (child.status === 'stopping' || child.status === 'killing') {
      this.cancel(child);
      child.status = 'down';
    }
  }

  private fired(timer: number): void {
    const index = this.state.children.findIndex((child) => child.timer === timer);
    const child = this.state.children[index];
    if (child === undefined) return;
    child.timer = 0;
    if (child.status === 'waiting') this.state.turns.push({ why: 'due', child: index, reason: SHUTDOWN });
    else this.kill(index);
  }

  /** No sequence runs: decides what this turn asks for. */
  private take({ why, child: index, reason }: Turn): void {
    const { state } = this;
    const child = state.children[index];
    if (child === undefined || child.status === 'gone') return;
    const { restart } = this.rules.children[index]!;
    if (why === 'operator') this.again(index, child);
    else if (why === 'due') this.startGroup(index);
    else if (restart === 'temporary') child.status = 'gone';
    else if (restart === 'transient' && (reason.type === 'normal' || reason.type === 'shutdown')) child.status = 'down';
    else this.restart(index, child);
  }

  private restart(index: number, child: ChildState): void {
    const { window, exceeded } = record(this.state.window, this.now, this.rules.intensity);
    this.state.window = window;
    if (exceeded) {
      this.actions.push({ type: 'escalated', child: index });
      this.end({ type: 'exit', reason: SHUTDOWN });
      return;
    }
    child.restarts++;
    const others = this.group(index).filter((other) => other !== index);
    this.state.work = { stop: others.reverse(), start: [], goal: { type: 'delay', child: index } };
  }

  /** What an operator asked for. A child that is about to be restarted anyway only loses the pause before it. */
  private again(index: number, child: ChildState): void {
    const { state } = this;
    const due = (other: ChildState, at: number): boolean =>
      (other.status === 'waiting' || other.status === 'ended') && this.group(at).includes(index);
    if (child.status === 'waiting') this.startGroup(index);
    else if (!state.children.some(due)) state.work = { stop: [index], start: [index], goal: { type: 'restarted' } };
  }

  private reach(goal: Goal): void {
    const { state } = this;
    if (goal.type === 'ready') {
      state.phase = 'running';
      this.actions.push({ type: 'ready' });
    } else if (goal.type === 'exit') {
      state.phase = 'exited';
      this.actions.push(goal);
    } else if (goal.type === 'delay') {
      const child = state.children[goal.child]!;
      const ms = delay(this.rules.backoff, child.failures++, this.random());
      this.actions.push({ type: 'restarting', child: goal.child, ms });
      if (ms === 0) {
        this.startGroup(goal.child);
      } else {
        child.status = 'waiting';
        this.arm(child, ms);
      }
    }
  }

  private startGroup(index: number): void {
    this.state.work = { stop: [], start: this.group(index), goal: { type: 'restarted' } };
  }

  private startNext(work: Work): boolean {
    const index = work.start[0]!;
    const child = this.state.children[index]!;
    if (child.status === 'starting') return false;
    this.settle(index, child);
    child.status = 'starting';
    child.incarnation++;
    this.actions.push({ type: 'start', child: index, incarnation: child.incarnation });
    return false;
  }

  /** Whether the child, which a sequence stops, has ended; if not, sees to it. */
  private stopped(index: number): boolean {
    const child = this.state.children[index]!;
    const { shutdown, restart } = this.rules.children[index]!;
    if (child.status === 'stopping' || child.status === 'killing') return false;
    if (child.status === 'up' || child.status === 'starting') {
      if (shutdown === 'brutal') this.kill(index);
      else {
        child.status = 'stopping';
        this.actions.push({ type: 'stop', child: index });
        if (shutdown !== 'infinity') this.arm(child, shutdown);
      }
      return false;
    }
    this.settle(index, child);
    // OTP: a temporary child that falls with a group is forgotten, not started again.
    child.status = restart === 'temporary' || child.status === 'gone' ? 'gone' : 'down';
    return true;
  }

  private kill(index: number): void {
    const child = this.state.children[index]!;
    if (child.status !== 'up' && child.status !== 'starting' && child.status !== 'stopping') return;
    this.cancel(child);
    child.status = 'killing';
    this.actions.push({ type: 'kill', child: index });
  }

  /** Forgets what is still due for a child, because a sequence takes it over. */
  private settle(index: number, child: ChildState): void {
    this.cancel(child);
    this.state.turns = this.state.turns.filter((turn) => turn.child !== index);
  }

  private end(goal: Goal): void {
    this.state.phase = 'stopping';
    this.state.work = { stop: this.all().reverse(), start: [], goal };
  }

  private group(index: number): number[] {
    const { strategy } = this.rules;
    const member = (other: number): boolean =>
      other === index || strategy === 'one_for_all' || (strategy === 'rest_for_one' && other > index);
    return this.all().filter(member);
  }

  private all(): number[] {
    return [...this.state.children.keys()].filter((index) => this.state.children[index]!.status !== 'gone');
  }

  private current(index: number, incarnation: number): ChildState | undefined {
    const child = this.state.children[index];
    return child?.incarnation === incarnation ? child : undefined;
  }

  private arm(child: ChildState, ms: number): void {
    child.timer = ++this.state.timers;
    this.actions.push({ type: 'timer', timer: child.timer, ms });
  }

  private cancel(child: ChildState): void {
    if (child.timer === 0) return;
    this.actions.push({ type: 'cancel', timer: child.timer });
    child.timer = 0;
  }
}
