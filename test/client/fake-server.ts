// Owns a small server for one user's device, in process, over the real codec: logs, credit, SYNC, acks, and switches for
// everything that can go wrong.
// Invariant: frames of one connection arrive in order, and none after its end; a message id is stored once in a chat.
// Must not: share code with the real server: it is the page docs/wire.md, read a second time.

import assert from 'node:assert/strict';
import type { World } from '../../actors/world.js';
import type { Dial, LinkEvents } from '../../client/link.js';
import { decodeClient, encodeServer } from '../../transport/codec.js';
import { type ClientFrame, OP, type Plain, type ServerFrame } from '../../transport/frames.js';
import { FakeAccount } from './fake-account.js';

export interface Row {
  readonly from: string;
  readonly id: Uint8Array;
  readonly body: Uint8Array;
  /** An event, which has no body. */
  readonly op?: number;
  readonly args?: readonly Plain[];
}

export interface FakeChat {
  readonly id: Uint8Array;
  readonly kind: number;
  readonly name: string;
  readonly rows: Row[];
  /** Rows below are not visible or expired. */
  start: number;
  /** The user has read up to here. */
  read: number;
}

type Frame<N extends ClientFrame['type']> = Extract<ClientFrame, { type: N }>;

export class FakeConnection {
  readonly server: FakeServer;
  /** What the client sent, in order. */
  readonly frames: ClientFrame[] = [];
  readonly #events: LinkEvents;
  /** Next seq to push, by chat. */
  readonly next = new Map<FakeChat, number>();
  credit = 0;
  sends = 0;
  open = true;
  synced = false;
  readonly announced = new Set<FakeChat>();
  /** By chat, the id that was refused for now and must come before any other. */
  readonly refused = new Map<FakeChat, string>();
  /** Sees each frame first; true keeps the server from handling it. */
  intercept: ((frame: ClientFrame) => boolean) | undefined;

  constructor(server: FakeServer, events: LinkEvents) {
    this.server = server;
    this.#events = events;
  }

  of<N extends ClientFrame['type']>(type: N): Frame<N>[] {
    return this.frames.filter((frame): frame is Frame<N> => frame.type === type);
  }

  send(frame: ServerFrame): void {
    const bytes = encodeServer(frame);
    this.server.world.defer(() => {
      if (this.open) this.#events.message(bytes);
    });
  }

  /** Ends the connection at once: what is under way in either direction is lost. */
  cut(code = 1006): void {
    if (!this.open) return;
    this.open = false;
    this.server.world.defer(() => this.#events.closed(code, ''));
  }

  /** Ends it after what was sent has arrived. */
  end(code: number): void {
    this.server.world.defer(() => this.cut(code));
  }

  receive(bytes: Uint8Array): void {
    const frame = decodeClient(bytes);
    assert.ok(frame.type > 0, 'the client sent bytes that are no frame');
    const known = frame as ClientFrame;
    this.frames.push(known);
    if (this.intercept?.(known) || this.server.intercept?.(known, this)) return;
    this.server.handle(this, known);
  }
}

export class FakeServer {
  readonly world: World;
  readonly connections: FakeConnection[] = [];
  readonly chats: FakeChat[] = [];
  readonly dials: number[] = [];
  readonly urls: string[] = [];
  user = 'alice';
  device = 'phone';
  window = 64;
  heartbeat = 30_000;
  expires = 0;
  /** False: dialling fails. */
  up = true;
  /** Own messages of this device come in the stream as well, as in a log read after a lost SENT. */
  echo = true;
  intercept: ((frame: ClientFrame, connection: FakeConnection) => boolean) | undefined;

  readonly account: FakeAccount;

  constructor(world: World) {
    this.world = world;
    this.account = new FakeAccount(this);
  }

  readonly dial: Dial = (url, protocol, events) => {
    assert.equal(protocol, 'weft.v1');
    this.dials.push(this.world.now());
    this.urls.push(url);
    const connection = new FakeConnection(this, events);
    if (!this.up) connection.cut();
    else {
      this.connections.push(connection);
      this.world.defer(() => {
        if (connection.open) events.open();
      });
    }
    return {
      send: (bytes) => {
        const copy = bytes.slice();
        this.world.defer(() => {
          if (connection.open) connection.receive(copy);
        });
      },
      buffered: () => 0,
      close: (code) => connection.cut(code),
    };
  };

  get last(): FakeConnection {
    const connection = this.connections.at(-1);
    assert.ok(connection, 'nobody connected');
    return connection;
  }

  chat(name: string, kind = 1): FakeChat {
    const known = this.chats.find((chat) => chat.name === name);
    if (known !== undefined) return known;
    const id = new Uint8Array(16).fill(this.chats.length + 1);
    const chat = { id, kind, name, rows: [], start: 1, read: 0 };
    this.chats.push(chat);
    return chat;
  }

  find(ref: Uint8Array | number): FakeChat | undefined {
    return typeof ref === 'number'
      ? this.chats[ref - 1]
      : this.chats.find((chat) => chat.id.every((byte, i) => byte === ref[i]));
  }

  /** Of this moment. */
  newId(): Uint8Array {
    const id = Buffer.from(this.world.randomBytes(16));
    id.writeUIntBE(this.world.wall(), 0, 6);
    return id;
  }

  /** Somebody writes; online devices get it. */
  post(chat: FakeChat, text: string, from = chat.name): number {
    const id = this.newId();
    chat.rows.push({ from, id, body: new TextEncoder().encode(text) });
    this.push();
    return chat.rows.length;
  }

  push(): void {
    for (const connection of this.connections) if (connection.open && connection.synced) this.stream(connection);
  }

  stream(connection: FakeConnection): void {
    for (const chat of this.chats) {
      for (;;) {
        const seq = Math.max(chat.start, connection.next.get(chat) ?? 1);
        const row = chat.rows[seq - 1];
        if (row === undefined || connection.credit === 0) break;
        connection.next.set(chat, seq + 1);
        if (row.from === this.user && !this.echo) continue;
        connection.credit--;
        const alias = this.chats.indexOf(chat) + 1;
        if (!connection.announced.has(chat)) {
          connection.announced.add(chat);
          connection.send({ type: 39, alias, chat: chat.id, kind: chat.kind, name: chat.name });
        }
        connection.send(this.#frame(alias, seq, row));
      }
    }
  }

  /** An entry that is no message. */
  event(chat: FakeChat, op: number, args: readonly Plain[], from = chat.name, id = this.newId()): number {
    chat.rows.push({ from, id, body: new Uint8Array(0), op, args });
    if (op === OP.deleted) {
      const target = Number(args[0]) - 1;
      const { from: author, id: old } = chat.rows[target]!;
      chat.rows[target] = { from: author, id: old, body: new Uint8Array(0), op: OP.erased, args: [] };
    }
    this.push();
    return chat.rows.length;
  }

  #frame(chat: number, seq: number, { from, id, body, op, args = [] }: Row): ServerFrame {
    if (op === undefined) return { type: 34, chat, from, seq, id, lag: 0, body };
    return { type: 35, chat, from, seq, id, lag: 0, op, args };
  }

  handle(connection: FakeConnection, frame: ClientFrame): void {
    switch (frame.type) {
      case 1: {
        connection.credit = frame.credit;
        const { user, device, window, heartbeat, expires } = this;
        const time = this.world.wall();
        connection.send({ type: 32, user, device, durability: 1, window, maxBody: 65_536, time, heartbeat, expires });
        return;
      }
      case 2:
        this.#sent(connection, frame);
        return;
      case 5:
        connection.credit += frame.n;
        this.stream(connection);
        return;
      case 6:
        this.#sync(connection, frame);
        return;
      case 7:
        connection.send({ type: 41, r: frame.r, results: [this.chat(frame.user).id] });
        return;
      case 10:
        this.#history(connection, frame);
        return;
      case 15:
        connection.send({ type: 48, n: frame.n });
        return;
      default:
        this.account.handle(connection, frame);
    }
  }

  /** Answers a SEND with a refusal for now. */
  refuse(connection: FakeConnection, frame: Frame<2>, code: string, after: number): void {
    const chat = this.find(frame.chat);
    const id = Buffer.from(frame.id).toString('hex');
    if (chat !== undefined && !connection.refused.has(chat)) connection.refused.set(chat, id);
    connection.send({ type: 49, n: ++connection.sends % 65_536, code, retry: true, after, detail: '' });
  }

  #sent(connection: FakeConnection, frame: Frame<2>): void {
    const chat = this.find(frame.chat);
    const first = chat === undefined ? undefined : connection.refused.get(chat);
    if (first !== undefined && first !== Buffer.from(frame.id).toString('hex')) {
      this.refuse(connection, frame, 'busy', 100);
      return;
    }
    const n = ++connection.sends % 65_536;
    if (chat === undefined) {
      connection.send({ type: 49, n, code: 'unknown_chat', retry: false, after: 0, detail: '' });
      return;
    }
    connection.refused.delete(chat);
    let seq = chat.rows.findIndex((row) => row.id.every((byte, i) => byte === frame.id[i])) + 1;
    if (seq === 0) {
      seq = chat.rows.push({ from: this.user, id: frame.id, body: frame.body });
      // Live, a device gets SENT instead of its own message.
      if ((connection.next.get(chat) ?? 1) === seq) connection.next.set(chat, seq + 1);
    }
    connection.send({ type: 33, n, seq, durability: 1 });
    this.push();
  }

  #sync(connection: FakeConnection, frame: Frame<6>): void {
    const entries = this.chats
      .filter((chat) => chat.rows.length > 0)
      .map((chat) => {
        const known = [...frame.entries].find((entry) => this.find(entry.chat) === chat);
        const start = Math.max(chat.start, (known?.seq ?? 0) + 1);
        chat.read = Math.max(chat.read, known?.read ?? 0);
        connection.next.set(chat, start);
        const cert = { chat: chat.id, head: chat.rows.length, start };
        return known === undefined ? { ...cert, kind: chat.kind, name: chat.name } : cert;
      });
    connection.send({ type: 37, entries });
    connection.send({ type: 38, chats: entries.length });
    connection.synced = true;
    this.stream(connection);
  }

  #history(connection: FakeConnection, frame: Frame<10>): void {
    const chat = this.find(frame.chat);
    assert.ok(chat);
    const before = frame.before === 0 ? chat.rows.length + 1 : frame.before;
    const first = Math.max(chat.start, before - frame.limit);
    const rows = chat.rows.slice(first - 1, before - 1).map(({ from, id, body, op, args = [] }, i) => {
      const stamp = { from, seq: first + i, id, lag: 0 };
      return op === undefined ? ({ type: 34, ...stamp, body } as const) : ({ type: 35, ...stamp, op, args } as const);
    });
    connection.send({ type: 45, r: frame.r, rows, more: first > chat.start });
  }
}
