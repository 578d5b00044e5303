// Owns the other node of the link bench, and of tests that freeze or kill a peer: a process with one link, and a bare WebSocket beside it.
// Invariant: does what batches and its parent say, and nothing by itself; it ends with its parent.
// Must not: measure; it only tells what CPU it has used.

import { createHmac } from 'node:crypto';
import type { LinkEvents, Member } from '../cluster/link.js';
import { Links } from '../cluster/links.js';
import { createMachine } from '../services/machine.js';
import { createPeerNet } from '../transport/peer-net.js';
import { listen } from '../transport/server.js';
import type { Socket } from '../transport/socket.js';

/** First byte of a batch that is sent back. Others are only taken. */
export const ECHO = 1;

/** What the parent asks. */
export type Ask =
  | { readonly ask: 'view'; readonly members: readonly Member[] }
  /** So many batches of so many bytes, over the link or the bare socket. */
  | { readonly ask: 'flood'; readonly bare: boolean; readonly batches: number; readonly bytes: number }
  | { readonly ask: 'cpu' };

/** What it is told. */
export type Tell =
  | { readonly tell: 'ready'; readonly member: Member; readonly bare: string }
  /** µs of this process so far, and batches that came. */
  | { readonly tell: 'cpu'; readonly us: number; readonly batches: number };

/** The secret that both have; the bench has nothing to hide. */
export function benchMac(bytes: Uint8Array): Uint8Array {
  return createHmac('sha256', 'bench').update(bytes).digest();
}

/** Sends one batch a turn, waiting where `send` says false. */
export async function pour(batches: number, bytes: number, send: (batch: Uint8Array) => boolean): Promise<void> {
  const batch = new Uint8Array(bytes);
  for (let i = 0; i < batches; ) {
    if (send(batch)) i++;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function serve(node: string): Promise<void> {
  let taken = 0;
  let bareSocket: Socket | undefined;
  const tell = (told: Tell): void => void process.send?.(told);
  const events: LinkEvents = {
    up() {},
    batch(link, bytes) {
      taken++;
      if (bytes[0] === ECHO) link.send(bytes);
    },
    taken() {},
    room() {},
    down() {},
    fault(error) {
      throw error;
    },
    stranger() {},
    refused() {},
  };
  const net = createPeerNet({ host: '127.0.0.1', port: 0 });
  const links = await Links.open({ world: createMachine(), net, mac: benchMac, node, events });
  const bare = await listen({
    host: '127.0.0.1',
    port: 0,
    path: '/bare',
    protocol: 'bare',
    maxMessage: 1_048_576,
    maxBuffered: 67_108_864,
    accept: (socket) => {
      bareSocket = socket;
      return {
        message(bytes) {
          taken++;
          if (bytes[0] === ECHO) socket.send(bytes);
        },
        text() {},
        drained() {},
        closed() {},
      };
    },
    http: () => ({ status: 404, body: '' }),
  });
  process.on('message', (message) => {
    const asked = message as Ask;
    if (asked.ask === 'view') links.peers(asked.members);
    else if (asked.ask === 'cpu') tell({ tell: 'cpu', us: cpu(), batches: taken });
    else {
      const link = links.link('a');
      void pour(asked.batches, asked.bytes, (batch) =>
        asked.bare ? bareSocket?.send(batch) !== 'dropped' : link?.send(batch) === 'ok',
      );
    }
  });
  process.on('disconnect', () => process.exit());
  const member = { node, incarnation: 1, address: links.address };
  tell({ tell: 'ready', member, bare: `ws://127.0.0.1:${bare.port}/bare` });
}

/** µs of this process so far. */
export function cpu(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const [, program = '', name = ''] = process.argv;
if (program === import.meta.filename) await serve(name);
