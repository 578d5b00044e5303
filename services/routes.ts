// Owns what a node answers over plain HTTP: health, readiness, status, metrics.
// Invariant: answers come from what the node counts anyway; asking changes nothing and shows no user's data.
// Must not: grow into an API of the product (clients speak the wire protocol).

import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { BoardStats } from '../actors/board.js';
import { json, Router, text } from '../transport/http.js';
import type { HttpRequest, HttpResponse } from '../transport/socket.js';
import { addClusterMetrics } from './cluster-metrics.js';
import { clusterReport, clusterSummary } from './cluster-report.js';
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
  const gauge = (name: string, help: string, read: (node: Node) => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read(node()));
      },
    });
  };
  gauge('weft_connections', 'Open client connections', ({ acceptor }) => acceptor.size);
  gauge('weft_users', 'User actors in memory', ({ users }) => users.size);
  gauge('weft_chats', 'Conversation and group actors in memory', ({ chats }) => chats[0]!.size + chats[1]!.size);
  gauge('weft_mailbox_messages', 'Messages waiting in mailboxes', ({ runtime }) => runtime.stats().queued);
  gauge('weft_handled_total', 'Messages and signals handled', ({ runtime }) => runtime.stats().handled);
  gauge('weft_dead_letters_total', 'Messages that reached no actor', ({ runtime }) => runtime.stats().deadLetters);
  gauge('weft_appends_total', 'Appends of chats to the log', ({ log }) => log.stats().appends);
  gauge('weft_transactions_total', 'Transactions of the log', ({ log }) => log.stats().transactions);
  gauge('weft_store_transactions_total', 'Transactions of the engine', ({ store }) => store.transactions ?? 0);
  gauge('weft_append_failures_total', 'Transactions that were not written', ({ log }) => log.stats().failed);
  gauge('weft_online_users', 'Users with a connection', ({ online }) => online.size);
  gauge('weft_watched_users', 'Users whose presence is watched', ({ watches }) => watches.sizes.users);
  gauge('weft_open_chats', 'Chats that clients have open for presence', ({ watches }) => watches.sizes.chats);
  gauge('weft_swept_entries_total', 'Entries that retention emptied', ({ sweeps }) => sweeps.entries);
  gauge('weft_sweeps_total', 'Sweeps of chats', ({ sweeps }) => sweeps.sweeps);
  gauge('weft_sweep_failures_total', 'Sweeps that were not written', ({ sweeps }) => sweeps.failed);
  gauge('weft_sweep_waiting', 'Chats that wait to be swept', ({ sweeps }) => sweeps.waiting);
  gauge('weft_sweep_late_ms', 'ms by which the next sweep is late', ({ sweeps }) => sweeps.late);
  new Gauge({
    name: 'weft_limited_total',
    help: 'What was refused because it came too often',
    labelNames: ['limit'],
    registers: [registry],
    collect() {
      for (const [limit, count] of Object.entries(node().allowances.refused)) this.set({ limit }, count);
    },
  });
  if (node().fabric.board !== null) addPresenceMetrics(gauge);
  if (node().member !== null) addClusterMetrics(registry, () => node().member!);
  return registry;
}

/** Of a table outside. */
function addPresenceMetrics(gauge: (name: string, help: string, read: (node: Node) => number) => void): void {
  const of = (read: (stats: BoardStats) => number) => (node: Node) => {
    const { board } = node.fabric;
    return board === null ? 0 : read(board.stats());
  };
  const add = (name: string, help: string, read: (stats: BoardStats) => number): void => {
    gauge(`weft_presence_${name}`, help, of(read));
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
