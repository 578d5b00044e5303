// Owns `weft shards`: who owns which part of all chats and users.
// Invariant: exit code 0 where every shard has an owner, 1 where one has none, 3 where no node answers.
// Must not: ask anything itself (cluster-view.ts).

import type { Command } from 'commander';
import { addUrl } from './ask.js';
import { askCluster, type ClusterView } from './cluster-view.js';
import { EXIT } from './failure.js';
import { renderGrid } from './grid.js';
import { out as pc } from './ink.js';

interface Shard {
  readonly shard: number;
  readonly owner: string | null;
  readonly epoch: number;
  readonly chats: number | null;
  readonly users: number | null;
  readonly dirty: number | null;
}

export function register(program: Command): void {
  const command = program
    .command('shards')
    .description('show who owns which shard of the cluster')
    .option('--json', 'print {node, view, shards, moves, staleWrites}')
    .addHelpText(
      'after',
      `
A shard is a part of all chats and users, by a hash; their actors live on its owner. EPOCH grows with each owner,
DIRTY counts chats whose newest entries may not have reached every device yet. Any node may be asked.

Examples:
  $ weft shards
  $ weft shards --url http://10.0.0.7:7400 --json`,
    )
    .action(async ({ url, json }: { url: string; json?: boolean }) => {
      const view = await askCluster(url);
      const shards = shardsOf(view);
      process.stdout.write(json === true ? `${JSON.stringify(reportOf(view, shards))}\n` : render(view, shards));
      process.exitCode = shards.every(({ owner }) => owner !== null) ? EXIT.ok : EXIT.failed;
    });
  addUrl(command);
}

/** What the asked node knows of each shard, and what lives there by the word of its owner. */
function shardsOf({ own, reports }: ClusterView): Shard[] {
  return own.shards.map(({ shard, owner, epoch }) => {
    const known = owner === null ? undefined : reports.get(owner)?.shards.find((other) => other.shard === shard);
    // A shard may have moved between the two answers.
    return {
      shard,
      owner,
      epoch,
      chats: known?.chats ?? null,
      users: known?.users ?? null,
      dirty: known?.dirty ?? null,
    };
  });
}

function sum({ reports }: ClusterView, of: 'moves' | 'staleWrites'): number {
  return [...reports.values()].reduce((total, report) => total + (report?.[of] ?? 0), 0);
}

function reportOf(view: ClusterView, shards: readonly Shard[]): unknown {
  const { node, view: number } = view.own;
  return { node, view: number, shards, moves: sum(view, 'moves'), staleWrites: sum(view, 'staleWrites') };
}

function render(view: ClusterView, shards: readonly Shard[]): string {
  const { own, reports } = view;
  const owned = shards.filter(({ owner }) => owner !== null).length;
  const state = `${owned} of ${shards.length} shards owned`;
  const silent = [...reports].filter(([, report]) => report === null).map(([node]) => node);
  const head = [
    pc.bold(owned === shards.length ? pc.green(state) : pc.red(state)),
    `view ${own.view}`,
    `moves ${sum(view, 'moves')}`,
    `stale writes refused ${sum(view, 'staleWrites')}`,
  ].join(pc.dim(' · '));
  const rows = shards.map(({ shard, owner, epoch, chats, users, dirty }) => [
    shard,
    owner ?? 'nobody',
    epoch,
    chats,
    users,
    dirty,
  ]);
  const note =
    silent.length === 0 ? '' : pc.yellow(`no answer from ${silent.join(', ')}: what lives there is not known\n`);
  return `${head}\n${renderGrid(['shard', 'owner', 'epoch', 'chats', 'users', 'dirty'], rows)}${note}`;
}
