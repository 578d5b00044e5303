// Owns the text form of a length of time.
// Invariant: whole seconds above 0; a text that is none is undefined.
// Must not: guess a unit.

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `90s`, `15m`, `12h`, `30d` in seconds. */
export function parseDuration(text: string): number | undefined {
  const match = /^([1-9]\d{0,8})([smhd])$/.exec(text);
  const unit = UNITS[match?.[2] ?? ''];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}

/** The same the other way: in the largest unit that leaves no rest. */
export function formatDuration(seconds: number): string {
  const found = Object.entries(UNITS).findLast(([, size]) => seconds % size === 0);
  return found === undefined ? `${seconds}s` : `${seconds / found[1]}${found[0]}`;
}
