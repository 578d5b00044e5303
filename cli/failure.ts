// Owns how a command ends when it does not do what was asked: the exit codes, and a message with a code and a way out.
// Invariant: exit codes keep their meaning; `weft --help` lists them.
// Must not: be thrown by anything but a command's own code.

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  /** The store needs a person: starting again ends the same way. */
  store: 4,
} as const;

/** Ends a command: one line on stderr, `weft: code: message`, and the exit code. */
export class CliFailure extends Error {
  readonly code: string;
  readonly exit: number;

  constructor(code: string, message: string, exit: number = EXIT.failed) {
    super(message);
    this.name = 'CliFailure';
    this.code = code;
    this.exit = exit;
  }
}
