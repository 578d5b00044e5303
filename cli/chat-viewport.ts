// Owns which part of the transcript is on the screen.
// Invariant: while scrolled up, what arrives does not move the text.
// Must not: draw.

import type { Entry } from './chat-transcript.js';

export class Viewport {
  #scroll = 0;
  /** The last entry that is shown while scrolled up. */
  #anchor: Entry | undefined;

  /** Lines above the end. */
  get scroll(): number {
    return this.#scroll;
  }

  /** Shows what stands so many lines above the end of `entries`. */
  up(lines: number, entries: readonly Entry[]): void {
    this.#anchor ??= entries.at(-1);
    this.#scroll = lines;
  }

  end(): void {
    this.#scroll = 0;
    this.#anchor = undefined;
  }

  /** Those entries that may be shown. */
  visible(entries: readonly Entry[]): readonly Entry[] {
    const last = this.#anchor === undefined ? entries.length : entries.indexOf(this.#anchor) + 1;
    return last > 0 ? entries.slice(0, last) : entries;
  }
}
