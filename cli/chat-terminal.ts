// Owns the terminal: its modes, its size, what stands on it, keys and pastes.
// Invariant: however the process ends, short of kill -9, the terminal is left as it was found; only rows that changed are
// written, each from its first column on, so that no width counted wrongly spoils another.
// Must not: know what is shown.

import { writeSync } from 'node:fs';
import { emitKeypressEvents, type Key } from 'node:readline';
import type { Row, Screen } from './chat-view.js';

/** Alternate screen; no wrapping (rows fit, and where widths are counted differently they are cut); marked pastes. */
const ENTER = '\x1b[?1049h\x1b[?7l\x1b[?2004h\x1b[2J';
const LEAVE = '\x1b[?2026l\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[?1049l';
/** A terminal that knows it shows all between the two at once (synchronized output). */
const BEGIN = '\x1b[?2026h\x1b[?25l';
const END = '\x1b[?25h\x1b[?2026l';
/** ms between two drawings: what comes in between is drawn at once. */
const FRAME = 15;

export interface TerminalEvents {
  /** What the screen is to show now. */
  compose(columns: number, rows: number): Screen;
  key(key: Key, text: string): void;
  paste(text: string): void;
}

export class Terminal {
  readonly #events: TerminalEvents;
  #shown: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #active = false;
  #pasting: string[] | undefined;
  readonly #restore = (): void => this.#leave();

  constructor(events: TerminalEvents) {
    this.#events = events;
  }

  start(): void {
    const { stdin, stdout } = process;
    emitKeypressEvents(stdin);
    stdin.on('keypress', this.#key);
    stdout.on('resize', this.#resized);
    process.on('SIGCONT', this.#resumed);
    process.on('exit', this.#restore);
    this.#enter();
    stdin.resume();
  }

  stop(): void {
    const { stdin, stdout } = process;
    clearTimeout(this.#timer);
    stdin.off('keypress', this.#key);
    stdout.off('resize', this.#resized);
    process.off('SIGCONT', this.#resumed);
    process.off('exit', this.#restore);
    this.#leave();
    stdin.pause();
  }

  /** Draws soon. */
  draw(): void {
    if (this.#timer !== undefined || !this.#active) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#paint();
    }, FRAME);
  }

  /** Draws everything anew: another program may have written over it. */
  redraw(): void {
    this.#shown = [];
    this.draw();
  }

  /** Ctrl-Z: the shell has the terminal until it continues us. */
  suspend(): void {
    this.#leave();
    process.kill(process.pid, 'SIGTSTP');
  }

  #enter(): void {
    process.stdin.setRawMode(true);
    writeSync(process.stdout.fd, ENTER);
    this.#active = true;
    this.redraw();
  }

  #leave(): void {
    if (!this.#active) return;
    this.#active = false;
    try {
      writeSync(process.stdout.fd, LEAVE);
      process.stdin.setRawMode(false);
    } catch {
      // The terminal is gone: there is nothing to restore.
    }
  }

  readonly #resumed = (): void => {
    if (!this.#active) this.#enter();
  };

  readonly #resized = (): void => this.redraw();

  readonly #key = (text: string | undefined, key: Key): void => {
    if (key.name === 'paste-start') {
      this.#pasting = [];
    } else if (key.name === 'paste-end') {
      const pasted = (this.#pasting ?? []).join('');
      this.#pasting = undefined;
      this.#events.paste(pasted);
    } else if (this.#pasting !== undefined) {
      this.#pasting.push(key.sequence ?? text ?? '');
    } else {
      this.#events.key(key, text ?? '');
    }
  };

  #paint(): void {
    if (!this.#active) return;
    const { columns, rows } = process.stdout;
    const screen = this.#events.compose(columns, rows);
    let out = this.#shown.length === 0 ? '\x1b[2J' : '';
    const next = screen.rows.map(({ left, right, rightWidth }: Row) => {
      const edge = right === '' ? '' : `\x1b[${columns - rightWidth + 1}G${right}`;
      return `${left}${edge}\x1b[0m`;
    });
    next.forEach((row, i) => {
      if (row !== this.#shown[i]) out += `\x1b[${i + 1};1H\x1b[2K${row}`;
    });
    this.#shown = next;
    process.stdout.write(`${BEGIN}${out}\x1b[${screen.cursor.row};${screen.cursor.column}H${END}`);
  }
}
