// Owns the floor of the group suite: raw uWebSockets.js, where every connection subscribes to one topic and what one sends
// is published to all: no decoding, no order, no storage, no receipts.
// Invariant: a message goes out as it came, to its sender too.
// Must not: be used for anything but the bench.

import { SUBPROTOCOL } from '../../transport/frames.js';
import { freePort } from '../../transport/port.js';
import { loadUws, type NativeApp, type NativeSocket } from '../../transport/uws-native.js';

/** What the product does not use of uWebSockets.js. */
type Topics = { subscribe(topic: string): boolean };
type Publisher = { publish(topic: string, message: ArrayBuffer, isBinary: boolean, compress: boolean): boolean };

const TOPIC = 'group';
const uws = loadUws();
if (uws === undefined) throw new Error('uWebSockets.js does not load on this machine');

const app = uws.App() as NativeApp & Publisher;
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
  open: (socket) => void (socket as NativeSocket<object> & Topics).subscribe(TOPIC),
  message: (_, bytes) => void app.publish(TOPIC, bytes, true, false),
  drain: () => undefined,
  close: () => undefined,
});
const port = await freePort('127.0.0.1');
app.listen('127.0.0.1', port, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, (listener) => {
  if (!listener) throw new Error('cannot listen');
  console.log(`weft ready ws://127.0.0.1:${port}/v1`);
});
