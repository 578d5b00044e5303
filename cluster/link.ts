// Owns what the rest of a node sees of its links to others: one per peer and session, and what happens to it.
// Invariant: between up(link) and down(link) the peer handles batches in the order of send(), each once; after down(link),
// nothing of that session is handled on this side. What was sent and not `taken` at the end may or may not have been handled.
// Must not: send anything again. A break is a reset: whoever needs certainty asks the store (docs/semantics.md).

import type { End } from './net.js';

/**
 * A session with one incarnation of a peer. Each session has an object of its own, so whoever keeps an old one cannot send
 * into a new session by mistake.
 */
export interface PeerLink {
  readonly node: string;
  readonly incarnation: number;
  /** Grows with each session of this process, over all peers. */
  readonly session: number;
  /** The version of the link protocol that both sides speak. */
  readonly version: number;
  readonly state: 'up' | 'down';
  /**
   * Sends one batch of up to LIMITS.linkBatchBytes; the bytes are copied. `busy`: too much is not taken yet and nothing was
   * sent; room(link) follows. `down`: the session has ended; down(link) was told or follows.
   */
  send(batch: Uint8Array): 'ok' | 'busy' | 'down';
  /** Number of the batch sent last, from 1; 0: none. */
  readonly sent: number;
  /** Number of the last one that the peer has handled, with all before it. */
  readonly taken: number;
  /** Bytes sent and not taken, with LIMITS.linkBatchCost for each batch. */
  readonly buffered: number;
}

/** Told to the one who opened the links; none of them within a call of its own into links or a link, but for `down`. */
export interface LinkEvents {
  up(link: PeerLink): void;
  /** One batch of the peer; `bytes` is valid only during the call, and handled when it returns. */
  batch(link: PeerLink, bytes: Uint8Array): void;
  /** `link.taken` grew. */
  taken(link: PeerLink): void;
  /** After `busy`: half of the credit is free again. */
  room(link: PeerLink): void;
  /** The session is over. Another one follows by itself while the peer is in the view. */
  down(link: PeerLink, end: End): void;
  /** A handler of these threw; the session in which it did has ended. A bug, to be dealt with as one. */
  fault(error: unknown): void;
  /** One who has the cluster's secret is not in the view that we have, or newer there: time to read it again. */
  stranger(node: string, incarnation: number): void;
  /** Somebody could not be greeted, for a reason that an operator should see. Once a minute at most for each reason. */
  refused(end: End, detail: Refused): void;
}

export interface Refused {
  /** Whom we dialled or who says to be there; '': unknown. */
  readonly node: string;
  readonly address: string;
  /** How often it happened since it was told last. */
  readonly times: number;
}

/** One whom the view names. */
export interface Member {
  readonly node: string;
  readonly incarnation: number;
  /** Where its listener is. */
  readonly address: string;
}

/** What operators see of one peer. */
export interface LinkStats {
  readonly node: string;
  readonly incarnation: number;
  readonly state: 'up' | 'down';
  /** Of the link protocol; null while down. */
  readonly version: number | null;
  /** ms from the last ping to its answer; null while down. */
  readonly roundTrip: number | null;
  /** Bytes sent and not taken, and of them those that the network has not taken. */
  readonly queued: number;
  readonly unsent: number;
  /** Over all sessions with this node, since it is in the view. */
  readonly resets: number;
  readonly batchesSent: number;
  readonly batchesTaken: number;
  readonly bytesSent: number;
  readonly bytesTaken: number;
  /** Sends refused as busy. */
  readonly refused: number;
  /** Frames of a type that is not known here. */
  readonly unknown: number;
  /** How the last session or dial ended. */
  readonly end: End | null;
}
