// Owns `weft drain`: empties a node while it lives, shows how that goes, and takes it back.
// Invariant: exit code 0 only where the node itself said that it has neither shards nor clients (or, with --cancel, that it is a member
// again). Ctrl-C and SIGTERM take the drain back; a terminal that is lost does not, for the node goes on by itself.
// Must not: pace anything: the node does.

import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Mac } from '../cluster/link-greeting.js';
import { hmac } from '../services/mac.js';
import { readSecret } from '../services/secret.js';
import { addUrl } from './ask.js';
import { CLUSTER_SECRET_FILE } from './cluster-settings.js';
import { DrainControl } from './drain-control.js';
import { Progress } from './drain-progress.js';
import { CliFailure, EXIT } from './failure.js';
import { onStop } from './stop.js';

/** ms between two questions. */
const EVERY_MS = 500;
/** ms for which a node may be silent, say while it joins anew, before it counts as gone. */
const SILENT_MS = 10_000;

interface Options {
  readonly url: string;
  readonly rate: string;
  readonly clients: string;
  readonly maxP99: string;
  readonly cancel?: boolean;
  readonly watch?: boolean;
  readonly json?: boolean;
  readonly data: string;
  readonly clusterSecretFile?: string;
}

export function register(program: Command): void {
  const command = program
    .command('drain <node>')
    .description('empty a node of its shards and clients, so that it can be stopped')
    .option('--rate <n>', 'shards handed over in a second', '2')
    .option('--clients <n>', 'clients sent to other nodes in a second', '200')
    .option('--max-p99 <ms>', 'pause while 1 of 100 sends takes longer than this on any node; 0: never', '250')
    .option('--cancel', 'end a drain: the node takes its part again')
    .option('--watch', 'show a drain that was begun before')
    .option(
      '--json',
      'print a line {node, state, shardsLeft, clientsLeft, p99, slowest, pace, waits, …} each half second',
    )
    .option('--data <dir>', 'data folder of the cluster, for its secret [WEFT_DATA]', process.env.WEFT_DATA || 'data')
    .option(
      '--cluster-secret-file <file>',
      'the secret of the cluster, where it is not in the data folder [WEFT_CLUSTER_SECRET_FILE]',
      process.env.WEFT_CLUSTER_SECRET_FILE || undefined,
    )
    .addHelpText(
      'after',
      `
Shards go first, then clients, both slower as latency nears --max-p99. No message is lost and no send fails. The node goes
on by itself; this command shows it, and ends when the node is empty: then stop it (SIGTERM). It is a member again after
its restart, or after --cancel. Ctrl-C cancels, too.

Exit codes: 0 empty (with --cancel: a member again), 1 not, 2 wrong usage, 3 the node cannot be reached.

Examples:
  $ weft drain node-2
  $ weft drain node-2 --rate 0.5 --max-p99 100 --url http://10.0.0.7:7400 --cluster-secret-file /etc/weft/cluster
  $ weft drain node-2 --cancel`,
    )
    .action((node: string, options: Options) => drain(node, options));
  addUrl(command);
}

async function drain(node: string, options: Options): Promise<void> {
  if (options.cancel === true && options.watch === true) throw bad('--cancel and --watch exclude each other');
  const plan = {
    rate: positive('--rate', options.rate),
    clients: positive('--clients', options.clients),
    maxP99: options.maxP99 === '0' ? 0 : positive('--max-p99', options.maxP99, ', or 0 to never pause'),
  };
  if (options.watch === true) return follow(await DrainControl.find(options.url, node), options, null);
  const mac = macOf(options);
  const control = await DrainControl.find(options.url, node);
  if (options.cancel === true) {
    await control.end(mac);
    return say(options, `${node} is a member like any other; its shards come back by themselves`);
  }
  await control.begin(mac, plan);
  await follow(control, options, mac);
}

/** Until it is empty. `mac`: with which it is taken back; null: it is only watched. */
async function follow(found: DrainControl, options: Options, mac: Mac | null): Promise<void> {
  const { node } = found;
  let control = found;
  const progress = new Progress(node, options.json === true);
  let stopped = false;
  const off = mac === null ? (): void => undefined : onStop(() => (stopped = true), ['SIGINT', 'SIGTERM']);
  let heard = performance.now();
  try {
    for (;;) {
      if (stopped && mac !== null) {
        await control.end(mac);
        progress.end();
        throw new CliFailure('cancelled', `${node} is a member like any other; its shards come back by themselves`);
      }
      const status = await control.state().catch(async (error: unknown) => {
        if (performance.now() - heard > SILENT_MS) throw error;
        // One that was started again may listen elsewhere.
        control = await DrainControl.find(options.url, node).catch(() => control);
        return undefined;
      });
      if (status === null) {
        const message = `${node} does not drain: somebody took it back, or it was started again`;
        throw new CliFailure('not_draining', message);
      }
      if (status !== undefined) {
        heard = performance.now();
        progress.show(status);
        if (status.state === 'drained') {
          progress.end();
          const seconds = (status.ms / 1_000).toFixed(1);
          return say(options, `${node} is empty after ${seconds} s: stop it now, or take it back with --cancel`);
        }
      }
      await pause(EVERY_MS);
    }
  } finally {
    progress.end();
    off();
  }
}

function macOf({ clusterSecretFile, data }: Options): Mac {
  const found = readSecret(clusterSecretFile ?? join(data, CLUSTER_SECRET_FILE));
  if (found.ok) return hmac(found.secret);
  const way = 'name it with --cluster-secret-file, or the nodes’ data folder with --data';
  throw new CliFailure(found.code, `${found.detail}; ${way}`);
}

function positive(flag: string, text: string, or = ''): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (value > 0 && value <= 1_000_000) return value;
  throw bad(`${flag}: "${text}": write a number above 0${or}`);
}

function bad(message: string): CliFailure {
  return new CliFailure('bad_usage', message, EXIT.usage);
}

function say({ json }: Options, line: string): void {
  if (json !== true) process.stdout.write(`${line}\n`);
}
