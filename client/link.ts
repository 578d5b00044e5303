// Owns the seam between the SDK's core and a WebSocket.
// Invariant: a link calls its events asynchronously, `open` at most once, `closed` exactly once, nothing after `closed`.
// Must not: know frames. ws-link.ts adapts WebSockets of browsers and of `ws`; simulations bring their own.

export interface Link {
  /** Sends one binary message. Does nothing unless open. The bytes belong to the link only during the call. */
  send(bytes: Uint8Array): void;
  /** Bytes accepted but not yet with the system. */
  buffered(): number;
  close(code: number, reason: string): void;
}

export interface LinkEvents {
  open(): void;
  /** A binary message; the bytes belong to the callee. */
  message(bytes: Uint8Array): void;
  /** 1006 where the connection broke or never came about. */
  closed(code: number, reason: string): void;
}

/** Starts connecting. Never throws. */
export type Dial = (url: string, protocol: string, events: LinkEvents) => Link;
