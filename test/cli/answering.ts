// Owns servers that answer over HTTP as nodes do, for the commands that ask.
// Invariant: they are gone when the file's tests are.
// Must not: be nodes.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from 'node:test';

const servers: Server[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

export type Answers = Readonly<Record<string, readonly [number, string]>>;

/** A server that answers these paths, and 404 elsewhere; its answers may know its address. */
export async function answering(answers: Answers | ((url: string) => Answers)): Promise<string> {
  const server = createServer((request, response) => {
    const known = typeof answers === 'function' ? answers(urlOf(server)) : answers;
    const [status, body] = known[request.url ?? ''] ?? [404, 'not found'];
    response.writeHead(status).end(body);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return urlOf(server);
}

/** An address at which nobody answers. */
export async function closed(): Promise<string> {
  const url = await answering({});
  const server = servers.pop();
  await new Promise((resolve) => server?.close(resolve));
  return url;
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
