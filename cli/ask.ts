// Owns asking a node over HTTP.
// Invariant: nobody there, somebody else there and no address at all are told apart, each with the way out.
// Must not: know what is asked.

import type { Command } from 'commander';
import { CliFailure, EXIT } from './failure.js';

/** ms that a node has to answer. */
const PATIENCE = 1_000;
/** Where several nodes share a port, one that hangs is given its part of the questions, and another one of the next. */
const TRIES = 5;

export interface Answer {
  readonly ok: boolean;
  readonly status: number;
  readonly body: string;
}

/** Adds `--url`, which `addressOf` reads. */
export function addUrl(command: Command): Command {
  return command.option(
    '--url <url>',
    'the node’s HTTP address [WEFT_URL]',
    process.env.WEFT_URL || 'http://127.0.0.1:7400',
  );
}

/** The node's HTTP address. Throws `bad_usage`. */
export function addressOf(text: string): URL {
  // `weft chat` reads the same WEFT_URL, as a WebSocket address.
  const http = text.replace(/^ws(?=s?:)/i, 'http');
  const base = URL.canParse(http) ? new URL(http) : undefined;
  if (base !== undefined && /^https?:$/.test(base.protocol)) return base;
  throw new CliFailure('bad_usage', `--url: "${text}": write an HTTP address, as in http://127.0.0.1:7400`, EXIT.usage);
}

/** What to do where nobody answers. */
const START = 'start one with "weft start" or name another with --url';

/** Throws `unreachable`, with what to do. */
export async function get(url: URL, tries = TRIES, way = START): Promise<Answer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE), redirect: 'manual' });
    return { ok: response.ok, status: response.status, body: await response.text() };
  } catch (error) {
    if (error instanceof Error && error.name === 'TimeoutError' && tries > 1) return get(url, tries - 1, way);
    const message = `no node answers at ${url.origin} (${reason(error)}); ${way}`;
    throw new CliFailure('unreachable', message, EXIT.unreachable);
  }
}

/** What answers there is something else. */
export function noNode({ origin }: URL): CliFailure {
  return new CliFailure('unreachable', `what answers at ${origin} is no Weft node`, EXIT.unreachable);
}

/** Null for what is no JSON. */
export function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  if (error.name === 'TimeoutError') return `no answer within ${(PATIENCE * TRIES) / 1_000} s`;
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  return 'code' in cause ? String(cause.code) : cause.message;
}
