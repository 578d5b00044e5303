// Owns the bench command: which suites there are and how they are called.
// Invariant: the table goes to standard output, progress to standard error, so that either can be piped.
// Must not: measure; each suite is a module of its own.

import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { machine, type Report, table } from './report.js';
import type { Suite } from './suite.js';

/** Loaded on demand, so that one suite's needs are not the others'. */
const SUITES: Readonly<Record<string, { readonly about: string; readonly load: () => Promise<Suite> }>> = {
  kernel: {
    about: 'the actor runtime beside nact and Erlang (one scheduler): tell, ask, spawn, bytes an idle actor',
    load: () => import('./kernel.js'),
  },
  path: {
    about: 'one durable direct message beside a raw relay without storage: server CPU, latency',
    load: () => import('./path.js'),
  },
  group: {
    about:
      'a group of 1,024 with 1,000 online devices beside raw uWebSockets.js publish: server CPU a delivery, latency',
    load: () => import('./group.js'),
  },
  failover: {
    about: 'three nodes under load, one killed with -9 or stopped: how soon each chat accepts sends again',
    load: () => import('./failover.js'),
  },
  flood: {
    about: 'ten honest clients beside 50 hostile ones at the limit of everything: their latency, against quiet times',
    load: () => import('./flood.js'),
  },
  retention: {
    about: 'messages kept until delivered: how soon they are gone, what the file takes, sends during sweeping',
    load: () => import('./retention.js'),
  },
  link: {
    about: 'a link between two nodes of this machine beside bare WebSockets: round trip, CPU a message',
    load: () => import('./link.js'),
  },
  storm: {
    about: 'devices that all lose their node at once and come back: until each has caught up, memory of the nodes',
    load: () => import('./storm.js'),
  },
  connections: {
    about:
      'idle authenticated connections beside raw uWebSockets.js: bytes of RAM and CPU each, kept after they closed',
    load: () => import('./connections.js'),
  },
};

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 3_600)) throw new InvalidArgumentError('Give seconds between 0 and 3600.');
  return value;
}

function whole(text: string): number {
  const value = Number(text);
  if (!(Number.isInteger(value) && value >= 1)) throw new InvalidArgumentError('Give a whole number from 1.');
  return value;
}

function connections(text: string): number {
  const value = Number(text);
  if (!(Number.isInteger(value) && value >= 1 && value <= 19_000)) {
    throw new InvalidArgumentError('Give connections from 1 to 19000: a process has 20,000 descriptors.');
  }
  return value;
}

interface Options {
  readonly seconds?: number;
  readonly connections?: number;
  readonly messages?: number;
  readonly cycles?: number;
  readonly nodes?: number;
  readonly store?: string;
  readonly json?: string;
}

const list = Object.entries(SUITES)
  .map(([name, { about }]) => `  ${name.padEnd(12)} ${about}`)
  .join('\n');

const program = new Command('bench')
  .description('Measures Weft, beside its peers where they are installed.')
  .argument('<suite>', `one of: ${Object.keys(SUITES).join(', ')}`)
  .option('--seconds <S>', 'seconds to measure each figure for', seconds)
  .option('--connections <N>', 'connections to open (suite connections), devices (suite storm)', connections)
  .option('--messages <N>', 'messages a cycle (suite retention)', whole)
  .option('--cycles <N>', 'how often they are sent and swept (suite retention)', whole)
  .option('--nodes <N>', 'a host of so many nodes, measured beside a node alone (suite path)', whole)
  .option(
    '--store <fdb:FILE>',
    'another store: measured beside the embedded one (suite path), or instead of it (failover)',
  )
  .option('--json <FILE>', 'also write {suite, machine, rows} to FILE ("-": to standard output, without the table)')
  .addHelpText(
    'after',
    `
Suites:
${list}

Examples:
  npm run bench -- kernel                      a table, after about two minutes
  npm run bench -- kernel --seconds 5          longer, for steadier figures
  npm run bench -- kernel --json kernel.json   the same rows for a program
  npm run bench -- path --store fdb:/etc/foundationdb/fdb.cluster
  npm run bench -- path --nodes 2              a host of two nodes beside a node alone
  npm run bench -- retention --cycles 2        two cycles of 1,000,000 messages
  npm run bench -- connections                 15,000 idle connections, about eight minutes

Machines differ and are shared: compare ratios within one run, not figures of two runs.`,
  )
  .showHelpAfterError()
  .action(async (name: string, options: Options) => {
    const entry = Object.hasOwn(SUITES, name) ? SUITES[name] : undefined;
    if (entry === undefined) return program.error(`error: there is no suite "${name}"`, { exitCode: 2 });
    const suite = await entry.load();
    const rows = await suite.run({
      seconds: options.seconds,
      connections: options.connections,
      messages: options.messages,
      cycles: options.cycles,
      nodes: options.nodes,
      store: options.store,
      progress: (line) => process.stderr.write(`${line}\n`),
    });
    const report: Report = { suite: name, machine: machine(), rows };
    if (options.json !== '-') process.stdout.write(`${table(report)}\n`);
    if (options.json !== undefined) {
      writeFileSync(options.json === '-' ? 1 : options.json, `${JSON.stringify(report, null, 2)}\n`);
    }
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
