// Owns how rows of equal kind are shown to people: columns under a heading.
// Invariant: numbers align right, words left; control characters never reach the terminal.
// Must not: know what the columns mean.

import { out as pc } from './ink.js';
import { clean } from './table.js';

export type Cell = string | number | null;

/** What a cell without a value shows. */
const NONE = '-';

/** Lines of columns, with a heading; null: no value. */
export function renderGrid(heading: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => row.map(textOf));
  const widths = heading.map((title, at) => Math.max(title.length, ...texts.map((row) => row[at]?.length ?? 0)));
  const right = heading.map((_, at) => rows.every((row) => typeof row[at] !== 'string'));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => (right[at] === true ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd();
  return [pc.dim(line(heading)), ...texts.map(line)].map((text) => `  ${text}\n`).join('');
}

function textOf(cell: Cell): string {
  if (cell === null) return NONE;
  return typeof cell === 'number' ? cell.toLocaleString('en-US') : clean(cell);
}
