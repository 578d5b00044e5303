// Owns what is due when: keys by time.
// Invariant: a key stands in it once, at its earliest time; bounded.
// Must not: read a clock.
//
//   A binary heap by time. A key that becomes due earlier is entered again, and its older entry is passed over when it
//   comes up; at most as many such entries are kept as there are keys.

interface Due {
  readonly key: string;
  readonly at: number;
}

export class DueQueue {
  readonly #most: number;
  readonly #times = new Map<string, number>();
  #heap: Due[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#times.size;
  }

  /** False: full. */
  add(key: string, at: number): boolean {
    const known = this.#times.get(key);
    if (known !== undefined && known <= at) return true;
    if (known === undefined && this.#times.size >= this.#most) return false;
    this.#times.set(key, at);
    this.#push({ key, at });
    if (this.#heap.length > 2 * this.#most) this.#compact();
    return true;
  }

  /** The earliest time; null when there is none. */
  next(): number | null {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return null;
      if (this.#times.get(top.key) === top.at) return top.at;
      this.#pop();
    }
  }

  /** Removes and answers the earliest that is due by `now`; null when none is. */
  take(now: number): string | null {
    const at = this.next();
    if (at === null || at > now) return null;
    const { key } = this.#pop();
    this.#times.delete(key);
    return key;
  }

  #compact(): void {
    this.#heap = this.#heap.filter(({ key, at }) => this.#times.get(key) === at).sort((a, b) => a.at - b.at);
  }

  #push(due: Due): void {
    const heap = this.#heap;
    let place = heap.length;
    heap.push(due);
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (heap[above]!.at <= due.at) break;
      heap[place] = heap[above]!;
      place = above;
    }
    heap[place] = due;
  }

  #pop(): Due {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && heap[below + 1]!.at < heap[below]!.at) below += 1;
      if (heap[below]!.at >= last.at) break;
      heap[place] = heap[below]!;
      place = below;
    }
    heap[place] = last;
    return top;
  }
}
