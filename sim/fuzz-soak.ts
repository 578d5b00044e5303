// Owns the long trial: hostile input of every kind, in rounds, with the memory looked at after each.
// Invariant: seed and number of frames decide the input; the first failure ends it, made as small as it gets; what a round
// leaves behind in memory is measured after a full collection.
// Must not: print; fuzz-run.ts does.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { ordeals, tryClient } from './fuzz-client.js';
import { GRAMMAR, type Side, tryFrame } from './fuzz-codec.js';
import { hostile, slips } from './fuzz-frames.js';
import { journals, tryJournal } from './fuzz-journal.js';
import { lines, tryLine } from './fuzz-lines.js';
import { FuzzNode } from './fuzz-node.js';
import { damaged, hex, ROW_KINDS, type RowKind } from './fuzz-rows.js';
import { openVerifier, tokens, tryToken } from './fuzz-token.js';

export interface SoakOptions {
  /** Frames for the decoders, of both sides together. */
  readonly frames: number;
  readonly seed: number;
  /** Told after each round. */
  round(progress: Progress): void;
}

export interface Progress {
  readonly round: number;
  /** Inputs so far, by what they were tried on. */
  readonly done: Readonly<Record<string, number>>;
  /** Inputs that ended as errors with a code or a close with one. */
  readonly refused: Readonly<Record<string, number>>;
  /** ms so far, by what was tried. */
  readonly spent: Readonly<Record<string, number>>;
  /** Bytes after a collection: what JavaScript holds, its buffers, and the whole process. */
  readonly heap: number;
  readonly buffers: number;
  readonly resident: number;
}

export interface Failure {
  readonly target: string;
  readonly seed: number;
  readonly path: string;
  readonly reason: string;
  /** The smallest input found, hex where it is bytes. */
  readonly input: string;
}

export const ROUNDS = 20;
/** How many inputs of the others there are for so many frames: they cost more, each by about as much. */
const ONE_IN = { rows: 20, lines: 20, tokens: 200, journals: 100, sdk: 50, node: 100 } as const;
/** Bytes by which the last rounds may hold more than the ones after the warm-up. */
const GROWTH = 24 * 1_048_576;

type Property = fc.IRawProperty<unknown>;

class Soak {
  readonly done: Record<string, number> = {};
  readonly refused: Record<string, number> = {};
  readonly spent: Record<string, number> = {};
  readonly #verifier = openVerifier();
  readonly #now = Math.floor(Date.now() / 1_000);

  constructor(readonly node: FuzzNode) {}

  /** Each with how many runs there are for so many frames. */
  targets(frames: number): [name: string, runs: number, property: Property][] {
    const each = (one: number, least = 1): number => Math.max(least, Math.round(frames / one));
    const words = {
      chats: [new Uint8Array(16).fill(1), new Uint8Array(16).fill(2)],
      users: ['ada', 'bob', 'zoë'],
      tokens: ['a.b.c'],
      time: 1_760_000_000_000,
    };
    const decoder = (side: Side): Property =>
      fc.property(hostile(GRAMMAR[side], words), (bytes) =>
        this.#count(`${side} frames`, 1, tryFrame(side, bytes) < 0),
      ) as Property;
    return [
      ['client frames', each(2), decoder('client')],
      ['server frames', each(2), decoder('server')],
      [
        'stored rows',
        each(ONE_IN.rows),
        fc.property(rows, ({ kind, row }) => this.#count('stored rows', 1, damaged(kind, row))) as Property,
      ],
      [
        'lines to a host',
        each(ONE_IN.lines),
        fc.property(lines, (line) => this.#count('lines to a host', 1, !tryLine(line))) as Property,
      ],
      [
        'tokens',
        each(ONE_IN.tokens),
        fc.asyncProperty(tokens(this.#now), async (token) =>
          this.#count('tokens', 1, !(await tryToken(this.#verifier, token))),
        ) as Property,
      ],
      [
        'journals',
        each(ONE_IN.journals),
        fc.property(journals, (journal) => this.#count('journals', 1, tryJournal(journal).size === 1)) as Property,
      ],
      [
        'frames to the SDK',
        each(ONE_IN.sdk * 6),
        fc.asyncProperty(ordeals, async (ordeal) =>
          this.#count('frames to the SDK', ordeal.frames.length, !(await tryClient(ordeal))),
        ) as Property,
      ],
      [
        'frames to a node',
        each(ONE_IN.node * 60),
        fc.asyncProperty(this.node.assaults(), async (assault) =>
          this.#count('frames to a node', assault.frames.length, (await this.node.try(assault)) >= 4_000),
        ) as Property,
      ],
    ];
  }

  #count(target: string, inputs: number, refused: boolean): void {
    this.done[target] = (this.done[target] ?? 0) + inputs;
    this.refused[target] = (this.refused[target] ?? 0) + Number(refused);
  }
}

const rows = fc.oneof(
  ...ROW_KINDS.map((kind) => {
    const known = kind as RowKind<unknown>;
    return slips(known.value.map((value) => known.encode(value))).map((row) => ({ kind: known, row }));
  }),
);

/** Resolves to the first failure, or undefined. */
export async function soak({ frames, seed, round }: SoakOptions): Promise<Failure | undefined> {
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  const unheard: unknown[] = [];
  const note = (error: unknown): void => void unheard.push(error);
  process.on('unhandledRejection', note);
  const node = await FuzzNode.start();
  const run = new Soak(node);
  const held: number[] = [];
  try {
    for (let n = 0; n < ROUNDS; n += 1) {
      for (const [target, numRuns, property] of run.targets(frames / ROUNDS)) {
        const began = performance.now();
        const result = await fc.check(property, { numRuns, seed: seed + n });
        run.spent[target] = (run.spent[target] ?? 0) + performance.now() - began;
        const reason = result.failed
          ? String(result.errorInstance)
          : unheard.length > 0
            ? `unhandled ${unheard[0]}`
            : '';
        if (reason !== '') {
          return {
            target,
            seed: seed + n,
            path: result.counterexamplePath ?? '',
            reason,
            input: shown(target, result.counterexample),
          };
        }
      }
      collect();
      const { heapUsed: heap, arrayBuffers: buffers, rss: resident } = process.memoryUsage();
      held.push(heap + buffers);
      round({ round: n + 1, done: run.done, refused: run.refused, spent: run.spent, heap, buffers, resident });
    }
    const grown = median(held.slice(-5)) - median(held.slice(5, 10));
    return grown > GROWTH
      ? { target: 'memory', seed, path: '', reason: `grew by ${grown} bytes`, input: '' }
      : undefined;
  } finally {
    await node.stop();
    process.off('unhandledRejection', note);
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

function shown(target: string, example: unknown): string {
  const [input] = Array.isArray(example) ? (example as unknown[]) : [];
  const side = target === 'client frames' ? 'client' : target === 'server frames' ? 'server' : null;
  if (side !== null && input instanceof Uint8Array) return hex(smallest(input, (bytes) => fails(side, bytes)));
  return JSON.stringify(input, (_key, part: unknown) => (part instanceof Uint8Array ? hex(part) : part)) ?? '';
}

function fails(side: Side, bytes: Uint8Array): boolean {
  try {
    tryFrame(side, bytes);
    return false;
  } catch {
    return true;
  }
}

/** Takes away whatever may go, in halves, quarters and so on, down to single bytes. */
function smallest(bytes: Uint8Array, stillFails: (bytes: Uint8Array) => boolean): Uint8Array {
  let kept = [...bytes];
  for (let size = kept.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at + size <= kept.length; ) {
      const less = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (stillFails(Uint8Array.from(less))) kept = less;
      else at += size;
    }
  }
  return Uint8Array.from(kept);
}
