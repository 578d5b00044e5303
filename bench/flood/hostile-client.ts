// Owns one hostile client: its connection, what it asked, and what it was refused.
// Invariant: it reads what comes, unless told not to, and forgets it.
// Must not: decide what to do next (attacks.ts).

import { LIMITS } from '../../actors/limits.js';
import { makeMessageId } from '../../actors/message-id.js';
import { issueToken } from '../../cli/token.js';
import { createMachine } from '../../services/machine.js';
import { decodeServer, encodeClient } from '../../transport/codec.js';
import { type ChatRef, type ClientFrame, type Plain, SUBPROTOCOL, T } from '../../transport/frames.js';
import { openRaw, type RawSocket } from '../raw-socket.js';

const world = createMachine();
/** Bytes that may wait in its own socket: a server that does not read must not fill this process. */
const WAITING = 4_194_304;

export class Hostile {
  readonly user: string;
  readonly #url: string;
  readonly #secret: Buffer;
  readonly #address: string;
  #token = '';
  #raw: RawSocket | null = null;
  #connecting = false;
  ready = false;
  /** Frames and connections tried. */
  tried = 0;
  readonly refused = new Map<string, number>();
  /** Requests without an answer. */
  asked = 0;
  #r = 0;
  #n = 0;
  readonly #sent = new Map<number, Uint8Array>();
  /** A SEND that was refused for now and must come first. */
  #again: Uint8Array | null = null;
  readonly #answers = new Map<number, (results: readonly Plain[]) => void>();
  #synced: () => void = () => undefined;
  #answered: () => void = () => undefined;

  constructor(
    { url, secret }: { readonly url: string; readonly secret: string },
    name: string,
    user: string,
    address: string,
  ) {
    this.#url = url;
    this.#secret = Buffer.from(secret, 'hex');
    this.user = `${user}-${name}`;
    this.#address = address;
  }

  async token(secret = this.#secret): Promise<string> {
    const issued = Math.floor(Date.now() / 1_000);
    const claims = { user: this.user, device: 'd', issued, expires: issued + 86_400 };
    return issueToken(secret, { ...claims, issuer: undefined, audience: undefined });
  }

  /** A socket of its own that says nothing by itself. */
  open(): Promise<RawSocket> {
    this.tried += 1;
    return openRaw(this.#url, SUBPROTOCOL, () => undefined, this.#address);
  }

  async connect(): Promise<void> {
    if (this.#token === '') this.#token = await this.token();
    const raw = await openRaw(this.#url, SUBPROTOCOL, (bytes) => this.#frame(bytes), this.#address);
    this.#raw = raw;
    this.asked = 0;
    this.#n = 0;
    this.#sent.clear();
    this.#again = null;
    const synced = new Promise<void>((resolve) => {
      this.#synced = resolve;
    });
    raw.send(encodeClient({ type: T.HELLO, version: 1, token: this.#token, credit: LIMITS.credit, agent: 'flood' }));
    raw.send(encodeClient({ type: T.SYNC, entries: [], more: false, backfill: 1 }));
    await Promise.race([synced, new Promise((resolve) => setTimeout(resolve, 2_000))]);
    this.ready = !raw.closed;
  }

  /** Where the connection is gone: another one. */
  reconnect(): void {
    if (this.#connecting) return;
    this.#connecting = true;
    this.tried += 1;
    this.connect()
      .catch(() => undefined)
      .finally(() => {
        this.#connecting = false;
      });
  }

  frame(frame: ClientFrame): void {
    this.bytes(encodeClient(frame));
  }

  /** Sends a frame that is encoded already. */
  bytes(frame: Uint8Array): void {
    const raw = this.#raw;
    if (raw === null || raw.closed) {
      this.ready = false;
      return;
    }
    if (raw.waiting > WAITING) return;
    this.tried += 1;
    raw.send(frame);
  }

  /** Reads nothing more of this connection. */
  deafen(): void {
    this.#raw?.pause();
  }

  /** Asks as long as fewer than `most` are unanswered. */
  ask(most: number, make: (r: number) => ClientFrame): void {
    if (this.asked >= most) return;
    this.asked += 1;
    this.#r += 1;
    this.frame(make(this.#r));
  }

  request(make: (r: number) => ClientFrame): Promise<readonly Plain[]> {
    this.#r += 1;
    const r = this.#r;
    return new Promise((resolve) => {
      this.#answers.set(r, resolve);
      this.frame(make(r));
    });
  }

  async direct(user: string): Promise<Uint8Array> {
    return (await this.request((r) => ({ type: T.DIRECT, r, user })))[0] as Uint8Array;
  }

  async create(title: string, users: readonly string[]): Promise<Uint8Array> {
    const id = makeMessageId(world);
    return (await this.request((r) => ({ type: T.CREATE, r, id, title, users: [...users] })))[0] as Uint8Array;
  }

  /** Sends a message; before it, again and again, one that was refused for now, or no other would pass. */
  send(chat: Uint8Array, bytes: number): void {
    const body = new Uint8Array(bytes);
    if (this.#again !== null) this.#say(chat, this.#again, body);
    this.#say(chat, makeMessageId(world), body);
  }

  /** Sends messages until all of them are in; gives up where the server refuses for long. */
  async fill(chat: Uint8Array, count: number, bytes: number): Promise<void> {
    for (let stored = 0, tries = 0; stored < count && tries < 20 * count; tries += 1) {
      const answered = new Promise<void>((resolve) => {
        this.#answered = resolve;
      });
      const before = this.#sent.size;
      this.#say(chat, this.#again ?? makeMessageId(world), new Uint8Array(bytes));
      await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, 1_000))]);
      if (this.#sent.size <= before && this.#again === null) stored += 1;
      else await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #say(chat: ChatRef, id: Uint8Array, body: Uint8Array): void {
    this.#n = (this.#n + 1) % 65_536;
    this.#sent.set(this.#n, id);
    this.frame({ type: T.SEND, chat, id, body });
  }

  #frame(bytes: Uint8Array): void {
    const frame = decodeServer(bytes);
    switch (frame.type) {
      case T.SYNCED:
        return this.#synced();
      case T.OK:
        this.#answers.get(frame.r)?.(frame.results);
        this.#answers.delete(frame.r);
        this.asked = Math.max(0, this.asked - 1);
        return;
      case T.PAGE:
        this.asked = Math.max(0, this.asked - 1);
        return;
      case T.ERROR:
        this.#refused(frame.code);
        this.asked = Math.max(0, this.asked - 1);
        return;
      case T.SENT: {
        const id = this.#sent.get(frame.n);
        this.#sent.delete(frame.n);
        if (this.#again !== null && id === this.#again) this.#again = null;
        return this.#answered();
      }
      case T.FAILED: {
        const id = this.#sent.get(frame.n);
        this.#sent.delete(frame.n);
        this.#refused(frame.code);
        if (frame.retry && frame.code !== 'busy' && id !== undefined) this.#again ??= id;
        return this.#answered();
      }
    }
  }

  #refused(code: string): void {
    this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
  }
}
