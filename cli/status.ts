// Owns `weft status`: asks a node over HTTP how it is, and its cluster, where it has one.
// Invariant: exit code 0 ready, 1 up but not ready, 3 nothing there that answers as a node does.
// Must not: know the fields of a node's own status: it shows what it gets.

import type { Command } from 'commander';
import type { ClusterReport } from '../services/cluster-report.js';
import { addressOf, addUrl, get, noNode, parse } from './ask.js';
import { askCluster, type ClusterView } from './cluster-view.js';
import { EXIT } from './failure.js';
import { renderGrid } from './grid.js';
import { out as pc } from './ink.js';
import { bytes, duration, renderTable } from './table.js';

interface Report {
  readonly url: string;
  readonly healthy: boolean;
  readonly ready: boolean;
  /** The node's own words; null where it has none. */
  readonly status: unknown;
  /** Null: no cluster, or it could not be asked. */
  readonly cluster: {
    readonly format: number;
    readonly members: readonly Member[];
    readonly links: readonly Link[];
  } | null;
}

interface Member {
  readonly node: string;
  readonly state: string;
  /** By its own word; null: it does not answer. */
  readonly healthy: boolean | null;
  readonly incarnation: number;
  readonly silenceMs: number;
  readonly shards: number;
  /** By its own word; null: it does not answer. */
  readonly clients: number | null;
  /** Highest version of stored rows that it knows. */
  readonly format: number;
  /** ms that 99 of 100 of its clients' sends stay within. */
  readonly p99Ms: number | null;
  readonly address: string;
}

type Link = ClusterReport['links'][number] & { readonly from: string };

export function register(program: Command): void {
  const command = program
    .command('status')
    .description('show how a node is, and its cluster')
    .option('--json', 'print {url, healthy, ready, status, cluster}')
    .addHelpText(
      'after',
      `
Where several nodes share a port, one of them answers, and tells of all.

Examples:
  $ weft status
  $ weft status --url https://chat.example:7400 --json`,
    )
    .action(async (options: { url: string; json?: boolean }) => {
      const report = await ask(options.url);
      process.stdout.write(options.json === true ? `${JSON.stringify(report)}\n` : render(report));
      process.exitCode = report.ready ? EXIT.ok : EXIT.failed;
    });
  addUrl(command);
}

async function ask(text: string): Promise<Report> {
  const base = addressOf(text);
  const [health, ready, status] = await Promise.all(
    ['/healthz', '/readyz', '/status'].map((path) => get(new URL(path, base))),
  );
  const found = status?.ok === true ? parse(status.body) : null;
  // Any web server may answer; one that knows none of these is no node.
  if (health?.ok !== true && ready?.status !== 503 && found === null) throw noNode(base);
  // An earlier version, or a node between two lives, has its status all the same.
  const view = await askCluster(text).catch(() => null);
  const cluster = view === null || view.own.members.length < 2 ? null : clusterOf(view);
  return { url: base.origin, healthy: health?.ok === true, ready: ready?.ok === true, status: found, cluster };
}

function clusterOf({ own, reports }: ClusterView): Report['cluster'] {
  const members = own.members.map(({ node, state, ...member }) => {
    const report = reports.get(node);
    return { node, state, healthy: report?.healthy ?? null, clients: report?.clients ?? null, ...member };
  });
  const links = [...reports].flatMap(([from, report]) => (report?.links ?? []).map((link) => ({ from, ...link })));
  return { format: own.format, members, links };
}

function render({ url, healthy, ready, status, cluster }: Report): string {
  const state = ready ? pc.green('ready') : healthy ? pc.yellow('up, not ready') : pc.red('failing');
  return `${pc.bold(url)}  ${state}\n${renderTable(status)}${cluster === null ? '' : renderCluster(cluster)}`;
}

function renderCluster({ format, members, links }: NonNullable<Report['cluster']>): string {
  const here = members.map(({ node, state, healthy, silenceMs, shards, clients, p99Ms, incarnation, address }) => {
    const how = healthy === null ? 'no answer' : healthy ? state : `${state}, lapsed`;
    const p99 = p99Ms === null ? null : `${p99Ms.toFixed(1)} ms`;
    return [node, how, duration(silenceMs), shards, clients, p99, incarnation, address];
  });
  const ways = links.map(({ from, node, state, end, roundTripMs, queuedBytes, unsentBytes, resets }) => {
    const trip = roundTripMs === null ? null : `${roundTripMs.toFixed(1)} ms`;
    return [
      from,
      node,
      end === null ? state : `${state}: ${end}`,
      trip,
      bytes(queuedBytes),
      bytes(unsentBytes),
      resets,
    ];
  });
  const later = members.filter((member) => member.format > format).map(({ node }) => node);
  const upgrade =
    later.length === 0
      ? ''
      : pc.yellow(`rows of version ${format} are written; a later one is known by ${later.join(', ')}\n`);
  return (
    `\n${pc.bold('members')}\n${renderGrid(['node', 'state', 'silent', 'shards', 'clients', 'p99', 'incarnation', 'address'], here)}${upgrade}` +
    `\n${pc.bold('links')}\n${renderGrid(['from', 'to', 'state', 'round trip', 'queued', 'unsent', 'resets'], ways)}`
  );
}
