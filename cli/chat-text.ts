// Owns text as a terminal shows it: what may be shown at all, how wide it is, where it breaks.
// Invariant: what leaves `clean` holds no character that moves the cursor, changes colours, reorders or hides other text;
// clusters (a letter with its accents, an emoji of several parts) are never torn apart.
// Must not: add colours.

const clusters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** All that ends a line in some program or other, for the receiver's terminal one thing. */
const BREAKS = /\r\n|[\n\r\v\f\u0085\u2028\u2029]/g;
/** Control characters, and halves of a character. */
const CONTROLS = /[\p{Cc}\p{Cs}]/gu;
/** Invisible, or turning the direction of what follows: fit to make text look like other text. */
const UNSEEN =
  /[\u034f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]/g;
/** Marks beyond the fourth on one letter grow over the lines above and below. */
const PILES = /(\p{M}{4})\p{M}+|(\u200d)\u200d+/gu;

/** Two columns wide by UAX #11 (W and F), and emoji. */
const WIDE =
  /^(?:[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1b000}-\u{1b2ff}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|.\ufe0f)/su;
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]/u;
const PLAIN = /^[\x20-\x7e]*$/;

/** Somebody's text, made harmless; line ends stay, as \n. */
export function clean(text: string): string {
  if (PLAIN.test(text)) return text;
  return text
    .replace(BREAKS, '\n')
    .replaceAll('\t', '    ')
    .split('\n')
    .map((line) => line.replace(CONTROLS, '\uFFFD').replace(UNSEEN, '').replace(PILES, '$1$2'))
    .join('\n');
}

/** The same for names and titles, which have one line. */
export function cleanLine(text: string): string {
  return clean(text).replaceAll('\n', ' ');
}

/** The clusters of a text, in order. */
export function split(text: string): string[] {
  return PLAIN.test(text) ? [...text] : [...clusters.segment(text)].map(({ segment }) => segment);
}

/** Columns that a text takes. */
export function width(text: string): number {
  if (PLAIN.test(text)) return text.length;
  return split(text).reduce((sum, cluster) => sum + widthOf(cluster), 0);
}

function widthOf(cluster: string): number {
  if (NO_WIDTH.test(cluster)) return 0;
  return WIDE.test(cluster) ? 2 : 1;
}

/** The text cut to `columns`, with an ellipsis where something was cut. */
export function fit(text: string, columns: number): string {
  if (width(text) <= columns) return text;
  let out = '';
  let used = 0;
  for (const cluster of split(text)) {
    used += widthOf(cluster);
    if (used > columns - 1) break;
    out += cluster;
  }
  return columns < 1 ? '' : `${out}…`;
}

/** `fit`, filled up with spaces. */
export function pad(text: string, columns: number): string {
  const fitted = fit(text, columns);
  return fitted + ' '.repeat(Math.max(0, columns - width(fitted)));
}

/** Lines of at most `columns`, broken at spaces where there are any. */
export function wrap(text: string, columns: number): string[] {
  return text.split('\n').flatMap((line) => wrapLine(line, Math.max(2, columns)));
}

function wrapLine(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const word of text.split(/(?<= )(?! )/)) {
    const columnsOfWord = width(trimEnd(word));
    if (used > 0 && used + columnsOfWord > columns) {
      lines.push(trimEnd(line));
      line = '';
      used = 0;
    }
    if (used + columnsOfWord <= columns) {
      line += word;
      used += width(word);
      continue;
    }
    for (const cluster of split(word)) {
      const more = widthOf(cluster);
      if (used + more > columns) {
        lines.push(line);
        line = '';
        used = 0;
      }
      line += cluster;
      used += more;
    }
  }
  lines.push(trimEnd(line));
  return lines;
}

/** Without the spaces at its end; others than U+0020 are part of what was written. */
function trimEnd(text: string): string {
  return text.replace(/ +$/, '');
}

/** Where a text that is being typed stands: broken anywhere, so that the cursor moves evenly. */
export function layOut(
  text: string,
  cursor: number,
  columns: number,
): { readonly rows: string[]; readonly row: number; readonly column: number } {
  const rows: string[] = [];
  let line = '';
  let used = 0;
  let at = 0;
  let found = { row: 0, column: 0 };
  const next = (): void => {
    rows.push(line);
    line = '';
    used = 0;
  };
  for (const cluster of split(text)) {
    const more = cluster === '\n' ? 0 : widthOf(cluster);
    if (used + more > columns) next();
    if (at <= cursor) found = { row: rows.length, column: used };
    at += cluster.length;
    if (cluster === '\n') {
      next();
      continue;
    }
    line += cluster;
    used += more;
  }
  if (cursor >= at) {
    if (used >= columns) next();
    found = { row: rows.length, column: used };
  }
  rows.push(line);
  return { rows, ...found };
}
