// Owns the simulate command: what may be asked for, and what is said of it.
// Invariant: exit code 0: no violation; 1: a violation; 2: arguments that make no sense. Failures and the sum go to standard output,
// progress to standard error.
// Must not: judge or run histories itself.

import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { Campaign } from './campaign.js';
import { IN_CLUSTER } from './coverage.js';
import { draw } from './draw.js';
import { drawCluster } from './draw-cluster.js';
import { Jobs } from './jobs.js';
import { mutation } from './mutation-run.js';
import { failure, type Ink, progress, summary } from './report.js';
import type { Violation } from './rule.js';
import { shrink } from './shrink.js';
import type { Outcome } from './trial.js';

interface Options {
  readonly seed?: number;
  readonly histories?: number;
  readonly minutes?: number;
  readonly json?: string;
  readonly cluster?: boolean;
  readonly keepGoing?: boolean;
  readonly jobs: number;
  readonly shrink: number;
  readonly mutants?: boolean;
  readonly only?: string;
  readonly fuzz?: boolean;
  readonly frames: number;
}

interface Failure {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly plan: Outcome['plan'];
}

const DEFAULT_HISTORIES = 1_000;
const FRAMES = 5_000_000;
/** ms between two lines of progress: on a terminal it is one line that changes. */
const LIVE_MS = 200;
const LINE_MS = 10_000;

function whole(text: string): number {
  const value = Number(text);
  if (text === '' || !Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('Give a whole number.');
  return value;
}

function count(text: string): number {
  const value = whole(text);
  if (value < 1) throw new InvalidArgumentError('Give a whole number from 1.');
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 100_000)) throw new InvalidArgumentError('Give a number above 0.');
  return value;
}

const program = new Command('simulate')
  .description(
    'Runs histories of a whole simulated world (the real actors, supervisors, log and SDK; simulated clocks, networks, disks) under faults, and holds each against the promises.',
  )
  .option('--seed <S>', 'the history of this seed alone; with --histories the first of them', whole)
  .option('--histories <N>', `how many (${DEFAULT_HISTORIES} unless --seed or --minutes says otherwise)`, count)
  .option('--minutes <M>', 'for so long', positive)
  .option('--cluster', 'several nodes on one store, and what can befall those')
  .option('--keep-going', 'go on after a failure')
  .option('--jobs <N>', 'processes that run histories side by side (one a core)', count, availableParallelism())
  .option(
    '--shrink <S>',
    'seconds to make a failure small, 0 for none',
    (text) => (text === '0' ? 0 : positive(text)),
    20,
  )
  .option('--mutants', 'hunt deliberate defects of the product instead: each must be caught')
  .option('--only <NAME>', 'with --mutants: those whose name contains it')
  .option('--fuzz', 'try all decoders with damaged input instead, also over real sockets')
  .option('--frames <N>', 'with --fuzz: how many frames', count, FRAMES)
  .option('--json <FILE>', 'also write the result to FILE ("-": to standard output, and nothing else there)')
  .addHelpText(
    'after',
    `
Examples:
  npm run simulate                             ${DEFAULT_HISTORIES} histories, of seeds nobody tried before
  npm run simulate -- --histories 10000        more of them
  npm run simulate -- --seed 42                the history of seed 42, again and exactly
  npm run simulate -- --seed 1 --histories 500 seeds 1 to 500
  npm run simulate -- --minutes 30 --keep-going --json night.json
  npm run simulate -- --cluster --histories 500  three to seven nodes
  npm run simulate -- --mutants                the proof that the checker sees what it should
  npm run simulate -- --fuzz --frames 200000   damaged frames, rows, tokens and journals

Exit code: 0 without a violation, 1 with one, 2 for arguments that make no sense. docs/simulation.md says how to read a failure.`,
  )
  .allowExcessArguments(false)
  .showHelpAfterError('(--help shows what there is)')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .action(simulate);

async function simulate(options: Options): Promise<void> {
  const { seed, minutes, json } = options;
  const now = (): number => performance.now();
  const histories =
    options.histories ??
    (minutes !== undefined ? Number.POSITIVE_INFINITY : seed !== undefined ? 1 : DEFAULT_HISTORIES);
  const colours = pc.createColors(process.stdout.isTTY === true && pc.isColorSupported && json !== '-');
  const ink: Ink = colours;
  const say = (text: string): void => {
    if (json !== '-') process.stdout.write(`${text}\n`);
  };
  const live = process.stderr.isTTY === true;
  if (options.mutants === true) {
    const passed = await mutation({
      only: options.only,
      cluster: options.cluster === true,
      first: seed ?? 1,
      json,
      ink,
      say,
      live: (line) => {
        if (process.stderr.isTTY === true) process.stderr.write(`\r\u001b[K${line}`);
      },
    });
    process.exitCode = passed ? 0 : 1;
    return;
  }
  if (options.fuzz === true) {
    const { fuzz } = await import('./fuzz-run.js');
    const passed = await fuzz({ frames: options.frames, seed: seed ?? Math.floor(Math.random() * 2 ** 31), json, say });
    process.exitCode = passed ? 0 : 1;
    return;
  }
  const failures: Failure[] = [];
  let told = now();
  let events = 0;
  const clear = (): void => {
    if (live) process.stderr.write('\r\u001b[K');
  };
  const totals = (campaign: Campaign) => {
    const { histories: done, failed, replayed, ms } = campaign;
    return { histories: done, failed, replayed, ms, events };
  };
  const first = seed ?? Math.floor(Math.random() * 2 ** 40);
  const cluster = options.cluster === true;
  const many = Math.min(options.jobs, histories);
  const jobs = many > 1 ? new Jobs(many, cluster) : null;
  const campaign = new Campaign({
    seed: first,
    ...(cluster ? { draw: drawCluster, faults: IN_CLUSTER } : { draw }),
    ...(jobs === null ? {} : { judges: jobs.judges }),
    histories,
    until: minutes === undefined ? Number.POSITIVE_INFINITY : now() + minutes * 60_000,
    now,
    keepGoing: options.keepGoing === true,
    done: (each) => {
      events = each.events;
      if (now() - told < (live ? LIVE_MS : LINE_MS)) return;
      told = now();
      clear();
      process.stderr.write(`${progress(totals(each), histories, each.coverage, ink)}${live ? '' : '\n'}`);
    },
    failed: async (outcome) => {
      clear();
      const deterministic = outcome.violations[0]?.rule !== 'deterministic';
      const small =
        options.shrink > 0 && deterministic
          ? await shrink(outcome, {
              ms: options.shrink * 1_000,
              now,
              tried: (steps, tries) => {
                if (live)
                  process.stderr.write(
                    `\r\u001b[Kseed ${outcome.plan.seed} fails; smaller: ${steps} steps after ${tries} tries`,
                  );
              },
            })
          : outcome;
      clear();
      failures.push({ seed: outcome.plan.seed, violations: outcome.violations, plan: small.plan });
      say(`${failure(outcome, small, ink)}\n`);
    },
  });
  process.once('SIGINT', () => {
    campaign.stopped = true;
  });
  try {
    await campaign.run();
  } finally {
    jobs?.end();
  }
  clear();
  events = campaign.events;
  if (seed !== undefined && histories === 1 && campaign.failed === 0) say(`seed ${seed}: trace ${campaign.trace}`);
  say(summary(totals(campaign), campaign.coverage, ink));
  if (json !== undefined) {
    const result = { first, ...totals(campaign), coverage: campaign.coverage.counts, failures };
    writeFileSync(json === '-' ? 1 : json, `${JSON.stringify(result, null, 2)}\n`);
  }
  process.exitCode = campaign.failed > 0 ? 1 : 0;
}

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`simulate: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
