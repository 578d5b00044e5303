// Owns the node's log: JSON lines on stdout (pino), or the same for people where stdout is a terminal.
// Invariant: never blocks the event loop, nor grows without end when nobody reads; what is named like a token, key or
// body is redacted wherever a caller puts it.
// Must not: be used on the path of each message.

import pc from 'picocolors';
import { type DestinationStream, type Logger, pino } from 'pino';

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly node: string;
  /** Where lines go. Absent: stdout. */
  readonly destination?: DestinationStream;
}

/** Field names that must not be readable, at the top level and up to two objects deep. */
const SECRET = ['token', 'authorization', 'cookie', 'password', 'secret', 'privateKey', 'body', 'jwt'];

/** Bytes kept while stdout does not take them; beyond, lines are dropped. */
const BACKLOG = 4_194_304;

export function createLog({ level, node, destination }: LogOptions): Logger {
  return pino(
    {
      level,
      base: { node, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
    },
    destination ?? createOutput(),
  );
}

/** Stdout, for lines of the log. `named`: people see whose line it is, as where several nodes write. pino flushes it when the process ends. */
export function createOutput(named = false): DestinationStream {
  if (process.stdout.isTTY) return terminal(process.stdout, named);
  return pino.destination({ dest: 1, sync: false, maxLength: BACKLOG });
}

/** Writes each line for people: time, level, message, then its fields. */
export function terminal(out: { write(text: string): unknown }, named = false): DestinationStream {
  return {
    write(line) {
      out.write(readable(line, named));
    },
  };
}

const PAINT: Readonly<Record<string, (text: string) => string>> = {
  fatal: pc.red,
  error: pc.red,
  warn: pc.yellow,
  info: pc.green,
};

function readable(line: string, named: boolean): string {
  const { level, time, msg, node, pid: _pid, err, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const paint = PAINT[String(level)] ?? pc.dim;
  const who = named ? `${pc.cyan(String(node))} ` : '';
  const head = `${pc.dim(String(time).slice(11, 23))} ${paint(String(level).padEnd(5))} ${who}${msg ?? ''}`;
  const tail = Object.entries(fields).map(
    ([name, value]) => ` ${pc.dim(`${name}=`)}${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const stack = typeof err === 'object' && err !== null && 'stack' in err ? `\n${pc.dim(String(err.stack))}` : '';
  return `${head}${tail.join('')}${stack}\n`;
}
