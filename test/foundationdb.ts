// Owns what tests on FoundationDB share: whether this machine has it, a private server, and a process that can load the client.
// Invariant: server and data are gone when the test file ends, however it ends, and it does end: a process that its stores hold, or
// that takes too long, fails with what it has printed. Where fdbserver, fdbcli or libfdb_c is missing the file is one skipped
// test that says what to install.
// Must not: use a cluster that it did not start.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

interface Installed {
  readonly server: string;
  readonly cli: string;
  /** Folder of libfdb_c. */
  readonly library: string;
}

/** Worded so that it fails no run of CI (scripts/reporter.mjs): no distribution has these packages. */
const NEEDS =
  'no FoundationDB: get foundationdb-server and foundationdb-clients 7.1 or later from ' +
  'https://github.com/apple/foundationdb/releases, or name fdbserver in FDBSERVER, with libfdb_c beside it or in ../lib';
/** Set for the process that has LD_LIBRARY_PATH: it must be there before Node starts. */
const INSIDE = 'WEFT_TEST_FOUNDATIONDB';
/** ms for all tests of a file: less than the runner gives it, whose signal the process with the tests would not get. */
const FILE_MS = 170_000;
/** ms after its tests until a process that still has something to do is ended. All that a store does ends in less. */
const HELD_MS = 10_000;
/** ms to end when told to: more than fdbcli may take, during which nothing is heard. */
const END_MS = 25_000;
/** ms until a server that was started takes transactions. */
const START_MS = 60_000;

function find(): Installed | undefined {
  const path = (process.env.PATH ?? '').split(delimiter);
  const folders = [...path, '/usr/sbin', '/usr/local/sbin'];
  const server = process.env.FDBSERVER ?? first(folders, 'fdbserver');
  if (server === undefined || !existsSync(server)) return undefined;
  const beside = dirname(resolve(server));
  const cli = first([beside, join(beside, '../bin'), ...folders], 'fdbcli');
  const own = (process.env.LD_LIBRARY_PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const system = ['/usr/lib', '/usr/lib64', '/usr/local/lib', '/usr/lib/x86_64-linux-gnu'];
  const library = first([beside, join(beside, '../lib'), ...own, ...system], 'libfdb_c.so');
  return cli === undefined || library === undefined ? undefined : { server, cli, library: dirname(library) };
}

function first(folders: readonly string[], name: string): string | undefined {
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

const installed = find();

/** Environment of a process that is to load the client. */
export function clientEnvironment(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return { ...env, LD_LIBRARY_PATH: [installed?.library, env.LD_LIBRARY_PATH].filter(Boolean).join(delimiter) };
}

/** Runs `tests`, which registers tests, in a process of its own that can load the client, with a server that runs. */
export async function onFoundationDb(
  module: string,
  tests: (server: FdbServer) => void | Promise<void>,
): Promise<void> {
  if (installed === undefined) {
    test('foundationdb', { skip: NEEDS }, () => undefined);
    return;
  }
  if (process.env[INSIDE] === undefined) {
    test('foundationdb, in a process that can load its client', async () => {
      const child = spawn(process.execPath, ['--enable-source-maps', '--expose-gc', fileURLToPath(module)], {
        env: { ...clientEnvironment(), [INSIDE]: '1' },
        // The channel tells the child that nobody waits for it any more, also where this process was killed.
        stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      });
      let output = '';
      let late = '';
      // Of a pipe that was asked for; the type does not know it where there are four.
      child.stdout!.on('data', (data) => (output += data));
      const patience = setTimeout(() => {
        late = `did not end within ${FILE_MS} ms, `;
        child.disconnect();
      }, FILE_MS);
      const end = setTimeout(() => child.kill('SIGKILL'), FILE_MS + END_MS);
      // `close` does not come where the channel was closed on this side.
      const [[code, signal]] = await Promise.all([once(child, 'exit'), once(child.stdout!, 'end')]);
      clearTimeout(patience);
      clearTimeout(end);
      assert.ok(code === 0 && late === '', `${late}ended with ${code ?? signal}\n${output}`);
    });
    return;
  }
  process.once('disconnect', () => giveUp('nobody waits for these tests any more'));
  // Its other end goes with whom it tells: that must not end this process before it has ended its server.
  process.stdout.on('error', () => undefined);
  // Listening for its end, the channel would hold the process.
  process.channel?.unref();
  // Not by the runner's `before`: hooks of a file are run at once, and another one may need the server.
  const server = new FdbServer(installed);
  await server.start();
  after(async () => {
    await server.remove();
    // A test that failed may have left a store open, whose watches and commits go on for ever: its failure has to be told.
    setTimeout(() => giveUp(`the tests ended ${HELD_MS} ms ago, and something holds their process`), HELD_MS).unref();
  });
  await tests(server);
}

function giveUp(why: string): void {
  const known = process.getActiveResourcesInfo().join(', ');
  process.stdout.write(
    `\n${why} (Node knows of: ${known}; not of what a store has on its way in FoundationDB's client)\n`,
  );
  process.exit(1);
}

/** One process that is a whole cluster, on a free port of loopback, with its data in a temporary folder. */
class FdbServer {
  readonly #installed: Installed;
  readonly #folder = mkdtempSync(join(tmpdir(), 'weft-fdb-'));
  #port = 0;
  #process: ChildProcess | undefined;

  constructor(installed: Installed) {
    this.#installed = installed;
    process.once('exit', () => {
      this.#process?.kill('SIGKILL');
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  get clusterFile(): string {
    return join(this.#folder, 'fdb.cluster');
  }

  /** Returns when transactions go through; on what an earlier one left, if there was one. */
  async start(): Promise<void> {
    const fresh = this.#port === 0;
    if (fresh) {
      this.#port = await freePort();
      writeFileSync(this.clusterFile, `weft:test@127.0.0.1:${this.#port}\n`);
      for (const name of ['data', 'logs']) mkdirSync(join(this.#folder, name));
    }
    this.launch();
    if (fresh) this.cli('configure new single ssd');
    for (const until = Date.now() + START_MS; !this.cli('status minimal').includes('is available'); await pause(100)) {
      const { exitCode, signalCode } = this.#process!;
      assert.ok(exitCode === null && signalCode === null, `fdbserver ended by itself with ${exitCode ?? signalCode}`);
      assert.ok(Date.now() < until, 'the server does not become available');
    }
  }

  /** Starts the process and does not wait for anything. */
  launch(): void {
    const address = `127.0.0.1:${this.#port}`;
    const files = ['-C', this.clusterFile, '-d', join(this.#folder, 'data'), '-L', join(this.#folder, 'logs')];
    this.#process = spawn(this.#installed.server, [...files, '-p', address, '-l', address], { stdio: 'ignore' });
  }

  async kill(): Promise<void> {
    const child = this.#process!;
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  /** Stops it where it is, and lets it go on. */
  freeze(): void {
    this.#process!.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process!.kill('SIGCONT');
  }

  cli(command: string): string {
    const args = ['-C', this.clusterFile, '--timeout', '20', '--exec', command];
    return spawnSync(this.#installed.cli, args, { encoding: 'utf8' }).stdout;
  }

  /** Transactions that wrote, since the process started. */
  committed(): number {
    const status = JSON.parse(this.cli('status json')) as Status;
    return status.cluster.workload.transactions.committed.counter;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

interface Status {
  readonly cluster: {
    readonly workload: { readonly transactions: { readonly committed: { readonly counter: number } } };
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}
