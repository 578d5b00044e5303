// Owns the suite `link`: what a batch costs between two nodes of one machine, beside the bare sockets under it.
// Invariant: link and floor carry the same bytes at the same pace, in one run, one after the other.
// Must not: know messages; a batch of ten is ten times the bytes of one.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import type { LinkEvents } from '../cluster/link.js';
import { Links } from '../cluster/links.js';
import { createMachine } from '../services/machine.js';
import { createPeerNet } from '../transport/peer-net.js';
import { type Ask, benchMac, cpu, ECHO, pour, type Tell } from './link-peer.js';
import type { Row } from './report.js';
import type { SuiteOptions } from './suite.js';

/** Bytes of a message as the router sends it: a body of 100 and what names it. */
const MESSAGE = 200;
const PER_BATCH = [1, 10, 100];
const PINGS = 2_000;
const BATCHES = 20_000;

interface Way {
  send(batch: Uint8Array): boolean;
  /** Called with each batch that comes. */
  came: () => void;
}

interface Cost {
  readonly near: number;
  readonly far: number;
}

export async function run({ progress }: SuiteOptions): Promise<Row[]> {
  const peer = await LinkPeer.start('b');
  const [link, bare] = [await linkTo(peer), await bareTo(peer)];
  const rows: Row[] = [];
  const row = (name: string, unit: string, value: number, floor: number): void => {
    rows.push({ name, value, unit, floor, ratio: value / floor });
  };
  try {
    // Both once for nothing: compiled code is measured.
    for (const way of [link, bare]) await outward(peer, way, MESSAGE);
    for (const messages of PER_BATCH) {
      progress(`${messages} messages a batch`);
      const bytes = messages * MESSAGE;
      const each = `${messages} a batch`;
      row(`round trip p50, ${each}`, 'µs', await roundTrip(link, bytes), await roundTrip(bare, bytes));
      const out = [await outward(peer, link, bytes), await outward(peer, bare, bytes)] as const;
      row(`dialler sends, ${each}: CPU a message`, 'µs', out[0].near / messages, out[1].near / messages);
      row(`listener takes, ${each}: CPU a message`, 'µs', out[0].far / messages, out[1].far / messages);
      const home = [await homeward(peer, link, false, bytes), await homeward(peer, bare, true, bytes)] as const;
      row(`listener sends, ${each}: CPU a message`, 'µs', home[0].far / messages, home[1].far / messages);
      row(`dialler takes, ${each}: CPU a message`, 'µs', home[0].near / messages, home[1].near / messages);
    }
  } finally {
    peer.stop();
    await link.close();
    bare.close();
  }
  return rows;
}

/** µs. */
async function roundTrip(way: Way, bytes: number): Promise<number> {
  const batch = new Uint8Array(bytes).fill(ECHO);
  const times: number[] = [];
  for (let i = 0; i < PINGS; i++) {
    const start = performance.now();
    await new Promise<void>((resolve) => {
      way.came = resolve;
      way.send(batch);
    });
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return (times[PINGS >> 1] ?? 0) * 1_000;
}

/** µs a batch of each side, from here to there. */
async function outward(peer: LinkPeer, way: Way, bytes: number): Promise<Cost> {
  const before = await peer.cpu();
  const start = cpu();
  await pour(BATCHES, bytes, (batch) => way.send(batch));
  let after = await peer.cpu();
  while (after.batches < before.batches + BATCHES) after = await peer.cpu();
  return { near: (cpu() - start) / BATCHES, far: (after.us - before.us) / BATCHES };
}

/** The same from there to here. */
async function homeward(peer: LinkPeer, way: Way, bare: boolean, bytes: number): Promise<Cost> {
  const before = await peer.cpu();
  const start = cpu();
  await new Promise<void>((resolve) => {
    let left = BATCHES;
    way.came = () => {
      if (--left === 0) resolve();
    };
    peer.ask({ ask: 'flood', bare, batches: BATCHES, bytes });
  });
  const near = cpu() - start;
  const after = await peer.cpu();
  return { near: near / BATCHES, far: (after.us - before.us) / BATCHES };
}

async function linkTo(peer: LinkPeer): Promise<Way & { close(): Promise<void> }> {
  const net = createPeerNet({ host: '127.0.0.1', port: 0 });
  const way = {
    came: () => {},
    send: (batch: Uint8Array) => links.link('b')?.send(batch) === 'ok',
    close: () => links.close(),
  };
  let stands = (): void => {};
  const up = new Promise<void>((resolve) => {
    stands = resolve;
  });
  const events: LinkEvents = {
    up: () => stands(),
    batch: () => way.came(),
    taken() {},
    room() {},
    down() {},
    fault(error) {
      throw error;
    },
    stranger() {},
    refused() {},
  };
  const links = await Links.open({ world: createMachine(), net, mac: benchMac, node: 'a', events });
  const members = [{ node: 'a', incarnation: 1, address: links.address }, peer.ready.member];
  peer.ask({ ask: 'view', members });
  links.peers(members);
  await up;
  return way;
}

async function bareTo(peer: LinkPeer): Promise<Way & { close(): void }> {
  // As links dial: without a mask.
  const options: object = { perMessageDeflate: false, generateMask: (mask: Buffer) => void mask.fill(0) };
  const ws = new WebSocket(peer.ready.bare, ['bare'], options);
  const way: Way & { close(): void } = {
    came: () => {},
    send: (batch) => {
      ws.send(batch);
      return true;
    },
    close: () => ws.terminate(),
  };
  ws.on('message', () => way.came());
  await once(ws, 'open');
  return way;
}

/** The other process. */
export class LinkPeer {
  readonly process: ChildProcess;
  readonly ready: Extract<Tell, { tell: 'ready' }>;

  private constructor(child: ChildProcess, ready: Extract<Tell, { tell: 'ready' }>) {
    this.process = child;
    this.ready = ready;
  }

  static async start(name: string): Promise<LinkPeer> {
    const child = fork(join(import.meta.dirname, 'link-peer.js'), [name]);
    const [ready] = (await once(child, 'message')) as [Extract<Tell, { tell: 'ready' }>];
    return new LinkPeer(child, ready);
  }

  ask(asked: Ask): void {
    this.process.send(asked);
  }

  async cpu(): Promise<Extract<Tell, { tell: 'cpu' }>> {
    this.ask({ ask: 'cpu' });
    const [told] = (await once(this.process, 'message')) as [Extract<Tell, { tell: 'cpu' }>];
    return told;
  }

  stop(): void {
    this.process.kill('SIGKILL');
  }
}
