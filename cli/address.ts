// Owns the text form of a listen address.
// Invariant: what it calls loopback can be reached from this machine only.
// Must not: resolve names.

import { BlockList, isIP } from 'node:net';

export interface Address {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly loopback: boolean;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

/** Parses `HOST:PORT`, IPv6 in brackets; answers what is wrong as text. */
export function parseAddress(text: string): Address | string {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text);
  if (match === null) {
    return text.includes('::')
      ? 'write an IPv6 address in brackets, as in [::1]:7400'
      : 'write HOST:PORT, as in 127.0.0.1:7400';
  }
  const [, six, other, digits] = match;
  const port = Number(digits);
  if (port > 65_535) return 'a port is at most 65535';
  if (six !== undefined) {
    if (isIP(six) !== 6) return 'what is in brackets is no IPv6 address';
    return { host: six, port, loopback: LOOPBACK.check(six, 'ipv6') };
  }
  const host = other ?? '';
  if (host === '') return 'name the host, as in 127.0.0.1:7400 (every address of this machine: 0.0.0.0)';
  if (isIP(host) === 4) return { host, port, loopback: LOOPBACK.check(host) };
  if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(host) || /^[\d.]+$/.test(host))
    return 'this is no host name and no IP address';
  // Other names may resolve to anything, so only this one counts as loopback.
  return { host, port, loopback: host.toLowerCase() === 'localhost' };
}
