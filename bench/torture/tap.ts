// Owns a device's wire: real WebSockets that can be cut or go silent, and an ear for receipts.
// Invariant: what the SDK sends and gets passes unchanged; receipts are read off the wire because the SDK hides one that
// goes back.
// Must not: answer for the SDK.
//
//   cut    the socket ends without a close frame: both sides notice
//   lose   the network is gone: the SDK notices, the node still holds the old connection when the new one comes

import { WebSocket } from 'ws';
import type { Dial } from '../../client/link.js';
import { dialWith, type SocketLike } from '../../client/ws-link.js';
import { decodeServer } from '../../transport/codec.js';
import { T, type UserRef } from '../../transport/frames.js';
import type { Position } from './checker.js';

/** RFC 6455 §7.1.5: the connection broke. */
const BROKEN = 1006;

export class Tap {
  readonly dial: Dial;
  readonly #receipt: (position: Position) => void;
  #socket: WebSocket | undefined;
  #lose: () => void = () => undefined;
  #ended = false;

  constructor(receipt: (position: Position) => void) {
    this.#receipt = receipt;
    this.dial = (url, protocol, events) => {
      let gone = this.#ended;
      if (gone) {
        queueMicrotask(() => events.closed(BROKEN, ''));
        return { send: () => undefined, buffered: () => 0, close: () => undefined };
      }
      const ear = new Ear(this.#receipt);
      const open = dialWith((to, offered) => {
        this.#socket = new WebSocket(to, offered, { perMessageDeflate: false });
        return this.#socket as SocketLike;
      });
      const link = open(url, protocol, {
        open: () => {
          if (!gone) events.open();
        },
        message: (bytes) => {
          if (gone) return;
          ear.hear(bytes);
          events.message(bytes);
        },
        closed: (code, reason) => {
          if (!gone) events.closed(code, reason);
          gone = true;
        },
      });
      this.#lose = () => {
        if (gone) return;
        gone = true;
        events.closed(BROKEN, '');
      };
      return {
        send: (bytes) => {
          if (!gone) link.send(bytes);
        },
        buffered: () => link.buffered(),
        close: (code, reason) => {
          if (!gone) link.close(code, reason);
        },
      };
    };
  }

  cut(): void {
    this.#socket?.terminate();
  }

  lose(): void {
    this.#lose();
  }

  /** The client's process died: its kernel closes the socket without a word of the protocol, and nothing dials again. */
  end(): void {
    this.#ended = true;
    this.#socket?.terminate();
    this.#lose();
  }
}

/** Follows one connection's aliases as far as receipts need them. */
class Ear {
  readonly #receipt: (position: Position) => void;
  readonly #chats = new Map<number, string>();
  readonly #users = new Map<number, string>();

  constructor(receipt: (position: Position) => void) {
    this.#receipt = receipt;
  }

  hear(bytes: Uint8Array): void {
    // The type follows the array's header of one byte; the frames of interest are few, and decoding costs.
    const type = bytes[1];
    if (type !== T.RECEIPT && type !== T.CHAT && type !== T.USER) return;
    const frame = decodeServer(bytes);
    if (frame.type === T.CHAT) this.#chats.set(frame.alias, hex(frame.chat));
    else if (frame.type === T.USER) this.#users.set(frame.alias, frame.user);
    else if (frame.type === T.RECEIPT) {
      const { delivered, read } = frame;
      const chat = typeof frame.chat === 'number' ? (this.#chats.get(frame.chat) ?? '') : hex(frame.chat);
      this.#receipt({ chat, user: this.#name(frame.user), delivered, read });
    }
  }

  #name(ref: UserRef): string {
    return typeof ref === 'string' ? ref : (this.#users.get(ref) ?? '');
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
