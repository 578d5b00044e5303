// Owns how tests make deliveries, and what they ask of those that came.
// Invariant: one made here has one entry, as a chat's has that tells each by itself.
// Must not: know who tells them.

import type { Told } from '../../actors/messages.js';

interface Single<I> extends Partial<Told> {
  readonly info: I;
  readonly seq: number;
  readonly joined?: readonly string[];
}

/** Of one entry, by bob unless it says by whom. */
export function oneEntry<I>({ info, seq, joined = [], ...told }: Single<I>) {
  const entries = [{ from: 'bob', row: new Uint8Array(0), origin: null, ...told }];
  return { type: 'delivery', info, seq, entries, joined } as const;
}

/** Numbers of the entries that were told, in the order in which they came. */
export function numbers(heard: readonly { readonly type: string }[]): number[] {
  return heard.flatMap((news) => {
    if (news.type !== 'delivery') return [];
    const { seq, entries } = news as { readonly type: string; readonly seq: number; readonly entries: readonly Told[] };
    return entries.map((_, at) => seq + at);
  });
}
