// Owns the clients of the retention suite: devices that send, receive in order, and acknowledge when told.
// Invariant: every message is checked to come once and in order; a send is timed from its frame to its SENT.
// Must not: know what the suite measures.

import { LIMITS } from '../actors/limits.js';
import { makeMessageId } from '../actors/message-id.js';
import { issueToken } from '../cli/token.js';
import { createMachine } from '../services/machine.js';
import { decodeServer, encodeClient } from '../transport/codec.js';
import { type ChatRef, type ClientFrame, type Plain, SUBPROTOCOL, T } from '../transport/frames.js';
import { openRaw, type RawSocket } from './raw-socket.js';

/** Deliveries after which credit is returned. */
const CREDIT = 1_024;
const NUMBERS = 65_536;

const world = createMachine();

/** A chat as one device knows it. */
export interface Place {
  readonly id: Uint8Array;
  /** Has everything up to here. */
  have: number;
  /** Newest number that was acknowledged. */
  acked: number;
}

interface Open {
  readonly place: Place;
  readonly at: number;
  readonly timed: ((ms: number) => void) | null;
}

export class Device {
  readonly name: string;
  readonly places: Place[] = [];
  readonly failures: string[] = [];
  #socket: RawSocket | null = null;
  readonly #byId = new Map<string, Place>();
  readonly #byAlias: Place[] = [];
  readonly #open = new Map<number, Open>();
  readonly #answers = new Map<number, (results: readonly Plain[]) => void>();
  #wake: (() => void) | null = null;
  #synced: () => void = () => undefined;
  #sends = 0;
  #r = 0;
  #handled = 0;
  #heart: NodeJS.Timeout | undefined;
  received = 0;

  constructor(name: string) {
    this.name = name;
  }

  async join(url: string, secret: Uint8Array): Promise<void> {
    const issued = Math.floor(world.wall() / 1_000);
    const claims = { user: this.name, device: '1', issued, expires: issued + 86_400 };
    const token = await issueToken(secret, { ...claims, issuer: undefined, audience: undefined });
    this.#socket = await openRaw(url, SUBPROTOCOL, (bytes) => this.#frame(bytes));
    const synced = new Promise<void>((resolve) => {
      this.#synced = resolve;
    });
    this.#send({ type: T.HELLO, version: 1, token, credit: LIMITS.credit, agent: 'bench' });
    this.#send({ type: T.SYNC, entries: [], more: false, backfill: 0 });
    await synced;
    // A silent client is cut off.
    this.#heart = setInterval(() => this.#send({ type: T.PING, n: 0 }), LIMITS.heartbeatMs / 2);
  }

  async direct(user: string): Promise<Place> {
    const [id] = await this.#ask((r) => ({ type: T.DIRECT, r, user }));
    return this.#place(Uint8Array.from(id as Uint8Array));
  }

  /** Sends when fewer than the window are unanswered. `timed` gets the ms to its SENT. */
  async send(place: Place, body: Uint8Array, timed: ((ms: number) => void) | null = null): Promise<void> {
    while (this.#open.size >= LIMITS.window) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#sends += 1;
    this.#open.set(this.#sends % NUMBERS, { place, at: performance.now(), timed });
    this.#send({ type: T.SEND, chat: place.id, id: makeMessageId(world), body });
  }

  get unanswered(): number {
    return this.#open.size;
  }

  /** Acknowledges what it has, everywhere; answers in how many chats that was news. */
  acknowledge(): number {
    let news = 0;
    for (const place of this.places) {
      if (place.have === place.acked) continue;
      place.acked = place.have;
      news += 1;
      this.#send({ type: T.ACK, chat: place.id, seq: place.have });
    }
    return news;
  }

  /** Numbers of the messages that are still stored. */
  async stored(place: Place): Promise<number[]> {
    const rows = await this.#ask((r) => ({ type: T.HISTORY, r, chat: place.id, before: 0, limit: 100 }));
    return rows as number[];
  }

  close(): void {
    clearInterval(this.#heart);
    this.#socket?.close();
  }

  #ask(frame: (r: number) => ClientFrame): Promise<readonly Plain[]> {
    this.#r += 1;
    const r = this.#r;
    return new Promise((resolve) => {
      this.#answers.set(r, resolve);
      this.#send(frame(r));
    });
  }

  #place(id: Uint8Array): Place {
    const key = Buffer.from(id).toString('hex');
    let place = this.#byId.get(key);
    if (place === undefined) {
      place = { id, have: 0, acked: 0 };
      this.#byId.set(key, place);
      this.places.push(place);
    }
    return place;
  }

  #of(chat: ChatRef): Place {
    return typeof chat === 'number' ? this.#byAlias[chat]! : this.#place(Uint8Array.from(chat));
  }

  #frame(bytes: Uint8Array): void {
    const frame = decodeServer(bytes);
    switch (frame.type) {
      case T.MESSAGE:
        return this.#message(this.#of(frame.chat), frame.seq);
      case T.SENT:
        return this.#sent(frame.n, frame.seq);
      case T.CHAT:
        this.#byAlias[frame.alias] = this.#place(Uint8Array.from(frame.chat));
        return;
      case T.OK:
        return this.#answered(frame.r, frame.results);
      case T.PAGE:
        return this.#answered(
          frame.r,
          frame.rows.flatMap((row) => (row.type === T.MESSAGE ? [row.seq] : [])),
        );
      case T.SYNCED:
        return this.#synced();
      case T.FAILED:
      case T.ERROR:
        this.failures.push(`${this.name}: ${frame.code} ${frame.detail}`);
        return;
      case T.EVENT:
        this.failures.push(`${this.name}: an event that nobody made, op ${frame.op}`);
        return;
    }
  }

  #message(place: Place, seq: number): void {
    if (seq !== place.have + 1) this.failures.push(`${this.name}: ${seq} after ${place.have}`);
    place.have = seq;
    this.received += 1;
    this.#handled += 1;
    if (this.#handled < CREDIT) return;
    this.#send({ type: T.CREDIT, n: this.#handled });
    this.#handled = 0;
  }

  #sent(n: number, seq: number): void {
    const open = this.#open.get(n);
    if (open === undefined) return void this.failures.push(`${this.name}: SENT ${n} answers nothing`);
    this.#open.delete(n);
    open.place.have = Math.max(open.place.have, seq);
    open.timed?.(performance.now() - open.at);
    this.#wake?.();
    this.#wake = null;
  }

  #answered(r: number, results: readonly Plain[]): void {
    this.#answers.get(r)?.(results);
    this.#answers.delete(r);
  }

  #send(frame: ClientFrame): void {
    if (this.#socket === null || this.#socket.closed) this.failures.push(`${this.name}: the connection ended`);
    else this.#socket.send(encodeClient(frame));
  }
}
