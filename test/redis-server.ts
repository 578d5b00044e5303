// Owns private Redis servers for tests: one, or one of a cluster or of a group that sentinels watch.
// Invariant: on a free port of loopback, data in a temporary folder; process and folder are gone when the test ends, however it ends.
// Must not: use a server that it did not start, or write to disk.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../transport/port.js';
import { find } from './needs.js';

/** A test, or a file of tests. */
interface Owner {
  after(task: () => Promise<void>): void;
}

export class RedisServer {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'weft-redis-'));
  readonly #settings: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, settings: readonly string[]) {
    this.port = port;
    this.#settings = settings;
  }

  /** `settings`: lines of redis.conf. */
  static async start(t: Owner, settings: readonly string[] = [], port?: number): Promise<RedisServer> {
    const server = new RedisServer(port ?? (await freePort('127.0.0.1', 0)), settings);
    const kill = (): void => void server.#process?.kill('SIGKILL');
    process.once('exit', kill);
    t.after(async () => {
      process.off('exit', kill);
      await server.kill();
      rmSync(server.#folder, { recursive: true, force: true });
    });
    await server.start();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Returns when it answers; with nothing of what it had. */
  async start(): Promise<void> {
    const file = join(this.#folder, 'redis.conf');
    const lines = ['bind 127.0.0.1', `port ${this.port}`, `dir ${this.#folder}`, 'save ""', 'appendonly no'];
    writeFileSync(file, `${[...lines, ...this.#settings].join('\n')}\n`);
    const sentinel = this.#settings.some((line) => line.startsWith('sentinel ')) ? ['--sentinel'] : [];
    const child = spawn(find('redis') ?? 'redis-server', [file, ...sentinel], { stdio: 'ignore' });
    this.#process = child;
    for (let tries = 0; !/PONG|NOAUTH/.test(this.cli('ping')); tries++) {
      assert.ok(tries < 100 && child.exitCode === null, 'redis-server does not answer');
      await pause(50);
    }
  }

  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Stops it where it is, and lets it go on. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  /** What redis-cli prints, errors too. */
  cli(...command: string[]): string {
    const { stdout, stderr } = spawnSync('redis-cli', ['-p', String(this.port), ...command], { encoding: 'utf8' });
    return `${stdout}${stderr}`.trim();
  }
}
