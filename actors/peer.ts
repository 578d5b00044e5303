// Owns speaking to one client: frames onto the outbox, aliases announced before their first use.
// Invariant: what is written here reaches the socket in this order.
// Must not: decide what to send.

import { DURABILITY, type ServerFrame, T, type UserRef } from '../transport/frames.js';
import type { SendOutcome, Socket } from '../transport/socket.js';
import { CODES, type Code } from './errors.js';
import type { ChatInfo } from './messages.js';
import type { Outbox } from './outbox.js';
import type { StreamSink } from './stream.js';
import type { View, Views } from './views.js';

export class Peer implements StreamSink {
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #views: Views;
  readonly #durability: number;

  constructor(socket: Socket, outbox: Outbox, views: Views, durability: keyof typeof DURABILITY) {
    this.#socket = socket;
    this.#outbox = outbox;
    this.#views = views;
    this.#durability = DURABILITY[durability];
  }

  get durability(): number {
    return this.#durability;
  }

  frame(frame: ServerFrame): void {
    this.#outbox.begin(this).frame(frame);
    this.#outbox.end();
  }

  sent(n: number, seq: number): void {
    this.#outbox.begin(this).sent(n, seq, this.#durability);
    this.#outbox.end();
  }

  /** `after`: ms until it may pass. */
  failed(n: number, code: Code, detail: string, after: number = CODES[code].after): void {
    this.frame({ type: T.FAILED, n, code, retry: CODES[code].retry, after, detail });
  }

  error(r: number, code: Code, detail: string, after: number = CODES[code].after): void {
    this.frame({ type: T.ERROR, r, code, retry: CODES[code].retry, after, detail });
  }

  delivery(view: View, from: string, seq: number, row: Uint8Array): void {
    this.announce(view);
    const sender = this.userRef(from);
    this.#outbox.begin(this).delivery(this.#views.ref(view), sender, seq, row);
    this.#outbox.end();
  }

  page(r: number, rows: readonly { readonly seq: number; readonly row: Uint8Array }[], more: boolean): void {
    this.#outbox.begin(this).page(r, rows, more);
    this.#outbox.end();
  }

  gap(view: View, head: number, start: number): void {
    const { chat, kind, name } = view;
    this.frame({ type: T.CERT, entries: [{ chat, head, start, kind, name }] });
  }

  /** Gives the chat an alias if it has none and there is one. */
  announce(view: View): void {
    if (view.kind === 0 || !this.#views.name(view)) return;
    this.frame({ type: T.CHAT, alias: view.alias, chat: view.chat, kind: view.kind, name: view.name });
  }

  /** The chat as a frame may name it. */
  view(info: ChatInfo, user: string): View {
    const view = this.#views.open(info.chat, info.key);
    if (view.kind === 0) this.#views.describe(view, info, user);
    this.announce(view);
    return view;
  }

  userRef(user: string): UserRef {
    const known = this.#views.userAlias(user);
    if (known !== 0) return known;
    const alias = this.#views.nameUser(user);
    if (alias === 0) return user;
    this.frame({ type: T.USER, alias, user });
    return alias;
  }

  /** Bytes of this slice's frames so far. */
  get pending(): number {
    return this.#outbox.pending;
  }

  /** Bytes on their way to the client: those of this slice too, or a burst within one would know no bound. */
  buffered(): number {
    return this.#socket.buffered() + this.#outbox.pending;
  }

  flush(): SendOutcome {
    return this.#outbox.flush(this.#socket);
  }

  close(code: number, reason: string): void {
    this.flush();
    this.#socket.close(code, reason);
  }
}
