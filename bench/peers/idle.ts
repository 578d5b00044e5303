// Owns the floor of the connections suite: a raw uWebSockets.js server that answers HELLO, SYNC and PING with constant
// bytes and keeps nothing: no decoding, no token, no actor, no object of ours per connection.
// Invariant: speaks as much of docs/wire.md as the load waits for, so that both contenders meet the same load.
// Must not: be used for anything but the bench.

import { encodeServer } from '../../transport/codec.js';
import { type ServerFrame, SUBPROTOCOL, T } from '../../transport/frames.js';
import { freePort } from '../../transport/port.js';
import { loadUws } from '../../transport/uws-native.js';

const uws = loadUws();
if (uws === undefined) throw new Error('uWebSockets.js does not load on this machine');

const limits = { window: 64, maxBody: 65_536, heartbeat: 30_000 };
const who = { user: 'u', device: 'd', durability: 0, time: 0, expires: 0 };
const answers = new Map<number, Uint8Array>();
const on = (type: number, frame: ServerFrame): unknown => answers.set(type, new Uint8Array(encodeServer(frame)));
on(T.HELLO, { type: T.WELCOME, ...who, ...limits });
on(T.SYNC, { type: T.SYNCED, chats: 0 });
on(T.PING, { type: T.PONG, n: 0 });

const app = uws.App();
app.ws<object>('/v1', {
  compression: uws.DISABLED,
  maxPayloadLength: 131_072,
  maxBackpressure: 4_194_304,
  closeOnBackpressureLimit: false,
  idleTimeout: 120,
  sendPingsAutomatically: false,
  upgrade(response, request, context) {
    response.upgrade({}, request.getHeader('sec-websocket-key'), SUBPROTOCOL, '', context);
  },
  open: () => undefined,
  message(socket, bytes) {
    // [type, …]: a fixarray's head, then the type as one byte.
    const answer = answers.get(new Uint8Array(bytes)[1] ?? 0);
    if (answer !== undefined) socket.send(answer, true, false);
  },
  drain: () => undefined,
  close: () => undefined,
});
const port = await freePort('127.0.0.1');
app.listen('127.0.0.1', port, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, (listener) => {
  if (!listener) throw new Error('cannot listen');
  console.log(`weft ready ws://127.0.0.1:${port}/v1`);
});
