// Owns the clients that are not ours: what comes in at the door of a node that strangers reach.
// Invariant: frames are made by hand here, from docs/wire.md; what such a client does follows from the step's own luck.
// Must not: judge what becomes of it.

import { pack, unpack } from 'msgpackr';
import { encodeClient } from '../transport/codec.js';
import { T, WIRE_VERSION } from '../transport/frames.js';
import { tokenOf } from './node.js';
import type { Hostile, Step } from './plan.js';
import type { Process } from './process.js';
import type { Random } from './random.js';
import type { Stage } from './steps.js';

/** ms that it stays at most. */
const STAY_MS = 4_000;

type HostileStep = Extract<Step, { readonly do: 'hostile' }>;

export function hostile(stage: Stage, step: HostileStep): void {
  const { universe } = stage;
  const name = `stranger-${step.at}`;
  const luck = universe.stream(name);
  const process = universe.process(name, 0);
  universe.fault('hostile', step.kind, step.user);
  const rounds = step.kind === 'knocking' ? step.count : 1;
  for (let round = 0; round < rounds; round += 1) {
    process.timer(1 + round * 10, () => visit(stage, step, process, luck));
  }
  process.timer(STAY_MS, () => {
    process.end();
    universe.network.died(process, luck.chance(0.3));
  });
}

function visit(stage: Stage, { kind, user, count }: HostileStep, process: Process, luck: Random): void {
  const { universe, site } = stage;
  const node = site.nodes[count % site.nodes.length]!;
  const token = tokenOf(user, 'stranger', process.wall() - 1_000, process.wall() + 3_600_000);
  const link = universe.network.dial(process, '', node.address, {
    open: () => {
      for (const frame of greeting(kind, token, luck)) link.send(frame);
      // Copied as what a link expects: a slice of a Buffer would share its memory.
      for (let n = 0; n < count; n += 1) link.send(new Uint8Array(nuisance(kind, n, luck)));
      if (kind === 'knocking' && luck.chance(0.5)) link.close(1000, '');
    },
    message: (bytes) => {
      if (kind === 'boaster') for (const frame of boasts(bytes, luck)) link.send(new Uint8Array(frame));
    },
    closed: () => undefined,
  });
  if (kind === 'glutton') for (const each of universe.network.of('')) each.stall(true);
}

/** HELLO, and a SYNC that lists nothing; strangers that never say it come as `noise` and `knocking`. */
function greeting(kind: Hostile, token: string, luck: Random): Uint8Array[] {
  if (kind === 'knocking' || (kind === 'noise' && luck.chance(0.5))) return [];
  const hello = encodeClient({ type: T.HELLO, version: WIRE_VERSION, token, credit: 1_000, agent: 'stranger' });
  // An encoder may lend its buffer.
  return [hello.slice(), encodeClient({ type: T.SYNC, entries: [], more: false, backfill: 0 }).slice()];
}

function nuisance(kind: Hostile, n: number, luck: Random): Uint8Array {
  switch (kind) {
    case 'noise':
    case 'knocking':
      return luck.bytes(luck.between(1, 200));
    case 'nonsense':
      return pack([luck.between(0, 40), ...Array.from({ length: luck.between(0, 5) }, () => senseless(luck))]);
    case 'overrun':
      return pack([T.SEND, Buffer.from(luck.bytes(16)), Buffer.from(luck.bytes(16)), Buffer.from('overrun')]);
    case 'boaster':
      return pack([T.PING, n]);
    case 'glutton':
      return pack([luck.pick([T.HISTORY, T.LIST, T.INFO, T.MARKS, T.DEVICES]), n, senseless(luck), 0, 100]);
  }
}

/** ACK or READ beyond the end of each chat that a frame is about. */
function boasts(bytes: Uint8Array, luck: Random): Uint8Array[] {
  const [type, about] = unpack(bytes) as [number, unknown];
  const named =
    type === T.CERT && Array.isArray(about) ? about.map((entry) => (Array.isArray(entry) ? entry[0] : 0)) : [];
  const chats = type === T.MESSAGE || type === T.EVENT ? [about] : named;
  return chats.map((chat) => pack([luck.pick([T.ACK, T.READ]), chat, luck.pick([1_000, 2 ** 40])]));
}

function senseless(luck: Random): unknown {
  switch (luck.between(0, 5)) {
    case 0:
      return luck.between(0, 70_000);
    case 1:
      return -luck.between(0, 300);
    case 2:
      return Buffer.from(luck.bytes(luck.pick([0, 1, 15, 16, 17, 64])));
    case 3:
      return luck.pick(['', 'ada', 'nobody', '\u0000', 'x'.repeat(300)]);
    case 4:
      return luck.pick([true, false, null, 1.5, 2 ** 53]);
    default:
      return [luck.between(0, 9), [luck.between(0, 9)]];
  }
}
