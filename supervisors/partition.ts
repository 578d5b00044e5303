// Owns one partition of a pool as a supervised child: whether its keys may be activated, and the end of its cells.
// Invariant: while it stops, no cell of it is activated; it has ended when its last cell has.
// Must not: find or spawn cells (pool.ts), or weigh crashes (crashes.ts).

import { LIMITS } from '../actors/limits.js';
import type { Ref } from '../actors/ref.js';
import { Crashes, type CrashRules } from './crashes.js';
import type { ChildSpec, Inspection, Report, Running, Scope, Seat } from './spec.js';

type Event = 'stop' | 'kill' | 'sweep' | 'storm';

export class Partition<M> implements ChildSpec, Running {
  readonly kind = 'partition';
  readonly restart = 'permanent';
  readonly shutdown = LIMITS.childStopMs;
  readonly crashes: Crashes;
  /** Whether keys may be activated. */
  open = false;
  live = 0;
  path = '';

  private scope: Scope | undefined;
  private report: Report | undefined;
  private seat: Seat<Event> | undefined;
  private ending: 'shutdown' | 'killed' | undefined;
  private sweep: Iterator<Ref<M> | undefined> | undefined;
  private patience: (() => void) | undefined;

  /** `members` walks the pool's cells, giving `undefined` for those of other partitions. */
  constructor(
    readonly id: string,
    rules: CrashRules,
    private readonly members: () => Iterator<Ref<M> | undefined>,
  ) {
    this.crashes = new Crashes(rules);
  }

  launch(scope: Scope, report: Report): Running {
    this.scope = scope;
    this.report = report;
    this.path = scope.path;
    this.ending = undefined;
    this.crashes.restarted();
    this.seat = scope.host.seats.open<Event>(scope.seat, this.id, (event) => this.handle(event));
    this.open = true;
    report.started();
    return this;
  }

  stop(): void {
    this.close('stop');
  }

  kill(): void {
    this.close('kill');
  }

  inspect(): Inspection {
    const now = this.scope?.host.world.now() ?? 0;
    const records = this.crashes.list(now);
    const quarantined = records.filter((record) => record.quarantined && now < record.until).length;
    const detail = { cells: this.live, crashed: records.length, quarantined };
    return { queued: this.seat?.queued ?? 0, detail };
  }

  /** A cell of this partition crashed. True: its key is now quarantined. */
  crashed(key: string, error: unknown, message: string | undefined): boolean {
    const { scope } = this;
    // What dies while the partition is taken down is no news about the key.
    if (scope === undefined || this.ending !== undefined) return false;
    const { world } = scope.host;
    const now = world.now();
    const { count, until, quarantined } = this.crashes.crashed(key, error, message, now, world.random());
    const type = quarantined ? 'quarantined' : 'crashed';
    scope.emit({ type, path: this.path, key, count, ms: until - now, error, message });
    const keys = this.crashes.storm(this.live, now);
    if (keys !== undefined && this.open) {
      scope.emit({ type: 'storm', path: this.path, keys, cells: this.live });
      this.close('storm');
    }
    return quarantined;
  }

  /** A cell of this partition has ended. */
  left(): void {
    if (this.live === 0 && this.ending !== undefined) this.finish();
  }

  private close(event: Event): void {
    this.open = false;
    this.seat?.post(event);
  }

  private handle(event: Event): void {
    if (event === 'sweep') {
      this.sweepOn();
      return;
    }
    if (this.ending === 'killed' || (this.ending === 'shutdown' && event !== 'kill')) return;
    this.ending = event === 'kill' ? 'killed' : 'shutdown';
    if (event === 'storm') {
      // Nobody else knows yet that it stops, so it minds its own time.
      this.patience = this.scope!.host.world.timer(this.shutdown, () => this.close('kill'));
    }
    this.sweep = this.members();
    this.sweepOn();
  }

  /** Ends the cells in portions, with a turn of the event loop in between. */
  private sweepOn(): void {
    const { scope, sweep } = this;
    if (scope === undefined || sweep === undefined || this.ending === undefined) return;
    for (let count = 0; count < LIMITS.sweepCells; count++) {
      const next = sweep.next();
      if (next.done === true) {
        this.sweep = undefined;
        this.left();
        return;
      }
      if (next.value !== undefined) scope.host.actors.exit(next.value, { type: this.ending });
    }
    this.seat?.post('sweep');
  }

  private finish(): void {
    const { report, seat } = this;
    if (report === undefined || this.sweep !== undefined) return;
    this.patience?.();
    this.patience = undefined;
    this.scope = undefined;
    this.report = undefined;
    this.seat = undefined;
    seat?.close();
    report.ended({ type: this.ending ?? 'shutdown' });
  }
}
