// Owns servers as processes of their own for the transport tests.
// Invariant: a server answers every HTTP request with its process id.
// Must not: end by itself; the test kills it.

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const MODULE = new URL('../../transport/server.js', import.meta.url).href;

function program(engine: string, port: number, shared: boolean): string {
  return `
    import { listen } from ${JSON.stringify(MODULE)};
    const handler = { message() {}, text() {}, drained() {}, closed() {} };
    const server = await listen({ host: '127.0.0.1', port: ${port}, path: '/v1', protocol: 'p', maxMessage: 1000,
      maxBuffered: 1000, accept: () => handler, shared: ${shared}, http: () => ({ status: 200, body: String(process.pid) }) }, '${engine}');
    process.on('SIGTERM', () => {
      server.pause();
      process.send('paused');
    });
    setInterval(() => undefined, 1_000);
    console.log(server.port);
  `;
}

/** Paused by SIGTERM, and says so by a message. Rejects with what the process said where it cannot listen. */
export async function serve(
  engine: string,
  port: number,
  shared = false,
): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program(engine, port, shared)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let errors = '';
  child.stderr!.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  for await (const line of createInterface({ input: child.stdout! })) return { child, port: Number(line) };
  throw new Error(`the server ended: ${errors}`);
}
