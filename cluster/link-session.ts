// Owns one session with a peer, from the greeting to the end: numbers, acknowledgements, credit and signs of life.
//
// Both sides send batches, numbered from 1, and say from time to time which they have handled (TAKEN). What is sent and not taken
// is bounded by bytes: credit. So a peer that reads slowly costs LIMITS.linkBytes and no more, whatever the network buffers.
// Anything heard is a sign of life, and each side pings: the answer to a ping may be queued behind data on a full wire, but then the data are heard.
// Invariant: a batch is handled once, in order, and never after the end; no frame is handled that the peer could not have sent.
// Must not: dial or greet (links.ts), or know what is in a batch.

import { assert } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import type { LinkEvents, PeerLink } from './link.js';
import { batch, decode, ping, pong, taken } from './link-frames.js';
import type { End, Wire } from './net.js';

/** Counted over all sessions with a node. */
export interface Tally {
  resets: number;
  batchesSent: number;
  batchesTaken: number;
  bytesSent: number;
  bytesTaken: number;
  refused: number;
  unknown: number;
}

interface Parties {
  readonly node: string;
  readonly incarnation: number;
  readonly session: number;
  readonly version: number;
}

export class Session implements PeerLink {
  readonly node: string;
  readonly incarnation: number;
  readonly session: number;
  readonly version: number;
  /** ms from the last ping to its answer; null: none yet. */
  roundTrip: number | null = null;
  readonly #world: World;
  readonly #wire: Wire;
  readonly #tally: Tally;
  readonly #events: LinkEvents;
  readonly #ended: (session: Session, end: End) => void;
  readonly #credit = new Credit();
  readonly #started: number;
  #state: 'up' | 'down' = 'up';
  #handled = 0;
  /** Up to here TAKEN is sent, or will be at the end of the turn. */
  #acknowledging = 0;
  /** Bytes handled since the last TAKEN. */
  #owed = 0;
  #ackTimer: (() => void) | undefined;
  #beatTimer: (() => void) | undefined;
  #silent = 0;
  #pings = 0;
  #pinged = 0;

  constructor(
    world: World,
    wire: Wire,
    parties: Parties,
    tally: Tally,
    events: LinkEvents,
    ended: (session: Session, end: End) => void,
  ) {
    ({ node: this.node, incarnation: this.incarnation, session: this.session, version: this.version } = parties);
    this.#world = world;
    this.#wire = wire;
    this.#tally = tally;
    this.#events = events;
    this.#ended = ended;
    this.#started = world.now();
    // Not all links of a node in the same moment, though they may have come up together.
    this.#beatTimer = world.timer(world.random() * LIMITS.linkBeatMs, () => this.#beat());
  }

  get state(): 'up' | 'down' {
    return this.#state;
  }

  get sent(): number {
    return this.#credit.sent;
  }

  get taken(): number {
    return this.#credit.taken;
  }

  get buffered(): number {
    return this.#credit.used;
  }

  /** Bytes that the network has not taken. */
  get unsent(): number {
    return this.#state === 'up' ? this.#wire.buffered() : 0;
  }

  /** ms since the greeting. */
  get age(): number {
    return this.#world.now() - this.#started;
  }

  send(payload: Uint8Array): 'ok' | 'busy' | 'down' {
    assert(payload.length > 0 && payload.length <= LIMITS.linkBatchBytes, 'a batch is within its limit');
    if (this.#state === 'down') return 'down';
    if (!this.#credit.admits(payload.length)) {
      this.#tally.refused++;
      return 'busy';
    }
    if (!this.#wire.send(batch(this.#credit.sent + 1, payload))) return 'down';
    this.#credit.spend(payload.length);
    this.#tally.batchesSent++;
    this.#tally.bytesSent += payload.length;
    return 'ok';
  }

  /** A frame of the peer. */
  message(bytes: Uint8Array): void {
    if (this.#state === 'down') return;
    this.#silent = 0;
    const frame = decode(bytes);
    switch (frame.type) {
      case 'batch':
        this.#take(frame.number, frame.payload);
        break;
      case 'taken':
        this.#told(frame.number);
        break;
      case 'ping':
        this.#wire.send(pong(frame.number));
        break;
      case 'pong':
        if (frame.number === this.#pings) this.roundTrip = this.#world.now() - this.#pinged;
        break;
      case 'unknown':
        this.#tally.unknown++;
        break;
      default:
        this.end('frame');
    }
  }

  /** Ends the session and tells the peer why. */
  end(end: End): void {
    if (this.#state === 'down') return;
    this.#wire.close(end);
    this.closed(end);
  }

  /** The wire broke, or the peer ended the session. */
  closed(end: End): void {
    if (this.#state === 'down') return;
    this.#state = 'down';
    this.#ackTimer?.();
    this.#beatTimer?.();
    this.#ended(this, end);
  }

  #take(number: number, payload: Uint8Array): void {
    if (number !== this.#handled + 1 || payload.length === 0 || payload.length > LIMITS.linkBatchBytes) {
      this.end('frame');
      return;
    }
    this.#handled = number;
    this.#tally.batchesTaken++;
    this.#tally.bytesTaken += payload.length;
    if (!this.#run(() => this.#events.batch(this, payload))) return;
    this.#owed += payload.length;
    if (this.#handled - this.#acknowledging >= LIMITS.linkAckBatches || this.#owed >= LIMITS.linkAckBytes)
      this.#acknowledge();
    else this.#ackTimer ??= this.#world.timer(LIMITS.linkAckMs, () => this.#acknowledge());
  }

  /** At the end of the turn: what these batches have this side say, as of news that came to the wrong node, goes first. */
  #acknowledge(): void {
    this.#ackTimer?.();
    this.#ackTimer = undefined;
    if (this.#acknowledging === this.#handled) return;
    const number = this.#handled;
    this.#acknowledging = number;
    this.#owed = 0;
    this.#world.defer(() => {
      if (this.#state === 'up') this.#wire.send(taken(number));
    });
  }

  #told(number: number): void {
    const before = this.#credit.taken;
    const news = this.#credit.settle(number);
    if (news === 'wrong') {
      this.end('frame');
      return;
    }
    if (number > before && !this.#run(() => this.#events.taken(this))) return;
    if (news === 'room') this.#run(() => this.#events.room(this));
  }

  #beat(): void {
    this.#silent++;
    // Beats are counted, not ms: after a pause of this process, the peer has a beat's time to be heard.
    if (this.#silent > LIMITS.linkBeats) {
      this.end('silent');
      return;
    }
    this.#beatTimer = this.#world.timer(LIMITS.linkBeatMs, () => this.#beat());
    this.#pings++;
    this.#pinged = this.#world.now();
    this.#wire.send(ping(this.#pings));
  }

  /** Runs a handler of others; false: the session is over. */
  #run(handler: () => void): boolean {
    try {
      handler();
    } catch (error) {
      this.end('fault');
      this.#events.fault(error);
    }
    return this.#state === 'up';
  }
}

/** Who owns the number of batches and bytes that are on their way. */
class Credit {
  sent = 0;
  taken = 0;
  used = 0;
  /** Cost of each batch sent and not taken, from #head. */
  #costs: number[] = [];
  #head = 0;
  #full = false;

  /** Whether a batch of so many bytes may be sent now; otherwise settle() says when there is room. */
  admits(bytes: number): boolean {
    if (!this.#full && this.used + bytes + LIMITS.linkBatchCost > LIMITS.linkBytes) this.#full = true;
    return !this.#full;
  }

  spend(bytes: number): void {
    const cost = bytes + LIMITS.linkBatchCost;
    this.sent++;
    this.used += cost;
    this.#costs.push(cost);
  }

  /** The peer has handled all up to `number`. */
  settle(number: number): 'ok' | 'room' | 'wrong' {
    if (number < this.taken || number > this.sent) return 'wrong';
    for (; this.taken < number; this.taken++) this.used -= this.#costs[this.#head++] ?? 0;
    // Half of the list is spent: moving the rest costs no more than what was taken from it.
    if (this.#head * 2 >= this.#costs.length) {
      this.#costs = this.#costs.slice(this.#head);
      this.#head = 0;
    }
    if (!this.#full || this.used > LIMITS.linkBytes / 2) return 'ok';
    this.#full = false;
    return 'room';
  }
}
