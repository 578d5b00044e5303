// Owns what a node that was started on a terminal tells the person there: where to go next.
// Invariant: each command printed works as it stands, pasted into a shell at the checkout's root: it names whatever
// differs from the defaults.
// Must not: print anything that programs read; that is the line `weft ready …`.

import { join, relative } from 'node:path';
import type { NodeConfig } from './config.js';
import { out as pc } from './ink.js';

/** `url` is where the node listens. */
export function welcome(config: NodeConfig, url: string): string {
  const { keys, jwtIssuer, jwtAudience } = config;
  const local = localOf(url);
  const account =
    keys.type === 'secret' || keys.type === 'made'
      ? [
          ...(keys.type === 'secret' ? ['--jwt-secret-file', shown(keys.path)] : dataOf(config)),
          ...(jwtIssuer === undefined ? [] : ['--jwt-issuer', jwtIssuer]),
          ...(jwtAudience === undefined ? [] : ['--jwt-audience', jwtAudience]),
        ]
      : ['--token-file', 'FILE'];
  const place =
    local.protocol === 'ws:' && local.port === '7400' && local.hostname === '127.0.0.1' ? [] : ['--url', local.href];
  const http = place.length === 0 ? [] : ['--url', local.origin.replace('ws', 'http')];
  const commands = [
    [['chat', '--user', 'ada', '--to', 'bob', ...account, ...place], 'write as ada'],
    [['chat', '--user', 'bob', '--to', 'ada', ...account, ...place], 'answer as bob'],
    [['status', ...http], 'how the node is'],
    ...(config.nodes > 1 ? [[['shards', ...http], 'which node owns what'] as const] : []),
    [['--help'], 'all commands'],
  ] as const;
  const lines = commands.map(([words, what]) => [`npx weft ${words.map(quoted).join(' ')}`, what] as const);
  const width = Math.max(...lines.map(([command]) => command.length));
  const [ada, bob, ...others] = lines.map(
    ([command, what]) => `  ${pc.cyan(command.padEnd(width))}  ${pc.dim(what)}\n`,
  );
  const end = pc.dim(config.nodes > 1 ? 'Ctrl-C stops all nodes.' : 'Ctrl-C stops the node.');
  return `\nTry it, in two more terminals in this folder:\n${ada}${bob}and then:\n${others.join('')}${end}\n\n`;
}

/** The address as this machine reaches it: one that listens everywhere is here, too. */
function localOf(url: string): URL {
  const local = new URL(url);
  if (local.hostname === '0.0.0.0') local.hostname = '127.0.0.1';
  if (local.hostname === '[::]') local.hostname = '[::1]';
  return local;
}

function dataOf({ data }: NodeConfig): string[] {
  return data === join(process.cwd(), 'data') ? [] : ['--data', shown(data)];
}

/** Relative where it is below this folder. */
function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short === '' || short.startsWith('..') ? path : short;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
