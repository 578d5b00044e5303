// Owns the text form of an invite link, which people pass on: `weft:join/` and 32 bytes in base64url (RFC 4648 §5).
// Invariant: one text for each link; anything else is no link, also with a letter too many or in another spelling.
// Must not: ask the server whether it is valid.

import { WeftError } from './errors.js';

const PREFIX = 'weft:join/';
const BYTES = 32;

export function inviteText(invite: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...invite));
  return PREFIX + base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Throws `bad_argument`. */
export function inviteBytes(link: string): Uint8Array {
  const text = link.startsWith(PREFIX) ? link.slice(PREFIX.length) : '';
  if (/^[\w-]{43}$/.test(text)) {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    // The last letter has two bits to spare, which must be 0.
    if (bytes.length === BYTES && inviteText(bytes) === link) return bytes;
  }
  throw new WeftError('bad_argument', `no invite link: one is ${PREFIX} and 43 letters`);
}
