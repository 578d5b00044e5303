// Owns the parent of several nodes on this machine: what each of them is told, and how its output and its end are passed on.
// Invariant: all children run this very build, or end (cli/hosted.ts), so no two meet in one store; no line of theirs comes before
// `weft ready`.
// Must not: decide about restarts (services/host.ts).

import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { DestinationStream, Logger } from 'pino';
import { LIMITS } from '../actors/limits.js';
import { Host } from '../services/host.js';
import type { NodeFailure } from '../services/host-process.js';
import { createMachine } from '../services/machine.js';
import { serveCommits } from '../storage/commit-server.js';
import type { Store } from '../storage/store.js';
import { nactHost } from '../supervisors/nact-host.js';
import { freePort } from '../transport/port.js';
import { ListenError } from '../transport/socket.js';
import { loadUws } from '../transport/uws-native.js';
import { type Flags, type NodeConfig, SETTINGS, type Setting } from './config.js';
import { CliFailure, EXIT } from './failure.js';
import { failureOf } from './give-up.js';
import { openStore } from './open-store.js';
import { record } from './run-node.js';
import type { Running } from './start.js';
import { HOST_BUILD, hostBuild } from './version.js';

const PROGRAM = fileURLToPath(new URL('./main.js', import.meta.url));
/** Lines of children kept until `weft ready` is out; a start writes a handful. */
const KEPT = 1_000;

export interface HostRun {
  readonly config: NodeConfig;
  /** As given: children get the same. */
  readonly flags: Flags;
  readonly log: Logger;
  /** Where the log goes, and the children's. */
  readonly output: DestinationStream;
  /** Runs in a row that crashed. */
  readonly crashes: number;
}

/** Resolves when all nodes serve. Rejects with CliFailure. */
export async function runHost({ config, flags, log, output, crashes }: HostRun): Promise<Running> {
  if (loadUws() === undefined) {
    const message =
      'uWebSockets.js does not load here, and nothing else can share a port: start single nodes, each with its own --listen';
    throw new CliFailure('port_not_shared', message);
  }
  const lines = new Lines(output);
  // Asked now: what is installed may be another one when a child is started again.
  const told = { [HOST_BUILD]: hostBuild() };
  let running = false;
  const port = await portOf(config);
  const store = await storeOf(config, log, crashes);
  const host = new Host({
    nodes: Array.from({ length: config.nodes }, (_, index) => `${config.nodeId}-${index + 1}`),
    world: createMachine(),
    seats: nactHost(),
    spawn: (index) => {
      const node = `${config.nodeId}-${index + 1}`;
      const child = spawn(process.execPath, [...process.execArgv, PROGRAM, 'node', node], {
        env: { ...process.env, ...environment({ ...flags, nodes: '1', ...places(config, port, index) }), ...told },
        stdio: ['ignore', 'pipe', 'inherit', 'ipc', 'pipe'],
      });
      if (store !== null)
        serveNode(store, child, (reason) => log.error({ reason, child: node }, 'node_not_understood'));
      return child;
    },
    line: (text) => lines.take(text),
    event: (event) => record(event, log, running),
    final: ({ exit }) => exit === EXIT.store || exit === EXIT.usage,
  });
  process.once('exit', () => host.kill());
  // A timer of the world keeps no process alive, and between the end of all nodes and their next start there is nothing else.
  const alive = setInterval(() => undefined, 1 << 30);
  try {
    await host.start();
  } catch (error) {
    clearInterval(alive);
    await closed(store);
    lines.open();
    throw nodeFailure(error as NodeFailure);
  }
  running = true;
  return {
    url: host.url,
    facts: { nodes: Object.fromEntries(host.pids) },
    secure: config.door.tls !== undefined,
    said: () => lines.open(),
    stop: () => host.stop(),
    renew: () => host.renew(),
    ended: async () => {
      const failure = await host.ended();
      clearInterval(alive);
      await closed(store);
      if (failure !== null) throw nodeFailure(failure);
    },
  };
}

/** LMDB, of which this process is the only writer; null: each node opens the store itself. */
async function storeOf(config: NodeConfig, log: Logger, crashes: number): Promise<Store | null> {
  if (config.store.engine !== 'lmdb') return null;
  try {
    return await openStore(config, log, crashes, true);
  } catch (error) {
    throw failureOf(error, config);
  }
}

/** Or its time is over: a disk that hangs keeps nobody here (endSoon). */
async function closed(store: Store | null): Promise<void> {
  const late = new Promise((resolve) => setTimeout(resolve, LIMITS.storeStopMs).unref());
  await Promise.race([store?.close(), late]);
}

/** The pipe behind the channel goes both ways. */
function serveNode(store: Store, { stdio }: ChildProcess, fault: (reason: string) => void): void {
  const line = stdio.at(-1);
  // There is none where the process could not be started.
  if (line instanceof Socket) serveCommits(store, line, fault);
}

/** Lines of children, held back at first. */
class Lines {
  readonly #output: DestinationStream;
  #held: string[] | null = [];

  constructor(output: DestinationStream) {
    this.#output = output;
  }

  take(line: string): void {
    if (this.#held === null) this.#output.write(`${line}\n`);
    else if (this.#held.length < KEPT) this.#held.push(line);
  }

  open(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const line of held) this.take(line);
  }
}

/**
 * The port that the nodes are to share. Whoever listens there already would share it with them, if only it is willing: two
 * hosts would each get some of the other's clients. So it must be free.
 */
async function portOf(config: NodeConfig): Promise<number> {
  const { host, port } = config.listen;
  try {
    return await freePort(host, port);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw failureOf(new ListenError(host, port, reason), config);
  }
}

/** What differs between the nodes: each listens to the others at the next port, if a port was named. */
function places({ nodeId, listen, cluster }: NodeConfig, port: number, index: number): Flags {
  const peers = cluster?.listen ?? listen;
  return {
    nodeId: `${nodeId}-${index + 1}`,
    listen: written(listen.host, port),
    peerListen: written(peers.host, peers.port === 0 ? 0 : peers.port + index),
  };
}

function written(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Settings as variables; what is not set is empty, so that none of ours shows through. */
function environment(flags: Flags): Record<string, string> {
  const names = Object.keys(SETTINGS) as Setting[];
  return Object.fromEntries(names.map((name) => [SETTINGS[name][1], flags[name] ?? '']));
}

function nodeFailure({ code, message, exit }: NodeFailure): CliFailure {
  return new CliFailure(code, message, exit === EXIT.store || exit === EXIT.usage ? exit : EXIT.failed);
}
