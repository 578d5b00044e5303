// Owns the colours of the command's output.
// Invariant: there are some on a terminal alone, or where FORCE_COLOR asks for them. A CI job's pipe is none, whatever CI says.
// Must not: decide what is coloured.

import pc from 'picocolors';

const forced = process.env.FORCE_COLOR !== undefined;

function ink({ isTTY }: { readonly isTTY?: boolean }): typeof pc {
  return pc.createColors((isTTY === true || forced) && pc.isColorSupported) as typeof pc;
}

/** For what goes to standard output. */
export const out = ink(process.stdout);
/** For what goes to standard error. */
export const err = ink(process.stderr);
