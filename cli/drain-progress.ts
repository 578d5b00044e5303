// Owns how a drain is shown while it goes on: one line that changes on a terminal, a line now and then elsewhere, JSON for programs.
// Invariant: what is in the way is always said. Progress of people goes to stderr, JSON to stdout.
// Must not: ask anything.

import process from 'node:process';
import type { DrainStatus } from '../cluster/drain.js';
import { err as pc } from './ink.js';

/** ms between two lines where there is no terminal, unless something changes. */
const EVERY_MS = 5_000;

/** `n-2: 9 shards and 120 clients left, p99 14 ms (n-1)` */
export function describe(node: string, status: DrainStatus): string {
  const { shardsLeft, clientsLeft, p99, slowest, maxP99, pace, waits } = status;
  const shards = shardsLeft === null ? 'joins its cluster anew' : counted(shardsLeft, 'shard');
  const latency = p99 === null ? 'p99 unknown' : `p99 ${p99.toFixed(p99 < 10 ? 1 : 0)} ms (${slowest})`;
  const way =
    waits === 'latency'
      ? `, paused: above ${maxP99} ms`
      : waits === 'nobody'
        ? ', paused: no other node is up'
        : pace < 1
          ? `, at ${Math.round(pace * 100)} % of its pace`
          : '';
  return `${node}: ${shards} and ${counted(clientsLeft, 'client')} left, ${latency}${way}`;
}

function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}

export class Progress {
  readonly #node: string;
  readonly #json: boolean;
  readonly #rewrites = process.stderr.isTTY === true;
  #said = Number.NEGATIVE_INFINITY;
  #kind = '';
  #open = false;

  constructor(node: string, json: boolean) {
    this.#node = node;
    this.#json = json;
  }

  show(status: DrainStatus): void {
    if (this.#json) return void process.stdout.write(`${JSON.stringify({ node: this.#node, ...status })}\n`);
    const line = describe(this.#node, status);
    const shown = status.waits === null ? line : pc.yellow(line);
    if (this.#rewrites) {
      process.stderr.write(`\r\x1b[K${shown}`);
      this.#open = true;
      return;
    }
    const now = performance.now();
    const kind = `${status.state} ${status.waits} ${status.shardsLeft === 0}`;
    if (kind === this.#kind && now - this.#said < EVERY_MS) return;
    this.#said = now;
    this.#kind = kind;
    process.stderr.write(`${shown}\n`);
  }

  /** The last line stays. */
  end(): void {
    if (this.#open) process.stderr.write('\n');
    this.#open = false;
  }
}
