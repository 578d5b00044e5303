// Owns a client of a connection actor without a network: a socket in memory, frames in and out.
// Invariant: bytes pass through the real codec in both directions.
// Must not: hold assertions.

import { Acceptor } from '../../actors/acceptor.js';
import type { ConnectionRef } from '../../actors/messages.js';
import { decodeServer, encodeClient } from '../../transport/codec.js';
import { type ClientFrame, type ServerFrame, T } from '../../transport/frames.js';
import type { SendOutcome, Socket, SocketHandler } from '../../transport/socket.js';
import type { ChatScene } from './chat-scene.js';

type Typed<N extends number> = Extract<ServerFrame, { type: N }>;

export class Client implements Socket {
  readonly address = 'memory';
  readonly frames: ServerFrame[] = [];
  closed: number | null = null;
  /** What the next sends answer. */
  outcomes: SendOutcome[] = [];
  waiting = 0;
  /** Known once its user's actor knows it. */
  ref: ConnectionRef | null = null;
  #handler: SocketHandler | null = null;

  /** Connects; says nothing. */
  constructor(scene: ChatScene) {
    this.#handler = new Acceptor(scene.runtime, scene.fabric).accept(this);
  }

  /** Connects, says HELLO and SYNC. */
  static async join(scene: ChatScene, token: string, credit = 1_000): Promise<Client> {
    const client = new Client(scene);
    client.say({ type: T.HELLO, version: 1, token, credit, agent: '' });
    client.sync();
    await scene.settle();
    const user = scene.users.get(token.split('/')[0]!);
    for (const heard of user?.heard ?? []) if (heard.type === 'register') client.ref = heard.connection;
    return client;
  }

  say(frame: ClientFrame): void {
    this.#handler!.message(encodeClient(frame));
  }

  sync(): void {
    this.say({ type: T.SYNC, entries: [], more: false, backfill: 0 });
  }

  drained(): void {
    this.#handler!.drained();
  }

  of<N extends number>(type: N): Typed<N>[] {
    return this.frames.filter((frame): frame is Typed<N> => frame.type === type);
  }

  // ---- as a socket ----

  send(bytes: Uint8Array): SendOutcome {
    const outcome = this.outcomes.shift() ?? 'sent';
    if (outcome !== 'dropped' && this.closed === null) this.frames.push(decodeServer(bytes) as ServerFrame);
    return outcome;
  }

  buffered(): number {
    return this.waiting;
  }

  cork(task: () => void): void {
    task();
  }

  close(code: number): void {
    if (this.closed !== null) return;
    this.closed = code;
    this.#handler?.closed(code);
  }
}
