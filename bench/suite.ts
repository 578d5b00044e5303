// Owns what each suite is given and gives.
// Invariant: suites import this, and nothing of who runs them.
// Must not: hold behaviour.

import type { Row } from './report.js';

export interface SuiteOptions {
  /** Seconds to measure each figure for; undefined: the suite's own default. */
  readonly seconds: number | undefined;
  /** Connections to open; undefined: the suite's own default. */
  readonly connections: number | undefined;
  /** Messages in all chats together, and how often they are sent and swept; undefined: the suite's own default. */
  readonly messages: number | undefined;
  readonly cycles: number | undefined;
  /** Nodes of one host to measure beside a node alone; undefined: none. */
  readonly nodes: number | undefined;
  /** A store to measure beside the embedded one, or instead of it, as in --store of `weft start`. */
  readonly store: string | undefined;
  /** Says what goes on. */
  readonly progress: (line: string) => void;
}

/** What a suite's module exports. */
export interface Suite {
  run(options: SuiteOptions): Promise<readonly Row[]>;
}
