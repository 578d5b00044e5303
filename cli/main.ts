// Owns the process of the weft command.
// Invariant: the exit code is the command's; a process that still has work (a running node) goes on.
// Must not: hold anything else.

import { run } from './program.js';

process.exitCode = await run(process.argv);
