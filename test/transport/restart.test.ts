// Owns the test that a killed server can take its port again at once, with its clients' connections still around.
// Invariant: the server is a process of its own and dies by SIGKILL.
// Must not: wait for TIME-WAIT to pass.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { WebSocket } from 'ws';

const MODULE = new URL('../../transport/server.js', import.meta.url).href;

function program(engine: string, port: number): string {
  return `
    import { listen } from ${JSON.stringify(MODULE)};
    const handler = { message() {}, text() {}, drained() {}, closed() {} };
    const server = await listen({ host: '127.0.0.1', port: ${port}, path: '/v1', protocol: 'p', maxMessage: 1000,
      maxBuffered: 1000, accept: () => handler, http: () => ({ status: 404, body: '' }) }, '${engine}');
    console.log(server.port);
  `;
}

async function serve(engine: string, port: number): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program(engine, port)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  for await (const line of createInterface({ input: child.stdout })) return { child, port: Number(line) };
  throw new Error(`the server ended: ${errors}`);
}

for (const engine of ['auto', 'ws']) {
  test(`${engine}: after kill -9 with clients connected, the next process gets the port; a live one keeps it`, async () => {
    let { child, port } = await serve(engine, 0);
    for (let round = 0; round < 3; round += 1) {
      const clients = Array.from({ length: 20 }, () => new WebSocket(`ws://127.0.0.1:${port}/v1`, 'p'));
      await Promise.all(clients.map((client) => once(client, 'open')));
      // Half of them go in order just before, so that the server's side has connections in TIME-WAIT as well.
      for (const client of clients) client.on('error', () => undefined);
      const leaving = clients.slice(10);
      for (const client of leaving) client.terminate();
      await Promise.all(leaving.map((client) => once(client, 'close')));
      const gone = Promise.all(clients.slice(0, 10).map((client) => once(client, 'close')));
      child.kill('SIGKILL');
      await gone;
      ({ child } = await serve(engine, port));
    }
    await assert.rejects(serve(engine, port), /listen_failed/);
    child.kill('SIGKILL');
  });
}
