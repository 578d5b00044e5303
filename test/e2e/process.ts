// Owns nodes as real processes for end-to-end tests: their folder, their secret (the harness's), their end.
// Invariant: process and folder are gone when the test ends.
// Must not: know what a test does with them.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { NodeProcess, type NodeProcessOptions } from '../../bench/node-process.js';
import { secret } from './harness.js';

type Options = Pick<NodeProcessOptions, 'port' | 'wrapper' | 'flags' | 'program'>;

/** A data folder whose node takes the harness's tokens. */
export class Home {
  readonly folder: string;
  readonly data: string;
  readonly #secret: string;
  readonly #nodes: NodeProcess[] = [];

  constructor(t: TestContext) {
    this.folder = mkdtempSync(join(tmpdir(), 'weft-home-'));
    this.data = join(this.folder, 'data');
    this.#secret = join(this.folder, 'secret');
    mkdirSync(this.data);
    writeFileSync(this.#secret, secret, { mode: 0o600 });
    t.after(async () => {
      await Promise.all(this.#nodes.map((node) => node.stop('SIGKILL')));
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  /** The node started last. */
  get last(): NodeProcess {
    return this.#nodes.at(-1)!;
  }

  /** Starts a node on the folder. Rejects with StartFailure. */
  start(options: Options = {}): Promise<NodeProcess> {
    const flags = ['--jwt-secret-file', this.#secret, ...(options.flags ?? [])];
    return NodeProcess.start({ ...options, data: this.data, flags }).then((node) => {
      this.#nodes.push(node);
      return node;
    });
  }
}
