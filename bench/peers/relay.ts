// Owns the floor of the path suite: a relay on raw uWebSockets.js that decodes, looks up, sends on and acknowledges, and
// does nothing else: no actors, no storage, no tokens.
// Invariant: speaks as much of docs/wire.md as the load needs, so that both contenders meet the same load.
// Must not: be used for anything but the bench.

import { decodeClient, encodeServer } from '../../transport/codec.js';
import { FrameWriter } from '../../transport/frame-writer.js';
import { CHAT_KIND, SUBPROTOCOL, T } from '../../transport/frames.js';
import { encodeMessageRow } from '../../transport/row.js';
import { listen } from '../../transport/server.js';
import type { Socket } from '../../transport/socket.js';

interface Peer {
  readonly socket: Socket;
  user: string;
  to: string;
  sends: number;
}

const users = new Map<string, Peer>();
const writer = new FrameWriter();
let seq = 0;

const server = await listen(
  {
    host: '127.0.0.1',
    port: 0,
    path: '/v1',
    protocol: SUBPROTOCOL,
    maxMessage: 131_072,
    maxBuffered: 4_194_304,
    accept(socket) {
      const peer: Peer = { socket, user: '', to: '', sends: 0 };
      return {
        message(bytes) {
          const frame = decodeClient(bytes);
          if (frame.type === T.SEND) {
            peer.sends = (peer.sends + 1) % 65_536;
            seq += 1;
            const row = encodeMessageRow(peer.user, frame.id, 0, frame.body);
            users.get(peer.to)?.socket.send(writer.fresh().delivery(1, 1, seq, row).out.view());
            socket.send(writer.fresh().sent(peer.sends, seq, 0).out.view());
          } else if (frame.type === T.HELLO) {
            peer.user = frame.token;
            users.set(peer.user, peer);
          } else if (frame.type === T.SYNC) socket.send(encodeServer({ type: T.SYNCED, chats: 0 }));
          else if (frame.type === T.DIRECT) {
            peer.to = frame.user;
            const chat = new Uint8Array(16);
            socket.send(encodeServer({ type: T.CHAT, alias: 1, chat, kind: CHAT_KIND.direct, name: frame.user }));
            socket.send(encodeServer({ type: T.OK, r: frame.r, results: [chat] }));
          }
        },
        text: () => undefined,
        drained: () => undefined,
        closed: () => undefined,
      };
    },
    http: () => ({ status: 404, body: '' }),
  },
  'auto',
);
console.log(`weft ready ws://127.0.0.1:${server.port}/v1`);
