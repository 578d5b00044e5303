// Owns what a node answers over plain HTTP: health, readiness, status, metrics.
// Invariant: answers come from what the node counts anyway; asking changes nothing and shows no user's data.
// Must not: grow into an API of the product (clients speak the wire protocol).

import { collectDefaultMetrics, Registry } from 'prom-client';
import type { BoardStats } from '../actors/board.js';
import { json, Router, text } from '../transport/http.js';
import type { HttpRequest, HttpResponse } from '../transport/socket.js';
import { addClusterMetrics } from './cluster-metrics.js';
import { clusterReport, clusterSummary } from './cluster-report.js';
import { addFigure, type Say } from './figures.js';
import type { Node } from './node.js';

export interface NodeFacts {
  readonly version: string;
  /** Where the store's files are. */
  readonly path: string;
  /** Wall ms. */
  readonly started: number;
}

/** The HTTP side of one node. */
export function createRoutes(
  facts: NodeFacts,
): (node: Node, request: HttpRequest) => HttpResponse | Promise<HttpResponse> {
  let current: Node | null = null;
  const node = (): Node => current!;
  // On the first scrape: watching the garbage collector costs, and many a node is never asked.
  let registry: Registry | null = null;
  const router = new Router()
    .get('/', () => text(200, `Weft ${facts.version}. Clients connect to ${node().url} (docs/wire.md).\n`))
    .get('/healthz', () => text(200, 'ok\n'))
    .get('/readyz', () => {
      if (node().stopping) return text(503, 'stopping\n');
      // Balancers are to send new clients elsewhere; whoever comes all the same is served, and sent on.
      const drain = node().member?.cluster.drainage ?? null;
      if (drain !== null && drain.waits !== 'nobody') return text(503, 'draining\n');
      return node().member?.cluster.lapsed === true ? text(503, 'no member of its cluster\n') : text(200, 'ready\n');
    })
    .get('/status', () => json(200, status(node(), facts)))
    .get('/cluster', async () => {
      const report = await clusterReport(node());
      return report === null ? text(503, 'joining\n') : json(200, report);
    })
    .get('/metrics', async () => {
      registry ??= metrics(node);
      return { status: 200, headers: { 'content-type': registry.contentType }, body: await registry.metrics() };
    });
  return (asked, request) => {
    current = asked;
    return router.handle(request);
  };
}

function status(node: Node, { version, path, started }: NodeFacts): unknown {
  const { options, runtime, store, log, server, acceptor, users, chats, sweeps } = node;
  const { cells, queued, deadLetters, faults } = runtime.stats();
  return {
    node: options.node,
    pid: process.pid,
    version,
    uptimeMs: options.world.wall() - started,
    ready: !node.stopping && node.member?.cluster.lapsed !== true,
    url: node.url,
    transport: server.engine,
    store: { engine: store.engine, durability: store.durability, path, transactions: store.transactions },
    connections: acceptor.size,
    users: users.size,
    conversations: chats[0]!.size,
    groups: chats[1]!.size,
    log: log.stats(),
    presence: presence(node),
    cluster: clusterSummary(node),
    sweeps,
    actors: cells,
    queued,
    deadLetters,
    faults: faults + acceptor.crashes,
  };
}

/** Where it is kept, and whether it can be told. */
function presence({ fabric }: Node): unknown {
  const stats = fabric.board?.stats();
  if (stats === undefined) return { kept: 'here', known: true };
  const { where, up, reason, sinceMs, own, followed, losses } = stats;
  return { kept: where, known: up, ...(up ? {} : { reason }), sinceMs, entries: own, followed, losses };
}

function metrics(node: () => Node): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const figure = (name: string, help: string, read: (node: Node) => number): void => {
    addFigure(registry, name, help, (say) => say(read(node())));
  };
  figure('weft_connections', 'Open client connections', ({ acceptor }) => acceptor.size);
  figure('weft_users', 'User actors in memory', ({ users }) => users.size);
  figure('weft_chats', 'Conversation and group actors in memory', ({ chats }) => chats[0]!.size + chats[1]!.size);
  figure('weft_mailbox_messages', 'Messages waiting in mailboxes', ({ runtime }) => runtime.stats().queued);
  figure('weft_handled_total', 'Messages and signals handled', ({ runtime }) => runtime.stats().handled);
  figure('weft_dead_letters_total', 'Messages that reached no actor', ({ runtime }) => runtime.stats().deadLetters);
  figure('weft_appends_total', 'Appends of chats to the log', ({ log }) => log.stats().appends);
  figure('weft_transactions_total', 'Transactions of the log', ({ log }) => log.stats().transactions);
  figure('weft_store_transactions_total', 'Transactions of the engine', ({ store }) => store.transactions ?? 0);
  figure('weft_append_failures_total', 'Transactions that were not written', ({ log }) => log.stats().failed);
  figure('weft_online_users', 'Users with a connection', ({ online }) => online.size);
  figure('weft_watched_users', 'Users whose presence is watched', ({ watches }) => watches.sizes.users);
  figure('weft_open_chats', 'Chats that clients have open for presence', ({ watches }) => watches.sizes.chats);
  figure('weft_swept_entries_total', 'Entries that retention emptied', ({ sweeps }) => sweeps.entries);
  figure('weft_sweeps_total', 'Sweeps of chats', ({ sweeps }) => sweeps.sweeps);
  figure('weft_sweep_failures_total', 'Sweeps that were not written', ({ sweeps }) => sweeps.failed);
  figure('weft_sweep_waiting', 'Chats that wait to be swept', ({ sweeps }) => sweeps.waiting);
  figure('weft_sweep_late_ms', 'ms by which the next sweep is late', ({ sweeps }) => sweeps.late);
  const refused = (say: Say): void => {
    for (const [limit, count] of Object.entries(node().allowances.refused)) say(count, { limit });
  };
  addFigure(registry, 'weft_limited_total', 'What was refused because it came too often', refused, ['limit']);
  if (node().fabric.board !== null) addPresenceMetrics(figure);
  if (node().member !== null) addClusterMetrics(registry, () => node().member!);
  return registry;
}

/** Of a table outside. */
function addPresenceMetrics(figure: (name: string, help: string, read: (node: Node) => number) => void): void {
  const of = (read: (stats: BoardStats) => number) => (node: Node) => {
    const { board } = node.fabric;
    return board === null ? 0 : read(board.stats());
  };
  const add = (name: string, help: string, read: (stats: BoardStats) => number): void => {
    figure(`weft_presence_${name}`, help, of(read));
  };
  add('up', '1 while Redis answers, else presence is unknown', ({ up }) => (up ? 1 : 0));
  add('losses_total', 'Times that Redis was lost', ({ losses }) => losses);
  add('entries', 'Users whose entry in Redis this node keeps', ({ own }) => own);
  add('followed_users', 'Users that connections here are shown', ({ followed }) => followed);
  add('written_total', 'Entries written to Redis', ({ written }) => written);
  add('read_total', 'Entries read from Redis', ({ read }) => read);
  add('heard_total', 'Changes heard from Redis', ({ heard }) => heard);
  add('stale_total', 'Entries not written because a later owner of the user had written one', ({ stale }) => stale);
  add('posts_total', 'Typing sent to other nodes by way of Redis', ({ posts }) => posts);
}
