// Owns the load of the path suite, run as a process of its own: pairs of users, one sending, one receiving.
// Invariant: every message is timed from its SEND to its SENT and to its delivery, by one clock; receivers acknowledge and
// return credit as the SDK does.
// Must not: know what serves it.

import { build } from 'hdr-histogram-js';
import { LIMITS } from '../actors/limits.js';
import { makeMessageId } from '../actors/message-id.js';
import { createMachine } from '../services/machine.js';
import { decodeServer, encodeClient } from '../transport/codec.js';
import { type ClientFrame, SUBPROTOCOL, T } from '../transport/frames.js';
import { openRaw, type RawSocket } from './raw-socket.js';

/** What the suite tells the load, as JSON in the first argument. */
export interface PathLoad {
  readonly url: string;
  /** Tokens of the senders and receivers, pair by pair. */
  readonly tokens: readonly (readonly [string, string])[];
  /** Names of the receivers. */
  readonly receivers: readonly string[];
  readonly window: number;
  readonly bodyBytes: number;
  readonly warmMs: number;
  readonly measureMs: number;
}

/** What it prints at the end, as one line of JSON after `measure` and `done` lines. */
export interface PathResult {
  readonly messages: number;
  readonly seconds: number;
  readonly sentP50: number;
  readonly sentP99: number;
  readonly deliverP50: number;
  readonly deliverP99: number;
}

const load = JSON.parse(process.argv[2]!) as PathLoad;
const world = createMachine();
const sentTimes = build({ numberOfSignificantValueDigits: 3 });
const deliverTimes = build({ numberOfSignificantValueDigits: 3 });
let measuring = false;
let sending = true;
let messages = 0;

type Handler = (bytes: Uint8Array) => void;

async function join(token: string, handler: Handler): Promise<{ raw: RawSocket; send: (frame: ClientFrame) => void }> {
  let ready: () => void;
  const joined = new Promise<void>((resolve) => {
    ready = resolve;
  });
  let handle: Handler = (bytes) => {
    if (decodeServer(bytes).type !== T.SYNCED) return;
    handle = handler;
    ready();
  };
  const raw = await openRaw(load.url, SUBPROTOCOL, (bytes) => handle(bytes));
  const send = (frame: ClientFrame): void => raw.send(encodeClient(frame));
  send({ type: T.HELLO, version: 1, token, credit: LIMITS.clientCredit, agent: 'bench' });
  send({ type: T.SYNC, entries: [], more: false, backfill: 1 });
  await joined;
  return { raw, send };
}

/** Body: the time of sending as a double, then filler. */
function body(now: number): Uint8Array {
  const bytes = new Uint8Array(load.bodyBytes);
  new DataView(bytes.buffer).setFloat64(0, now);
  return bytes;
}

async function receiver(token: string): Promise<void> {
  let unacked = 0;
  let last = 0;
  let chat: Uint8Array | number = 0;
  const { send } = await join(token, (bytes) => {
    const frame = decodeServer(bytes);
    if (frame.type !== T.MESSAGE) return;
    const { buffer, byteOffset } = frame.body;
    const started = new DataView(buffer, byteOffset).getFloat64(0);
    if (measuring) deliverTimes.recordValue(Math.round((performance.now() - started) * 1_000));
    chat = frame.chat;
    last = frame.seq;
    unacked += 1;
    if (unacked >= LIMITS.clientAckMessages) acknowledge();
  });
  const acknowledge = (): void => {
    if (unacked === 0) return;
    send({ type: T.ACK, chat, seq: last });
    send({ type: T.CREDIT, n: unacked });
    unacked = 0;
  };
  setInterval(acknowledge, LIMITS.clientAckMs).unref();
}

async function sender(token: string, peer: string): Promise<() => void> {
  const started: number[] = [];
  let chat: Uint8Array | number = 0;
  let opened: () => void;
  const open = new Promise<void>((resolve) => {
    opened = resolve;
  });
  const { send } = await join(token, (bytes) => {
    const frame = decodeServer(bytes);
    if (frame.type === T.SENT) {
      const now = performance.now();
      const began = started.shift()!;
      if (measuring) {
        messages += 1;
        sentTimes.recordValue(Math.round((now - began) * 1_000));
      }
      if (sending) next();
    } else if (frame.type === T.CHAT) chat = frame.alias;
    else if (frame.type === T.OK) {
      if (chat === 0) chat = frame.results[0] as Uint8Array;
      opened();
    } else if (frame.type === T.FAILED || frame.type === T.ERROR) throw new Error(`${frame.code}: ${frame.detail}`);
  });
  const next = (): void => {
    const now = performance.now();
    started.push(now);
    send({ type: T.SEND, chat, id: makeMessageId(world), body: body(now) });
  };
  send({ type: T.DIRECT, r: 1, user: peer });
  await open;
  return () => {
    for (let i = 0; i < load.window; i += 1) next();
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

await Promise.all(load.tokens.map(([, token]) => receiver(token)));
const starts = await Promise.all(load.tokens.map(([token], at) => sender(token, load.receivers[at]!)));
for (const start of starts) start();
await pause(load.warmMs);
console.log('measure');
measuring = true;
const began = performance.now();
await pause(load.measureMs);
measuring = false;
const seconds = (performance.now() - began) / 1_000;
console.log('done');
sending = false;
await pause(200);
const ms = (micros: number): number => micros / 1_000;
const result: PathResult = {
  messages,
  seconds,
  sentP50: ms(sentTimes.getValueAtPercentile(50)),
  sentP99: ms(sentTimes.getValueAtPercentile(99)),
  deliverP50: ms(deliverTimes.getValueAtPercentile(50)),
  deliverP99: ms(deliverTimes.getValueAtPercentile(99)),
};
console.log(JSON.stringify(result));
process.exit(0);
