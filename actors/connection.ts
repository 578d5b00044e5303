// Owns one client's connection from HELLO to close: who it is, and what it is told.
// Invariant: no frame is handled before the token is verified and the user knows this connection; all that leaves goes
// through the outbox, in order; a client's errors end at worst its own connection.
// Must not: hold messages back (the log has them), interpret requests (intake.ts), or know the WebSocket server.
//
//   hello ── HELLO ──▶ joining (token, user) ──▶ ready ── SYNC ──▶ certificates, stream, live ──▶ closed

import { CLOSE, type ClientFrame, T, WIRE_VERSION } from '../transport/frames.js';
import type { Socket } from '../transport/socket.js';
import type { Behaviour, Context, Signal } from './behaviour.js';
import { type Certificate, readCertificates } from './certificate.js';
import type { Code } from './errors.js';
import type { Fabric, Verdict } from './fabric.js';
import { Intake } from './intake.js';
import { LIMITS } from './limits.js';
import type { ConnectionMessage, Registration } from './messages.js';
import type { Outbox } from './outbox.js';
import { Peer } from './peer.js';
import { Resume } from './resume.js';
import { type Page, readPage, Stream } from './stream.js';
import { Views } from './views.js';

/** What a signal answers. */
export type ConnectionTag =
  | { readonly type: 'auth' | 'expiry' | 'poll' | 'register' | 'registered' | 'page' | 'certificates' }
  | { readonly type: 'verdict'; readonly r: number }
  | { readonly type: 'read'; readonly r: number };

export type ConnectionContext = Context<ConnectionMessage, ConnectionTag>;

export interface ConnectionArgs {
  readonly fabric: Fabric;
  readonly socket: Socket;
  readonly outbox: Outbox;
}

type Hello = Extract<ClientFrame, { type: 1 }>;

export class Connection {
  readonly fabric: Fabric;
  readonly views = new Views();
  readonly peer: Peer;
  readonly stream: Stream;
  readonly resume = new Resume();
  user = '';
  device = '';
  readonly #intake = new Intake(this);
  #phase: 'hello' | 'joining' | 'ready' | 'closed' = 'hello';
  #expires = 0;
  #expiry = 0;
  #polling = false;
  #joined = false;

  constructor({ fabric, socket, outbox }: ConnectionArgs, context: ConnectionContext) {
    this.fabric = fabric;
    this.peer = new Peer(socket, outbox, this.views, fabric.store.durability);
    this.stream = new Stream(this.views, this.peer);
    context.after(LIMITS.authMs, { type: 'auth' });
  }

  receive(message: ConnectionMessage, context: ConnectionContext): void {
    switch (message.type) {
      case 'delivery':
        if (!this.resume.live) this.resume.hold(message);
        else this.stream.delivery(message, this.user, message.origin === context.self);
        return;
      case 'frame':
        return this.#frame(message.frame, context);
      case 'sent':
        return this.#intake.sent(message.n, message.seq);
      case 'failed':
        return this.#intake.failed(message.n, message.code, message.detail);
      case 'answer':
        return this.peer.frame({ type: T.OK, r: message.r, results: message.results });
      case 'refused':
        return this.peer.error(message.r, message.code, message.detail);
      case 'drained':
        return;
      case 'resync':
        return this.#resync();
      case 'replaced':
        return this.#close('replaced', context);
      case 'goaway':
        return this.peer.frame({ type: T.GOAWAY, after: message.after, reason: message.reason });
      case 'violation':
        return this.violation(message.code, message.close, message.detail, context);
      default:
        if (this.resume.live) this.#news(message);
    }
  }

  signal(signal: Signal<ConnectionTag>, context: ConnectionContext): void {
    if (signal.type === 'down') return this.#userDown(context);
    if (signal.type === 'timer') return this.#timer(signal.tag, context);
    if (signal.type !== 'result') return;
    const { tag, value } = signal;
    switch (tag.type) {
      case 'verdict':
        return this.#verdict(value as Verdict, tag.r, context);
      case 'registered':
        return this.#registered(value as Registration, context);
      case 'certificates':
        return this.#certify(value as readonly Certificate[] | null, context);
      case 'page':
        return this.stream.page(value as Page | null);
      case 'read':
        return this.#intake.answered(tag.r, value);
    }
  }

  /** The slice is over: read on where the client is behind, and send. */
  settled(context: ConnectionContext): void {
    if (this.#phase === 'closed') return;
    if (this.resume.live) this.#catchUp(context);
    if (this.peer.flush() === 'dropped') {
      // A frame is missing in the middle: nothing may follow it.
      this.#phase = 'closed';
      this.peer.close(CLOSE.goingAway, 'too slow');
      context.stop();
    }
  }

  /** The socket is gone, or the actor failed. */
  terminated(crashed: boolean): void {
    if (this.#phase !== 'closed') this.peer.close(crashed ? CLOSE.failed : CLOSE.goingAway, 'connection ended');
    this.#phase = 'closed';
  }

  // ---- frames ----

  #frame(frame: ClientFrame, context: ConnectionContext): void {
    if (frame.type === T.HELLO) {
      if (this.#phase === 'hello') this.#hello(frame, context);
      else this.violation('not_ready', CLOSE.auth, 'HELLO comes once', context);
    } else if (this.#phase === 'hello') this.violation('not_ready', CLOSE.auth, 'HELLO comes first', context);
    else this.#intake.frame(frame, context);
  }

  #hello(hello: Hello, context: ConnectionContext): void {
    if (hello.version !== WIRE_VERSION) {
      return this.violation('bad_version', CLOSE.badFrame, `this server speaks version ${WIRE_VERSION}`, context);
    }
    this.#phase = 'joining';
    this.stream.credit = Math.min(hello.credit, LIMITS.credit);
    context.suspend();
    this.verify(hello.token, 0, context);
  }

  /** Checks a token; `r` 0: that of HELLO. */
  verify(token: string, r: number, context: ConnectionContext): void {
    const done = context.completion({ type: 'verdict', r });
    this.fabric.verify(token).then(done, (error: unknown) => {
      this.fabric.report('verifier_failed', { reason: String(error) });
      done({ ok: false, code: 'unavailable', detail: 'tokens cannot be checked now' } satisfies Verdict);
    });
  }

  #verdict(verdict: Verdict, r: number, context: ConnectionContext): void {
    if (!verdict.ok) {
      const close = verdict.code === 'unavailable' ? CLOSE.goingAway : CLOSE.auth;
      return this.violation(verdict.code, close, verdict.detail, context);
    }
    if (r !== 0) return this.#prolong(verdict, r, context);
    this.user = verdict.user;
    this.device = verdict.device;
    this.#expireAt(verdict.expires, context);
    this.#register(context);
  }

  #prolong(verdict: Extract<Verdict, { ok: true }>, r: number, context: ConnectionContext): void {
    if (verdict.user !== this.user || verdict.device !== this.device) {
      return this.violation('bad_token', CLOSE.auth, 'the token is for another user or device', context);
    }
    this.#expireAt(verdict.expires, context);
    this.peer.frame({ type: T.OK, r, results: [verdict.expires] });
  }

  #expireAt(expires: number, context: ConnectionContext): void {
    if (this.#expiry !== 0) context.cancel(this.#expiry);
    this.#expires = expires;
    this.#expiry = context.after(Math.max(0, expires - this.fabric.world.wall()), { type: 'expiry' });
  }

  /** Tells the user's actor of this connection; it answers when the device is on record. */
  #register(context: ConnectionContext): void {
    const done = context.completion({ type: 'registered' });
    const { device } = this;
    const reply = { answer: done };
    const told = this.fabric.users.tell(this.user, { type: 'register', device, connection: context.self, reply });
    const actor = told === 'ok' ? this.fabric.users.lookup(this.user) : undefined;
    if (actor === undefined) context.after(LIMITS.retryMs, { type: 'register' });
    else context.monitor(actor);
  }

  #registered(registration: Registration, context: ConnectionContext): void {
    if (registration !== 'registered') {
      return this.violation(registration.code, CLOSE.goingAway, registration.detail, context);
    }
    if (this.#joined) return this.#resync();
    this.#joined = true;
    this.#phase = 'ready';
    context.resume();
    this.peer.frame({
      type: T.WELCOME,
      user: this.user,
      device: this.device,
      durability: this.peer.durability,
      window: LIMITS.window,
      maxBody: LIMITS.body,
      time: this.fabric.world.wall(),
      heartbeat: LIMITS.heartbeatMs,
      expires: this.#expires,
    });
  }

  /** The user's actor forgot this connection. Deliveries may be missing: register again, then have the client resync. */
  #userDown(context: ConnectionContext): void {
    if (this.#phase === 'joining' || this.#phase === 'ready') this.#register(context);
  }

  // ---- the log ----

  /** The client's vector is whole. */
  synchronise(context: ConnectionContext): void {
    const { vector, backfill } = this.resume.begin(this.views);
    const done = context.completion({ type: 'certificates' });
    readCertificates(this.fabric.store, this.user, this.device, vector, backfill).then(done, (error: unknown) => {
      this.fabric.report('inbox_unreadable', { user: this.user, reason: String(error) });
      done(null);
    });
  }

  #certify(certificates: readonly Certificate[] | null, context: ConnectionContext): void {
    if (certificates === null)
      return this.violation('unavailable', CLOSE.goingAway, 'the store cannot be read', context);
    if (this.resume.certify(certificates, this.views, this.peer)) return this.synchronise(context);
    const { user, device } = this;
    for (const { key, news, wantsReceipts } of certificates) {
      if (news !== null) this.fabric.chats.tell(key, { type: 'cursor', user, device, ...news });
      if (wantsReceipts) this.fabric.chats.tell(key, { type: 'receipts', user, connection: context.self });
    }
  }

  #resync(): void {
    if (!this.resume.live) return;
    this.resume.live = false;
    this.peer.frame({ type: T.RESYNC });
  }

  #catchUp(context: ConnectionContext): void {
    const view = this.stream.next();
    if (view !== null) {
      const done = context.completion({ type: 'page' });
      readPage(this.fabric.store, this.user, view, this.stream.credit).then(done, (error: unknown) => {
        this.fabric.report('log_unreadable', { chat: view.key, reason: String(error) });
        done(null);
      });
    } else if (this.stream.blocked && !this.#polling) {
      // The socket's own word that it drained may never come.
      this.#polling = true;
      context.after(LIMITS.retryMs, { type: 'poll' });
    }
  }

  #news(news: Extract<ConnectionMessage, { type: 'receipt' | 'typing' | 'presence' }>): void {
    if (news.type === 'presence') {
      const user = this.peer.userRef(news.user);
      return this.peer.frame({ type: T.PRESENCE, user, online: news.online, lastSeen: news.lastSeen });
    }
    if (news.user === this.user && (news.type === 'typing' || news.device === this.device)) return;
    const chat = this.views.ref(this.peer.view(news.info, this.user));
    const user = this.peer.userRef(news.user);
    if (news.type === 'typing') this.peer.frame({ type: T.TYPING_OF, chat, user, on: news.on });
    else this.peer.frame({ type: T.RECEIPT, chat, user, delivered: news.delivered, read: news.read });
  }

  // ---- ends ----

  #timer(tag: ConnectionTag, context: ConnectionContext): void {
    if (tag.type === 'poll') this.#polling = false;
    else if (tag.type === 'register') this.#register(context);
    else if (tag.type === 'expiry') this.violation('token_expired', CLOSE.auth, 'the token has expired', context);
    else if (tag.type === 'auth' && this.#phase === 'hello') {
      this.violation('auth_timeout', CLOSE.authTimeout, `no HELLO within ${LIMITS.authMs} ms`, context);
    }
  }

  /** Says what is wrong and closes. */
  violation(code: Code, close: number, detail: string, context: ConnectionContext): void {
    this.peer.error(0, code, detail);
    this.#phase = 'closed';
    this.peer.close(close, code);
    context.stop();
  }

  #close(reason: 'replaced', context: ConnectionContext): void {
    this.#phase = 'closed';
    this.peer.close(CLOSE.replaced, reason);
    context.stop();
  }

  /** A delivery did not fit the mailbox. */
  missed(message: ConnectionMessage): void {
    if (message.type !== 'delivery') return;
    if (this.resume.live) this.views.missed(message);
    else this.resume.hold(message);
  }
}

export const connection: Behaviour<Connection, ConnectionMessage, ConnectionArgs, ConnectionTag> = {
  kind: 'connection',
  level: 'interactive',
  capacity: LIMITS.connectionMailbox,
  init: (context, args) => new Connection(args, context),
  receive: (state, message, context) => state.receive(message, context),
  signal: (state, signal, context) => state.signal(signal, context),
  settled: (state, context) => state.settled(context),
  terminated: (state, reason) => state.terminated(reason.type === 'crash'),
  overflow: (message) => {
    switch (message.type) {
      case 'frame':
        return 'refuse';
      case 'delivery':
        return 'drop';
      case 'typing':
      case 'presence':
      case 'receipt':
        return 'latest';
      default:
        // Answers to a bounded window of requests, and what closes the connection.
        return 'admit';
    }
  },
  coalesce: (message) => {
    if (message.type === 'presence') return `p${message.user}`;
    return message.type === 'typing' || message.type === 'receipt'
      ? `${message.type}${message.info.key}${message.user}`
      : null;
  },
  dropped: (state, message) => state.missed(message),
};
