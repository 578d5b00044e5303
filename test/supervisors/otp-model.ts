// Owns a second telling of OTP's supervisor rules, in the words of supervisor(3) and the shape of a process with a mailbox.
// Invariant: shares no code and no idea with supervisors/strategy.ts: pids instead of statuses, recursion instead of steps.
// Must not: know about backoff or asynchrony; here a start or a stop takes no time.

export interface ModelRules {
  readonly strategy: 'one_for_one' | 'one_for_all' | 'rest_for_one';
  readonly restarts: number;
  readonly within: number;
  readonly types: readonly ('permanent' | 'transient' | 'temporary')[];
}

interface Child {
  readonly id: number;
  readonly type: 'permanent' | 'transient' | 'temporary';
  pid: number | 'undefined' | 'restarting';
}

type Mail =
  | { readonly exit: number; readonly normal: boolean }
  /** OTP casts this to itself when a restart failed to start a child. */
  | { readonly tryAgain: number };

export class OtpSupervisor {
  readonly log: string[] = [];
  readonly alive = new Map<number, number>();
  ended = false;
  private children: Child[];
  private restarts: number[] = [];
  private mailbox: Mail[] = [];
  private pids = 0;

  /** `starts` tells whether the n-th start of the whole run succeeds. */
  constructor(
    private readonly rules: ModelRules,
    private readonly starts: (attempt: number) => boolean,
  ) {
    this.children = rules.types.map((type, id) => ({ id, type, pid: 'undefined' }));
  }

  private attempts = 0;

  init(): void {
    for (const child of this.children) {
      if (!this.start(child)) {
        this.exit('failed');
        return;
      }
    }
    this.log.push('ready');
  }

  /** These children end at the same moment, in this order; then the supervisor gets to read its mail. */
  die(ids: readonly number[], normal: boolean, now: number): void {
    for (const id of ids) {
      const child = this.children.find((other) => other.id === id);
      if (child === undefined || typeof child.pid !== 'number' || !this.alive.delete(child.pid)) continue;
      this.mailbox.push({ exit: child.pid, normal });
    }
    for (let mail = this.mailbox.shift(); mail !== undefined && !this.ended; mail = this.mailbox.shift()) {
      if ('tryAgain' in mail) {
        const child = this.children.find(({ id }) => id === mail.tryAgain);
        if (child?.pid === 'restarting') this.restart(child, now);
        continue;
      }
      const child = this.children.find(({ pid }) => pid === mail.exit);
      if (child === undefined) continue;
      if (child.type === 'permanent' || (child.type === 'transient' && !mail.normal)) this.restart(child, now);
      else if (child.type === 'temporary') this.children = this.children.filter((other) => other !== child);
      else child.pid = 'undefined';
    }
  }

  shutdown(): void {
    if (!this.ended) this.exit('shutdown');
  }

  up(): number[] {
    return [...this.alive.values()].sort((a, b) => a - b);
  }

  private restart(child: Child, now: number): void {
    this.restarts = [...this.restarts.filter((at) => at >= now - this.rules.within), now];
    if (this.restarts.length > this.rules.restarts) {
      this.exit('shutdown');
      return;
    }
    child.pid = 'undefined';
    const { strategy } = this.rules;
    if (strategy === 'one_for_one') {
      if (!this.start(child)) this.again(child);
      return;
    }
    const affected = strategy === 'one_for_all' ? this.children : this.children.slice(this.children.indexOf(child));
    for (const other of [...affected].reverse()) this.terminate(other);
    this.children = this.children.filter(
      (other) => other === child || other.type !== 'temporary' || !affected.includes(other),
    );
    for (const other of this.children.filter((one) => affected.includes(one))) {
      if (this.start(other)) continue;
      this.again(other);
      return;
    }
  }

  private again(child: Child): void {
    child.pid = 'restarting';
    this.mailbox.push({ tryAgain: child.id });
  }

  private start(child: Child): boolean {
    const ok = this.starts(this.attempts++);
    this.log.push(`start ${child.id} ${ok ? 'ok' : 'failed'}`);
    if (ok) {
      child.pid = ++this.pids;
      this.alive.set(child.pid, child.id);
    }
    return ok;
  }

  private terminate(child: Child): void {
    if (typeof child.pid === 'number' && this.alive.delete(child.pid)) this.log.push(`stop ${child.id}`);
    child.pid = 'undefined';
  }

  private exit(reason: string): void {
    this.ended = true;
    for (const child of [...this.children].reverse()) this.terminate(child);
    this.log.push(`exit ${reason}`);
  }
}
