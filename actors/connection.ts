// Owns one client's connection from HELLO to close: who it is, and what it is told.
// Invariant: no frame is handled before the token is verified and the user knows this connection; all that leaves goes
// through the outbox, in order; a client's errors end at worst its own connection.
// Must not: hold messages back (the log has them), interpret requests (intake.ts), or know the WebSocket server.
//
//   hello ── HELLO ──▶ joining (token, user) ──▶ ready ── SYNC ──▶ certificates, stream, live ──▶ closed

import { decodeClient } from '../transport/codec.js';
import { CLOSE, T } from '../transport/frames.js';
import type { Socket } from '../transport/socket.js';
import { ACCOUNT } from './account-intake.js';
import { Awaited } from './awaited.js';
import type { Behaviour, Context, ExitReason, Signal } from './behaviour.js';
import { type Inventory, readCertificates } from './certificate.js';
import type { Code } from './errors.js';
import type { Fabric, Verdict } from './fabric.js';
import { FollowUp } from './follow-up.js';
import { Intake } from './intake.js';
import { LIMITS } from './limits.js';
import { Login } from './login.js';
import type { ConnectionMessage, ConnectionRef } from './messages.js';
import { Meter } from './meter.js';
import { endWatches, outdates, tellNews, tellOwn, tellPresence } from './news.js';
import type { Outbox } from './outbox.js';
import { connectionOverflow } from './overflow.js';
import { Peer } from './peer.js';
import type { Ref } from './ref.js';
import { Resume } from './resume.js';
import { type Page, readPage, Stream } from './stream.js';
import { Views, viewRoom } from './views.js';

/** What a signal answers. */
export type ConnectionTag =
  | { readonly type: 'auth' | 'expiry' | 'poll' | 'watch' }
  | { readonly type: 'follow' | 'reread' | 'register' | 'page' | 'certificates' }
  | { readonly type: 'verdict'; readonly r: number }
  | { readonly type: 'read'; readonly r: number };

export type ConnectionContext = Context<ConnectionMessage, ConnectionTag>;

/** Frames told to a connection's actor and not handled yet, and how many bytes of them there may be. */
export interface Inflow {
  frames: number;
  bytes: number;
  most: number;
  /** Moment until which the client has used up its rate, as of its last turn. */
  until: number;
}

export interface ConnectionArgs {
  readonly fabric: Fabric;
  readonly socket: Socket;
  readonly outbox: Outbox;
  readonly inflow: Inflow;
  /** What its address counts as; '' where none is counted. */
  readonly network: string;
}

export class Connection {
  readonly fabric: Fabric;
  readonly views: Views;
  readonly peer: Peer;
  readonly stream: Stream;
  readonly resume = new Resume(() => this.fabric.world.random() * 2 ** 32);
  readonly login: Login;
  readonly awaited = new Awaited();
  readonly #intake = new Intake(this);
  phase: 'hello' | 'joining' | 'ready' | 'closed' = 'hello';
  readonly inflow: Inflow;
  readonly meter: Meter;
  /** Made with the first SYNC that has something to tell. */
  readonly followUp = new FollowUp(this);
  #polling = false;
  /** News were dropped that nothing else will bring: the client must be asked where it stands. */
  #lost = false;

  constructor({ fabric, socket, outbox, inflow, network }: ConnectionArgs, context: ConnectionContext) {
    this.fabric = fabric;
    this.views = new Views(viewRoom(fabric.world));
    this.inflow = inflow;
    this.login = new Login(this, network, fabric.world);
    this.meter = new Meter(fabric, this.login);
    this.peer = new Peer(socket, outbox, this.views, fabric.store.durability);
    this.stream = new Stream(this.views, this.peer);
    context.after(LIMITS.authMs, { type: 'auth' });
  }

  receive(message: ConnectionMessage, context: ConnectionContext): void {
    switch (message.type) {
      case 'delivery':
        this.#heed(message);
        if (!this.resume.live) this.resume.hold(message);
        else if (message.again === true)
          this.views.missed(message) ? this.followUp.unpassed(message.info.key, false, context) : this.resync();
        else this.stream.delivery(message, this.login.user, context.self);
        return;
      case 'frame':
      case 'raw':
        this.inflow.frames -= 1;
        this.inflow.bytes -= message.bytes;
        return this.#frame(message, context);
      case 'sent':
        return this.#intake.sent(message);
      case 'failed':
        return this.#intake.failed(message.n, message);
      case 'answer':
        return this.#intake.answered(message.r, message.results, message.members);
      case 'refused':
        return this.#intake.answered(message.r, message);
      case 'drained':
        return;
      case 'rewatch':
        return this.#intake.rewatch(message.chat, context);
      case 'resync':
        return this.resync();
      case 'registered':
        return this.login.registered(message.round, message.registration, context);
      case 'replaced':
      case 'removed':
        return this.#ended(CLOSE[message.type], message.type, context);
      case 'goaway':
        return this.peer.frame({ ...message, type: T.GOAWAY });
      case 'violation':
        return this.violation(message.code, message.close, message.detail, context);
      case 'marked':
      case 'blocked':
      case 'profiled':
        this.#heed(message);
        return tellOwn(message, this);
      case 'presence':
      case 'unviewed':
      case 'count':
        // Whatever its SYNC stands at: WATCH asked for it, and nothing else would bring it.
        return tellPresence(message, this, context.self);
      case 'unpassed':
        return this.followUp.unpassed(message.key, message.large, context);
      default:
        if (this.resume.live) tellNews(message, this);
        else if (message.type !== 'typing') this.resume.miss(message);
    }
  }

  signal(signal: Signal<ConnectionTag>, context: ConnectionContext): void {
    if (signal.type === 'told') return this.receive(signal.message as ConnectionMessage, context);
    if (signal.type === 'down') return this.#down(signal.monitor, signal.ref, signal.reason, context);
    if (signal.type === 'timer') return this.#timer(signal.tag, context);
    if (signal.type !== 'result') return;
    const { tag, value } = signal;
    switch (tag.type) {
      case 'verdict':
        return this.login.verdict(value as Verdict, tag.r, context);
      case 'certificates':
        return this.#certify(value as Inventory | null, context);
      case 'page':
        return this.#page(value as Page | null, context);
      case 'read':
        return this.#intake.answeredRead(tag.r, value);
    }
  }

  /** The slice is over: send, and read on where the client is behind and there is room again. */
  settled(context: ConnectionContext): void {
    if (this.phase === 'closed') return;
    if (this.#lost) this.resync();
    if (this.resume.live && this.resume.missing) this.followUp.add(this.resume.owed([]), context);
    if (this.peer.flush() === 'dropped') {
      // A frame is missing in the middle: nothing may follow it.
      this.phase = 'closed';
      this.peer.close(CLOSE.goingAway, 'too slow');
      context.stop();
      return;
    }
    this.inflow.until = this.meter.until;
    context.giveWay(this.phase === 'ready' && this.meter.heavy());
    const pause = this.#intake.proceed(context);
    if (!context.self.alive) return;
    if (this.resume.live) this.#catchUp(context);
    if ((pause > 0 || (this.resume.live && this.stream.blocked)) && !this.#polling) {
      // The socket's own word that it drained may never come.
      this.#polling = true;
      context.after(Math.min(pause || LIMITS.retryMs, LIMITS.retryMs), { type: 'poll' });
    }
  }

  /** The socket is gone, or the actor failed. */
  terminated(crashed: boolean, self: ConnectionRef): void {
    endWatches(this.fabric, self);
    if (this.phase !== 'closed') this.peer.close(crashed ? CLOSE.failed : CLOSE.goingAway, 'connection ended');
    this.phase = 'closed';
    this.login.leave();
  }

  // ---- frames ----

  #frame(message: Extract<ConnectionMessage, { type: 'frame' | 'raw' }>, context: ConnectionContext): void {
    const frame = message.type === 'frame' ? message.frame : decodeClient(message.raw);
    if (frame.type === 0) return;
    if (frame.type === -1) this.violation('bad_frame', CLOSE.badFrame, frame.reason, context);
    else if (frame.type === T.HELLO) {
      if (this.phase === 'hello') this.login.hello(frame, context);
      else this.violation('not_ready', CLOSE.auth, 'HELLO comes once', context);
    } else if (this.phase === 'hello') this.violation('not_ready', CLOSE.auth, 'HELLO comes first', context);
    else this.#intake.frame(frame, message.bytes, 'unread' in message, context);
  }

  // ---- the log ----

  /** The client's vector is whole. */
  synchronise(context: ConnectionContext): void {
    const { vector, backfill } = this.resume.begin(this.views);
    const { user, device } = this.login;
    this.#lost = false;
    const done = context.completion({ type: 'certificates' });
    readCertificates(this.fabric.reader, user, device, vector, backfill).then(done, (error: unknown) => {
      this.fabric.report('inbox_unreadable', { user, reason: String(error) });
      done(null);
    });
  }

  #certify(inventory: Inventory | null, context: ConnectionContext): void {
    if (inventory === null) return this.violation('unavailable', CLOSE.goingAway, 'the store cannot be read', context);
    if (!this.resume.tell(inventory, this.peer, this.fabric.world)) {
      const done = context.completion({ type: 'certificates' });
      return this.fabric.world.defer(() => done(inventory));
    }
    const { certificates, unknown } = inventory;
    this.meter.certified(certificates.length + unknown.length, unknown.length);
    if (this.resume.certify(inventory, this.login.user, this.views, this.peer)) return this.synchronise(context);
    this.login.arrived();
    const owed = this.resume.owed(certificates);
    if (owed.length > 0) this.followUp.add(owed, context);
    if (this.resume.stale) this.resync();
  }

  /** News for this client were lost: it has to say where it stands. */
  resync(): void {
    this.#lost = false;
    if (this.resume.interrupt()) this.peer.frame({ type: T.RESYNC });
  }

  #page(page: Page | null, context: ConnectionContext): void {
    if (page !== null) this.stream.page(page);
    // Until the timer the stream counts as reading: a store that fails at once must not be asked at once again.
    else context.after(LIMITS.reloadMs, { type: 'reread' });
  }

  #catchUp(context: ConnectionContext): void {
    const view = this.stream.next();
    if (view === null) return;
    const done = context.completion({ type: 'page' });
    readPage(this.fabric.reader, this.login.user, view, this.stream.credit).then(done, (error: unknown) => {
      this.fabric.report('log_unreadable', { chat: view.key, reason: String(error) });
      done(null);
    });
  }

  /** What is being read of a chat may show what is gone by now. */
  #heed(message: ConnectionMessage): void {
    const key = outdates(message);
    if (key !== null) for (const reading of [this.stream, this.#intake.questions]) reading.outdated(key);
  }

  // ---- ends ----

  #timer(tag: ConnectionTag, context: ConnectionContext): void {
    if (tag.type === 'poll') this.#polling = false;
    else if (tag.type === 'reread') this.stream.page(null);
    else if (tag.type === 'watch') this.#intake.watching.due(context);
    else if (tag.type === 'follow') this.followUp.due(context);
    else if (tag.type === 'register') this.login.register(context);
    else if (tag.type === 'expiry') this.violation('token_expired', CLOSE.auth, 'the token has expired', context);
    else this.login.late(context);
  }

  #down(monitor: number, ref: Ref<never>, reason: ExitReason, context: ConnectionContext): void {
    if (ref.kind !== 'user') return this.#intake.ended(ref.key, reason.type, context);
    this.#intake.ended(ACCOUNT, reason.type, context);
    if (this.phase === 'joining' || this.phase === 'ready') this.login.forgotten(monitor, reason, context);
  }

  /** Says what is wrong and closes. */
  violation(code: Code, close: number, detail: string, context: ConnectionContext, after?: number): void {
    this.peer.error(0, code, detail, after);
    // What is still on its way is not even decoded.
    this.inflow.most = 0;
    this.phase = 'closed';
    this.peer.close(close, code);
    context.stop();
  }

  #ended(close: number, reason: string, context: ConnectionContext): void {
    this.phase = 'closed';
    this.peer.close(close, reason);
    context.stop();
  }

  /** News did not fit the mailbox. Runs in the sender's turn: only marks. */
  missed(message: ConnectionMessage): void {
    this.#heed(message);
    if (message.type === 'receipt' || message.type === 'tally') this.#lost = !this.resume.miss(message) || this.#lost;
    else if (message.type !== 'delivery') this.#lost = true;
    else if (!this.resume.live) this.resume.hold(message);
    else if (!this.views.missed(message)) this.#lost = true;
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
  terminated: (state, reason, { self }) => state.terminated(reason.type === 'crash', self),
  ...connectionOverflow,
  urgent: (message) => message.type === 'registered',
  dropped: (state, message) => state.missed(message),
};
