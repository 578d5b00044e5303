// Owns the making of a plan for several nodes from a seed: the people of a single node's plan, and what befalls nodes, wires and store.
// Invariant: streams of its own: the plans of single nodes (draw.ts) mean what they meant.
// Must not: know what the product does with it.
//
// As in draw.ts histories are short and dense. What takes a lease's time here (evictions, take-overs) is what sets their length:
// a few of them fit into one.

import { choose, opening, REST_MS, swarm } from './draw.js';
import { add, type Cast, chatOf, drawCast } from './draw-cast.js';
import { optionsFor } from './draw-extras.js';
import { drawOptions } from './draw-options.js';
import { DEEDS, TROUBLES } from './draw-steps.js';
import type { ClusterPlan, ClusterTrouble, Options, Plan, Span, Step } from './plan.js';
import { type Random, stream } from './random.js';

type Blow = ClusterTrouble extends infer S ? (S extends ClusterTrouble ? S : never) : never;
type Draw = (random: Random, nodes: readonly string[]) => Blow;

/** ms: below a lease, about a lease, and well beyond it. */
const LEASES = [200, 700, 1_200, 1_700, 2_500, 5_000];
const DOWN = [0, 50, 900, 3_000];

const WIRES: readonly Span[] = [
  [0.1, 0.6],
  [0.2, 2],
  [5, 40],
];
const STORES: readonly Span[] = [
  [0.05, 0.3],
  [0.2, 2],
  [3, 25],
];
const FLUSHES: readonly Span[] = [
  [0.2, 1],
  [0.5, 4],
  [5, 40],
];

const other = (random: Random, nodes: readonly string[]): { node: string; to: string } => ({
  node: random.pick(nodes),
  to: random.pick(nodes),
});

/** What goes wrong between and with nodes, with how often of a hundred where it is on at all. */
export const BLOWS: Readonly<Record<string, readonly [weight: number, draw: Draw]>> = {
  kill_member: [
    12,
    (random, nodes) => ({
      do: 'kill_member',
      node: random.pick(nodes),
      ms: random.pick(DOWN),
      vanish: random.chance(0.3),
    }),
  ],
  kill_member_at: [
    12,
    (random, nodes) => ({
      do: 'kill_member_at',
      node: random.pick(nodes),
      event: random.pick(['flush', 'commit', 'out']),
      count: random.between(1, 6),
      ms: random.pick(DOWN),
    }),
  ],
  stop_member: [8, (random, nodes) => ({ do: 'stop_member', node: random.pick(nodes), ms: random.pick(DOWN) })],
  freeze_member: [14, (random, nodes) => ({ do: 'freeze_member', node: random.pick(nodes), ms: random.pick(LEASES) })],
  drain_member: [
    6,
    (random, nodes) => ({ do: 'drain_member', node: random.pick(nodes), ms: random.pick([500, 3_000, 8_000]) }),
  ],
  join: [8, (random, nodes) => ({ do: 'join', node: random.pick(nodes) })],
  jump_member_clock: [
    5,
    (random, nodes) => ({
      do: 'jump_member_clock',
      node: random.pick(nodes),
      ms: random.pick([-5_000, -50, 200, 100_000]),
    }),
  ],
  part: [
    14,
    (random, nodes) => ({
      do: 'part',
      ...other(random, nodes),
      ms: random.pick([30, ...LEASES]),
      both: random.chance(0.3),
    }),
  ],
  cut_wires: [12, (random, nodes) => ({ do: 'cut_wires', ...other(random, nodes), deaf: random.chance(0.3) })],
  // The first frame that leaves for a client is the sender's answer: the members' news are on their way then.
  cut_wires_at: [
    12,
    (random, nodes) => ({
      do: 'cut_wires_at',
      node: random.pick([...nodes, '*', '*']),
      event: random.pick(['out', 'out', 'flush', 'commit']),
      count: random.pick([1, 1, 2, 4]),
      after: random.pick([0, 0.1, 0.5, 2]),
    }),
  ],
  slow_wires: [
    6,
    (random, nodes) => ({
      do: 'slow_wires',
      ...other(random, nodes),
      ms: random.pick([300, 3_000]),
      latency: random.pick([30, 400]),
    }),
  ],
  replay_wire: [4, (random, nodes) => ({ do: 'replay_wire', ...other(random, nodes) })],
  part_store: [
    12,
    (random, nodes) => ({
      do: 'part_store',
      node: random.pick(nodes),
      way: random.pick(['to', 'from']),
      ms: random.pick([30, ...LEASES]),
    }),
  ],
  stall_store: [8, (random) => ({ do: 'stall_store', ms: random.pick([10, 400, 1_200, 4_000]) })],
  crash_store: [
    5,
    (random) => ({ do: 'crash_store', keep: random.pick([0, 1, random()]), ms: random.pick([5, 300, 2_000]) }),
  ],
  fail_store: [
    10,
    (random, nodes) => ({
      do: 'fail_store',
      node: random.pick([...nodes, '*']),
      fault: random.pick([
        'conflict',
        'unknown_applied',
        'unknown_applied',
        'unknown_dropped',
        'unknown_dropped',
        'store_unavailable',
        'late',
        'lost',
      ]),
      count: random.between(1, 4),
    }),
  ],
};

/** Of a device's troubles those that are its own. */
const DEVICE_TROUBLES = Object.fromEntries(
  ['kill', 'close', 'offline', 'cut', 'half_open', 'stop_reading', 'slow_link', 'takeover', 'hostile'].map((verb) => [
    verb,
    TROUBLES[verb]!,
  ]),
);

export function drawCluster(seed: number): Plan {
  const random = stream(seed, 'cluster');
  const options = clusterOptions(optionsFor(drawOptions(stream(seed, 'options')), seed), random);
  const cast = drawCast(random);
  const cluster = drawNodes(cast, random, stream(seed, 'cluster builds'));
  const nodes = Array.from({ length: cluster.nodes + cluster.spare }, (_, n) => `n${n + 1}`);
  const steps: Step[] = opening(cast, random);
  const deeds = swarm(DEEDS, random, ['send'], random.pick([0.2, 0.4, 0.8]));
  const troubles = swarm(DEVICE_TROUBLES, random, [], random.pick([0.15, 0.4]));
  const blows = swarmed(random, random.pick([0.2, 0.4, 0.7]));
  const density = random.pick([0, 0.02, 0.06]);
  const violence = random.pick([0.02, 0.06, 0.15]);
  const pause = random.pick([8, 40, 120]);
  const count = random.between(20, 80);
  let at = random.between(5, 1_500);
  for (let n = 1; n <= count; n += 1) {
    const luck = stream(seed, `cluster step ${n}`);
    if (luck.chance(0.7)) at += Math.ceil(-Math.log(1 - luck()) * pause);
    // Long enough for others to take over, and for what was given up to come back.
    if (luck.chance(0.04)) at += luck.pick([700, 1_600, 2_500]);
    const device = luck.pick(cast.devices);
    add(steps, at, choose(deeds, luck)(luck, cast, device, chatOf(cast, device, luck), n));
    const soon = (): number => at + luck.pick([0, 0, 1, luck.between(0, 10), luck.between(0, 200)]);
    if (luck.chance(violence)) blow(steps, soon(), blows, luck, nodes);
    if (troubles.length === 0 || !luck.chance(density)) continue;
    const when = soon();
    const trouble = choose(troubles, luck)(luck, cast, luck.chance(0.5) ? device : luck.pick(cast.devices), '', n);
    add(steps, when, trouble);
    if ((trouble.do === 'kill' || trouble.do === 'close') && luck.chance(0.9))
      add(steps, when + luck.pick([0, 5, 300, 4_000]), { do: 'start', device: trouble.device });
  }
  for (const device of cast.devices) if (random.chance(0.5)) add(steps, random.between(0, at), { do: 'start', device });
  const late = stream(seed, 'cluster end');
  // The last words before the calm are those that nothing repairs but the product.
  if (late.chance(0.5)) lastWords(steps, at, cast, blows, late, nodes);
  let calmAt = at + random.pick([0, 50, 2_000, 4_000]);
  const echo = stream(seed, 'cluster echo');
  if (echo.chance(0.25)) calmAt = inTheQuiet(steps, calmAt, cast, echo, nodes);
  const scene = stream(seed, 'cluster scene');
  const act = scene.pick(['', '', '', 'outdated', 'apart']);
  if (act === 'outdated') calmAt = outdated(steps, calmAt, cast, scene);
  if (act === 'apart') calmAt = apart(steps, calmAt, cast, cluster, scene);
  steps.sort((one, two) => one.at - two.at);
  return { seed, options, users: cast.users, steps, calmAt, restWithin: REST_MS, cluster };
}

/** Some messages, and a blow to each as it is on its way: to what is between nodes, or to one of them. */
function lastWords(steps: Step[], at: number, cast: Cast, blows: Blows, luck: Random, nodes: readonly string[]): void {
  const close = luck.pick(['cut_wires_at', 'kill_member_at', '']);
  for (let n = luck.between(1, 4); n > 0; n -= 1) {
    const when = at - luck.between(0, 400);
    const device = luck.pick(cast.devices);
    add(steps, when, { do: 'send', device, chat: chatOf(cast, device, luck), body: `${device}#000${n};`, size: 0 });
    if (close === '') blow(steps, when + luck.between(0, 6), blows, luck, nodes);
    else add(steps, Math.max(0, when - 1), BLOWS[close]![1](luck, nodes));
  }
}

/** ms after which shards have mostly found their places, so that nothing makes good by chance what is lost then. */
const QUIET = [8_000, 14_000];

/** Some messages, and wires that break while their news are on their way. Answers when the calm may begin. */
function inTheQuiet(steps: Step[], from: number, cast: Cast, luck: Random, nodes: readonly string[]): number {
  const at = from + luck.pick(QUIET);
  const latency = luck.pick([100, 400]);
  add(steps, at, { do: 'slow_wires', node: '*', to: '*', ms: 3_000, latency });
  for (let n = 1; n <= 4; n += 1) {
    const device = luck.pick(cast.devices);
    add(steps, at + 1, { do: 'send', device, chat: chatOf(cast, device, luck), body: `${device}#0000${n};`, size: 0 });
  }
  // From the sender's node to the chat's, and from there to the members'. Each beat is a flush.
  const cut = luck.between(latency / 4, 2 * latency + 50);
  add(steps, at + cut, {
    do: 'cut_wires_at',
    node: luck.pick([...nodes, '*', '*', '*']),
    event: 'flush',
    count: 1,
    after: 0,
  });
  return at + cut + 500;
}

/** Some messages, and a node that acts on what the store told it before others took its place. */
function outdated(steps: Step[], from: number, cast: Cast, luck: Random): number {
  const at = from + luck.pick([100, 4_000]);
  const ms = luck.pick([2_500, 2_500, 5_000]);
  for (let n = 1; n <= 8; n += 1) {
    const device = luck.pick(cast.devices);
    const chat = chatOf(cast, device, luck);
    add(steps, at + luck.between(0, 200), { do: 'send', device, chat, body: `${device}#00000${n};`, size: 0 });
  }
  const how = luck.pick(['freeze', 'part', 'part'] as const);
  add(steps, at + luck.between(0, 200), { do: 'stale_store', how, count: luck.between(1, 20), ms });
  return at + ms + 700;
}

/** ms: links have noticed by then; the silence after it is a lease and what it takes to see it. */
const APART_MS = 2_500;
const GONE_MS = 4_000;

/** A node that no other hears takes some messages, and dies: nobody but the store knows of them, and no link breaks any more. */
function apart(steps: Step[], from: number, cast: Cast, { nodes, spare, homes }: ClusterPlan, luck: Random): number {
  const all = Array.from({ length: nodes + spare }, (_, n) => `n${n + 1}`);
  const node = luck.pick(all.slice(0, nodes));
  const at = from + luck.pick([100, 4_000]);
  const ms = APART_MS + GONE_MS;
  for (const to of all) if (to !== node) add(steps, at, { do: 'part', node, to, ms, both: true });
  const own = cast.devices.filter((device) => homes[device] === node);
  const dies = at + APART_MS + luck.between(5, 200);
  for (let n = 1; n <= 8; n += 1) {
    const device = luck.pick(own.length === 0 ? cast.devices : own);
    const chat = chatOf(cast, device, luck);
    add(steps, dies - luck.between(2, 100), { do: 'send', device, chat, body: `${device}#000000${n};`, size: 0 });
  }
  add(steps, dies, { do: 'kill_member', node, ms: luck.pick([900, GONE_MS]), vanish: luck.chance(0.5) });
  return dies + GONE_MS;
}

type Blows = readonly { readonly upTo: number; readonly draw: Draw }[];

function blow(steps: Step[], at: number, blows: Blows, luck: Random, nodes: readonly string[]): void {
  if (blows.length === 0) return;
  const place = luck() * blows.at(-1)!.upTo;
  add(steps, at, blows.find(({ upTo }) => place < upTo)!.draw(luck, nodes));
}

/** As `swarm` of draw.ts. */
function swarmed(random: Random, chance: number): Blows {
  let upTo = 0;
  return Object.values(BLOWS).flatMap(([weight, draw]) => {
    const factor = 0.3 + random() * 2;
    if (!random.chance(chance)) return [];
    upTo += weight * factor;
    return [{ upTo, draw }];
  });
}

/** A store that nodes share has its own times; a node's disk is not there to be full. */
function clusterOptions(options: Options, random: Random): Options {
  return {
    ...options,
    flush: random.pick(FLUSHES),
    diskRead: [0, 0],
    latency: random.pick<Span>([options.latency, [0.2, 2]]),
    commitFaults: { ...options.commitFaults, store_full: 0 },
  };
}

function drawNodes({ devices }: Cast, random: Random, builds: Random): ClusterPlan {
  const nodes = random.pick([3, 3, 3, 4, 5, random.between(2, 7)]);
  const names = Array.from({ length: nodes }, (_, n) => `n${n + 1}`);
  const faulty = random.chance(0.25);
  return {
    nodes,
    spare: random.pick([0, 0, 1, 2]),
    // In the middle of a rolling upgrade, or not.
    earlier: builds.chance(0.25) ? Object.fromEntries(names.map((name) => [name, builds.pick([0, 1, 1, 2])])) : {},
    homes: Object.fromEntries(devices.map((device) => [device, random.pick(names)])),
    wires: random.pick(WIRES),
    store: random.pick(STORES),
    patience: random.pick([600, 1_500, 5_000]),
    late: faulty ? 0.03 * random() : 0,
    lost: faulty ? 0.02 * random() : 0,
    passivateMs: random.pick([2_000, 6_000]),
  };
}
