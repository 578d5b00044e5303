// Owns the process in which one defect is hunted: edits the product as it is loaded, runs histories, says what it finds.
// Invariant: nothing of the product is loaded before the hook is there.
// Must not: judge, or write anything but lines of JSON.
//
//   mutant-child.js NAME FIRST COUNT [cluster]     NAME '' hunts in the product as it is

import { register } from 'node:module';
import { MUTANTS } from './mutants.js';

const [name = '', first = '1', count = '1', where = ''] = process.argv.slice(2);
const mutant = MUTANTS.find((each) => each.name === name);
if (mutant !== undefined) {
  register('./mutant-loader.js', import.meta.url, {
    data: { root: new URL('../', import.meta.url).href, edits: mutant.edits },
  });
} else if (name !== '') throw new Error(`there is no mutant of this name: ${name}`);

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const { hunt } = await import('./hunt.js');
const draw = where === 'cluster' ? (await import('./draw-cluster.js')).drawCluster : (await import('./draw.js')).draw;
const prey = await hunt(draw, Number(first), Number(count), (histories) => say({ histories }));
say({ done: true, prey });
// What a history leaves behind, where the defect made it leave something, must not keep the process alive.
process.stdout.write('', () => process.exit(0));
