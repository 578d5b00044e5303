// Owns a node in this process, from its settings to its end.
// Invariant: what ends the node tells its code and what to do.
// Must not: wire the node's parts (services/node.ts), or know whether a host started it.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import { LIMITS } from '../actors/limits.js';
import { SWEEP_PACE } from '../actors/retention.js';
import { createVerifier, type KeySource, type Verifier } from '../services/auth.js';
import { hmac } from '../services/mac.js';
import { createMachine } from '../services/machine.js';
import { type Node, type NodeOptions, startNode } from '../services/node.js';
import { Notices } from '../services/notices.js';
import { Operator } from '../services/operator.js';
import { Reach } from '../services/reach.js';
import { redisLine } from '../services/redis-line.js';
import { createRoutes } from '../services/routes.js';
import { ensureSecret, readSecret, SECRET_FILE, type SecretResult } from '../services/secret.js';
import type { TreeEvent } from '../supervisors/events.js';
import { createPeerNet } from '../transport/peer-net.js';
import type { HttpRequest, HttpResponse } from '../transport/socket.js';
import { CLUSTER_SECRET_FILE } from './cluster-settings.js';
import type { NodeConfig } from './config.js';
import { CliFailure } from './failure.js';
import { failureOf, giveUp } from './give-up.js';
import type { OpenStore } from './open-store.js';
import { version } from './version.js';

const UNPROTECTED =
  'no TLS between nodes: whoever is on the way reads who writes to whom; set --peer-tls-cert and --peer-tls-key';

const GOOD_NEWS: readonly string[] = ['certificate_renewed', 'presence_known', 'format_raised', 'drained'];

export interface NodeRun {
  readonly config: NodeConfig;
  readonly log: Logger;
  readonly openStore: OpenStore;
  /** Other nodes of this host listen at the same port. */
  readonly shared: boolean;
}

/** Resolves when it serves. Rejects with CliFailure. */
export async function runNode(run: NodeRun): Promise<Node> {
  const { config, log, shared } = run;
  const world = createMachine();
  const notices = new Notices(world, (event, fields) => {
    log[GOOD_NEWS.includes(event) ? 'info' : 'warn'](fields, event);
  });
  let running = false;
  let node: Node | null = null;
  const facts = { version: version(), path: config.store.path, started: world.wall() };
  try {
    node = await startNode({
      node: config.nodeId,
      world,
      host: config.listen.host,
      port: config.listen.port,
      transport: config.transport ?? 'auto',
      door: { ...config.door, shared },
      settings: {
        fanOutThreshold: config.fanOutThreshold,
        passivateMs: LIMITS.passivateMs,
        retention: config.retention,
        sweep: SWEEP_PACE,
        quotas: config.quotas,
      },
      verifier: verifierOf(config, log),
      ...clusterOf(run, () => node),
      ...(await presenceOf(config)),
      openStore: run.openStore,
      fenced: () => {
        const way = 'nodes that are to share one need --peer-listen, each of them';
        giveUp('shard_lost', `another node took over the store at ${config.store.path}; ${way}`, log);
      },
      http: createRoutes(facts),
      event: (event) => record(event, log, running),
      report: (event, fields) => notices.report(event, fields),
    });
    running = true;
    return node;
  } catch (error) {
    throw failureOf(error, config);
  }
}

/** The node's part in a cluster, where it has one. Operators ask it at the port of the nodes: that of clients may be shared. */
function clusterOf({ config, log }: NodeRun, node: () => Node | null): Pick<NodeOptions, 'cluster'> {
  const { cluster, data, transport } = config;
  if (cluster === undefined) return {};
  const { listen, secretFile, net, publicUrl } = cluster;
  const found = secretFile === null ? ensureSecret(data, CLUSTER_SECRET_FILE) : readSecret(secretFile);
  const mac = hmac(secretOf(found, log));
  if (!listen.loopback && net.tls === undefined) log.warn(UNPROTECTED);
  const operator = new Operator(createMachine(), mac, (event, fields) => log.info(fields, event));
  const http = (request: HttpRequest): HttpResponse | Promise<HttpResponse> =>
    node()?.answer(request, (asked) => operator.answer(asked, request) ?? asked.options.http(asked, request)) ?? {
      status: 503,
      body: 'starting\n',
    };
  const reach = new Reach(createMachine(), (event, fields) => log.warn(fields, event));
  const wires = createPeerNet({
    ...net,
    host: listen.host,
    port: listen.port,
    engine: transport ?? 'auto',
    http,
    dialled: (address, reason) => reach.dialled(address, reason),
  });
  const replaced = (): void =>
    giveUp(
      'node_replaced',
      `another process runs under the id ${config.nodeId}; where it is no successor, give each its own --node-id`,
      log,
    );
  return { cluster: { net: wires, mac, url: () => publicUrl, replaced } };
}

async function presenceOf({ redis, nodeId }: NodeConfig): Promise<Pick<NodeOptions, 'presence'>> {
  if (redis === undefined) return {};
  return { presence: await redisLine(redis, nodeId, randomBytes(8).toString('hex')) };
}

/** Resolves when the node has ended as it was told to. Rejects with CliFailure where its supervisors gave up. */
export async function ended(node: Node): Promise<void> {
  await node.tree.ended;
  if (!node.stopping) {
    throw new CliFailure('node_failed', 'the node gave up restarting its parts; the log above tells which');
  }
}

function verifierOf(config: NodeConfig, log: Logger): Verifier {
  const made = createVerifier({ keys: keysOf(config, log), issuer: config.jwtIssuer, audience: config.jwtAudience });
  if (!made.ok) throw new CliFailure(made.code, made.detail);
  return made.verifier;
}

function keysOf({ keys, data }: NodeConfig, log: Logger): KeySource {
  if (keys.type === 'jwks') return keys;
  if (keys.type === 'public') return { type: 'public', pem: readKey(keys.path) };
  const found = keys.type === 'secret' ? readSecret(keys.path) : ensureSecret(data, SECRET_FILE);
  return { type: 'secret', secret: secretOf(found, log) };
}

function secretOf(found: SecretResult, log: Logger): Uint8Array {
  if (!found.ok) {
    // What is in the data folder is made: so this one was named.
    const way =
      found.code === 'no_secret' ? '; name the file that has it, or make it (openssl rand -base64 32 > FILE)' : '';
    throw new CliFailure(found.code, `${found.detail}${way}`);
  }
  if (found.warning !== undefined) log.warn(found.warning);
  return found.secret;
}

function readKey(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new CliFailure('bad_key', `cannot read the public key at ${path} (${code})`);
  }
}

/** What supervision did, at the level that it deserves. A first start that fails ends the command with its reason. */
export function record(event: TreeEvent, log: Logger, running: boolean): void {
  const { type } = event;
  if (!running && type === 'start_failed') return;
  const fields = fieldsOf(event);
  if (type === 'started' || type === 'released') log.debug(fields, type);
  else if (type === 'exited' && event.reason.type !== 'crash') log.debug(fields, type);
  else if (type === 'escalated' || type === 'quarantined' || type === 'storm') log.error(fields, type);
  else log.warn(fields, type);
}

/** Errors of ours that have a code are told in a line, all others with their stack. */
function fieldsOf({ type: _, ...event }: TreeEvent): Record<string, unknown> {
  const fields: Record<string, unknown> = 'ms' in event ? { ...event, ms: Math.round(event.ms) } : { ...event };
  if ('reason' in event) fields.reason = event.reason.type;
  const error =
    'error' in event ? event.error : 'reason' in event && event.reason.type === 'crash' && event.reason.error;
  if (!(error instanceof Error)) return fields;
  delete fields.error;
  if ('code' in error) fields.reason = `${error.code}: ${error.message}`;
  else fields.err = error;
  return fields;
}
