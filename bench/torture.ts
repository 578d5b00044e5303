// Owns the torture command: a node killed with -9 again and again under real clients, and the verdict.
// Invariant: exit code 0 only if every round was run and nothing was found; else the data folder is kept and named.
// Must not: judge; bench/torture/checker.ts does.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { HostProcess } from './host-process.js';
import { quietPort } from './node-process.js';
import { machine, type Report, type Row, row } from './report.js';
import { NodeCourse } from './torture/course.js';
import { NodesCourse } from './torture/nodes-course.js';
import type { ClusterFigures, Course, Figures, Outcome, TortureOptions } from './torture/outcome.js';
import { Where } from './torture/where.js';

interface Options {
  readonly rounds: number;
  readonly clients: number;
  readonly seed: number;
  readonly nodes: number;
  readonly freeze?: number;
  readonly store?: string;
  readonly storePid?: number;
  readonly json?: string;
  readonly keep?: boolean;
}

/** ms: of a node alone at most, and of one of several, which its lease does not outlive. */
const FREEZE = { one: 1_500, several: 15_000 };

/** Violations printed; all of them are in the folder. */
const SHOWN = 20;

function count(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) throw new InvalidArgumentError(`Give a whole number from ${least}.`);
    return value;
  };
}

function cluster(text: string): string {
  if (!text.startsWith('fdb:')) throw new InvalidArgumentError('Write fdb:CLUSTER_FILE.');
  return text;
}

const program = new Command('torture')
  .description(
    'Freezes and kills nodes with -9 while clients send, starts them again, and checks that every message is there once.',
  )
  .option('--rounds <N>', 'kills, each under traffic', count(1), 10)
  .option('--clients <N>', 'devices that send', count(48), 200)
  .option('--seed <S>', 'what is chosen by chance follows from it', count(0), Math.floor(Math.random() * 2 ** 32))
  .option(
    '--nodes <N>',
    'nodes of a host; each round kills, freezes, stops or drains one, or kills the host',
    count(1),
    1,
  )
  .option(
    '--freeze <MS>',
    `some rounds freeze the node for up to that long, one of several for that long; 0: none (default: ${FREEZE.one}, of several ${FREEZE.several})`,
    count(0),
  )
  .option('--store <fdb:FILE>', 'an empty FoundationDB cluster to store in (default: LMDB in the data folder)', cluster)
  .option('--store-pid <PID>', 'a process of that cluster, which some rounds freeze too', count(1))
  .option('--json <FILE>', 'also write {suite, machine, rows, violations} to FILE')
  .option('--keep', 'keep the data folder though nothing was found')
  .action(async (options: Options) => {
    process.exitCode = await run(options);
  });

async function run({
  rounds,
  clients,
  seed,
  nodes,
  store,
  storePid,
  json,
  keep = false,
  ...given
}: Options): Promise<number> {
  const freeze = given.freeze ?? (nodes > 1 ? FREEZE.several : FREEZE.one);
  const folder = mkdtempSync(join(tmpdir(), 'weft-torture-'));
  const where = await Where.of(store ?? null, join(folder, 'node')).catch((error: Error) =>
    program.error(error.message),
  );
  const who = nodes > 1 ? `${nodes} nodes, ` : '';
  process.stdout.write(`${who}${clients} clients, ${rounds} rounds, seed ${seed}, data in ${folder}\n`);
  let before = 0;
  const outcome = await torture({
    rounds,
    clients,
    seed,
    freeze,
    nodes,
    folder,
    where,
    storePid: storePid ?? null,
    progress(figures) {
      process.stdout.write(`${progressLine(figures, rounds, figures.acked - before)}\n`);
      before = figures.acked;
    },
  });
  const good = outcome.violations.length === 0 && outcome.troubles.length === 0;
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report(outcome), null, 2)}\n`);
  process.stdout.write(good ? praise(outcome) : blame(outcome, folder));
  if (good && !keep) rmSync(folder, { recursive: true, force: true });
  else process.stdout.write(`data kept in ${folder}\n`);
  return good ? 0 : 1;
}

async function torture(options: TortureOptions): Promise<Outcome> {
  const { nodes } = options;
  const course: Course =
    nodes > 1 ? new NodesCourse(options, await HostProcess.ports(nodes)) : new NodeCourse(options, await quietPort());
  try {
    return await course.run();
  } finally {
    await course.end();
  }
}

const figure = (value: number): string => Math.round(value).toLocaleString('en-US');

function progressLine(figures: Figures, rounds: number, fresh: number): string {
  const { round, acked, deliveries, kills, freezes, reconnects, readyMs, cluster } = figures;
  return [
    `round ${String(round).padStart(String(rounds).length)}/${rounds}`,
    `acked ${figure(acked)} (+${figure(fresh)})`,
    `delivered ${figure(deliveries)}`,
    `kills ${kills}`,
    `freezes ${freezes}`,
    ...(cluster === null
      ? []
      : [
          `stops ${cluster.stops}`,
          `drains ${cluster.drains}`,
          `hosts ${cluster.hosts}`,
          ...(cluster.stalls === 0 ? [] : [`stalls ${cluster.stalls}`]),
        ]),
    `reconnects ${figure(reconnects)}`,
    cluster === null
      ? `ready after a kill p50 ${figure(readyMs)} ms`
      : `${cluster.last.kind}: runs again after ${figure(cluster.last.againMs)} ms, whole after ${figure(cluster.last.wholeMs)} ms  told ${figure(cluster.told)}  refused stale ${cluster.stale}`,
  ].join('  ');
}

function praise({ figures, chats }: Outcome): string {
  const { acked, deliveries, kills, freezes, reconnects, restarts, crashes, cuts, cluster } = figures;
  const nodes =
    cluster === null
      ? `${kills} kills and ${freezes} freezes of the node`
      : `${kills} kills, ${freezes} freezes, ${cluster.stops} stops and ${cluster.drains} drains of nodes, ${cluster.hosts} kills of all, ` +
        `${cluster.stalls === 0 ? '' : `${cluster.stalls} freezes of the store, `}` +
        `${cluster.owners} changes of owners, ${cluster.stale} stale appends refused, ${figure(cluster.told)} told without ` +
        `reconnecting (after a kill or stop within ${figure(cluster.toldMs)} ms)`;
  return (
    `${pc.green('nothing lost, nothing doubled, one order')}: ${figure(acked)} acknowledged messages in ${chats} chats, ` +
    `${figure(deliveries)} deliveries, ${nodes}, ${figure(reconnects)} reconnects, ` +
    `${restarts} client restarts, ${crashes} client crashes, ${cuts} cut connections\n`
  );
}

function blame({ violations, troubles, log }: Outcome, folder: string): string {
  writeFileSync(join(folder, 'violations.json'), JSON.stringify({ violations, troubles, log }, null, 2));
  const rules = new Map<string, number>();
  for (const { rule } of violations) rules.set(rule, (rules.get(rule) ?? 0) + 1);
  const lines = [
    pc.red(`${violations.length} violations, ${troubles.length} troubles`),
    ...[...rules].map(([rule, times]) => `  ${rule}: ${times}`),
    ...violations.slice(0, SHOWN).map(({ rule, chat, detail }) => `  ${pc.bold(rule)} ${chat.slice(0, 12)}: ${detail}`),
    ...troubles.slice(0, SHOWN).map((text) => `  ${pc.bold('trouble')} ${text}`),
    'the node said last:',
    ...log.slice(-SHOWN).map((line) => `  ${line}`),
    `all of it: ${join(folder, 'violations.json')}`,
  ];
  return `${lines.join('\n')}\n`;
}

function report(outcome: Outcome): Report & Pick<Outcome, 'violations' | 'troubles'> {
  const { figures, violations, troubles, chats } = outcome;
  const rows = [
    row('rounds', figures.round, 'rounds'),
    row('acknowledged', figures.acked, 'messages'),
    row('delivered', figures.deliveries, 'messages'),
    row('chats', chats, 'chats'),
    row('kills', figures.kills, 'kills'),
    row('freezes', figures.freezes, 'freezes'),
    row('reconnects', figures.reconnects, 'connections'),
    row('client restarts', figures.restarts, 'restarts'),
    row('client crashes', figures.crashes, 'crashes'),
    row('cut connections', figures.cuts, 'connections'),
    row(figures.cluster === null ? 'ready after a kill, p50' : 'whole again, p50', figures.readyMs, 'ms'),
    ...(figures.cluster === null ? [] : clusterRows(figures.cluster)),
    row('violations', violations.length, 'violations'),
  ];
  return { suite: 'torture', machine: machine(), rows, violations, troubles };
}

function clusterRows({ stops, drains, hosts, stalls, told, toldMs, owners, stale }: ClusterFigures): Row[] {
  return [
    row('stops', stops, 'stops'),
    row('drains', drains, 'drains'),
    row('kills of the host', hosts, 'kills'),
    row('freezes of the store', stalls, 'freezes'),
    row('told without reconnecting', told, 'devices and chats'),
    row('the same, longest after a kill or stop', toldMs, 'ms'),
    row('changes of owners', owners, 'changes'),
    row('stale appends refused', stale, 'transactions'),
  ];
}

await program.parseAsync();
