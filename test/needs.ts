// Owns how a test asks for a program that a machine may lack.
// Invariant: a missing program skips the test with a reason that says what to install; scripts/reporter.mjs prints it
// and fails the run under CI.
// Must not: install anything.

import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs by what they are called for; each with the names it goes by and Debian's package. */
const TOOLS = {
  redis: { names: ['redis-server'], debian: 'redis-server' },
  chromium: { names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'], debian: 'chromium' },
  strace: { names: ['strace'], debian: 'strace' },
  erlang: { names: ['erl'], debian: 'erlang-base' },
  tmux: { names: ['tmux'], debian: 'tmux' },
  openssl: { names: ['openssl'], debian: 'openssl' },
  prlimit: { names: ['prlimit'], debian: 'util-linux' },
  git: { names: ['git'], debian: 'git' },
} as const;

export type Tool = keyof typeof TOOLS;

/** The program's path, or undefined where it is not installed. */
export function find(tool: Tool): string | undefined {
  for (const name of TOOLS[tool].names) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not in this folder.
      }
    }
  }
  return undefined;
}

/** Options for `test(name, needs('strace'), …)`. */
export function needs(...tools: Tool[]): { skip?: string } {
  const missing = tools.filter((tool) => find(tool) === undefined);
  if (missing.length === 0) return {};
  return {
    skip: `needs ${missing.join(', ')} (apt-get install ${missing.map((tool) => TOOLS[tool].debian).join(' ')})`,
  };
}
