// Owns `weft start`: a node in this process, from its settings to its exit code.
// Invariant: prints exactly one line `weft ready …` on stdout before any log line; SIGTERM and Ctrl-C end it with 0 after
// an ordered stop; a start that fails says what to do and exits 1.
// Must not: wire the node's parts (services/node.ts).

import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Logger } from 'pino';
import { LIMITS } from '../actors/limits.js';
import { SWEEP_PACE } from '../actors/retention.js';
import { createVerifier, type KeySource, type Verifier } from '../services/auth.js';
import { type Claim, claim } from '../services/lock.js';
import { createLog } from '../services/log.js';
import { createMachine } from '../services/machine.js';
import { type Node, startNode } from '../services/node.js';
import { createRoutes } from '../services/routes.js';
import { ensureSecret, readSecret, type SecretResult } from '../services/secret.js';
import { openFoundationDb } from '../storage/foundationdb.js';
import { openLmdb } from '../storage/lmdb.js';
import type { Store } from '../storage/store.js';
import type { TreeEvent } from '../supervisors/events.js';
import { addSettings, gather, type NodeConfig, parseConfig } from './config.js';
import { CliFailure, EXIT } from './failure.js';
import { onStop } from './stop.js';
import { version } from './version.js';
import { welcome } from './welcome.js';

const UNPROTECTED =
  'no TLS: whoever is on the way can read tokens and who writes to whom; set --tls-cert and --tls-key, or have a proxy do TLS';

/** Of the store. */
const NEEDS_A_PERSON: readonly string[] = [
  'store_corrupt',
  'store_missing',
  'store_newer',
  'store_client_missing',
  'store_bad_cluster_file',
];

export function register(program: Command): void {
  const command = program
    .command('start')
    .description('run a node')
    .addHelpText(
      'after',
      `
Examples:
  $ weft start                                     on 127.0.0.1:7400, data in ./data
  $ weft start --listen 127.0.0.1:0 --data /tmp/w     a free port, data elsewhere
  $ weft start --listen 0.0.0.0:7400 --jwt-secret-file /etc/weft/secret --tls-cert fullchain.pem --tls-key privkey.pem

With TLS, SIGHUP reads the certificate again. SIGTERM and Ctrl-C finish what is in flight, tell clients to reconnect, and exit 0.`,
    )
    .action((options: Record<string, unknown>) => start(options));
  addSettings(command);
}

async function start(options: Record<string, unknown>): Promise<void> {
  const settings = parseConfig(gather(options, process.env));
  if (!settings.ok) {
    const [first] = settings.problems;
    throw new CliFailure(first!.code, settings.problems.map(({ message }) => message).join('\n'), EXIT.usage);
  }
  const { config } = settings;
  const claimed = claimData(config.data);
  if (!claimed.ok) {
    throw new CliFailure(
      claimed.code,
      `process ${claimed.pid} runs a node on ${config.data}: stop it, or give this one another folder with --data`,
    );
  }
  const log = createLog({ level: config.logLevel, node: config.nodeId });
  try {
    const node = await run(config, log, claimed.crashes);
    // Whoever reads the line may stop the node at once, so it listens to signals first.
    const served = serve(node, log);
    process.stdout.write(`weft ready ${node.url} node=${config.nodeId} pid=${process.pid}\n`);
    if (process.stdout.isTTY) process.stdout.write(welcome(config, node.url));
    if (!config.listen.loopback && config.door.tls === undefined) log.warn(UNPROTECTED);
    log.info({ url: node.url, engine: node.server.engine, store: node.store.engine }, 'ready');
    await served;
    claimed.release('stopped');
  } catch (error) {
    claimed.release('failed');
    throw error instanceof CliFailure ? error : failure(error);
  }
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

async function run(config: NodeConfig, log: Logger, crashes: number): Promise<Node> {
  const world = createMachine();
  let running = false;
  const facts = { version: version(), path: config.store.path, started: world.wall() };
  const node = await startNode({
    node: config.nodeId,
    world,
    host: config.listen.host,
    port: config.listen.port,
    transport: config.transport ?? 'auto',
    door: config.door,
    settings: {
      fanOutThreshold: config.fanOutThreshold,
      passivateMs: LIMITS.passivateMs,
      retention: config.retention,
      sweep: SWEEP_PACE,
      quotas: config.quotas,
    },
    verifier: verifierOf(config, log),
    openStore: () => openStore(config, log, crashes),
    fenced: () => giveUp('shard_lost', `another node took over the store at ${config.store.path}`, log),
    http: createRoutes(facts),
    event: (event) => record(event, log, running),
    report: (event, fields) => (event === 'certificate_renewed' ? log.info(fields, event) : log.warn(fields, event)),
  });
  running = true;
  return node;
}

/** A damaged page can end the process by a signal, without a word; who ended so twice in a row looks at all of them first. */
function openStore({ store: { engine, path } }: NodeConfig, log: Logger, crashes: number): Promise<Store> {
  if (engine === 'fdb') return openFoundationDb({ clusterFile: path });
  const thorough = crashes >= 2;
  if (thorough) log.warn({ path, crashes }, 'the last runs crashed: every page of the store is checked');
  return openLmdb({ path, thorough, onBroken: (code, reason) => giveUp(code, reason, log) });
}

/** Until the node has ended: by a signal, or because its supervisors gave up. */
async function serve(node: Node, log: Logger): Promise<void> {
  const renew = (): void => node.renew();
  const renews = node.server.secure;
  const off = onStop(
    (signal) => {
      log.info({ signal }, 'stopping');
      void node.stop();
    },
    renews ? ['SIGTERM', 'SIGINT'] : undefined,
  );
  if (renews) process.on('SIGHUP', renew);
  await node.tree.ended;
  off();
  process.off('SIGHUP', renew);
  if (node.stopping) {
    log.info('stopped');
    return;
  }
  throw new CliFailure('node_failed', 'the node gave up restarting its parts; the log above tells which');
}

function verifierOf(config: NodeConfig, log: Logger): Verifier {
  const made = createVerifier({ keys: keysOf(config, log), issuer: config.jwtIssuer, audience: config.jwtAudience });
  if (!made.ok) throw new CliFailure(made.code, made.detail);
  return made.verifier;
}

function keysOf({ keys, data }: NodeConfig, log: Logger): KeySource {
  if (keys.type === 'jwks') return keys;
  if (keys.type === 'public') return { type: 'public', pem: readKey(keys.path) };
  const found: SecretResult = keys.type === 'secret' ? readSecret(keys.path) : ensureSecret(data);
  if (!found.ok) throw new CliFailure(found.code, found.detail);
  if (found.warning !== undefined) log.warn(found.warning);
  return { type: 'secret', secret: found.secret };
}

function readKey(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new CliFailure('bad_key', `cannot read the public key at ${path} (${code})`);
  }
}

/** Nothing can be written any more, and an ordered stop would wait for what never comes. */
function giveUp(code: string, reason: string, log: Logger): void {
  log.fatal({ reason }, code);
  log.flush(() => process.exit(exitOf(code)));
}

/** Whoever runs us may start us again, but not where that ends the same way (docs/operations.md). */
function exitOf(code: string): number {
  return NEEDS_A_PERSON.includes(code) ? EXIT.store : EXIT.failed;
}

/** What supervision did, at the level that it deserves. A first start that fails ends the command with its reason. */
function record(event: TreeEvent, log: Logger, running: boolean): void {
  const { type, ...fields } = event;
  if (!running && type === 'start_failed') return;
  if (type === 'started' || type === 'released') log.debug(fields, type);
  else if (type === 'exited' && event.reason.type !== 'crash') log.debug(fields, type);
  else if (type === 'escalated' || type === 'quarantined' || type === 'storm') log.error(fields, type);
  else log.warn(fields, type);
}

function failure(error: unknown): CliFailure {
  const text = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'start_failed';
  const hint =
    code === 'listen_failed' ? '; is a node running already? (weft status), or choose another with --listen' : '';
  return new CliFailure(code, `${text}${hint}`, exitOf(code));
}
