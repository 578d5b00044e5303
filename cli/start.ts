// Owns `weft start`: a node in this process, or a host of several, from its settings to its exit code.
// Invariant: prints exactly one line `weft ready …` on stdout when it serves, and before it no log lines but warnings of the start;
// SIGTERM and Ctrl-C end it with 0 after an ordered stop; a start that fails says what to do and exits 1.
// Must not: know how a node (run-node.ts) or a host (run-host.ts) is made.

import type { Command } from 'commander';
import type { Logger } from 'pino';
import { type Claim, claim } from '../services/lock.js';
import { createLog, createOutput } from '../services/log.js';
import { addSettings, type Flags, gather, type NodeConfig, parseConfig } from './config.js';
import { endSoon } from './end.js';
import { CliFailure, EXIT } from './failure.js';
import { openStore } from './open-store.js';
import { runHost } from './run-host.js';
import { ended, runNode } from './run-node.js';
import { onStop } from './stop.js';
import { welcome } from './welcome.js';

const UNPROTECTED =
  'no TLS: whoever is on the way can read tokens and who writes to whom; set --tls-cert and --tls-key, or have a proxy do TLS';

export function register(program: Command): void {
  const command = program
    .command('start')
    .description('run a node, or several on this machine')
    .addHelpText(
      'after',
      `
Examples:
  $ weft start                                     on 127.0.0.1:7400, data in ./data
  $ weft start --nodes 4                           four nodes, a process each, that share port and store
  $ weft start --listen 127.0.0.1:0 --data /tmp/w     a free port, data elsewhere
  $ weft start --listen 0.0.0.0:7400 --jwt-secret-file /etc/weft/secret --tls-cert fullchain.pem --tls-key privkey.pem

With TLS, SIGHUP reads the certificate again. SIGTERM and Ctrl-C finish what is in flight, tell clients to reconnect, and exit 0.`,
    )
    .action((options: Record<string, unknown>) => start(gather(options, process.env)));
  addSettings(command);
}

/** What runs: a node, or a host. */
export interface Running {
  readonly url: string;
  /** For the log, when it serves. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly secure: boolean;
  /** Called when the line `weft ready` is out: now others may write to stdout. */
  said?(): void;
  stop(): void;
  renew(): void;
  /** Resolves when it has ended as it was told to. */
  ended(): Promise<void>;
}

async function start(flags: Flags): Promise<void> {
  const config = configOf(flags);
  const claimed = claimData(config.data);
  if (!claimed.ok) {
    throw new CliFailure(
      claimed.code,
      `process ${claimed.pid} runs a node on ${config.data}: stop it, or give this one another folder with --data`,
    );
  }
  const { crashes, release } = claimed;
  const several = config.nodes > 1;
  const output = createOutput(several);
  const log = createLog({ level: config.logLevel, node: config.nodeId, destination: output });
  try {
    const running = await (several ? runHost({ config, flags, log, output, crashes }) : single(config, log, crashes));
    // Whoever reads the line may stop the node at once, so it listens to signals first.
    const served = serve(running, log);
    process.stdout.write(`weft ready ${running.url} node=${config.nodeId} pid=${process.pid}\n`);
    if (process.stdout.isTTY) process.stdout.write(welcome(config, running.url));
    if (!config.listen.loopback && config.door.tls === undefined) log.warn(UNPROTECTED);
    log.info({ url: running.url, ...running.facts }, 'ready');
    running.said?.();
    await served;
    release('stopped');
    endSoon(EXIT.ok);
  } catch (error) {
    // A node of a host crashed too often, as by a damaged page: a parent that lives on has to tell.
    release(error instanceof CliFailure && error.code === 'node_crashed' ? 'crashed' : 'failed');
    throw error;
  }
}

/** Throws CliFailure. */
export function configOf(flags: Flags): NodeConfig {
  const settings = parseConfig(flags);
  if (settings.ok) return settings.config;
  const [first] = settings.problems;
  throw new CliFailure(first!.code, settings.problems.map(({ message }) => message).join('\n'), EXIT.usage);
}

function claimData(folder: string): Claim {
  try {
    return claim(folder);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const message = `cannot keep data in ${folder} (${code}): it must be a folder that this user may write, or can make`;
    throw new CliFailure('data_unusable', message);
  }
}

async function single(config: NodeConfig, log: Logger, crashes: number): Promise<Running> {
  const node = await runNode({ config, log, openStore: () => openStore(config, log, crashes), shared: false });
  return {
    url: node.url,
    facts: { engine: node.server.engine, store: node.store.engine },
    secure: node.server.secure,
    stop: () => void node.stop(),
    renew: () => node.renew(),
    ended: () => ended(node),
  };
}

/** Until it has ended: by a signal, or because its supervisors gave up. */
async function serve(running: Running, log: Logger): Promise<void> {
  const renew = (): void => running.renew();
  const off = onStop(
    (signal) => {
      log.info({ signal }, 'stopping');
      running.stop();
    },
    running.secure ? ['SIGTERM', 'SIGINT'] : undefined,
  );
  if (running.secure) process.on('SIGHUP', renew);
  try {
    await running.ended();
    log.info('stopped');
  } finally {
    off();
    process.off('SIGHUP', renew);
  }
}
