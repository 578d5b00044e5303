// Owns the seam between links and the network: a wire carries whole frames between two nodes, or breaks.
// Invariant: what was sent arrives in order, at most once and unchanged; what follows a lost frame never arrives. No handler
// runs within a call of dial(), send() or close(), and a wire that we closed tells us nothing more.
// Must not: know frames, secrets or members. On the machine: transport/peer-net.ts.

/** Why a wire was closed, as both sides are told. Only ever gains words: an older node reads those that it has not as `broken`. */
export const ENDS = [
  /** The network, or the other process, and nobody said why. */
  'broken',
  /** Nothing was heard for too long. */
  'silent',
  /** A frame that no node sends, or at the wrong time. */
  'frame',
  /** The other side does not have the cluster's secret. */
  'secret',
  /** No version of the link protocol that both sides speak. */
  'version',
  /** The view of whoever says it does not name the other (yet). */
  'stranger',
  /** A newer incarnation of the same node is there: the one that is told so is a zombie. */
  'replaced',
  /** Somebody else than who was dialled has this address. */
  'elsewhere',
  /** Too many wires wait for their greeting. */
  'full',
  /** Another session of the same two nodes took over. */
  'renewed',
  /** The node stops, or the other one left the view. */
  'gone',
  /** Handling a batch failed: a bug on the side that says it. */
  'fault',
] as const;

export type End = (typeof ENDS)[number];

/** One connection between two nodes. All calls are safe after the end and then do nothing. */
export interface Wire {
  /** The other side's address, for logs. */
  readonly address: string;
  /**
   * Sends one frame, whose bytes are the wire's from now on; what the network does not take is held here. False: the wire is
   * dead, and its handler was told or will be.
   */
  send(bytes: Uint8Array): boolean;
  /** Bytes held. Senders are bounded by what the peer takes (link-session.ts), not by this. */
  buffered(): number;
  /** What is held may be lost. */
  close(end: End): void;
}

/** The owner of a wire. */
export interface WireHandler {
  /** A dialled wire stands. Accepted ones stand from the beginning and are not told. */
  opened(): void;
  /** A whole frame; `bytes` is valid only during the call. */
  message(bytes: Uint8Array): void;
  /** Exactly once, unless we closed it; also where dialling failed. Then the wire is dead. */
  closed(end: End): void;
}

export interface Net {
  /** Takes wires of others, each handed to `accept`. Rejects where the address cannot be had. */
  listen(accept: (wire: Wire) => WireHandler): Promise<Listening>;
  dial(address: string, handler: WireHandler): Wire;
}

export interface Listening {
  /** Where others reach us; what they are to dial. */
  readonly address: string;
  /** Takes no more; wires that stand stay. */
  close(): Promise<void>;
}
