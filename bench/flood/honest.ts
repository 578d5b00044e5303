// Owns the honest clients of the flood suite, run as a process of its own: pairs of users who write to each other at a
// steady, modest rate.
// Invariant: every message is timed from its SEND to its SENT and to its delivery, by one clock, for the phase in which it
// was sent; each must come once and in order, and none may be refused.
// Must not: know what else goes on.

import { build, type Histogram } from 'hdr-histogram-js';
import { LIMITS } from '../../actors/limits.js';
import { makeMessageId } from '../../actors/message-id.js';
import { issueToken } from '../../cli/token.js';
import { createMachine } from '../../services/machine.js';
import { decodeServer, encodeClient } from '../../transport/codec.js';
import { type ClientFrame, type ServerFrame, SUBPROTOCOL, T } from '../../transport/frames.js';
import { openRaw } from '../raw-socket.js';

/** What the course tells it, as JSON in the first argument. */
export interface HonestLoad {
  readonly url: string;
  /** Hex. */
  readonly secret: string;
  readonly pairs: number;
  /** Messages a second of each of the two. */
  readonly rate: number;
  readonly bodyBytes: number;
}

/** What it is told over time; 'end' is answered with an HonestResult, the rest with 'ok'. */
export type HonestOrder = 'quiet' | 'flood' | 'pause' | 'end';

/** Times in ms. */
export interface PhaseResult {
  readonly messages: number;
  readonly sentP50: number;
  readonly sentP99: number;
  readonly deliverP50: number;
  readonly deliverP99: number;
}

export interface HonestResult {
  readonly quiet: PhaseResult;
  readonly flood: PhaseResult;
  /** What was promised and not kept. */
  readonly failures: readonly string[];
}

const PATIENCE_MS = 20_000;
const load = JSON.parse(process.argv[2]!) as HonestLoad;
const world = createMachine();
const failures: string[] = [];

class Phase {
  messages = 0;
  readonly sent: Histogram = build({ numberOfSignificantValueDigits: 3 });
  readonly delivered: Histogram = build({ numberOfSignificantValueDigits: 3 });

  result(): PhaseResult {
    const ms = (of: Histogram, percent: number): number => of.getValueAtPercentile(percent) / 1_000;
    return {
      messages: this.messages,
      sentP50: ms(this.sent, 50),
      sentP99: ms(this.sent, 99),
      deliverP50: ms(this.delivered, 50),
      deliverP99: ms(this.delivered, 99),
    };
  }
}

const phases = { quiet: new Phase(), flood: new Phase() };
/** Null: what is sent now counts for none. */
let phase: Phase | null = null;
let open = 0;

function fail(what: string): void {
  if (failures.length < 10) failures.push(what);
}

const micros = (since: number): number => Math.round((performance.now() - since) * 1_000);

/** What is under way, by the number that its body carries. */
const flying = new Map<number, { readonly began: number; readonly phase: Phase | null; sent: boolean; got: boolean }>();
let number = 0;

function done(at: number): void {
  const message = flying.get(at);
  if (message === undefined || !message.sent || !message.got) return;
  flying.delete(at);
  open -= 1;
}

class Client {
  readonly #user: string;
  readonly #peer: string;
  #send: (frame: ClientFrame) => void = () => undefined;
  #chat: Uint8Array | number = 0;
  #n = 0;
  readonly #numbers = new Map<number, number>();
  #have = 0;
  #last = 0;
  #unacked = 0;
  #wake: (type: number) => void = () => undefined;

  constructor(user: string, peer: string) {
    this.#user = user;
    this.#peer = peer;
  }

  async join(localAddress: string): Promise<void> {
    const issued = Math.floor(Date.now() / 1_000);
    const claims = { user: this.#user, device: 'phone', issued, expires: issued + 86_400 };
    const secret = Buffer.from(load.secret, 'hex');
    const token = await issueToken(secret, { ...claims, issuer: undefined, audience: undefined });
    const raw = await openRaw(load.url, SUBPROTOCOL, (bytes) => this.#frame(bytes), localAddress);
    this.#send = (frame) => {
      if (raw.closed) fail(`${this.#user}: the connection ended`);
      else raw.send(encodeClient(frame));
    };
    const synced = this.#until(T.SYNCED);
    this.#send({ type: T.HELLO, version: 1, token, credit: LIMITS.clientCredit, agent: 'bench' });
    this.#send({ type: T.SYNC, entries: [], more: false, backfill: 1 });
    await synced;
    const opened = this.#until(T.OK);
    this.#send({ type: T.DIRECT, r: 1, user: this.#peer });
    await opened;
    setInterval(() => this.#acknowledge(), LIMITS.clientAckMs).unref();
  }

  #until(type: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = (got) => {
        if (got === type) resolve();
      };
    });
  }

  write(): void {
    number += 1;
    open += 1;
    this.#n += 1;
    const body = new Uint8Array(load.bodyBytes);
    new DataView(body.buffer).setFloat64(0, number);
    this.#numbers.set(this.#n, number);
    flying.set(number, { began: performance.now(), phase, sent: false, got: false });
    if (phase !== null) phase.messages += 1;
    this.#send({ type: T.SEND, chat: this.#chat, id: makeMessageId(world), body });
  }

  #frame(bytes: Uint8Array): void {
    const frame = decodeServer(bytes) as ServerFrame;
    this.#wake(frame.type);
    switch (frame.type) {
      case T.OK:
        if (this.#chat === 0) this.#chat = frame.results[0] as Uint8Array;
        return;
      case T.CHAT:
        if (frame.name === this.#peer) this.#chat = frame.alias;
        return;
      case T.SENT: {
        const at = this.#numbers.get(frame.n) ?? 0;
        this.#numbers.delete(frame.n);
        const message = flying.get(at);
        if (message === undefined) return fail(`${this.#user}: SENT of nothing`);
        message.phase?.sent.recordValue(micros(message.began));
        message.sent = true;
        this.#have = Math.max(this.#have, frame.seq);
        return done(at);
      }
      case T.MESSAGE: {
        const { buffer, byteOffset } = frame.body;
        const at = new DataView(buffer, byteOffset).getFloat64(0);
        const message = flying.get(at);
        if (message === undefined || message.got) return fail(`${this.#user}: message ${frame.seq} twice`);
        if (frame.seq <= this.#last) fail(`${this.#user}: ${frame.seq} after ${this.#last}`);
        this.#last = frame.seq;
        this.#have = Math.max(this.#have, frame.seq);
        this.#unacked += 1;
        message.phase?.delivered.recordValue(micros(message.began));
        message.got = true;
        return done(at);
      }
      case T.FAILED:
      case T.ERROR:
        return fail(`${this.#user}: ${frame.code} ${frame.detail}`);
      case T.RESYNC:
        return fail(`${this.#user}: RESYNC`);
    }
  }

  #acknowledge(): void {
    if (this.#unacked === 0) return;
    this.#send({ type: T.READ, chat: this.#chat, seq: this.#have });
    this.#send({ type: T.CREDIT, n: this.#unacked });
    this.#unacked = 0;
  }
}

const clients: Client[] = [];
for (let pair = 0; pair < load.pairs; pair += 1) {
  clients.push(new Client(`anna${pair}`, `ben${pair}`), new Client(`ben${pair}`, `anna${pair}`));
}
for (const [at, client] of clients.entries()) await client.join(`127.80.0.${at + 1}`);
let writing = true;
for (const [at, client] of clients.entries()) {
  // Evenly spread, so that no two wait for each other.
  const every = 1_000 / load.rate;
  setTimeout(
    () => {
      const beat = setInterval(() => {
        if (writing) client.write();
        else clearInterval(beat);
      }, every);
    },
    (at * every) / clients.length,
  );
}

async function end(): Promise<HonestResult> {
  writing = false;
  const late = performance.now() + PATIENCE_MS;
  while (open > 0 && performance.now() < late) await new Promise((resolve) => setTimeout(resolve, 20));
  if (open > 0) fail(`${open} messages were not both answered and delivered`);
  return { quiet: phases.quiet.result(), flood: phases.flood.result(), failures };
}

process.on('message', (order: HonestOrder) => {
  if (order === 'end') void end().then((result) => process.send!(result));
  else {
    phase = order === 'pause' ? null : phases[order];
    process.send!('ok');
  }
});
process.on('disconnect', () => process.exit(0));
process.send!('ready');
