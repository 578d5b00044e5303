// Owns the load of the group suite, run as a process of its own: the members' devices, some of which send.
// Invariant: every device checks that it gets each entry once and in order; every delivery is timed by one clock; devices
// acknowledge, read and return credit as the SDK does.
// Must not: know what serves it, but for the greeting that `mode` says.

import { build } from 'hdr-histogram-js';
import { LIMITS } from '../actors/limits.js';
import { makeMessageId } from '../actors/message-id.js';
import { issueToken } from '../cli/token.js';
import { createMachine } from '../services/machine.js';
import { decodeServer, encodeClient, encodeServer } from '../transport/codec.js';
import { type ChatRef, type ClientFrame, type Plain, type ServerFrame, SUBPROTOCOL, T } from '../transport/frames.js';
import { openRaw } from './raw-socket.js';

/** What the suite tells the load, as JSON in the first argument. */
export interface GroupLoad {
  readonly url: string;
  /** `publish`: the server relays what a sender sends to all, as it is, and knows nothing else. */
  readonly mode: 'weft' | 'publish';
  /** Hex. */
  readonly secret: string;
  readonly online: number;
  readonly offline: number;
  /** The first so many of those online send in turn. */
  readonly senders: number;
  /** Messages a second in all. */
  readonly rate: number;
  readonly bodyBytes: number;
  readonly warmMs: number;
  readonly measureMs: number;
}

/** What it prints at the end, as one line of JSON after `measure` and `done` lines. Counts are those of the measured time. */
export interface GroupResult {
  readonly deliveries: number;
  readonly seconds: number;
  /** ms from SEND to MESSAGE. */
  readonly p50: number;
  readonly p99: number;
  readonly sentP99: number;
  /** Of MESSAGE frames, with WebSocket's header. */
  readonly bytes: number;
  readonly receipts: number;
  readonly acks: number;
  /** Messages sent in the whole run. */
  readonly messages: number;
  /** What was promised and not kept. */
  readonly failures: readonly string[];
}

/** Devices whose logins are under way at once. */
const CONCURRENCY = 64;
/** Groups of devices that acknowledge together, one after the other within LIMITS.clientAckMs. */
const BEATS = 10;
/** Acknowledgements after which one is a READ. */
const READ_EVERY = 10;
/** Deliveries after which credit is returned. */
const CREDIT = 128;
const PATIENCE_MS = 20_000;

const load = JSON.parse(process.argv[2]!) as GroupLoad;
const world = createMachine();
const delivered = build({ numberOfSignificantValueDigits: 3 });
const answered = build({ numberOfSignificantValueDigits: 3 });
const failures: string[] = [];
const counts = { deliveries: 0, bytes: 0, receipts: 0, acks: 0 };
let measuring = false;
let messages = 0;

function fail(what: string): void {
  if (failures.length < 10) failures.push(what);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const name = (at: number): string => `m${`${at}`.padStart(4, '0')}`;

/** True if it came to be within PATIENCE_MS. */
async function until(reached: () => boolean): Promise<boolean> {
  for (const late = performance.now() + PATIENCE_MS; !reached(); await pause(50)) {
    if (performance.now() > late) return false;
  }
  return true;
}

class Device {
  readonly #name: string;
  readonly #sends: boolean;
  #send: (bytes: Uint8Array) => void = () => undefined;
  chat: ChatRef = 0;
  /** Has everything up to here. */
  have = 0;
  /** Own messages whose number came before what lies below. */
  readonly #ahead = new Set<number>();
  /** The newest that came as a delivery. */
  #last = 0;
  #acked = 0;
  #acks = 0;
  #handled = 0;
  #n = 0;
  readonly #started = new Map<number, number>();
  #r = 0;
  #answers = new Map<number, (results: readonly Plain[]) => void>();
  #synced: () => void = () => undefined;

  constructor(at: number) {
    this.#name = name(at);
    this.#sends = at < load.senders;
  }

  async join(localAddress: string): Promise<void> {
    const raw = await openRaw(load.url, SUBPROTOCOL, (bytes) => this.#frame(bytes), localAddress);
    this.#send = (bytes) => {
      if (raw.closed) fail(`${this.#name}: the connection ended`);
      else raw.send(bytes);
    };
  }

  async greet(): Promise<void> {
    const issued = Math.floor(Date.now() / 1_000);
    const claims = { user: this.#name, device: 'phone', issued, expires: issued + 86_400 };
    const secret = Buffer.from(load.secret, 'hex');
    const token = await issueToken(secret, { ...claims, issuer: undefined, audience: undefined });
    const synced = new Promise<void>((resolve) => {
      this.#synced = resolve;
    });
    this.frame({ type: T.HELLO, version: 1, token, credit: LIMITS.clientCredit, agent: 'bench' });
    this.frame({ type: T.SYNC, entries: [], more: false, backfill: 0 });
    await synced;
  }

  frame(frame: ClientFrame): void {
    this.#send(encodeClient(frame));
  }

  ask(make: (r: number) => ClientFrame): Promise<readonly Plain[]> {
    this.#r += 1;
    const r = this.#r;
    return new Promise((resolve) => {
      this.#answers.set(r, resolve);
      this.frame(make(r));
    });
  }

  write(): void {
    const now = performance.now();
    const body = new Uint8Array(load.bodyBytes);
    new DataView(body.buffer).setFloat64(0, now);
    messages += 1;
    const id = makeMessageId(world);
    if (load.mode === 'weft') {
      this.#n += 1;
      this.#started.set(this.#n, now);
      this.frame({ type: T.SEND, chat: this.chat, id, body });
    } else this.#send(encodeServer({ type: T.MESSAGE, chat: 1, from: 1, seq: messages, id, lag: 0, body }));
  }

  /** Says how far it is, if it got anything since it did. */
  acknowledge(): void {
    if (this.have === this.#acked) return;
    this.#acked = this.have;
    this.#acks += 1;
    if (measuring) counts.acks += 1;
    const type = this.#acks % READ_EVERY === 0 ? T.READ : T.ACK;
    this.frame({ type, chat: this.chat, seq: this.have });
  }

  #frame(bytes: Uint8Array): void {
    const frame = decodeServer(bytes) as ServerFrame;
    switch (frame.type) {
      case T.MESSAGE: {
        const { buffer, byteOffset } = frame.body;
        const started = new DataView(buffer, byteOffset).getFloat64(0);
        if (measuring) {
          counts.deliveries += 1;
          counts.bytes += bytes.length + (bytes.length < 126 ? 2 : 4);
          delivered.recordValue(Math.round((performance.now() - started) * 1_000));
        }
        return this.#delivered(frame.chat, frame.seq);
      }
      case T.EVENT:
        return this.#delivered(frame.chat, frame.seq);
      case T.SENT: {
        const started = this.#started.get(frame.n) ?? 0;
        this.#started.delete(frame.n);
        if (measuring) answered.recordValue(Math.round((performance.now() - started) * 1_000));
        return this.#entry(frame.seq);
      }
      case T.RECEIPT:
      case T.TALLY:
        if (measuring) counts.receipts += 1;
        return;
      case T.SYNCED:
        return this.#synced();
      case T.OK:
        this.#answers.get(frame.r)?.(frame.results);
        return;
      case T.FAILED:
      case T.ERROR:
        return fail(`${this.#name}: ${frame.code} ${frame.detail}`);
      case T.RESYNC:
        return fail(`${this.#name}: RESYNC`);
    }
  }

  #delivered(chat: ChatRef, seq: number): void {
    this.chat = chat;
    if (seq <= this.#last) fail(`${this.#name}: ${seq} after ${this.#last}`);
    this.#last = seq;
    this.#entry(seq);
    this.#handled += 1;
    if (load.mode === 'publish') return;
    if (this.#handled % CREDIT === 0) this.frame({ type: T.CREDIT, n: CREDIT });
    if (this.have - this.#acked >= LIMITS.clientAckMessages) this.acknowledge();
  }

  #entry(seq: number): void {
    if (seq <= this.have || this.#ahead.has(seq)) fail(`${this.#name}: ${seq} twice`);
    this.#ahead.add(seq);
    while (this.#ahead.delete(this.have + 1)) this.have += 1;
    if (!this.#sends && this.#ahead.size > 0) fail(`${this.#name}: ${seq} after ${this.have}`);
  }
}

async function each(devices: readonly Device[], task: (device: Device, at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < devices.length) {
      const at = next;
      next += 1;
      await task(devices[at]!, at);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

/** All receipts, asked from the server until they are right or patience ends. */
async function checkReceipts(asker: Device, head: number): Promise<void> {
  const positions = async (): Promise<Map<string, string>> => {
    const [, , , members] = await asker.ask((r) => ({ type: T.INFO, r, chat: asker.chat }));
    const rows = members as [string, number, number, number][];
    return new Map(rows.map(([user, , has, read]) => [user, `${has}/${read}`]));
  };
  const wrong = (found: Map<string, string>): string[] =>
    Array.from({ length: load.online + load.offline }, (_, at) => at)
      .filter((at) => found.get(name(at)) !== (at < load.online ? `${head}/${head}` : '0/0'))
      .map((at) => `${name(at)} ${found.get(name(at))}`);
  const late = performance.now() + PATIENCE_MS;
  for (;;) {
    const errors = wrong(await positions());
    if (errors.length === 0) return;
    if (performance.now() > late) return fail(`receipts of ${errors.length} are wrong, say ${errors[0]} of ${head}`);
    await pause(500);
  }
}

const devices = Array.from({ length: load.online }, (_, at) => new Device(at));
const first = devices[0]!;
await each(devices, (device, at) => device.join(`127.90.${at >> 8}.${at & 255}`));
if (load.mode === 'weft') {
  await each(devices, (device) => device.greet());
  const users = Array.from({ length: load.online + load.offline }, (_, at) => name(at));
  const id = makeMessageId(world);
  await first.ask((r) => ({ type: T.CREATE, r, id, title: 'all hands', users: users.slice(1) }));
  if (!(await until(() => devices.every(({ have }) => have === 1)))) fail('not all got the group');
  let beat = 0;
  setInterval(() => {
    beat = (beat + 1) % BEATS;
    for (let at = beat; at < devices.length; at += BEATS) devices[at]!.acknowledge();
  }, LIMITS.clientAckMs / BEATS).unref();
}
const base = first.have;

const began = performance.now();
let sending = true;
// By the clock and not by ticks, which drift.
const due = (): number => Math.floor(((performance.now() - began) / 1_000) * load.rate);
const pump = setInterval(() => {
  while (sending && messages < due()) devices[messages % load.senders]!.write();
}, 5);
await pause(load.warmMs);
console.log('measure');
measuring = true;
const from = performance.now();
await pause(load.measureMs);
measuring = false;
const seconds = (performance.now() - from) / 1_000;
console.log('done');
sending = false;
clearInterval(pump);
const head = base + messages;
if (!(await until(() => devices.every(({ have }) => have === head)))) {
  fail(`${devices.filter(({ have }) => have !== head).length} devices lack some of ${head}`);
}
if (load.mode === 'weft') {
  for (const device of devices) device.frame({ type: T.READ, chat: device.chat, seq: device.have });
  await checkReceipts(first, head);
}
const ms = (micros: number): number => micros / 1_000;
const result: GroupResult = {
  ...counts,
  seconds,
  p50: ms(delivered.getValueAtPercentile(50)),
  p99: ms(delivered.getValueAtPercentile(99)),
  sentP99: ms(answered.getValueAtPercentile(99)),
  messages,
  failures,
};
console.log(JSON.stringify(result));
process.exit(0);
