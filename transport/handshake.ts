// Owns what is judged before a WebSocket comes of a request: its subprotocol, the page it comes from, and its client's address.
// Invariant: the same for both engines; a request without an Origin is no browser's, and passes.
// Must not: know how engines answer; look at tokens (they come in HELLO).

import { isIP } from 'node:net';
import { isLoopback, plainAddress } from './address.js';

/** A refused handshake. */
export interface Denial {
  readonly status: 400 | 403;
  readonly body: string;
}

/**
 * The subprotocol to answer a handshake with: ours if it is offered, none ('') if none is, undefined (refuse with 400)
 * if only others are. `offered` is Sec-WebSocket-Protocol (RFC 6455 §4.2.1).
 */
export function subprotocol(offered: string, ours: string): string | undefined {
  if (offered === '') return '';
  return offered.split(',').some((name) => name.trim() === ours) ? ours : undefined;
}

/** Which pages may connect (RFC 6455 §10.2): browsers say with Origin whose script it is, and scripts cannot alter it. */
export class Origins {
  readonly #listed: ReadonlySet<string>;
  readonly #local: boolean;

  /** `listed`: origins that are allowed besides the node's own, `*` for all. `host`: where the node listens. */
  constructor(listed: readonly string[], host: string) {
    this.#listed = new Set(listed.map((origin) => origin.toLowerCase()));
    this.#local = isLocal(host);
  }

  /** Null: it may. `host` is the request's Host. */
  judge(origin: string, host: string): Denial | null {
    if (origin === '' || this.#listed.has('*') || this.#listed.has(origin.toLowerCase())) return null;
    const [, scheme = '', own = ''] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#@\s]+)$/i.exec(origin.toLowerCase()) ?? [];
    // A proxy may name the port that the browser leaves out.
    const asked = host.toLowerCase().replace(scheme === 'https' ? /:443$/ : /:80$/, '');
    if (own !== '' && (own === asked || (this.#local && isLocal(own.replace(/:\d+$/, ''))))) return null;
    const body = `pages of ${own === '' ? 'this origin' : origin} may not connect: start the node with --origin ${own === '' ? 'ORIGIN' : origin}\n`;
    return { status: 403, body };
  }
}

function isLocal(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  return name === 'localhost' || isLoopback(name);
}

/**
 * The client behind a proxy on this machine: the last of `forwarded` (X-Forwarded-For, all lines of it) that is not this
 * machine itself, as proxies append whom they heard from. What stands before it, the client may have written.
 */
export function clientAddress(peer: string, forwarded: string): string {
  if (!isLoopback(peer)) return peer;
  for (const entry of forwarded.split(',').reverse()) {
    const text = entry.trim();
    const [, six] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? [];
    const address = plainAddress(six ?? text.replace(/^([\d.]+):\d+$/, '$1'));
    if (isIP(address) === 0) return peer;
    if (!isLoopback(address)) return address;
  }
  return peer;
}
