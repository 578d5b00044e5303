// Owns what of a chat's log a user may see: the spans between joining and leaving.
// Invariant: nothing outside a span is ever read for the user, in sync, catch-up or history.
// Must not: read the store.

import type { Span } from '../storage/rows.js';

/** The first visible number ≥ `seq`, with the last one of its span (Infinity while the stay lasts); null if none. */
export function visibleFrom(spans: readonly Span[], seq: number): { from: number; until: number } | null {
  for (const span of spans) {
    const until = span.until === 0 ? Number.POSITIVE_INFINITY : span.until;
    if (until >= seq) return { from: Math.max(span.from, seq), until };
  }
  return null;
}

/** The newest visible number < `before`, with the first one of its span; null if none. */
export function visibleBefore(spans: readonly Span[], before: number): { from: number; until: number } | null {
  for (let at = spans.length - 1; at >= 0; at -= 1) {
    const span = spans[at]!;
    if (span.from >= before) continue;
    const until = span.until === 0 ? Number.POSITIVE_INFINITY : span.until;
    return { from: span.from, until: Math.min(until, before - 1) };
  }
  return null;
}

/** Whether a number is in one of the spans. */
export function sees(spans: readonly Span[], seq: number): boolean {
  return spans.some(({ from, until }) => seq >= from && (until === 0 || seq <= until));
}

/** What is left of the spans when the user has cleared the chat up to `cleared`. */
export function uncleared(spans: readonly Span[], cleared: number): readonly Span[] {
  if (cleared === 0) return spans;
  return spans
    .filter(({ until }) => until === 0 || until > cleared)
    .map(({ from, until }) => ({ from: Math.max(from, cleared + 1), until }));
}

/** Where the user's view of the chat ends: the number of the event by which the user left, or null for a member. */
export function leftAt(spans: readonly Span[]): number | null {
  const last = spans[spans.length - 1];
  return last === undefined || last.until === 0 ? null : last.until;
}
