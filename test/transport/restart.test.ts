// Owns the test that a killed server can take its port again at once, with its clients' connections still around.
// Invariant: the server is a process of its own and dies by SIGKILL.
// Must not: wait for TIME-WAIT to pass.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { serve } from './serving.js';

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
