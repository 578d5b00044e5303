// Owns the flood suite: whether 50 clients at the limit of everything are felt by ten honest ones.
// Invariant: what honest clients see is compared with the same run's quiet phases; a run that loses, repeats or refuses
// an honest message, or whose p99 more than doubles, fails.
// Must not: know what the hostile ones do (flood/attacks.ts).

import { flood } from './flood/course.js';
import { type Row, row } from './report.js';
import type { SuiteOptions } from './suite.js';

const SECONDS = 60;
const SCENE = { hostile: 50, pairs: 5, rate: 5 } as const;
/** How many times its quiet figure a p99 may be. */
const RATIO = 2;

export async function run({ seconds = SECONDS, progress }: SuiteOptions): Promise<readonly Row[]> {
  const result = await flood({ ...SCENE, seconds, progress });
  if (result.failures.length > 0) throw new Error(`honest clients: ${result.failures.join('; ')}`);
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  progress(`tried: ${list(result.tried)}`);
  progress(`refused: ${list(result.refused)}`);
  const { quiet, flood: flooded } = result;
  const p99 = [
    row('send → SENT, p99', flooded.sentP99, 'ms', quiet.sentP99),
    row('send → deliver, p99', flooded.deliverP99, 'ms', quiet.deliverP99),
  ];
  for (const { name, ratio = 0 } of p99) {
    if (ratio <= RATIO) continue;
    progress(`FAILED: ${name} is ${ratio.toFixed(2)} times what it is without the flood`);
    process.exitCode = 1;
  }
  const tried = Object.values(result.tried).reduce((sum, count) => sum + count, 0);
  return [
    row('honest messages', flooded.messages, '', quiet.messages),
    row('send → SENT, p50', flooded.sentP50, 'ms', quiet.sentP50),
    row('send → deliver, p50', flooded.deliverP50, 'ms', quiet.deliverP50),
    ...p99,
    row('hostile frames', tried / seconds, '1/s'),
    row('server CPU in the flood', result.cpu * 100, '%'),
    row('server RAM in the flood, most', result.resident / 2 ** 20, 'MiB'),
  ];
}
