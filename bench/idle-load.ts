// Owns the load of the connections suite, run as a process of its own: idle clients, each another user.
// Invariant: a connection counts as open when its WELCOME and SYNCED came; it then sends a PING every heartbeat, as the
// SDK does, and nothing else. One that the server ends is a failure of the bench.
// Must not: know what serves it.

import { LIMITS } from '../actors/limits.js';
import { issueToken } from '../cli/token.js';
import { decodeServer, encodeClient } from '../transport/codec.js';
import { SUBPROTOCOL, T } from '../transport/frames.js';
import { openRaw, type RawSocket } from './raw-socket.js';

/** What the suite asks for: connections `from` … `from + count − 1`, or the end of all. */
export type IdleOrder =
  | {
      readonly type: 'open';
      readonly url: string;
      readonly secret: string;
      readonly from: number;
      readonly count: number;
      /**
       * 0 to 99: each client has an address of its own in this net of the machine (Linux); another net for each time that
       * one server is connected to, as an address keeps closed ports for a while. Null: all have the usual address.
       */
      readonly net: number | null;
    }
  | { readonly type: 'close' };

/** What it answers when that is done. */
export type IdleReport = { readonly seconds: number } | { readonly failure: string };

/** Logins under way at once. */
const CONCURRENCY = 128;
const TOKEN_SECONDS = 86_400;

const clients = new Set<RawSocket>();

const ping = encodeClient({ type: T.PING, n: 0 });
/** Each client's place in the round of heartbeats. */
const beats: RawSocket[][] = Array.from({ length: LIMITS.heartbeatMs / 1_000 }, () => []);
let beat = 0;
setInterval(() => {
  beat = (beat + 1) % beats.length;
  for (const client of beats[beat]!) client.send(ping);
}, 1_000);

async function login(url: string, token: string, localAddress: string | undefined): Promise<RawSocket> {
  let settle: (type: number) => void;
  const synced = new Promise<void>((resolve, reject) => {
    let welcomed = false;
    settle = (type) => {
      if (type === T.WELCOME) welcomed = true;
      else if (type === T.SYNCED && welcomed) resolve();
      else reject(new Error(`a frame of type ${type} at login`));
    };
  });
  const raw = await openRaw(
    url,
    SUBPROTOCOL,
    (bytes) => {
      const { type } = decodeServer(bytes);
      if (type !== T.PONG) settle(type);
    },
    localAddress,
  );
  raw.send(encodeClient({ type: T.HELLO, version: 1, token, credit: LIMITS.clientCredit, agent: 'bench' }));
  raw.send(encodeClient({ type: T.SYNC, entries: [], more: false, backfill: 1 }));
  await synced;
  return raw;
}

async function open({ url, secret, from, count, net }: Extract<IdleOrder, { type: 'open' }>): Promise<number> {
  const key = Buffer.from(secret, 'hex');
  const issued = Math.floor(Date.now() / 1_000);
  const expires = issued + TOKEN_SECONDS;
  const tokens: string[] = [];
  for (let at = 0; at < count; at += 1) {
    const user = `user-${from + at}`;
    tokens.push(
      await issueToken(key, { user, device: 'phone', issued, expires, issuer: undefined, audience: undefined }),
    );
  }
  const began = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const at = next;
      next += 1;
      const address = net === null ? undefined : `127.${100 + net}.${at >> 8}.${at & 255}`;
      const client = await login(url, tokens[at]!, address);
      clients.add(client);
      beats[at % beats.length]!.push(client);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return (performance.now() - began) / 1_000;
}

async function obey(order: IdleOrder): Promise<IdleReport> {
  // What the server ended meanwhile would make the rest look cheap.
  for (const client of clients) if (client.closed) return { failure: 'the server closed an idle connection' };
  if (order.type === 'open') return { seconds: await open(order) };
  const began = performance.now();
  for (const line of beats) line.length = 0;
  for (const client of clients) client.close();
  clients.clear();
  return { seconds: (performance.now() - began) / 1_000 };
}

process.on('message', (order: IdleOrder) => {
  void obey(order)
    .catch((error: unknown) => ({ failure: String(error) }))
    .then((report: IdleReport) => process.send?.(report));
});
process.on('disconnect', () => process.exit(0));
