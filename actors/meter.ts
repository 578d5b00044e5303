// Owns what each frame of one connection's client, and what it sets in motion, counts for, and whether it may come; and its
// SENDs' count in the node's tables.
// Invariant: what tells of a message that this connection was sent costs nothing, so that catching up is never slowed; who
// goes on far beyond what is allowed is flooding.
// Must not: answer.

import { type ClientFrame, T } from '../transport/frames.js';
import { FULL, missing, take, wait } from './bucket.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import type { Login } from './login.js';

/** Frames that each message sent to the client pays for: an ACK, a READ and a CREDIT. */
const TELLS = 3;

/** Tokens of frames that are answered from memory, and of those that wake an actor or have the store read. */
const LIGHT = 1;
const WAKING = 4;
/** SYNC reads the whole inbox; TYPING is told to every member. */
const SYNC = 50;
const TYPING = 10;
/** May read all groups of two users. */
const PROFILE = 8;
/** What counts as one token: rows to be read, or looked for; members who are told of a message. */
const ROWS = 20;
const MEMBERS = 10;
/** Users to be looked up before a group takes them in. */
const USERS = 6;
/** Chats of a vector that nobody knows are hardly ever an accident. */
const UNKNOWN = 4;
/** Share of a burst from which on a client has used so much that others come first. */
const MUCH = 0.1;

export class Meter {
  readonly #fabric: Fabric;
  readonly #login: Pick<Login, 'user' | 'sender'>;
  #full = FULL;
  #told = 0;

  constructor(fabric: Fabric, login: Pick<Login, 'user' | 'sender'>) {
    this.#fabric = fabric;
    this.#login = login;
  }

  /** The device is known: what its last connection did counts on, so that a new one is no way around. */
  resume(): void {
    const { allowances } = this.#fabric;
    if (allowances.frames.every > 0) this.#full = Math.max(this.#full, allowances.resume(this.#login.sender));
  }

  /** The connection ends, or may. */
  leave(): void {
    if (this.#full !== FULL && this.#login.user !== '') this.#fabric.allowances.leave(this.#login.sender, this.#full);
  }

  /**
   * Counts a frame. Answers ms until it may come, 0 for now, Infinity for a flood. `delivered`: messages that the
   * connection was sent so far; `bytes`: of the frame.
   */
  count(frame: ClientFrame, delivered: number, bytes = 0): number {
    const { frames } = this.#fabric.allowances;
    if (frames.every === 0) return 0;
    const { type } = frame;
    if ((type === T.ACK || type === T.READ || type === T.CREDIT) && this.#told < TELLS * delivered) {
      this.#told += 1;
      return 0;
    }
    const now = this.#fabric.world.now();
    const ms = wait(this.#full, frames, now);
    if (ms > 0) this.#fabric.allowances.refused.frameRate += 1;
    const refused = ms > 0 && ('r' in frame || type === T.SEND);
    // What will be refused is cheap, but it was read.
    this.#full = take(this.#full, frames, now, refused ? LIGHT + Math.floor(bytes / LIMITS.frameRead) : cost(frame));
    if (ms > LIMITS.frameDebt * frames.every) return Number.POSITIVE_INFINITY;
    // With what this one took: who comes when he was told must not be early.
    return Math.ceil(refused ? wait(this.#full, frames, now) : ms);
  }

  /** It was flooding: as far in debt as can be. */
  flooded(): void {
    this.#take(LIMITS.frameBurst + LIMITS.frameDebt);
  }

  /** ms for which the device is not let in, after a flood; 0: it is. */
  get barred(): number {
    const { frames } = this.#fabric.allowances;
    return this.pause > (LIMITS.frameDebt / 2) * frames.every ? this.pause : 0;
  }

  /** Moment until which the client has no token. */
  get until(): number {
    const { every, burst } = this.#fabric.allowances.frames;
    return every === 0 ? 0 : this.#full - (burst - 1) * every;
  }

  /** ms until the client has tokens again; 0: it has. */
  get pause(): number {
    return this.#full === FULL
      ? 0
      : Math.ceil(wait(this.#full, this.#fabric.allowances.frames, this.#fabric.world.now()));
  }

  /** So many rows will be read for a request. */
  asked(rows: number): void {
    this.#take(rows / ROWS);
  }

  /** A request was answered with so many bytes. */
  answered(bytes: number): void {
    this.#take(bytes / LIMITS.frameBytes);
  }

  /** A request was answered with so many bytes of the log. */
  paged(bytes: number): void {
    this.#take(bytes / LIMITS.framePage);
  }

  /** A vector was answered with so many chats, of which so many are not known. */
  certified(chats: number, unknown: number): void {
    this.#take(chats / ROWS + unknown / UNKNOWN);
  }

  /** An entry of this client is being told to so many members. */
  told(members: number): void {
    this.#take(members / MEMBERS);
  }

  /** Something that costs so many tokens was done for the client. */
  caused(tokens: number): void {
    this.#take(tokens);
  }

  /** The client has used much lately: others come first. That is on record at once: a connection that takes over may be
   * there before this one has made way. */
  heavy(): boolean {
    if (!this.much) return false;
    this.leave();
    return true;
  }

  /** It has used a good part of what goes at once. */
  get much(): boolean {
    const { frames } = this.#fabric.allowances;
    return this.#full !== FULL && missing(this.#full, frames, this.#fabric.world.now()) > MUCH * frames.burst;
  }

  #take(tokens: number): void {
    const { frames } = this.#fabric.allowances;
    const whole = Math.floor(tokens);
    if (whole === 0 || frames.every === 0) return;
    const now = this.#fabric.world.now();
    // The client was not told to wait when it asked for this: it must hear so before it counts as flooding.
    const most = now + LIMITS.frameDebt * frames.every;
    this.#full = Math.max(this.#full, Math.min(most, take(this.#full, frames, now, whole)));
  }

  /** ms until device and user may send once more; 0: now. Takes nothing: what is refused must not count. */
  sendWait(): number {
    const { allowances } = this.#fabric;
    const { user, sender } = this.#login;
    return allowances.wait('deviceSends', sender) || allowances.wait('userSends', user);
  }

  /** A SEND was passed on. */
  sent(): void {
    const { allowances } = this.#fabric;
    allowances.take('deviceSends', this.#login.sender);
    allowances.take('userSends', this.#login.user);
  }
}

function cost(frame: ClientFrame): number {
  switch (frame.type) {
    case T.SEND:
      return LIGHT + Math.floor(frame.body.length / LIMITS.frameBytes);
    case T.CREDIT:
    case T.DIRECT:
    case T.PING:
      return LIGHT;
    case T.SYNC:
      return (frame.more ? WAKING : SYNC) + Math.floor(frame.entries.length / ROWS);
    case T.CREATE:
    case T.CHANGE:
      return WAKING + Math.floor(frame.users.length / USERS);
    case T.TYPING:
      return TYPING;
    case T.PROFILE:
      return PROFILE;
    case T.WATCH:
      // Comes once for each chat that is watched, all at once after a reconnect.
      return 2 * LIGHT;
    case T.HISTORY:
    case T.LIST:
      // The rest when it is read (asked).
      return LIGHT;
    default:
      return WAKING;
  }
}
