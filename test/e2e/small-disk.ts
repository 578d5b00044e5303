// Owns a disk that a test can fill: a tmpfs of a few MB in a mount namespace of its own, and the nodes that run in it.
// Invariant: it is gone with the process that holds it, so nothing stays mounted, however the test ends.
// Must not: need root where the system lets users have namespaces.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';

export class SmallDisk {
  /** Where it is for processes that run in it. */
  readonly path: string;
  /** Runs a program in it. */
  readonly wrapper: readonly string[];
  readonly #holder: ChildProcess;
  readonly #outside: string;

  private constructor(holder: ChildProcess, path: string, namespaces: readonly string[]) {
    this.#holder = holder;
    this.path = path;
    this.#outside = `/proc/${holder.pid}/root${path}`;
    this.wrapper = ['nsenter', '-t', `${holder.pid}`, ...namespaces, '--'];
  }

  /** Null where this system lets us mount nothing. */
  static async mount(t: TestContext, folder: string, megabytes: number): Promise<SmallDisk | null> {
    const path = join(folder, 'small');
    mkdirSync(path, { recursive: true });
    for (const [make, enter] of [
      [['-m'], ['-m']],
      [
        ['-r', '-m'],
        ['-U', '--preserve-credentials', '-m'],
      ],
    ] as const) {
      const script = `mount -t tmpfs -o size=${megabytes}m none "$0" && echo mounted && exec cat`;
      const holder = spawn('unshare', [...make, 'sh', '-c', script, path], { stdio: ['pipe', 'pipe', 'ignore'] });
      t.after(() => holder.kill('SIGKILL'));
      const mounted = await new Promise<boolean>((resolve) => {
        holder.once('error', () => resolve(false)).once('close', () => resolve(false));
        createInterface({ input: holder.stdout }).once('line', () => resolve(true));
      });
      if (mounted) return new SmallDisk(holder, path, enter);
    }
    return null;
  }

  /** Takes all of the room that is left. */
  fill(): void {
    const file = openSync(join(this.#outside, 'filler'), 'a');
    for (const bytes of [65_536, 4_096, 1]) {
      const chunk = Buffer.alloc(bytes);
      for (let more = true; more; ) {
        try {
          writeSync(file, chunk);
        } catch {
          more = false;
        }
      }
    }
    closeSync(file);
  }

  free(): void {
    rmSync(join(this.#outside, 'filler'), { force: true });
  }

  /** Removes a file of the disk. */
  remove(name: string): void {
    rmSync(join(this.#outside, name), { force: true });
  }

  /** Rejects while a process has a file open for writing. */
  async remount(how: 'ro' | 'rw'): Promise<void> {
    const [program = '', ...args] = [...this.wrapper, 'mount', '-o', `remount,${how}`, this.path];
    const child = spawn(program, args, { stdio: 'ignore' });
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`remount,${how} failed`);
  }

  release(): void {
    this.#holder.kill('SIGKILL');
  }
}
