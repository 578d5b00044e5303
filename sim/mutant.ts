// Owns what a deliberate defect is, and how it gets into the product: as an edit of a compiled module while it is loaded.
// Invariant: the product holds no switch for any of them; an edit applies exactly once, or nothing is loaded at all.
// Must not: list defects (mutants.ts), or run histories.

/** In the compiled text of a module below dist/. */
export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Mutant {
  readonly name: string;
  /** The heading of docs/semantics.md whose promise it breaks. */
  readonly promise: string;
  /** What goes wrong, in one sentence. */
  readonly breaks: string;
  /** Histories within which it must be caught. */
  readonly limit: number;
  /** Hunted among several nodes, not on one. */
  readonly cluster?: boolean;
  readonly edits: readonly Edit[];
}

/** How often the edit's place occurs in the text. */
export function places(text: string, { from }: Edit): number {
  return text.split(from).length - 1;
}

/** @throws Error where an edit does not apply exactly once. */
export function applied(text: string, edits: readonly Edit[]): string {
  let edited = text;
  for (const edit of edits) {
    const count = places(edited, edit);
    if (count !== 1) throw new Error(`${edit.file}: the place to edit occurs ${count} times: ${edit.from}`);
    edited = edited.replace(edit.from, () => edit.to);
  }
  return edited;
}
