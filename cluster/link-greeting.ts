// Owns the greeting of two nodes on a new wire: each proves that it has the cluster's secret, and both agree on a version.
//
//   dialler                        listener
//     HELLO who, whom, nonce    →
//                               ←  CHALLENGE nonce
//     PROOF mac(dialler, …)     →  the first thing that the listener believes
//                               ←  WELCOME mac(listener, …)
//
// Both MACs are HMAC-SHA256 (RFC 2104) over a word for the side, HELLO and CHALLENGE as they were sent: names, incarnations,
// versions and both nonces. So neither can be replayed, reflected or used for another pair, and no version be talked down.
// Invariant: the listener says nothing that depends on the secret or the view before the dialler has proved itself.
// Must not: hold the secret; `mac` is given. Nor hide what follows from who can read the network: that is TLS.

import type { World } from '../actors/world.js';
import type { Versions } from '../storage/format.js';
import { challenge, decode, type Hello, hello, NONCE, proof, welcome } from './link-frames.js';
import type { End } from './net.js';
import { agree, SPEECH } from './versions.js';

/** HMAC-SHA256 with the cluster's secret. */
export type Mac = (bytes: Uint8Array) => Uint8Array;

/** What a frame of the greeting leads to. */
export type Step =
  | { readonly type: 'wait'; readonly reply: Uint8Array }
  /** The dialler proved itself; once it is let in, `reply` is the frame that says so. */
  | { readonly type: 'proved'; readonly hello: Hello; readonly version: number; readonly reply: Uint8Array }
  /** The listener has let us in. */
  | { readonly type: 'welcome'; readonly version: number }
  | { readonly type: 'refused'; readonly end: End };

const encoder = new TextEncoder();
const DIALLER = encoder.encode('weft link, who dials\0');
const LISTENER = encoder.encode('weft link, who listens\0');

/** The side that dials. */
export class Dialler {
  readonly hello: Uint8Array;
  readonly #mac: Mac;
  readonly #versions: Versions;
  #expected: Uint8Array | undefined;
  #version = 0;

  constructor(world: World, mac: Mac, who: Omit<Hello, 'low' | 'high' | 'nonce'>, versions: Versions = SPEECH.links) {
    this.#mac = mac;
    this.#versions = versions;
    this.hello = hello({ ...who, ...versions, nonce: world.randomBytes(NONCE) });
  }

  message(bytes: Uint8Array): Step {
    const frame = decode(bytes);
    if (frame.type === 'challenge' && this.#expected === undefined) {
      const version = agree(this.#versions, frame);
      if (version === 0) return refused('version');
      this.#version = version;
      this.#expected = this.#mac(transcript(LISTENER, this.hello, bytes));
      return { type: 'wait', reply: proof(this.#mac(transcript(DIALLER, this.hello, bytes))) };
    }
    if (frame.type !== 'welcome' || this.#expected === undefined) return refused('frame');
    return equal(frame.mac, this.#expected) ? { type: 'welcome', version: this.#version } : refused('secret');
  }
}

/** The side that listens. */
export class Listener {
  readonly #nonce: Uint8Array;
  readonly #mac: Mac;
  readonly #versions: Versions;
  #hello: Uint8Array | undefined;
  #challenge: Uint8Array = new Uint8Array(0);

  constructor(world: World, mac: Mac, versions: Versions = SPEECH.links) {
    this.#mac = mac;
    this.#versions = versions;
    this.#nonce = world.randomBytes(NONCE);
  }

  message(bytes: Uint8Array): Step {
    const frame = decode(bytes);
    if (frame.type === 'hello' && this.#hello === undefined) {
      this.#hello = bytes.slice();
      this.#challenge = challenge(this.#versions.low, this.#versions.high, this.#nonce);
      // The wire takes what it is sent, and the proof is over what was sent.
      return { type: 'wait', reply: this.#challenge.slice() };
    }
    if (frame.type !== 'proof' || this.#hello === undefined) return refused('frame');
    if (!equal(frame.mac, this.#mac(transcript(DIALLER, this.#hello, this.#challenge)))) return refused('secret');
    const said = decode(this.#hello);
    if (said.type !== 'hello') return refused('frame');
    const version = agree(this.#versions, said);
    if (version === 0) return refused('version');
    const reply = welcome(this.#mac(transcript(LISTENER, this.#hello, this.#challenge)));
    return { type: 'proved', hello: said, version, reply };
  }
}

function refused(end: End): Step {
  return { type: 'refused', end };
}

/** HELLO's length stands before it, so that no other two frames make the same bytes. */
function transcript(side: Uint8Array, first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(side.length + 2 + first.length + second.length);
  bytes.set(side);
  bytes[side.length] = first.length >>> 8;
  bytes[side.length + 1] = first.length;
  bytes.set(first, side.length + 2);
  bytes.set(second, side.length + 2 + first.length);
  return bytes;
}

/** Takes as long wherever they differ: the time must not tell how much of a guess was right. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length || a.length === 0) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
