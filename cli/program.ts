// Owns the weft command as a whole: its commands, its help, how each way to end becomes an exit code.
// Invariant: every command is a file with `register(program)`; results go to stdout, all else to stderr.
// Must not: hold what a command does.

import { Command, CommanderError } from 'commander';
import * as chat from './chat.js';
import * as drain from './drain.js';
import { CliFailure, EXIT } from './failure.js';
import * as hosted from './hosted.js';
import { err as pc } from './ink.js';
import * as shards from './shards.js';
import * as start from './start.js';
import * as status from './status.js';
import * as token from './token.js';
import { version } from './version.js';

/** In the order of `weft --help`. */
const COMMANDS = [start, chat, token, status, shards, drain, hosted];

const HELP = `
Examples:
  $ weft start                                        a node on ./data, at 127.0.0.1:7400
  $ weft start --nodes 4                              four of them, that share port and store
  $ weft chat --user ada --to bob                     a chat on this terminal
  $ weft token --user ada --device laptop             a token for ada's laptop
  $ weft status --json                                how the node is, for programs
  $ weft shards                                       which node owns what
  $ weft drain node-2                                 empty a node, so that it can be stopped

Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 no node reachable, 4 the store needs a person.
Colours appear on terminals only, and not at all when NO_COLOR is set.`;

function createProgram(): Command {
  const program = new Command('weft')
    .description('Weft: the back end of a messenger, made of actors')
    .version(version())
    .configureHelp({ showGlobalOptions: false })
    .showHelpAfterError('(--help tells more)')
    .addHelpText('after', HELP)
    .exitOverride();
  for (const command of COMMANDS) command.register(program);
  return program;
}

/** Runs one command line (as in process.argv) and answers its exit code. */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync([...argv]);
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (!(error instanceof CliFailure)) throw error;
    process.stderr.write(`${pc.red('weft:')} ${error.code}: ${error.message}\n`);
    return error.exit;
  }
}
