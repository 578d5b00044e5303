// Owns the mutation proof: each deliberate defect is hunted in a process of its own until a rule catches it.
// Invariant: a defect counts as caught by a rule of the checker, or because a history does not end; never because its process
// could not be started. The product as it is runs the same seeds as a control, and nothing is caught there.
// Must not: edit the product, or know rules.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Prey } from './hunt.js';
import type { Mutant } from './mutant.js';

/** ms of real time after which a history does not end any more: a thousand times what one takes. */
const PATIENCE_MS = 60_000;

export interface Outcome {
  readonly mutant: Mutant;
  /** Histories that were run. */
  readonly seeds: number;
  /** Null: it survived. */
  readonly prey: Prey | null;
}

/** The product as it is, for `count` histories. */
export function control(count: number, cluster: boolean): Mutant {
  return { name: '', promise: '', breaks: 'Nothing: the product as it is.', limit: count, cluster, edits: [] };
}

/** @throws Error where the process fails otherwise than by a defect: an edit that does not apply, a module that is missing. */
export async function prove(mutant: Mutant, first: number, heard: (histories: number) => void): Promise<Outcome> {
  const program = fileURLToPath(new URL('./mutant-child.js', import.meta.url));
  const where = mutant.cluster === true ? ['cluster'] : [];
  const args = ['--enable-source-maps', program, mutant.name, `${first}`, `${mutant.limit}`, ...where];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let seeds = 0;
  let prey: Prey | null | undefined;
  let stuck = false;
  let noise = '';
  const watch = (): NodeJS.Timeout =>
    setTimeout(() => {
      stuck = true;
      child.kill('SIGKILL');
    }, PATIENCE_MS);
  let patience = watch();
  child.stderr.on('data', (bytes: Buffer) => {
    noise = (noise + bytes.toString()).slice(-2_000);
  });
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    clearTimeout(patience);
    patience = watch();
    const said = JSON.parse(line) as { readonly histories?: number; readonly prey?: Prey | null };
    if (said.histories !== undefined) {
      seeds = said.histories;
      heard(seeds);
    }
    if ('prey' in said) prey = said.prey ?? null;
  });
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve());
  });
  clearTimeout(patience);
  if (stuck) prey = { seed: first + seeds, rule: 'ends', detail: `no end within ${PATIENCE_MS} ms of real time` };
  if (prey === undefined) throw new Error(`${mutant.name}: its process broke off: ${noise}`);
  return { mutant, seeds, prey };
}
