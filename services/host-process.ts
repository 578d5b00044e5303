// Owns one node as a process of its own under a host: its start, its messages, its end.
// Invariant: `ended` resolves once, when the process is gone and its output was read; one that no longer answers is killed.
// Must not: restart anything (host.ts), or know what a node is.

import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';

/** What a node tells its host. */
export type NodeMessage =
  /** It serves, at this URL. */
  | { readonly type: 'ready'; readonly url: string }
  /** It ends, and why; `exit` is its exit code. */
  | { readonly type: 'failed'; readonly code: string; readonly message: string; readonly exit: number }
  /** Its event loop turns: each LIMITS.hostBeatMs. */
  | { readonly type: 'beat' };

/** What a host tells its nodes. */
export type HostMessage =
  | { readonly type: 'stop' }
  /** The TLS certificate is to be read again. */
  | { readonly type: 'renew' };

/** Why a node process is no more. */
export class NodeFailure extends Error {
  override readonly name = 'NodeFailure';
  readonly code: string;
  /** Null: ended by a signal. */
  readonly exit: number | null;

  constructor(code: string, message: string, exit: number | null) {
    super(message);
    this.code = code;
    this.exit = exit;
  }
}

export class NodeProcess {
  readonly pid: number;
  /** Resolves to the URL; rejects with NodeFailure where the process ends before. */
  readonly ready: Promise<string>;
  readonly ended: Promise<NodeFailure>;
  readonly #child: ChildProcess;
  #reason: NodeFailure | undefined;
  /** Looks at the clock since its last beat. */
  #missed = 0;
  #unwatch: () => void = () => undefined;

  /** Takes a process with an IPC channel whose stdout is a pipe; `line` gets each line of that. */
  constructor(child: ChildProcess, world: World, line: (text: string) => void) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', line);
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#reason ??= new NodeFailure('spawn_failed', `the process cannot be started: ${error.message}`, 1);
        // Without a process there is no `close`.
        if (child.pid === undefined) resolve(this.#reason);
      });
      child.once('close', (code, signal) => resolve(this.#reason ?? unexplained(code, signal)));
    });
    void this.ended.then(() => this.#unwatch());
    this.ready = new Promise((resolve, reject) => {
      child.on('message', (message: NodeMessage) => {
        if (message.type === 'beat') this.#missed = 0;
        else if (message.type === 'failed') this.#reason = new NodeFailure(message.code, message.message, message.exit);
        else {
          this.#watch(world);
          resolve(message.url);
        }
      });
      void this.ended.then(reject);
    });
    // Who started it ahead of its turn may not be asked any more.
    this.ready.catch(() => undefined);
  }

  tell(message: HostMessage): void {
    // It may have ended meanwhile, which `ended` tells.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Counts own turns, not time: while the host itself stood still, nobody missed anything. */
  #watch(world: World): void {
    this.#unwatch = world.timer(LIMITS.hostBeatMs, () => {
      this.#missed++;
      if (this.#missed * LIMITS.hostBeatMs < LIMITS.hostHangMs) {
        this.#watch(world);
        return;
      }
      this.#reason = new NodeFailure('node_hung', `no sign of life for ${LIMITS.hostHangMs / 1_000} s`, null);
      this.kill();
    });
  }
}

function unexplained(code: number | null, signal: NodeJS.Signals | null): NodeFailure {
  return signal === null
    ? new NodeFailure('node_ended', `exit code ${code}`, code)
    : new NodeFailure('node_crashed', `ended by ${signal}`, null);
}
