// Owns the making of a plan from a seed.
// Invariant: the seed alone decides; each step has a stream of its own, so that histories of neighbouring seeds share nothing.
// Must not: know what the product does with it.
//
// Histories are short and dense: a few people, a few chats, a hundred steps within seconds, faults right after sends
// (where something is under way), and a calm in which everything has to come right.

import { add, type Cast, chatOf, drawCast } from './draw-cast.js';
import { extras, optionsFor } from './draw-extras.js';
import { drawOptions } from './draw-options.js';
import { DEEDS, TROUBLES } from './draw-steps.js';
import type { Plan, Step } from './plan.js';
import { type Random, stream } from './random.js';

/** Virtual ms that the world has for coming to rest: a client's longest pause, a dead connection, a slow disk and applications that
 * take seconds for each of a hundred messages, several times. */
export const REST_MS = 800_000;

export function draw(seed: number): Plan {
  const random = stream(seed, 'plan');
  const options = optionsFor(drawOptions(stream(seed, 'options')), seed);
  const cast = drawCast(random);
  const steps: Step[] = opening(cast, random);
  const deeds = swarm(DEEDS, random, ['send'], random.pick([0.3, 0.6, 0.9]));
  const troubles = swarm(TROUBLES, random, [], random.pick([0.15, 0.4, 0.7]));
  // Per step: how likely trouble follows it closely. Some histories have none but their options.
  const density = random.pick([0, 0.03, 0.1, 0.25]);
  const pause = random.pick([2, 15, 80, 400]);
  const count = random.between(15, 90);
  let at = random.between(5, 400);
  for (let n = 1; n <= count; n += 1) {
    const luck = stream(seed, `step ${n}`);
    // Several at one moment: races are there.
    if (luck.chance(0.7)) at += Math.ceil(-Math.log(1 - luck()) * pause);
    if (luck.chance(0.01)) at += luck.pick([2_000, 20_000, 70_000]);
    const device = luck.pick(cast.devices);
    add(steps, at, choose(deeds, luck)(luck, cast, device, chatOf(cast, device, luck), n));
    if (troubles.length === 0 || !luck.chance(density)) continue;
    const soon = at + luck.pick([0, 0, 1, luck.between(0, 10), luck.between(0, 200)]);
    const trouble = choose(troubles, luck)(luck, cast, luck.chance(0.5) ? device : luck.pick(cast.devices), '', n);
    add(steps, soon, trouble);
    if ((trouble.do === 'kill' || trouble.do === 'close') && luck.chance(0.9)) {
      add(steps, soon + luck.pick([0, 5, 300, 4_000]), { do: 'start', device: trouble.device });
    }
  }
  // A device that was removed, replaced or closed may come back.
  for (const device of cast.devices) if (random.chance(0.5)) add(steps, random.between(0, at), { do: 'start', device });
  extras(steps, cast, seed, at);
  steps.sort((one, other) => one.at - other.at);
  return { seed, options, users: cast.users, steps, calmAt: at + random.pick([0, 50, 3_000]), restWithin: REST_MS };
}

/** Devices start, mostly at once, and groups are made. */
export function opening({ devices, chats, users }: Cast, random: Random): Step[] {
  const steps: Step[] = [];
  for (const device of devices)
    add(steps, random.chance(0.8) ? random.between(0, 30) : random.between(30, 5_000), { do: 'start', device });
  for (const { chat, users: members } of chats) {
    if (chat.startsWith('direct:')) continue;
    const maker = random.pick(users);
    add(steps, random.between(30, 150), { do: 'create', device: random.pick(maker.devices), chat, users: members });
  }
  return steps;
}

export type Table = typeof DEEDS;
export type Choice = { readonly upTo: number; readonly draw: Table[string][1] };

/** Each verb is in with this chance, those of `always` in any case; weights of what is in vary. */
export function swarm(table: Table, random: Random, always: readonly string[], chance: number): Choice[] {
  let upTo = 0;
  return Object.entries(table).flatMap(([verb, [weight, draw]]) => {
    const factor = 0.3 + random() * 2;
    if (!random.chance(chance) && !always.includes(verb)) return [];
    upTo += weight * factor;
    return [{ upTo, draw }];
  });
}

export function choose(choices: readonly Choice[], luck: Random): Choice['draw'] {
  const place = luck() * choices.at(-1)!.upTo;
  return choices.find(({ upTo }) => place < upTo)!.draw;
}
