// Owns `weft node`: one of the nodes that `weft start --nodes` runs, each a process of its own.
// Invariant: it lives no longer than its host: where the channel to it breaks, the process ends at once, as a kill would end it.
// Must not: write to stdout anything but its log, or claim the data folder (its host did).

import type { Command } from 'commander';
import { LIMITS } from '../actors/limits.js';
import type { HostMessage, NodeMessage } from '../services/host-process.js';
import { createLog } from '../services/log.js';
import type { Node } from '../services/node.js';
import { gather } from './config.js';
import { endNow, endSoon } from './end.js';
import { CliFailure, EXIT } from './failure.js';
import { hostedStore } from './open-store.js';
import { ended, runNode } from './run-node.js';
import { configOf } from './start.js';
import { HOST_BUILD, hostBuild } from './version.js';

export function register(program: Command): void {
  program.command('node [id]', { hidden: true }).action(async () => {
    if (process.send === undefined) {
      throw new CliFailure('bad_usage', 'weft start --nodes runs these; for a single node: weft start', EXIT.usage);
    }
    await serve().catch((error: unknown) => {
      if (!(error instanceof CliFailure)) throw error;
      process.exitCode = error.exit;
      return tell({ type: 'failed', code: error.code, message: error.message, exit: error.exit });
    });
    // Its end is the process's: the channel would keep it alive.
    process.off('disconnect', orphaned);
    process.disconnect();
    endSoon(Number(process.exitCode ?? EXIT.ok));
  });
}

/** Not by `exit`, which waits for whatever is under way: who has no host writes nothing and answers nobody. */
function orphaned(): void {
  process.kill(process.pid, 'SIGKILL');
}

async function serve(): Promise<void> {
  let node: Node | null = null;
  const stop = (last: boolean): void => {
    if (node === null) endNow(EXIT.ok);
    void node.stop(last);
  };
  process.on('disconnect', orphaned);
  // While this program was loaded nobody listened.
  if (!process.connected) orphaned();
  refuseOtherHost();
  process.on('message', (message: HostMessage) => {
    // A host stops all of its nodes at once.
    if (message.type === 'stop') stop(true);
    else node?.renew();
  });
  process.on('SIGTERM', () => stop(false));
  // Of a terminal, for the whole group: the host decides.
  for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => undefined);
  const config = configOf(gather({}, process.env));
  const log = createLog({ level: config.logLevel, node: config.nodeId });
  node = await runNode({ config, log, openStore: hostedStore(config, log), shared: true });
  await tell({ type: 'ready', url: node.url });
  log.info({ url: node.url }, 'ready');
  const beat = setInterval(() => void tell({ type: 'beat' }), LIMITS.hostBeatMs);
  await ended(node);
  clearInterval(beat);
  log.info('stopped');
}

/** What a host and its nodes say to each other has no versions, and one store no two builds of LMDB: nothing is opened here. */
function refuseOtherHost(): void {
  const host = process.env[HOST_BUILD];
  const ours = hostBuild();
  if (host === ours) return;
  const message = `build ${ours} was installed over a running host of build ${host ?? 'unknown'}: stop that host before an installation, then start it`;
  throw new CliFailure('host_of_other_build', message, EXIT.usage);
}

/** Resolves when the host has it, or is gone. */
function tell(message: NodeMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, () => resolve());
  });
}
