// Owns the torture command: a node killed with -9 again and again under real clients, and the verdict.
// Invariant: exit code 0 only if every round was run and nothing was found; else the data folder is kept and named.
// Must not: judge; bench/torture/checker.ts does.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { machine, type Report, row } from './report.js';
import { type Figures, type Outcome, torture } from './torture/course.js';

interface Options {
  readonly rounds: number;
  readonly clients: number;
  readonly seed: number;
  readonly freeze: number;
  readonly json?: string;
  readonly keep?: boolean;
}

/** Violations printed; all of them are in the folder. */
const SHOWN = 20;

function count(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) throw new InvalidArgumentError(`Give a whole number from ${least}.`);
    return value;
  };
}

const program = new Command('torture')
  .description(
    'Freezes a node and kills it with -9 while clients send, starts it again, and checks that every message is there once.',
  )
  .option('--rounds <N>', 'kills, each under traffic', count(1), 10)
  .option('--clients <N>', 'devices that send', count(48), 200)
  .option('--seed <S>', 'what is chosen by chance follows from it', count(0), Math.floor(Math.random() * 2 ** 32))
  .option('--freeze <MS>', 'some rounds freeze the node for up to that long; 0: none', count(0), 1_500)
  .option('--json <FILE>', 'also write {suite, machine, rows, violations} to FILE')
  .option('--keep', 'keep the data folder though nothing was found')
  .action(async (options: Options) => {
    process.exitCode = await run(options);
  });

async function run({ rounds, clients, seed, freeze, json, keep = false }: Options): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'weft-torture-'));
  process.stdout.write(`${clients} clients, ${rounds} rounds, seed ${seed}, data in ${folder}\n`);
  let before = 0;
  const outcome = await torture({
    rounds,
    clients,
    seed,
    freeze,
    folder,
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

const figure = (value: number): string => Math.round(value).toLocaleString('en-US');

function progressLine(figures: Figures, rounds: number, fresh: number): string {
  const { round, acked, deliveries, kills, freezes, reconnects, readyMs } = figures;
  return [
    `round ${String(round).padStart(String(rounds).length)}/${rounds}`,
    `acked ${figure(acked)} (+${figure(fresh)})`,
    `delivered ${figure(deliveries)}`,
    `kills ${kills}`,
    `freezes ${freezes}`,
    `reconnects ${figure(reconnects)}`,
    `ready after a kill p50 ${figure(readyMs)} ms`,
  ].join('  ');
}

function praise({ figures, chats }: Outcome): string {
  const { acked, deliveries, kills, freezes, reconnects, restarts, crashes, cuts } = figures;
  return (
    `${pc.green('nothing lost, nothing doubled, one order')}: ${figure(acked)} acknowledged messages in ${chats} chats, ` +
    `${figure(deliveries)} deliveries, ${kills} kills and ${freezes} freezes of the node, ${figure(reconnects)} reconnects, ` +
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
    row('ready after a kill, p50', figures.readyMs, 'ms'),
    row('violations', violations.length, 'violations'),
  ];
  return { suite: 'torture', machine: machine(), rows, violations, troubles };
}

await program.parseAsync();
