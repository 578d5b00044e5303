// Owns what a shared store's engine promises about commits whose answer did not come (storage/store.ts, and the fence of the
// FoundationDB engine): they may be carried out late, but not any more once their process has read.
// Invariant: after `settled` resolved, nothing that the process gave up before is carried out.
// Must not: carry out anything.

/** A commit that was asked for and not answered. */
export interface Pending {
  /** Its process was told `unknown`, or will never be told anything. */
  given: boolean;
  /** It will not be carried out any more. */
  void: boolean;
  /** Settles with it; null: it is on its way to the server. */
  done: Promise<unknown> | null;
}

export class GivenUp {
  /** By process. */
  readonly #pending = new Map<string, Set<Pending>>();

  open(by: string): Pending {
    const pending: Pending = { given: false, void: false, done: null };
    const all = this.#pending.get(by) ?? new Set<Pending>();
    this.#pending.set(by, all.add(pending));
    return pending;
  }

  answered(by: string, pending: Pending): void {
    if (!pending.given) this.#pending.get(by)?.delete(pending);
  }

  /** The server died: what was there is applied or lost, and that is that. */
  crashed(): void {
    for (const all of this.#pending.values()) for (const pending of all) if (pending.done !== null) all.delete(pending);
  }

  /** The process reads: what of its has not come will not count, and what is there is waited for; null: there is nothing. */
  settled(by: string): Promise<unknown> | null {
    const all = this.#pending.get(by);
    if (all === undefined || all.size === 0) return null;
    const under: Promise<unknown>[] = [];
    for (const pending of all) {
      if (!pending.given) continue;
      all.delete(pending);
      if (pending.done === null) pending.void = true;
      else under.push(pending.done);
    }
    return under.length === 0 ? null : Promise.all(under);
  }
}
