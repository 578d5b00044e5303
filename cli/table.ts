// Owns how data is shown to people: an aligned table of names and values.
// Invariant: every leaf of the data is one line; control characters never reach the terminal.
// Must not: know what the data means, beyond the units that names end in.

import { out as pc } from './ink.js';

/** Lines `name  value`, nested names joined by dots, names padded to the longest. */
export function renderTable(data: unknown): string {
  const rows: [string, string][] = [];
  collect('', data, rows);
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${pc.dim(name.padEnd(width))}  ${value}\n`).join('');
}

function collect(name: string, value: unknown, rows: [string, string][]): void {
  if (value === null || value === undefined) return;
  if (typeof value !== 'object') {
    rows.push([name, format(name, value)]);
  } else if (Array.isArray(value) && value.every((item) => typeof item !== 'object')) {
    rows.push([name, value.map((item) => format(name, item)).join(', ')]);
  } else {
    for (const [key, inner] of Object.entries(value))
      collect(name === '' ? clean(key) : `${name}.${clean(key)}`, inner, rows);
  }
}

function format(name: string, value: unknown): string {
  if (typeof value !== 'number') return clean(String(value));
  if (/Ms$/.test(name)) return duration(value);
  if (/Bytes$/.test(name)) return bytes(value);
  return value.toLocaleString('en-US', { useGrouping: !/(^|\.)(pid|port)$/.test(name) });
}

/** Without what could move the cursor. */
export function clean(text: string): string {
  return text.replace(/\p{Cc}/gu, '\uFFFD');
}

export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = Math.floor(ms / 1_000);
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([n]) => n > 0);
  return parts
    .slice(first, first + 2)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(' ');
}

export function bytes(n: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, n < 1 ? 0 : Math.floor(Math.log2(n) / 10));
  return `${(n / 1_024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
