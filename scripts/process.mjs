// Owns the child processes of the scripts: where they run, how signals reach them, what their exit code becomes.
// Invariant: no child outlives a script that was told to stop; a child's exit code (or 128 + signal) is passed on.
// Must not: import packages.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** The checkout, as a file URL that ends in a slash. */
export const root = new URL('../', import.meta.url);
export const rootPath = fileURLToPath(root);

/**
 * Runs a program in the checkout until it ends. `quiet` collects its output instead of showing it.
 * @returns {Promise<{code: number, output: string}>}
 */
export function run(program, args, { quiet = false, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: rootPath, env, stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit' });
    const chunks = [];
    child.stdout?.on('data', (chunk) => chunks.push(chunk));
    child.stderr?.on('data', (chunk) => chunks.push(chunk));
    // A terminal sends Ctrl-C to the child as well; only what came to us alone is passed on.
    const term = () => child.kill('SIGTERM');
    const ignore = () => {};
    process.on('SIGTERM', term);
    process.on('SIGINT', ignore);
    const settle = () => {
      process.off('SIGTERM', term);
      process.off('SIGINT', ignore);
    };
    child.on('error', (error) => {
      settle();
      reject(error);
    });
    child.on('close', (code, signal) => {
      settle();
      const exit = signal === null ? (code ?? 1) : 128 + (constants.signals[signal] ?? 0);
      resolve({ code: exit, output: Buffer.concat(chunks).toString() });
    });
  });
}

/** Runs Node with the terminal attached and answers its exit code. */
export async function spawnNode(args, env = process.env) {
  return (await run(process.execPath, args, { env })).code;
}
