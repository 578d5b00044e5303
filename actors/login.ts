// Owns who a connection speaks for: the token of HELLO, later tokens, their expiry, and that the user knows the connection.
// Invariant: a user and device are set only from a verified token; one token is checked at a time.
// Must not: handle frames of a ready connection (intake.ts), or know how tokens are signed.

import { CLOSE, type ClientFrame, T, WIRE_VERSION } from '../transport/frames.js';
import type { ExitReason } from './behaviour.js';
import type { Connection, ConnectionContext } from './connection.js';
import type { Verdict } from './fabric.js';
import { LIMITS } from './limits.js';
import type { Registration } from './messages.js';
import type { World } from './world.js';

type Of<T extends number> = Extract<ClientFrame, { type: T }>;

export class Login {
  user = '';
  device = '';
  #sender = '';
  readonly network: string;
  readonly #connection: Connection;
  /** When it was opened, not when HELLO was read, by both clocks: the node may have stood still in between, and the client gone elsewhere. */
  readonly #opened: number;
  readonly #since: number;
  #expires = 0;
  /** The timer of the expiry; 0 none. */
  #expiry = 0;
  #checking = false;
  /** When the token of HELLO was issued, wall ms. */
  #issued = 0;
  /** Of the user's actor. */
  #monitor = 0;
  /** When its user's actor first said, since it was last registered, that it cannot tell now; null: it did not. */
  #refused: number | null = null;
  /** Counts what it was asked: an answer to an older question is void. */
  #round = 0;
  #welcomed = false;
  /** Counted among the node's arrivals. */
  #arriving = false;

  /** Of a connection that has just been opened. `network`: what its address counts as, '' where none is counted. */
  constructor(connection: Connection, network: string, world: World) {
    this.#connection = connection;
    this.network = network;
    this.#opened = world.now();
    this.#since = world.wall();
  }

  /** User and device in one, for what counts by device. Made when it is needed first: most devices are quiet. */
  get sender(): string {
    // No control character is in either.
    if (this.#sender === '') this.#sender = `${this.user}\n${this.device}`;
    return this.#sender;
  }

  hello(hello: Of<1>, context: ConnectionContext): void {
    if (hello.version !== WIRE_VERSION) {
      const detail = `this server speaks version ${WIRE_VERSION}`;
      return this.#connection.violation('bad_version', CLOSE.badFrame, detail, context);
    }
    const { fabric } = this.#connection;
    const pause = this.network === '' ? 0 : fabric.allowances.wait('badLogins', this.network);
    if (pause > 0) {
      const detail = 'too many refused logins from this address';
      return this.#connection.violation('rate_limited', CLOSE.tooMany, detail, context, pause);
    }
    const after = fabric.allowances.arrivals.enter();
    if (after > 0) {
      fabric.allowances.refused.arrivals += 1;
      return this.#connection.violation('busy', CLOSE.goingAway, 'very many are connecting now', context, after);
    }
    this.#arriving = true;
    this.#connection.phase = 'joining';
    this.#connection.stream.credit = Math.min(hello.credit, LIMITS.credit);
    context.suspend();
    this.#verify(hello.token, 0, context);
  }

  /** A later token of the same user and device. */
  renew({ r, token }: Of<16>, context: ConnectionContext): void {
    if (!this.#checking) return this.#verify(token, r, context);
    this.#connection.peer.error(r, 'busy', 'another token is being checked');
  }

  /** Checks a token; `r` 0: that of HELLO. */
  #verify(token: string, r: number, context: ConnectionContext): void {
    this.#checking = true;
    const { fabric } = this.#connection;
    const done = context.completion({ type: 'verdict', r });
    fabric.verify(token).then(done, (error: unknown) => {
      fabric.report('verifier_failed', { reason: String(error) });
      done({ ok: false, code: 'unavailable', detail: 'tokens cannot be checked now' } satisfies Verdict);
    });
  }

  verdict(verdict: Verdict, r: number, context: ConnectionContext): void {
    this.#checking = false;
    const connection = this.#connection;
    if (!verdict.ok) {
      if (verdict.code !== 'unavailable') {
        if (this.network !== '') connection.fabric.allowances.take('badLogins', this.network);
        return connection.violation(verdict.code, CLOSE.auth, verdict.detail, context);
      }
      // The token in use is as good as before.
      if (r !== 0) return connection.peer.error(r, verdict.code, verdict.detail);
      return connection.violation(verdict.code, CLOSE.goingAway, verdict.detail, context);
    }
    if (r === 0) {
      this.user = verdict.user;
      this.device = verdict.device;
      this.#issued = verdict.issued;
    } else if (verdict.user !== this.user || verdict.device !== this.device) {
      return connection.violation('bad_token', CLOSE.auth, 'the token is for another user or device', context);
    }
    const pause = r === 0 ? connection.fabric.allowances.claim('logins', this.user) : 0;
    if (pause > 0) {
      return connection.violation(
        'rate_limited',
        CLOSE.tooMany,
        'too many connections in a short time',
        context,
        pause,
      );
    }
    this.#expireAt(verdict.expires, context);
    if (r === 0) this.register(context);
    else connection.peer.frame({ type: T.OK, r, results: [verdict.expires] });
  }

  #expireAt(expires: number, context: ConnectionContext): void {
    if (this.#expiry !== 0) context.cancel(this.#expiry);
    this.#expires = expires;
    const rest = expires - this.#connection.fabric.world.wall();
    this.#expiry = context.after(Math.max(0, rest), { type: 'expiry' });
  }

  /** Tells the user's actor of this connection; it answers when the device is on record. */
  register(context: ConnectionContext): void {
    const { users, world } = this.#connection.fabric;
    const { user, device } = this;
    this.#round += 1;
    const told = users.tell(user, {
      type: 'register',
      device,
      issued: this.#issued,
      connection: context.self,
      round: this.#round,
      since: this.#since,
      late: this.#welcomed || world.now() - this.#opened >= LIMITS.freshMs,
    });
    const actor = told === 'ok' ? users.lookup(user) : undefined;
    if (actor === undefined) context.after(LIMITS.retryMs, { type: 'register' });
    else this.#monitor = context.monitor(actor);
  }

  /**
   * The user's actor forgot this connection. Deliveries may be missing: register again, then have the client resync. Where it
   * broke off, at once; where it moved or is out of reach, others did, too: not all in one turn.
   */
  forgotten(monitor: number, reason: ExitReason, context: ConnectionContext): void {
    if (monitor !== this.#monitor) return;
    if (reason.type === 'crash' || reason.type === 'killed') return this.register(context);
    this.#later(context);
  }

  #patient(): boolean {
    const now = this.#connection.fabric.world.now();
    this.#refused ??= now;
    return now - this.#refused < LIMITS.authMs;
  }

  #later(context: ConnectionContext): void {
    context.demonitor(this.#monitor);
    const { world } = this.#connection.fabric;
    context.after(world.random() * LIMITS.registerMs, { type: 'register' });
  }

  registered(round: number, registration: Registration, context: ConnectionContext): void {
    const connection = this.#connection;
    if (round !== this.#round) return;
    if (registration?.code === 'busy') return void context.after(LIMITS.retryMs, { type: 'register' });
    // The user's node cannot read what another node of the client's would ask it for, too (seed 3009 of the cluster).
    if (registration?.code === 'unavailable' && this.#welcomed && this.#patient()) return this.#later(context);
    this.#refused = null;
    if (registration !== null) {
      const close = registration.code === 'device_removed' ? CLOSE.auth : CLOSE.goingAway;
      return connection.violation(registration.code, close, registration.detail, context);
    }
    // The user's actor is a new one: what came between the two is lost.
    if (this.#welcomed) return connection.resync();
    this.#welcomed = true;
    connection.meter.resume();
    const { barred } = connection.meter;
    if (barred > 0) return connection.violation('rate_limited', CLOSE.tooMany, 'after a flood', context, barred);
    connection.phase = 'ready';
    connection.inflow.most = LIMITS.inflowBytes;
    context.resume();
    connection.peer.frame({
      type: T.WELCOME,
      user: this.user,
      device: this.device,
      durability: connection.peer.durability,
      window: LIMITS.window,
      maxBody: LIMITS.body,
      time: connection.fabric.world.wall(),
      heartbeat: LIMITS.heartbeatMs,
      expires: this.#expires,
    });
    // Its SYNC may be long in coming.
    if (connection.inflow.frames === 0) this.arrived();
  }

  /** Some time after its beginning. */
  late(context: ConnectionContext): void {
    const { phase } = this.#connection;
    if (phase === 'hello') {
      const detail = `no HELLO within ${LIMITS.authMs} ms`;
      this.#connection.violation('auth_timeout', CLOSE.authTimeout, detail, context);
    } else if (phase === 'joining') {
      const detail = 'who you are could not be settled in time';
      this.#connection.violation('unavailable', CLOSE.goingAway, detail, context);
    } else this.arrived();
  }

  /** The client is certified, or takes its time to ask for it: others may come in. */
  arrived(): void {
    if (this.#arriving) this.#connection.fabric.allowances.arrivals.leave();
    this.#arriving = false;
  }

  /** The connection has ended. */
  leave(): void {
    this.arrived();
    this.#connection.meter.leave();
  }
}
