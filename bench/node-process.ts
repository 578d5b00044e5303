// Owns a node as a real process of its own: started as `weft start`, watched by its output, killed at will.
// Invariant: a started node is gone when its starter is; `start` resolves at the node's own `weft ready` line, so its
// time to ready is what an operator would see.
// Must not: share anything with the node but its data folder.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const MAIN = join(import.meta.dirname, '../cli/main.js');

/** The harnesses push what the limits are there to stop; a flag given later wins. */
const UNLIMITED = [
  '--logins',
  '0',
  '--send-rate',
  '0',
  '--user-send-rate',
  '0',
  '--new-chats',
  '0',
  '--new-groups',
  '0',
  '--frame-rate',
  '0',
];

/** Lines of output kept for a report. */
const KEPT = 200;

export interface NodeProcessOptions {
  readonly data: string;
  /** 0 (absent): a free port. */
  readonly port?: number;
  /** More flags of `weft start`. */
  readonly flags?: readonly string[];
  /** True: with its own limits, and for loopback too. */
  readonly limited?: boolean;
  /** A program that runs the node, with its arguments: strace. */
  readonly wrapper?: readonly string[];
  /** The program of another build; absent: this one's. */
  readonly program?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Thrown when a node ends before it is ready. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure';
  readonly exit: Exit;
  readonly lines: readonly string[];

  constructor(exit: Exit, lines: readonly string[]) {
    super(`the node ended before it was ready (${exit.code ?? exit.signal}):\n${lines.join('\n')}`);
    this.exit = exit;
    this.lines = lines;
  }
}

export class NodeProcess {
  /** Newest lines of stdout and stderr. */
  readonly lines: string[] = [];
  /** Resolves when the process is gone and its output is read. */
  readonly ended: Promise<Exit>;
  /** ms from the process's start to `weft ready`. */
  readyMs = 0;
  /** `ws://host:port/v1` */
  url = '';
  /** The node's own, not the wrapper's. */
  pid: number;
  readonly #child: ChildProcess;
  readonly #ready: Promise<void>;

  private constructor(options: NodeProcessOptions) {
    const { data, port = 0, flags = [], limited = false, wrapper = [], program: main = MAIN } = options;
    const start = [
      'start',
      '--data',
      data,
      '--listen',
      `127.0.0.1:${port}`,
      '--log-level',
      'warn',
      ...(limited ? ['--limit-loopback'] : UNLIMITED),
      ...flags,
    ];
    const [program = '', ...args] = [...wrapper, process.execPath, '--enable-source-maps', main, ...start];
    const began = performance.now();
    const { PATH, LD_LIBRARY_PATH } = process.env;
    const child = spawn(program, args, { env: { PATH, LD_LIBRARY_PATH }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    this.pid = child.pid ?? 0;
    running.add(child);
    this.ended = once(child, 'close').then(([code, signal]) => {
      running.delete(child);
      return { code, signal };
    });
    this.#ready = new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.#keep(line);
        const [, url, pid] = /^weft ready (\S+) node=\S+ pid=(\d+)$/.exec(line) ?? [];
        if (url === undefined) return;
        this.readyMs = performance.now() - began;
        this.url = url;
        this.pid = Number(pid);
        resolve();
      });
      createInterface({ input: child.stderr }).on('line', (line) => this.#keep(line));
      void this.ended.then((exit) => reject(new StartFailure(exit, this.lines)));
    });
    // Who spawns a node to kill it on the way does not ask whether it is ready.
    this.#ready.catch(() => undefined);
  }

  /** Starts a process without waiting for it. */
  static spawn(options: NodeProcessOptions): NodeProcess {
    return new NodeProcess(options);
  }

  /** Starts a node. Rejects with StartFailure. */
  static async start(options: NodeProcessOptions): Promise<NodeProcess> {
    const node = new NodeProcess(options);
    await node.#ready;
    return node;
  }

  /** Sends the signal to the node itself and resolves when the process is gone. */
  stop(signal: NodeJS.Signals): Promise<Exit> {
    // An ended process's number may be somebody else's by now.
    if (!running.has(this.#child)) return this.ended;
    try {
      process.kill(this.pid, signal);
    } catch {
      this.#child.kill(signal);
    }
    return this.ended;
  }

  /** Stops all of its threads where they are, for so many ms. A process that is killed meanwhile is not woken. */
  async freeze(ms: number): Promise<void> {
    process.kill(this.pid, 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, ms));
    if (running.has(this.#child)) process.kill(this.pid, 'SIGCONT');
  }

  #keep(line: string): void {
    this.lines.push(line);
    if (this.lines.length > KEPT) this.lines.shift();
  }
}

/**
 * The first of so many ports in a row, below those that the kernel gives to outgoing connections: clients that dial a dead node's port over and over
 * would in the end be given that very port, connect to themselves, and keep the node from coming back.
 */
export async function quietPort(count = 1): Promise<number> {
  for (;;) {
    const first = 15_000 + Math.floor(Math.random() * 15_000);
    const free = await Promise.all(Array.from({ length: count }, (_, at) => isFree(first + at)));
    if (free.every(Boolean)) return first;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
  });
  if (free) await new Promise((resolve) => server.close(resolve));
  return free;
}
