// Owns the connection's life: token, dialling, greeting, heartbeat, loss, waiting, dialling again.
// Invariant: one link at a time; what an abandoned link still says is ignored; after `stop` nothing is dialled.
// Must not: know chats or messages; frames other than the connection's own go to the hooks.
//
//        ┌──────────────────── backoff over, or reconnect() ───────────────────┐
//        ▼                                                                     │
//   connecting ── WELCOME ──▶ online ── link lost, GOAWAY, no PONG ──────▶ waiting
//        │                       │                                             ▲
//        ├───────────────────────┼── token refused, close 4410 ──▶ failed      │
//        ├───────────────────────┼── close 4409 ─────▶ replaced                │
//        └── no link, no WELCOME in time ──────────────────────────────────────┘
//   close() leads from everywhere to closed

import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import { decodeServer, encodeClient } from '../transport/codec.js';
import { CLOSE, type ClientFrame, SUBPROTOCOL, T, WIRE_VERSION } from '../transport/frames.js';
import { Backoff } from './backoff.js';
import type { DialerHooks, DialerOptions, State, Welcome } from './connection.js';
import { asWeftError, WeftError } from './errors.js';
import type { Link } from './link.js';
import { TokenKeeper } from './token.js';

/** One connection, from the token to the loss. */
interface Attempt {
  link?: Link;
  /** World time of the newest frame. */
  heard: number;
  welcome?: Welcome;
  /** ERROR about the connection, which a close follows. */
  refusal?: WeftError;
  /** The server is leaving: ms it asked to stay away, and where to connect then. */
  leave?: number;
  target?: string;
  readonly timers: Set<() => void>;
}

/** Refusals that another attempt with the same token meets again. */
const TOKEN_CODES: readonly string[] = ['bad_token', 'token_expired'];

/** Refusals that no token helps against: of a removed device the user wants to hear nothing more. */
const FINAL_CODES: readonly string[] = ['bad_version', 'device_removed'];

/** What a close says where no ERROR came before it. */
function refusalOf(code: number): WeftError | undefined {
  if (code === CLOSE.auth) return new WeftError('bad_token', 'refused');
  if (code === CLOSE.removed) return new WeftError('device_removed', 'this device was removed');
  return code === CLOSE.tooMany ? new WeftError('rate_limited', 'too many refused tokens from here') : undefined;
}

/** Who is asked to go elsewhere takes its token along: never to where more people could read it. */
function isAsSafe(target: string, url: string): boolean {
  return /^wss:\/\//i.test(target) || (/^ws:\/\//i.test(target) && !/^(wss|https):/i.test(url));
}

export class Dialer {
  readonly #world: World;
  readonly #options: DialerOptions;
  readonly #hooks: DialerHooks;
  readonly #backoff: Backoff;
  readonly #token: TokenKeeper;
  #state: State = 'connecting';
  #attempt: Attempt | undefined;
  #cancelWait: (() => void) | undefined;
  #pings = 0;
  /** Where a server that left sent us; for one attempt. */
  #target: string | undefined;

  constructor(options: DialerOptions, hooks: DialerHooks) {
    this.#world = options.world;
    this.#options = options;
    this.#hooks = hooks;
    this.#backoff = new Backoff(options.world, options.backoff);
    this.#token = new TokenKeeper(options.world, options.token);
  }

  get state(): State {
    return this.#state;
  }

  get buffered(): number {
    return this.#attempt?.link?.buffered() ?? 0;
  }

  start(): void {
    this.#begin();
  }

  /** False unless a server is listening. */
  send(frame: ClientFrame): boolean {
    const { link, welcome } = this.#attempt ?? {};
    if (link === undefined || welcome === undefined) return false;
    link.send(encodeClient(frame));
    return true;
  }

  /** Dials now instead of after the wait: the network is back, the user is looking. */
  reconnect(): void {
    if (this.#state !== 'waiting') return;
    this.#cancelWait?.();
    this.#begin();
  }

  /** The connection makes no sense any more: drops it and dials again. */
  fail(error: WeftError): void {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    attempt.refusal ??= error;
    attempt.link?.close(CLOSE.normal, error.code);
    this.#lost(attempt, 0);
  }

  stop(): void {
    this.#end('closed');
  }

  /** All sends are answered: a server that is leaving need not be waited for. */
  idle(): void {
    const attempt = this.#attempt;
    if (attempt?.leave === undefined) return;
    attempt.link?.close(CLOSE.normal, 'goaway');
    this.#lost(attempt, CLOSE.goingAway);
  }

  #begin(): void {
    const attempt: Attempt = { heard: this.#world.now(), timers: new Set() };
    this.#attempt = attempt;
    this.#enter('connecting');
    this.#token.fetch().then(
      (token) => this.#open(attempt, token),
      (error: unknown) => {
        if (this.#attempt !== attempt) return;
        attempt.refusal = asWeftError(error, 'token_failed');
        this.#hooks.trouble(attempt.refusal);
        this.#lost(attempt, 0);
      },
    );
  }

  #open(attempt: Attempt, token: string): void {
    if (this.#attempt !== attempt) return;
    this.#timer(attempt, LIMITS.clientConnectMs, () => {
      if (attempt.welcome !== undefined) return;
      this.fail(new WeftError('timeout', `no welcome within ${LIMITS.clientConnectMs} ms`));
    });
    const url = this.#target ?? this.#options.url;
    this.#target = undefined;
    attempt.link = this.#options.dial(url, SUBPROTOCOL, {
      open: () => {
        if (this.#attempt === attempt) this.#greet(attempt, token);
      },
      message: (bytes) => {
        if (this.#attempt === attempt) this.#message(attempt, bytes);
      },
      closed: (code) => {
        if (this.#attempt === attempt) this.#lost(attempt, code);
      },
    });
  }

  #greet(attempt: Attempt, token: string): void {
    const { credit, frames } = this.#hooks.greet();
    const hello: ClientFrame = { type: T.HELLO, version: WIRE_VERSION, token, credit, agent: this.#options.agent };
    for (const frame of [hello, ...frames]) attempt.link?.send(encodeClient(frame));
  }

  #message(attempt: Attempt, bytes: Uint8Array): void {
    attempt.heard = this.#world.now();
    const frame = decodeServer(bytes);
    switch (frame.type) {
      case 0:
        return;
      case -1:
        this.#hooks.trouble(new WeftError('bad_response', frame.reason));
        this.fail(new WeftError('bad_response', frame.reason));
        return;
      case T.WELCOME:
        this.#welcome(attempt, frame);
        return;
      case T.GOAWAY:
        this.#leave(attempt, frame.after, frame.target);
        return;
      case T.PONG:
        return;
      case T.ERROR:
        if (frame.r !== 0) break;
        attempt.refusal = new WeftError(frame.code, frame.detail, frame);
        return;
    }
    if (attempt.welcome !== undefined) this.#hooks.frame(frame);
  }

  #welcome(attempt: Attempt, welcome: Welcome): void {
    if (attempt.welcome !== undefined) return;
    const refusal = this.#hooks.admit(welcome);
    if (refusal !== undefined) {
      this.#end('failed', refusal);
      return;
    }
    attempt.welcome = welcome;
    this.#timer(attempt, LIMITS.clientStableMs, () => this.#backoff.reset());
    this.#beat(attempt, Math.min(Math.max(1_000, welcome.heartbeat), LIMITS.clientTimerMs));
    this.#watchToken(attempt, welcome.expires, welcome.time);
    this.#enter('online');
    this.#hooks.up(welcome);
  }

  #beat(attempt: Attempt, every: number): void {
    this.#timer(attempt, every, () => {
      const asked = this.#world.now();
      this.#pings = (this.#pings + 1) % 65_536;
      this.send({ type: T.PING, n: this.#pings });
      this.#timer(attempt, Math.min(every, LIMITS.clientPongMs), () => {
        // A suspended machine fires this timer before the frames that waited in the socket: let them be read first.
        this.#world.defer(() => {
          if (this.#attempt !== attempt || attempt.heard >= asked) return;
          this.fail(new WeftError('timeout', 'the connection went silent'));
        });
      });
      this.#beat(attempt, every);
    });
  }

  #watchToken(attempt: Attempt, expires: number, serverTime: number): void {
    const since = this.#world.now();
    this.#token.watch(expires, serverTime, () => {
      this.#token
        .fetch()
        .then((token) => (this.#attempt === attempt ? this.#hooks.renew(token) : expires))
        .then((next) => {
          const time = serverTime + (this.#world.now() - since);
          // An end that is not later would renew in a circle; the server closes at the end, and a new connection asks again.
          if (this.#attempt === attempt && next > expires) this.#watchToken(attempt, next, time);
        })
        .catch((error: unknown) => {
          if (this.#attempt === attempt) this.#hooks.trouble(asWeftError(error, 'token_failed'));
        });
    });
  }

  #leave(attempt: Attempt, after: number, target: string): void {
    if (attempt.welcome === undefined || attempt.leave !== undefined) return;
    if (isAsSafe(target, this.#options.url)) attempt.target = target;
    attempt.leave = Math.min(after, LIMITS.clientTimerMs);
    this.#hooks.leaving();
    if (this.#hooks.unanswered() === 0) this.idle();
    else this.#timer(attempt, LIMITS.clientDrainMs, () => this.idle());
  }

  #lost(attempt: Attempt, code: number): void {
    const refusal = attempt.refusal ?? refusalOf(code);
    this.#target = attempt.target;
    this.#abandon();
    if (code === CLOSE.replaced) {
      this.#end('replaced', new WeftError('replaced', 'a newer connection of this device took over'));
      return;
    }
    const hopeless = TOKEN_CODES.includes(refusal?.code ?? '') && !this.#token.renewable;
    if (refusal !== undefined && (hopeless || FINAL_CODES.includes(refusal.code))) {
      this.#end('failed', refusal);
      return;
    }
    const error = refusal ?? new WeftError('offline', code === 0 ? 'no connection' : `connection closed (${code})`);
    const { leave } = attempt;
    // Who sends clients on, or has too many at once, gives each another time.
    const spread = leave ?? (refusal?.code === 'busy' ? refusal.after / LIMITS.clientSpread : undefined);
    const most = spread === undefined ? undefined : Math.max(spread, LIMITS.clientMoveMs);
    const retryIn = this.#backoff.next(Math.max(leave ?? 0, refusal?.after ?? 0), most);
    this.#cancelWait = this.#world.timer(retryIn, () => this.#begin());
    this.#enter('waiting', { error, retryIn });
  }

  /** Forgets the connection; its link's later events find another attempt, or none. */
  #abandon(): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    this.#token.stop();
    for (const cancel of attempt?.timers ?? []) cancel();
    if (attempt?.welcome !== undefined) this.#hooks.down();
  }

  #end(state: State, error?: WeftError): void {
    if (this.#state === 'closed' || this.#state === 'failed' || this.#state === 'replaced') return;
    this.#cancelWait?.();
    this.#attempt?.link?.close(CLOSE.normal, state);
    this.#abandon();
    this.#enter(state, error === undefined ? {} : { error });
  }

  #enter(state: State, more: { readonly error?: WeftError; readonly retryIn?: number } = {}): void {
    const previous = this.#state;
    this.#state = state;
    this.#hooks.state({ state, previous, ...more });
  }

  #timer(attempt: Attempt, ms: number, task: () => void): void {
    const cancel = this.#world.timer(ms, () => {
      attempt.timers.delete(cancel);
      if (this.#attempt === attempt) task();
    });
    attempt.timers.add(cancel);
  }
}
