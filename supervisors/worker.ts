// Owns the two kinds of child that do work: an actor of the runtime, and a service with asynchronous start and stop.
// Invariant: a killed or abandoned service is never left running: if its start ends late, it is stopped then.
// Must not: restart anything.

import type { Behaviour } from '../actors/behaviour.js';
import { LIMITS } from '../actors/limits.js';
import type { Ref } from '../actors/ref.js';
import type { ChildOptions, ChildSpec, Inspection, Report, Running, Scope } from './spec.js';

export interface WorkerOptions<M> extends ChildOptions {
  /** Called with the ref of each incarnation, before its supervisor goes on to the next child. */
  readonly started?: (ref: Ref<M>) => void;
}

/** One actor. `args` is evaluated at each start, so that it may use what was started before. */
export function worker<S, M, A, T>(
  id: string,
  behaviour: Behaviour<S, M, A, T>,
  args: () => A,
  options: WorkerOptions<M> = {},
): ChildSpec {
  return {
    id,
    kind: 'actor',
    restart: options.restart ?? 'permanent',
    shutdown: options.shutdown ?? LIMITS.childStopMs,
    launch: ({ host: { actors } }, report): Running => {
      const ref = actors.spawn(behaviour, id, args());
      options.started?.(ref);
      report.started();
      // An actor that ended within its start is reported by `watch` all the same.
      actors.watch(ref, (reason) => report.ended(reason));
      return {
        stop: () => actors.exit(ref, { type: 'shutdown' }),
        kill: () => actors.exit(ref, { type: 'killed' }),
        inspect: () => ({ detail: { ref: ref.incarnation } }),
      };
    },
  };
}

/** Something of the outside world: a store, a listener. */
export interface Service {
  /** Resolves when it serves. Later, it tells of its own failure through `failed`; it is then stopped and restarted. */
  start(failed: (error: unknown) => void): Promise<void> | void;
  stop(): Promise<void> | void;
  /** Called instead of waiting any longer for `stop`. */
  kill?(): void;
  /** Figures for `weft tree`. */
  inspect?(): Readonly<Record<string, number | string>>;
}

/** `make` gives a fresh service for each start. */
export function service(id: string, make: () => Service, options: ChildOptions = {}): ChildSpec {
  const shutdown = options.shutdown ?? LIMITS.childStopMs;
  return {
    id,
    kind: 'service',
    restart: options.restart ?? 'permanent',
    shutdown,
    launch: (scope, report) => new RunningService(make(), scope, report, shutdown),
  };
}

class RunningService implements Running {
  private state: 'starting' | 'up' | 'stopping' | 'over' = 'starting';
  private patience: (() => void) | undefined;

  constructor(
    private readonly service: Service,
    private readonly scope: Scope,
    private readonly report: Report,
    private readonly shutdown: ChildSpec['shutdown'],
  ) {
    // A synchronous throw leaves the constructor: the supervisor takes it as a failed start.
    const start = service.start((error) => this.failed(error));
    if (start === undefined) this.serves();
    else
      start.then(
        () => this.serves(),
        (error: unknown) => {
          this.state = 'over';
          report.failed(error);
        },
      );
  }

  stop(): void {
    if (this.state === 'up') this.close(() => this.report.ended({ type: 'shutdown' }));
    else if (this.state === 'starting') this.state = 'stopping';
  }

  kill(): void {
    if (this.state === 'over') return;
    this.over(() => this.report.ended({ type: 'killed' }));
    this.service.kill?.();
    this.report.failed(new Error('killed while starting'));
  }

  inspect(): Inspection {
    return { detail: this.service.inspect?.() ?? {} };
  }

  private serves(): void {
    if (this.state === 'starting') {
      this.state = 'up';
      this.report.started();
    } else {
      // Stopped or killed while it started: what came up must not stay.
      this.close(() => this.report.failed(new Error('stopped while starting')));
    }
  }

  private failed(error: unknown): void {
    if (this.state === 'starting') {
      this.state = 'over';
      this.report.failed(error);
    }
    if (this.state !== 'up') return;
    const ended = (): void => this.report.ended({ type: 'crash', error });
    const { shutdown } = this;
    if (typeof shutdown === 'number') this.patience = this.scope.host.world.timer(shutdown, () => this.over(ended));
    this.close(ended);
  }

  private close(ended: () => void): void {
    if (this.state !== 'over') this.state = 'stopping';
    const crashed = (error: unknown): void => this.over(() => this.report.ended({ type: 'crash', error }));
    try {
      const stop = this.service.stop();
      if (stop === undefined) this.over(ended);
      else stop.then(() => this.over(ended), crashed);
    } catch (error) {
      crashed(error);
    }
  }

  private over(then: () => void): void {
    this.patience?.();
    if (this.state === 'over') return;
    this.state = 'over';
    then();
  }
}
