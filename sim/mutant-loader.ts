// Owns the hook by which Node loads edited modules (module.register). Runs in the thread of Node's loader.
// Invariant: every module but those of the edits is loaded as it is.
// Must not: be imported by the product or outlive the process that registered it.

import { applied, type Edit } from './mutant.js';

interface Loaded {
  readonly format?: string;
  readonly source?: string | ArrayBuffer | Uint8Array;
  readonly shortCircuit?: boolean;
}

let root = '';
let edits: readonly Edit[] = [];

/** Called by Node before anything is loaded. */
export function initialize(data: { readonly root: string; readonly edits: readonly Edit[] }): void {
  root = data.root;
  edits = data.edits;
}

/** Called by Node for each module. */
export async function load(
  url: string,
  context: unknown,
  next: (url: string, context: unknown) => Promise<Loaded>,
): Promise<Loaded> {
  const loaded = await next(url, context);
  const mine = edits.filter(({ file }) => url === root + file);
  if (mine.length === 0) return loaded;
  const { source } = loaded;
  const text = typeof source === 'string' ? source : new TextDecoder().decode(source);
  return { ...loaded, source: applied(text, mine) };
}
