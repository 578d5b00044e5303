// Owns what tests of `weft chat` share: a node as a process that can be killed and started again, chats as processes, and
// chats on terminals of tmux.
// Invariant: everything started is ended with the test that asked for it, by its own id; no home folder is touched.
// Must not: use parts of the product: all of it runs as people run it.

import assert from 'node:assert/strict';
import { type ChildProcessByStdio, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { find } from '../needs.js';

const MAIN = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
const PATIENCE = 15_000;

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A chat in a pipe, which is running. */
export interface Running {
  readonly child: Child;
  readonly ended: Promise<Outcome>;
  /** Resolves when its output so far matches. */
  shows(pattern: RegExp): Promise<void>;
}

export class ChatNode {
  readonly folder = mkdtempSync(join(tmpdir(), 'weft-chat-'));
  readonly #children = new Set<Child>();
  /** Run before the folder goes, with the sockets in it. */
  readonly #cleanups: (() => Promise<unknown>)[] = [];
  #node: Child | undefined;
  #port = 0;

  static async start(t: TestContext): Promise<ChatNode> {
    const node = new ChatNode();
    t.after(() => node.#end());
    await node.up();
    return node;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/v1`;
  }

  get env(): Record<string, string> {
    return {
      PATH: process.env.PATH ?? '',
      HOME: this.folder,
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      WEFT_URL: this.url,
      WEFT_DATA: join(this.folder, 'data'),
    };
  }

  /** Starts the node; after `kill` on the port that it had. */
  async up(): Promise<void> {
    const node = this.#spawn(['start', '--listen', `127.0.0.1:${this.#port}`]);
    this.#node = node;
    for await (const line of createInterface({ input: node.stdout })) {
      const port = /^weft ready ws:\/\/127\.0\.0\.1:(\d+)\//.exec(line)?.[1];
      if (port === undefined) continue;
      this.#port = Number(port);
      node.stdout.resume();
      return;
    }
    assert.fail('the node did not start');
  }

  async kill(): Promise<void> {
    await kill(this.#node);
  }

  /** Runs a chat with `input` on stdin to its end. */
  async pipe(args: readonly string[], input = ''): Promise<Outcome> {
    const { child, ended } = this.run(args);
    child.stdin.end(input);
    return ended;
  }

  run(args: readonly string[]): Running {
    const child = this.#spawn(['chat', ...args]);
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8');
    child.stderr.setEncoding('utf8');
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    // It may end before it has read everything.
    child.stdin.on('error', () => {});
    const ended = once(child, 'close').then(([code]): Outcome => ({ code, out, err }));
    return {
      child,
      ended,
      shows: (pattern) =>
        until(
          async () => pattern.test(out),
          () => out + err,
        ),
    };
  }

  #spawn(args: readonly string[]): Child {
    const child = spawn(process.execPath, [MAIN, ...args], { env: this.env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#children.add(child);
    child.stderr.resume();
    return child;
  }

  cleanup(task: () => Promise<unknown>): void {
    this.#cleanups.push(task);
  }

  async #end(): Promise<void> {
    for (const task of this.#cleanups) await task();
    for (const child of this.#children) await kill(child);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function kill(child: Child | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

const exec = promisify(execFile);

/** Terminals of a tmux server of its own. */
export class Terminals {
  readonly #node: ChatNode;
  readonly #socket: string;

  constructor(node: ChatNode) {
    this.#node = node;
    this.#socket = join(node.folder, 'tmux');
    // A test that failed before its first terminal has no server to end.
    node.cleanup(() => this.#tmux('kill-server').catch(() => {}));
  }

  /** Opens a terminal in which a chat runs; its exit code is shown when it ends. */
  async open(name: string, ...args: string[]): Promise<void> {
    const chat = [process.execPath, MAIN, 'chat', ...args].map((word) => `'${word}'`).join(' ');
    const command = `${chat}; echo "exit code $?"; exec cat`;
    const env = Object.entries(this.#node.env).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
    await this.#tmux('new-session', '-d', '-s', name, '-x', '80', '-y', '24', ...env, command);
  }

  /** Types text, then presses keys by tmux's names. */
  async type(name: string, text: string, ...keys: string[]): Promise<void> {
    if (text !== '') await this.#tmux('send-keys', '-t', name, '-l', text);
    if (keys.length > 0) await this.#tmux('send-keys', '-t', name, ...keys);
  }

  async paste(name: string, text: string): Promise<void> {
    await this.#tmux('set-buffer', '-b', name, text);
    await this.#tmux('paste-buffer', '-p', '-b', name, '-t', name);
  }

  /** What stands on the terminal; with `colours` as escape sequences. */
  async screen(name: string, colours = false): Promise<string> {
    const { stdout } = await this.#tmux('capture-pane', '-p', '-t', name, ...(colours ? ['-e'] : []));
    return stdout;
  }

  /** Resolves when the screen matches. */
  async shows(name: string, pattern: RegExp, colours = false): Promise<string> {
    let screen = '';
    await until(
      async () => {
        screen = await this.screen(name, colours);
        return pattern.test(screen);
      },
      () => `no ${pattern} on the screen of ${name}:\n${screen}`,
    );
    return screen;
  }

  async size(name: string, columns: number, rows: number): Promise<void> {
    await this.#tmux('resize-window', '-t', name, '-x', String(columns), '-y', String(rows));
  }

  /** kill -9 of the chat; the terminal goes with it. */
  async kill(name: string): Promise<void> {
    const { stdout } = await this.#tmux('list-panes', '-t', name, '-F', '#{pane_pid}');
    const { stdout: children } = await exec('ps', ['-o', 'pid=', '--ppid', stdout.trim()]);
    process.kill(Number(children.trim()), 'SIGKILL');
    await this.shows(name, /exit code 137/);
    await this.#tmux('kill-session', '-t', name);
  }

  #tmux(...args: string[]): Promise<{ stdout: string }> {
    return exec(find('tmux') ?? 'tmux', ['-S', this.#socket, '-f', '/dev/null', ...args], { env: this.#node.env });
  }
}

async function until(reached: () => Promise<boolean>, said: () => string): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (!(await reached())) {
    assert.ok(performance.now() < deadline, said());
    await new Promise((done) => setTimeout(done, 30));
  }
}
