// Owns `weft chat`: its options, its help, and whether it has a terminal or a pipe before it.
// Invariant: what is wrong with the options is told before anything is opened or connected.
// Must not: chat (chat-screen.ts, chat-pipe.ts).

import { type Command, Option } from 'commander';
import { LIMITS } from '../actors/limits.js';
import { openAccount } from './chat-account.js';
import { runPipe } from './chat-pipe.js';
import { runScreen } from './chat-screen.js';
import { targetOf } from './chat-target.js';
import { addSettings } from './config.js';
import { CliFailure, EXIT } from './failure.js';
import { ISSUER_SETTINGS, requireName } from './token.js';

const HELP = `
On a terminal it is a chat with history, ticks and /help:
  $ weft chat --user ada --to bob                     ada writes to bob (start a second terminal for bob)
  $ weft chat --user ada                              all of ada's chats; /open NAME opens one
  $ weft chat --user ada --new-group Trip --with bob,carol
  ◷ waits   ✓ the node has it, durably   ✓✓ delivered   coloured: read

In a pipe each line of stdin is a message, and messages of others are lines of stdout:
  $ echo hi | weft chat --user ada --to bob           exits 0 once it is sent
  $ weft chat --user bob --to ada --wait 5 </dev/null shows what came, for 5 seconds
  $ weft chat --user bob --follow --json </dev/null   every event of every chat, until Ctrl-C
  $ weft chat --user ada --group Trip --do '/invite open'   a command of the chat, without a terminal (/help lists them)
  Empty lines are left out. Without a node the lines wait in the outbox, the exit code is 3, and the next run sends them.
  With --json: {type: message|event|sent|failed|receipt|typing|presence|state|…, chat, name, seq, from, text, at, …}

On the node's machine it makes its own token with the secret in the data folder (--data); elsewhere give it one
(weft token makes them). Its device id, outbox and positions are kept in ~/.weft/chat, or in --store.`;

interface Options {
  readonly user?: string;
  readonly to?: string;
  readonly group?: string;
  readonly newGroup?: string;
  readonly with?: string;
  readonly device?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly store?: string;
  readonly url: string;
  readonly json?: boolean;
  readonly wait?: number;
  readonly follow?: boolean;
  readonly timeout?: number;
  readonly do?: readonly string[];
}

export function register(program: Command): void {
  const command = program
    .command('chat')
    .description('chat, on a terminal or in a pipe')
    .option('--user <id>', 'who you are (a token tells it too)')
    .option('--to <user>', 'the user to chat with')
    .option('--group <id>', 'the group to chat in: its id, or its title')
    .option('--new-group <title>', 'make a group and chat in it')
    .option('--with <users>', 'its members, as in bob,carol')
    .option('--device <id>', 'this device (default: made once and kept); a second terminal of a user needs its own')
    .option('--url <url>', 'the node [WEFT_URL]', process.env.WEFT_URL || 'ws://127.0.0.1:7400/v1')
    .option('--token <jwt>', 'a token, instead of one made with the node’s secret [WEFT_TOKEN]')
    .option('--token-file <file>', 'a file with a token, read anew for each connection')
    .option('--store <dir>', 'where outbox and positions are kept [WEFT_CHAT_STORE]')
    .option('--json', 'in a pipe: print one JSON object for each event')
    .addOption(
      new Option('--wait <seconds>', 'in a pipe: stay so long after the last line').argParser(secondsOf('--wait')),
    )
    .option('--follow', 'in a pipe: stay until Ctrl-C')
    .option('--do <command>', 'run a command, as in --do "/members"; may be given again', gathered)
    .addOption(
      new Option('--timeout <seconds>', 'in a pipe: wait so long for a node (default 10)').argParser(
        secondsOf('--timeout'),
      ),
    )
    .addHelpText('after', HELP)
    .action((options: Options) => chat(options));
  addSettings(command, ISSUER_SETTINGS);
}

async function chat(options: Options): Promise<void> {
  const target = targetOf(options);
  if (target?.type === 'user') requireName('--to', target.user, LIMITS.userId);
  const url = urlOf(options.url);
  const terminal = process.stdin.isTTY && process.stdout.isTTY && process.env.TERM !== 'dumb' && options.json !== true;
  const stay = options.follow === true ? Number.POSITIVE_INFINITY : (options.wait ?? 0);
  const commands = options.do ?? [];
  if (!terminal && target === undefined && stay === 0 && commands.length === 0) {
    const message = 'say with whom, with --to USER or --group ID; to listen to all chats, add --follow or --wait';
    throw new CliFailure('bad_usage', message, EXIT.usage);
  }
  const account = openAccount({ ...options }, url);
  if (terminal && commands.length === 0) await runScreen({ url, account }, target);
  else {
    const patience = options.timeout === undefined ? LIMITS.chatPatienceMs : options.timeout * 1_000;
    await runPipe({ url, account, target, stay, patience, json: options.json === true, commands });
  }
}

/** A node's WebSocket address; its HTTP address, as `weft status` takes it, means the same node. */
function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^(ws|http)s?:$/.test(url.protocol)) {
    const message = `--url: "${text}": write a WebSocket address, as in ws://127.0.0.1:7400/v1`;
    throw new CliFailure('bad_usage', message, EXIT.usage);
  }
  const whole = new URL(url.href.replace(/^http/, 'ws'));
  if (whole.pathname === '/') whole.pathname = '/v1';
  return whole;
}

/** An option that may be given again. */
function gathered(value: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), value];
}

function secondsOf(flag: string): (text: string) => number {
  return (text) => {
    if (/^\d{1,6}(\.\d{1,3})?$/.test(text)) return Number(text);
    throw new CliFailure('bad_usage', `${flag}: "${text}": write seconds, as in 5 or 0.5`, EXIT.usage);
  };
}
