// Owns `weft status`: asks a node over HTTP how it is.
// Invariant: exit code 0 ready, 1 up but not ready, 3 nothing there that answers as a node does.
// Must not: know the fields of a node's status: it shows what it gets.

import type { Command } from 'commander';
import pc from 'picocolors';
import { CliFailure, EXIT } from './failure.js';
import { renderTable } from './table.js';

/** ms that a node has to answer. */
const PATIENCE = 3_000;

interface Report {
  readonly url: string;
  readonly healthy: boolean;
  readonly ready: boolean;
  /** The node's own words; null where it has none. */
  readonly status: unknown;
}

export function register(program: Command): void {
  program
    .command('status')
    .description('show how a node is')
    .option('--url <url>', 'the node’s HTTP address [WEFT_URL]', process.env.WEFT_URL || 'http://127.0.0.1:7400')
    .option('--json', 'print {url, healthy, ready, status}')
    .action(async (options: { url: string; json?: boolean }) => {
      const report = await ask(options.url);
      process.stdout.write(options.json === true ? `${JSON.stringify(report)}\n` : render(report));
      process.exitCode = report.ready ? EXIT.ok : EXIT.failed;
    });
}

async function ask(text: string): Promise<Report> {
  // `weft chat` reads the same WEFT_URL, as a WebSocket address.
  const http = text.replace(/^ws(?=s?:)/i, 'http');
  const base = URL.canParse(http) ? new URL(http) : undefined;
  if (base === undefined || !/^https?:$/.test(base.protocol)) {
    throw new CliFailure(
      'bad_usage',
      `--url: "${text}": write an HTTP address, as in http://127.0.0.1:7400`,
      EXIT.usage,
    );
  }
  const [health, ready, status] = await Promise.all(
    ['/healthz', '/readyz', '/status'].map((path) => get(new URL(path, base))),
  );
  const found = status?.ok === true ? parse(status.body) : null;
  // Any web server may answer; one that knows none of these is no node.
  if (health?.ok !== true && ready?.status !== 503 && found === null) {
    throw new CliFailure('unreachable', `what answers at ${base.origin} is no Weft node`, EXIT.unreachable);
  }
  return { url: base.origin, healthy: health?.ok === true, ready: ready?.ok === true, status: found };
}

async function get(url: URL): Promise<{ ok: boolean; status: number; body: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE), redirect: 'manual' });
    return { ok: response.ok, status: response.status, body: await response.text() };
  } catch (error) {
    const message = `no node answers at ${url.origin} (${reason(error)}); start one with "weft start" or name another with --url`;
    throw new CliFailure('unreachable', message, EXIT.unreachable);
  }
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  if (error.name === 'TimeoutError') return `no answer within ${PATIENCE / 1_000} s`;
  const { cause } = error;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message;
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}

function render({ url, healthy, ready, status }: Report): string {
  const state = ready ? pc.green('ready') : healthy ? pc.yellow('up, not ready') : pc.red('failing');
  return `${pc.bold(url)}  ${state}\n${renderTable(status)}`;
}
