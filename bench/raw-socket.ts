// Owns a WebSocket client that costs as little as can be, so that a load generator is not what is measured.
// Invariant: speaks RFC 6455 as far as the bench needs it: binary messages, unfragmented, masked with a zero key.
// Must not: be used outside the bench; it trusts its server.

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/**
 * Connects to `ws://host:port/path` and calls `message` with each binary message (valid during the call).
 * `localAddress`: where it connects from. `ended` is called when the open connection is gone, with the code of the server's close frame if
 * there was one.
 */
export function openRaw(
  url: string,
  protocol: string,
  message: (bytes: Uint8Array) => void,
  localAddress?: string,
  ended: (code: number | null) => void = () => undefined,
): Promise<RawSocket> {
  const { hostname, port, pathname } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const from = localAddress === undefined ? {} : { localAddress };
  const socket = connect({ host, port: Number(port), noDelay: true, ...from });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed before it was open')));
    socket.once('connect', () => {
      socket.write(
        `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n` +
          `Sec-WebSocket-Protocol: ${protocol}\r\n\r\n`,
      );
    });
    let head = Buffer.alloc(0);
    const handshake = (data: Buffer): void => {
      head = Buffer.concat([head, data]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (!head.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) return reject(new Error(head.toString('latin1')));
      socket.off('data', handshake);
      const raw = new RawSocket(socket, message, ended);
      resolve(raw);
      if (head.length > end + 4) raw.receive(head.subarray(end + 4));
    };
    socket.on('data', handshake);
  });
}

export class RawSocket {
  readonly #socket: Socket;
  readonly #message: (bytes: Uint8Array) => void;
  #rest: Buffer | null = null;
  #out: Buffer[] = [];
  #code: number | null = null;
  closed = false;

  constructor(socket: Socket, message: (bytes: Uint8Array) => void, ended: (code: number | null) => void) {
    this.#socket = socket;
    this.#message = message;
    socket.on('data', (data: Buffer) => this.receive(data));
    socket.on('close', () => {
      this.closed = true;
      ended(this.#code);
    });
    socket.on('error', () => undefined);
  }

  /** Sends one binary message; messages of one turn leave in one write. */
  send(bytes: Uint8Array): void {
    const { length } = bytes;
    const head = length < 126 ? 6 : length < 65_536 ? 8 : 14;
    const frame = Buffer.allocUnsafe(head + length);
    frame[0] = 0x82;
    if (head === 6) frame[1] = 0x80 | length;
    else if (head === 8) {
      frame[1] = 0x80 | 126;
      frame.writeUInt16BE(length, 2);
    } else {
      frame[1] = 0x80 | 127;
      frame.writeBigUInt64BE(BigInt(length), 2);
    }
    frame.fill(0, head - 4, head);
    frame.set(bytes, head);
    this.write(frame);
  }

  /** Sends bytes as they are, WebSocket or not. */
  write(bytes: Buffer): void {
    if (this.#out.length === 0) queueMicrotask(() => this.#flush());
    this.#out.push(bytes);
  }

  /** Bytes that the server does not take. */
  get waiting(): number {
    return this.#socket.writableLength;
  }

  /** Reads no more. */
  pause(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.destroy();
  }

  receive(data: Buffer): void {
    let bytes = this.#rest === null ? data : Buffer.concat([this.#rest, data]);
    for (;;) {
      if (bytes.length < 2) break;
      let length = bytes[1]! & 0x7f;
      let head = 2;
      if (length === 126) {
        if (bytes.length < 4) break;
        length = bytes.readUInt16BE(2);
        head = 4;
      } else if (length === 127) {
        if (bytes.length < 10) break;
        length = Number(bytes.readBigUInt64BE(2));
        head = 10;
      }
      if (bytes.length < head + length) break;
      const opcode = bytes[0]! & 0x0f;
      if (opcode === 2) this.#message(bytes.subarray(head, head + length));
      else if (opcode === 8 && length >= 2) this.#code = bytes.readUInt16BE(head);
      bytes = bytes.subarray(head + length);
    }
    this.#rest = bytes.length > 0 ? bytes : null;
  }

  #flush(): void {
    const out = this.#out;
    this.#out = [];
    if (!this.#socket.destroyed) this.#socket.write(out.length === 1 ? out[0]! : Buffer.concat(out));
  }
}
