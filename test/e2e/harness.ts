// Owns what end-to-end tests share: a real node on a free port with its own data folder, tokens, and a raw client.
// Invariant: everything started here is stopped and removed by the test that asked for it.
// Must not: use the SDK; the raw client speaks from docs/wire.md alone, through the codec.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type ClientOptions, WebSocket } from 'ws';
import type { Line } from '../../actors/board-line.js';
import type { Settings } from '../../actors/fabric.js';
import { LIMITS } from '../../actors/limits.js';
import { makeMessageId } from '../../actors/message-id.js';
import { FOREVER, SWEEP_PACE } from '../../actors/retention.js';
import { issueToken } from '../../cli/token.js';
import { createVerifier } from '../../services/auth.js';
import { createMachine } from '../../services/machine.js';
import { type Node, type NodeOptions, startNode } from '../../services/node.js';
import { createRoutes } from '../../services/routes.js';
import { openLmdb } from '../../storage/lmdb.js';
import { decodeServer, encodeClient } from '../../transport/codec.js';
import { type ClientFrame, type Plain, type ServerFrame, SUBPROTOCOL, T } from '../../transport/frames.js';
import { NO_QUOTAS } from '../quotas.js';

export const world = createMachine();
export const secret = new Uint8Array(32).fill(7);

export interface TestNode {
  readonly node: Node;
  readonly url: string;
  readonly folder: string;
  readonly events: string[];
  stop(): Promise<void>;
}

let presenceOf: (() => Promise<Line>) | null = null;

/** Nodes of this file keep presence there; each is ready when it is. */
export function keepPresence(line: () => Promise<Line>): void {
  presenceOf = line;
}

/** A node on a fresh folder (or `folder`), without limits of rates, stopped when the test ends. */
export async function testNode(
  t: TestContext,
  options: Partial<Omit<NodeOptions, 'settings'>> & {
    readonly folder?: string;
    readonly settings?: Partial<Settings>;
  } = {},
): Promise<TestNode> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'weft-e2e-'));
  const verifier = createVerifier({ keys: { type: 'secret', secret } });
  assert(verifier.ok);
  const events: string[] = [];
  const node = await startNode({
    node: 'test',
    world,
    host: '127.0.0.1',
    port: 0,
    transport: 'auto',
    verifier: verifier.verifier,
    openStore: () => openLmdb({ path: join(folder, 'store') }),
    http: createRoutes({ version: '0.0.0', path: folder, started: world.wall() }),
    event: (event) => events.push(event.type),
    fenced: () => events.push('fenced'),
    report: (event) => events.push(event),
    ...(presenceOf === null ? {} : { presence: await presenceOf() }),
    ...options,
    settings: {
      fanOutThreshold: LIMITS.fanOutThreshold,
      passivateMs: LIMITS.passivateMs,
      quotas: NO_QUOTAS,
      retention: FOREVER,
      sweep: SWEEP_PACE,
      ...options.settings,
    },
  });
  while (node.fabric.board?.up === false) await new Promise((resolve) => setTimeout(resolve, 5));
  let stopped: Promise<void> | null = null;
  const stop = (): Promise<void> => {
    stopped ??= node.stop();
    return stopped;
  };
  t.after(async () => {
    await stop();
    if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
  });
  return { node, url: node.url, folder, events, stop };
}

/** `ahead`: s by which the issuer's clock is ahead, as for a token that is got later. */
export function token(user: string, device: string, seconds = 3_600, ahead = 0): Promise<string> {
  const issued = Math.floor(world.wall() / 1_000) + ahead;
  return issueToken(secret, {
    user,
    device,
    issued,
    expires: issued + seconds,
    issuer: undefined,
    audience: undefined,
  });
}

export const newId = (): Uint8Array => makeMessageId(world);
export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

type Asked = Extract<ClientFrame, { r: number }>;

/** Results of a request that the server grants. */
export async function ask(client: RawClient, frame: Asked): Promise<readonly Plain[]> {
  const { r } = frame;
  client.send(frame);
  const answer = await client.next([T.OK, T.ERROR], (answer) => answer.r === r);
  if (answer.type === T.ERROR) assert.fail(`${answer.code}: ${answer.detail}`);
  return answer.results;
}

/** Code of the refusal of a request. */
export async function refusal(client: RawClient, frame: Asked): Promise<string> {
  const { r } = frame;
  client.send(frame);
  const answer = await client.next([T.OK, T.ERROR], (answer) => answer.r === r);
  return answer.type === T.ERROR ? answer.code : 'granted';
}

type Typed<N extends number> = Extract<ServerFrame, { type: N }>;

/** A client that sends frames and waits for frames. */
export class RawClient {
  readonly frames: ServerFrame[] = [];
  readonly socket: WebSocket;
  closed: number | null = null;
  #waiting: (() => void)[] = [];
  #request = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      const frame = decodeServer(data);
      // The text is made only where it is needed: most frames are large here.
      if (frame.type <= 0) assert.fail(`the server sent something else than a frame: ${JSON.stringify(frame)}`);
      this.frames.push(frame as ServerFrame);
      this.#wake();
    });
    socket.on('close', (code) => {
      this.closed = code;
      this.#wake();
    });
    socket.on('error', () => undefined);
  }

  /** Connects, by way of these options of a socket, without saying anything. */
  static async open(url: string, options: ClientOptions = {}): Promise<RawClient> {
    const socket = new WebSocket(url, SUBPROTOCOL, { perMessageDeflate: false, ...options });
    const client = new RawClient(socket);
    await new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return client;
  }

  /** Connects, says HELLO and, unless `vector` is null, SYNC. */
  static async join(
    url: string,
    user: string,
    device: string,
    vector: [Uint8Array, number][] | null = [],
    credit = 1_000,
    options: ClientOptions = {},
  ): Promise<RawClient> {
    const client = await RawClient.open(url, options);
    client.send({ type: T.HELLO, version: 1, token: await token(user, device), credit, agent: 'test' });
    if (vector === null) return client;
    client.sync(vector);
    await client.next(T.SYNCED);
    return client;
  }

  send(frame: ClientFrame): void {
    this.socket.send(encodeClient(frame));
  }

  sync(vector: [Uint8Array, number][], backfill = 0): void {
    const entries = vector.map(([chat, seq]) => ({ chat, seq, read: 0, flags: 0 }));
    this.send({ type: T.SYNC, entries, more: false, backfill });
  }

  /** The first frame of this type (that passes), removed from `frames`; waits for it. */
  async next<N extends number>(
    type: N | readonly N[],
    passes: (frame: Typed<N>) => boolean = () => true,
    ms = 5_000,
  ): Promise<Typed<N>> {
    const deadline = performance.now() + ms;
    const types: readonly number[] = typeof type === 'number' ? [type] : type;
    for (;;) {
      const at = this.frames.findIndex((frame) => types.includes(frame.type) && passes(frame as Typed<N>));
      if (at >= 0) return this.frames.splice(at, 1)[0] as Typed<N>;
      const left = deadline - performance.now();
      assert(
        left > 0,
        `no frame of type ${type}; got ${JSON.stringify(this.frames.map((frame) => frame.type))}, closed ${this.closed}`,
      );
      await this.#change(left);
    }
  }

  async closing(ms = 5_000): Promise<number> {
    const deadline = performance.now() + ms;
    while (this.closed === null) {
      const left = deadline - performance.now();
      assert(left > 0, 'the connection did not close');
      await this.#change(left);
    }
    return this.closed;
  }

  /** Resolves at the next frame, or when the connection ends. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Chat id of the direct chat with `user`. */
  async direct(user: string): Promise<Uint8Array> {
    const r = this.request();
    this.send({ type: T.DIRECT, r, user });
    const ok = await this.next(T.OK, (frame) => frame.r === r);
    return ok.results[0] as Uint8Array;
  }

  request(): number {
    this.#request += 1;
    return this.#request;
  }

  close(): void {
    this.socket.close();
  }

  /** Drops the connection without a close frame. */
  cut(): void {
    this.socket.terminate();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
