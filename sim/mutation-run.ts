// Owns `simulate --mutants`: which defects are hunted, what is shown meanwhile, the table at the end.
// Invariant: false if one survives, or if something is caught in the product as it is.
// Must not: hunt (mutation.ts), or hold defects (mutants.ts).

import { writeFileSync } from 'node:fs';
import type { Mutant } from './mutant.js';
import { MUTANTS } from './mutants.js';
import { control, type Outcome, prove } from './mutation.js';
import type { Ink } from './report.js';

export interface MutationOptions {
  /** Part of the names of those that are hunted; undefined: all. */
  readonly only: string | undefined;
  /** Those of several nodes alone. */
  readonly cluster: boolean;
  /** The first seed. */
  readonly first: number;
  readonly json: string | undefined;
  readonly ink: Ink;
  readonly say: (text: string) => void;
  /** A line that the next one takes the place of; '' clears it. */
  readonly live: (line: string) => void;
}

/** What the product as it is runs beside them: as many histories as the most patient hunt of one node, or of several. */
function controls(chosen: readonly Mutant[]): Mutant[] {
  return [false, true].flatMap((cluster) => {
    const such = chosen.filter((mutant) => (mutant.cluster === true) === cluster);
    return such.length === 0 ? [] : [control(Math.max(...such.map(({ limit }) => limit)), cluster)];
  });
}

const WIDTH = 90;

export async function mutation(options: MutationOptions): Promise<boolean> {
  const { only, first, ink, say, live } = options;
  const chosen = MUTANTS.filter(
    (mutant) => (only === undefined || mutant.name.includes(only)) && (mutant.cluster === true) === options.cluster,
  );
  const all = [...chosen, ...controls(chosen)];
  if (chosen.length === 0) throw new Error(`there is no mutant named ${only}; docs/semantics.md lists them`);
  const outcomes: Outcome[] = [];
  for (const [at, mutant] of all.entries()) {
    const title = `${at + 1} of ${all.length}  ${nameOf(mutant)}`;
    live(title);
    const outcome = await prove(mutant, first, (seeds) => live(`${title}  ${seeds} of at most ${mutant.limit} seeds`));
    live('');
    outcomes.push(outcome);
    say(line(outcome, ink));
  }
  const bad = outcomes.filter((outcome) => !good(outcome));
  const caught = outcomes.filter(({ mutant, prey }) => mutant.name !== '' && prey !== null);
  const seeds = caught.map((outcome) => outcome.seeds).sort((one, other) => one - other);
  say('');
  say(
    `${caught.length} of ${chosen.length} caught, half of them within ${seeds[seeds.length >> 1] ?? 0} seeds; ` +
      (bad.length === 0
        ? ink.green('none survived')
        : ink.red(`not as they should: ${bad.map(({ mutant }) => nameOf(mutant)).join(', ')}`)),
  );
  const { json } = options;
  if (json !== undefined)
    writeFileSync(json === '-' ? 1 : json, `${JSON.stringify({ first, rows: outcomes.map(row) }, null, 2)}\n`);
  return bad.length === 0;
}

function good({ mutant, prey }: Outcome): boolean {
  return (mutant.name === '') === (prey === null);
}

function nameOf({ name }: Mutant): string {
  return name === '' ? 'the product as it is' : name;
}

function line(outcome: Outcome, ink: Ink): string {
  const { mutant, seeds, prey } = outcome;
  const name = nameOf(mutant).padEnd(40);
  const verdict =
    prey === null ? `nothing in ${seeds} seeds` : `${prey.rule}, seed ${prey.seed}, ${seeds} of ${mutant.limit}`;
  const first = `${ink.bold(name)} ${(good(outcome) ? ink.green : ink.red)(verdict)}`;
  if (mutant.name === '' && prey === null) return first;
  return [
    first,
    `    ${mutant.promise}: ${mutant.breaks}`,
    ...(prey === null ? [] : [`    ${ink.dim(prey.detail.slice(0, WIDTH))}`]),
  ].join('\n');
}

function row({ mutant: { name, promise, breaks, limit }, seeds, prey }: Outcome) {
  return {
    name,
    promise,
    breaks,
    limit,
    seeds,
    rule: prey?.rule ?? null,
    seed: prey?.seed ?? null,
    detail: prey?.detail ?? null,
  };
}
