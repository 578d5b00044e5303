// Owns the line that a person is typing.
// Invariant: the cursor stands between two clusters; the text never exceeds LIMITS.body bytes.
// Must not: know keys or the screen.

import { LIMITS } from '../actors/limits.js';
import { split } from './chat-text.js';

export class Editor {
  #text = '';
  #cursor = 0;

  get text(): string {
    return this.#text;
  }

  /** In UTF-16 units from the start of the text. */
  get cursor(): number {
    return this.#cursor;
  }

  /** False where the text would grow over the limit; then nothing is inserted. */
  insert(text: string): boolean {
    const next = this.#text.slice(0, this.#cursor) + text + this.#text.slice(this.#cursor);
    if (Buffer.byteLength(next) > LIMITS.body) return false;
    this.#text = next;
    this.#cursor += text.length;
    this.#settle();
    return true;
  }

  set(text: string): void {
    this.#text = text;
    this.#cursor = text.length;
  }

  /** The text, which leaves the line empty. */
  take(): string {
    const text = this.#text;
    this.set('');
    return text;
  }

  left(): void {
    this.#cursor -= split(this.#text.slice(0, this.#cursor)).at(-1)?.length ?? 0;
  }

  right(): void {
    this.#cursor += split(this.#text.slice(this.#cursor))[0]?.length ?? 0;
  }

  wordLeft(): void {
    const before = split(this.#text.slice(0, this.#cursor)).reverse();
    this.#cursor -= wordOf(before);
  }

  wordRight(): void {
    this.#cursor += wordOf(split(this.#text.slice(this.#cursor)));
  }

  home(): void {
    this.#cursor = this.#text.lastIndexOf('\n', this.#cursor - 1) + 1;
  }

  end(): void {
    const end = this.#text.indexOf('\n', this.#cursor);
    this.#cursor = end < 0 ? this.#text.length : end;
  }

  /** Moves, and deletes what it moved over. */
  cut(move: 'left' | 'right' | 'wordLeft' | 'wordRight' | 'home' | 'end'): void {
    const from = this.#cursor;
    this[move]();
    const [start, end] = [Math.min(from, this.#cursor), Math.max(from, this.#cursor)];
    this.#text = this.#text.slice(0, start) + this.#text.slice(end);
    this.#cursor = start;
    this.#settle();
  }

  /** What was typed may have joined with what follows into one cluster: the cursor goes behind it. */
  #settle(): void {
    let at = 0;
    for (const cluster of split(this.#text)) {
      if (at >= this.#cursor) break;
      at += cluster.length;
    }
    this.#cursor = at;
  }
}

/** Length of the spaces that come first and of the word that follows, in UTF-16 units. */
function wordOf(clusters: readonly string[]): number {
  const blank = (cluster: string): boolean => cluster.trim() === '';
  const start = clusters.findIndex((cluster) => !blank(cluster));
  if (start < 0) return clusters.join('').length;
  const end = clusters.findIndex((cluster, i) => i > start && blank(cluster));
  return clusters.slice(0, end < 0 ? clusters.length : end).join('').length;
}
