// Owns how the chat looks: from what is to be shown to the rows of a screen.
// Invariant: pure; as many rows as the screen has, none wider than it, and what others wrote is in them only as
// chat-text.ts lets it through.
// Must not: write to the terminal or hold state, but for what is remembered of wrapped texts.
//
//   bob  ● online                                  ada · connected      where, who is there, connection
//   ──────────────────────────────────────────────────────────────
//                      ── Sunday 22 November ──
//   14:02  bob  hello                                                   the transcript, its newest line last
//   14:02  ada  hi!                                             ✓✓
//   ── bob is typing… ────────────────────────── carol: 2 unread ──     what goes on
//   › hello wor▏                                                        the line being typed, up to a third of the screen

import type pc from 'picocolors';
import { fit, layOut, pad, width, wrap } from './chat-text.js';
import type { Entry } from './chat-transcript.js';

export type Colors = ReturnType<typeof pc.createColors>;
export type Mark = 'waiting' | 'sent' | 'delivered' | 'read' | 'failed';
export type Tone = 'good' | 'busy' | 'bad';

export interface View {
  readonly me: string;
  readonly title: string;
  /** Who is there. */
  readonly presence: { readonly text: string; readonly online: boolean };
  readonly connection: { readonly text: string; readonly tone: Tone };
  readonly entries: readonly Entry[];
  mark(entry: Entry): Mark;
  /** The first message that the user had not read when the chat was opened; 0 for none. */
  readonly unreadFrom: number;
  /** Messages' numbers stand in place of their times. */
  readonly numbers: boolean;
  /** There is more before the first entry. */
  readonly more: boolean;
  /** Lines scrolled up from the end. */
  readonly scroll: number;
  /** What goes on, left and right above the line being typed. */
  readonly status: string;
  readonly elsewhere: string;
  readonly hint: string;
  readonly draft: { readonly text: string; readonly cursor: number };
}

export interface Screen {
  readonly rows: readonly Row[];
  /** From 1. */
  readonly cursor: { readonly row: number; readonly column: number };
  /** `scroll`, as far as there is something to scroll to. */
  readonly scroll: number;
  /** Lines of the transcript that fit. */
  readonly page: number;
  /** The first entry is on the screen. */
  readonly top: boolean;
}

/** `right` is placed from the right edge, wherever `left` ends on a terminal that counts widths differently. */
export interface Row {
  readonly left: string;
  readonly right: string;
  /** Columns of `right`. */
  readonly rightWidth: number;
}

const PROMPT = '› ';
/** Terminals below this size get what fits. */
const LEAST = { columns: 20, rows: 6 };
const NAMES = { least: 3, most: 14 };
const TIME = 5;

const PALETTE = ['green', 'magenta', 'yellow', 'blue', 'greenBright', 'magentaBright', 'blueBright'] as const;

export function compose(view: View, columns: number, rows: number, colors: Colors): Screen {
  const wide = Math.max(LEAST.columns, columns);
  const high = Math.max(LEAST.rows, rows);
  const input = inputOf(view, wide, Math.max(1, Math.floor(high / 3)), colors);
  const page = high - 3 - input.rows.length;
  const lines = linesOf(view, wide, page, colors);
  const blank = Array.from({ length: page - lines.rows.length }, () => row(''));
  return {
    rows: [
      header(view, wide, colors),
      row(colors.dim('─'.repeat(wide))),
      ...blank,
      ...lines.rows,
      statusLine(view, lines.scroll, wide, colors),
      ...input.rows,
    ],
    cursor: { row: high - input.rows.length + 1 + input.row, column: 1 + width(PROMPT) + input.column },
    scroll: lines.scroll,
    page,
    top: lines.top,
  };
}

function row(left: string, right = '', rightWidth = 0): Row {
  return { left, right, rightWidth };
}

function header({ title, presence, connection, me }: View, columns: number, colors: Colors): Row {
  const state = fit(`${me} · ${connection.text}`, Math.floor(columns / 2));
  const tone = { good: colors.green, busy: colors.yellow, bad: colors.red }[connection.tone];
  const room = columns - width(state) - 3;
  const name = fit(title, room);
  const left = room - width(name) - 2;
  const dot = presence.online ? colors.green('●') : colors.dim('○');
  const there = presence.text === '' || left < 6 ? '' : `  ${dot} ${colors.dim(fit(presence.text, left - 2))}`;
  return row(` ${colors.bold(name)}${there}`, tone(state), width(state));
}

function statusLine(view: View, scroll: number, columns: number, colors: Colors): Row {
  const below = scroll > 0 ? '↓ more below (PgDn)' : '';
  const right = fit(below === '' ? view.elsewhere : below, Math.floor(columns / 2));
  const left = fit(view.status, columns - width(right) - 12);
  const parts = [left, right].filter((text) => text !== '').length;
  const fill = columns - 4 - width(left) - width(right) - 2 * parts;
  const line = colors.dim('──');
  const shown = (text: string, color: (text: string) => string): string => (text === '' ? '' : ` ${color(text)} `);
  return row(
    line + shown(left, colors.yellow) + colors.dim('─'.repeat(Math.max(0, fill))) + shown(right, colors.cyan) + line,
  );
}

function inputOf(view: View, columns: number, most: number, colors: Colors) {
  const room = columns - width(PROMPT) - 1;
  const prompt = colors.cyan(PROMPT);
  if (view.draft.text === '') {
    return { rows: [row(prompt + colors.dim(fit(view.hint, room)))], row: 0, column: 0 };
  }
  const laid = layOut(view.draft.text, view.draft.cursor, room);
  const top = Math.max(0, laid.row - most + 1);
  const rows = laid.rows.slice(top, top + most).map((text, i) => {
    const more = i === 0 && top > 0 ? colors.dim('⋮ ') : ' '.repeat(width(PROMPT));
    return row((top + i === 0 ? prompt : more) + text);
  });
  return { rows, row: laid.row - top, column: laid.column };
}

/** The lines of the transcript that are on the screen, from the end upwards: what is above costs nothing. */
function linesOf(
  view: View,
  columns: number,
  page: number,
  colors: Colors,
): { rows: Row[]; scroll: number; top: boolean } {
  const { entries } = view;
  const names = entries.map(({ from, kind }) => (kind === 'message' ? width(from) : 0));
  const name = Math.min(
    NAMES.most,
    names.reduce((most, w) => Math.max(most, w), NAMES.least),
    Math.floor(columns / 4),
  );
  const upwards: Row[] = [];
  let at = entries.length - 1;
  for (; at >= 0 && upwards.length < page + view.scroll; at -= 1) {
    const entry = entries[at]!;
    const before = entries[at - 1];
    upwards.push(...entryRows(view, entry, columns, name, colors).reverse());
    if (view.unreadFrom > 0 && entry.seq >= view.unreadFrom && (before?.seq ?? 0) < view.unreadFrom) {
      upwards.push(rule('new', columns, colors.cyan));
    }
    if (entry.kind !== 'note' && (before === undefined || dayOf(before.at) !== dayOf(entry.at))) {
      upwards.push(rule(dayOf(entry.at), columns, colors.dim));
    }
    if (at === 0 && view.more) upwards.push(rule('PgUp for earlier messages', columns, colors.dim));
  }
  const scroll = Math.max(0, Math.min(view.scroll, upwards.length - page));
  const top = at < 0 && upwards.length <= scroll + page;
  return { rows: upwards.slice(scroll, scroll + page).reverse(), scroll, top };
}

function rule(text: string, columns: number, color: (text: string) => string): Row {
  const shown = `── ${fit(text, columns - 6)} ──`;
  return row(' '.repeat(Math.max(0, Math.floor((columns - width(shown)) / 2))) + color(shown));
}

function entryRows(view: View, entry: Entry, columns: number, name: number, colors: Colors): Row[] {
  const indent = 1 + TIME + 2;
  if (entry.kind !== 'message') {
    const color = entry.kind === 'note' ? colors.cyan : colors.dim;
    const time = entry.kind === 'note' ? '·'.padStart(TIME) : placeOf(view, entry);
    return wrapped(entry, columns - indent - 1).map((line, i) =>
      row(i === 0 ? ` ${colors.dim(time)}  ${color(line)}` : ' '.repeat(indent) + color(line)),
    );
  }
  const reason = entry.failed === undefined ? '' : ` not sent: ${entry.failed}`;
  const lines = wrapped(entry, columns - indent - name - 2 - 4);
  const rows = lines.map((line, i) => {
    const who = colorOf(entry, view.me, colors)(pad(entry.from, name));
    const head = i === 0 ? ` ${colors.dim(placeOf(view, entry))}  ${who}  ` : ' '.repeat(indent + name + 2);
    return i === lines.length - 1 && entry.own ? row(head + line, ...tick(view.mark(entry), colors)) : row(head + line);
  });
  if (reason !== '')
    rows.push(row(' '.repeat(indent + name + 1) + colors.red(fit(reason, columns - indent - name - 2))));
  return rows;
}

/** When it was, or which: a number in as many columns. */
function placeOf({ numbers }: View, { at, seq }: Entry): string {
  return numbers ? (seq === 0 ? '' : String(seq)).padStart(TIME).slice(-TIME) : clock(at);
}

function tick(mark: Mark, colors: Colors): [string, number] {
  // Without colours, read and delivered still differ.
  const read = colors.isColorSupported ? colors.cyan('✓✓ ') : '✔✔ ';
  const delivered = colors.isColorSupported ? colors.dim('✓✓ ') : '✓✓ ';
  return [
    { waiting: colors.yellow('◷  '), sent: colors.dim('✓  '), delivered, read, failed: colors.red('✗  ') }[mark],
    3,
  ];
}

function colorOf(entry: Entry, me: string, colors: Colors): (text: string) => string {
  if (entry.from === me) return (text) => colors.bold(colors.cyan(text));
  let hash = 0;
  for (const char of entry.from) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) % 65_521;
  return colors[PALETTE[hash % PALETTE.length]!];
}

const remembered = new WeakMap<Entry, { readonly columns: number; readonly lines: readonly string[] }>();

/** Wrapping a long message takes longer than drawing it. */
function wrapped(entry: Entry, columns: number): readonly string[] {
  const known = remembered.get(entry);
  if (known?.columns === columns) return known.lines;
  const lines = wrap(entry.text, columns);
  remembered.set(entry, { columns, lines });
  return lines;
}

/** `14:02`, in the terminal's time zone. */
export function clock(at: number): string {
  const time = new Date(at);
  return `${String(time.getHours()).padStart(2, '0')}:${String(time.getMinutes()).padStart(2, '0')}`;
}

const days = new Intl.DateTimeFormat('en-GB', { weekday: 'long', day: 'numeric', month: 'long' });

export function dayOf(at: number): string {
  return days.format(at);
}
