// Owns what hostile clients do: one attack each, at the limit and over it.
// Invariant: a tick is 10 ms; an attack's load on the server is what the server lets through.
// Must not: hold sockets (hostile-client.ts).

import { randomBytes } from 'node:crypto';
import { LIMITS } from '../../actors/limits.js';
import { makeMessageId } from '../../actors/message-id.js';
import { createMachine } from '../../services/machine.js';
import { encodeClient } from '../../transport/codec.js';
import { type ClientFrame, T } from '../../transport/frames.js';
import type { Hostile } from './hostile-client.js';

/** Chats that all hostile clients are in; made by the first. */
export interface Scene {
  /** 1,024 members. */
  crowd: Uint8Array | null;
  /** 100 members: the largest whose receipts and typing go to each. */
  room: Uint8Array | null;
  readonly history: number;
}

interface Attack {
  readonly name: string;
  prepare?(hostile: Hostile, scene: Scene): Promise<void>;
  /** Every 10 ms, while connected. */
  tick?(hostile: Hostile, scene: Scene): void;
  /** Every 10 ms, connected or not. */
  storm?(hostile: Hostile): void;
}

/** Frames that one client sends in a tick: twice what the default rate allows. */
const FRAMES = (2 * LIMITS.frameRate) / 100;
/** Connections that one client has under way at once. */
const CONNECTIONS = 4;

const world = createMachine();
const chats = new WeakMap<Hostile, Uint8Array>();
const storms = new WeakMap<Hostile, number>();
const rounds = new WeakMap<Hostile, number>();

function times(count: number, act: (at: number) => void): void {
  for (let at = 0; at < count; at += 1) act(at);
}

/** Counts a client's ticks. */
function round(hostile: Hostile): number {
  const next = (rounds.get(hostile) ?? 0) + 1;
  rounds.set(hostile, next);
  return next;
}

async function ownChat(hostile: Hostile): Promise<Uint8Array> {
  const chat = await hostile.direct(`${hostile.user}-victim`);
  chats.set(hostile, chat);
  return chat;
}

const asks = (hostile: Hostile, make: (r: number) => ClientFrame): void =>
  times(FRAMES, () => hostile.ask(LIMITS.window, make));

/** Runs connections of which some are always under way. */
function storm(hostile: Hostile, act: (hostile: Hostile) => Promise<void>): void {
  const running = storms.get(hostile) ?? 0;
  if (running >= CONNECTIONS) return;
  storms.set(hostile, running + 1);
  act(hostile)
    .catch(() => undefined)
    .finally(() => storms.set(hostile, storms.get(hostile)! - 1));
}

/** A vector as large as there may be one, of chats that nobody has; made once, for it is large. */
const vector: readonly Uint8Array[] = Array.from({ length: LIMITS.userChats / LIMITS.syncEntries }, (_, part) => {
  const entries = Array.from({ length: LIMITS.syncEntries }, () => {
    const chat = new Uint8Array(randomBytes(16));
    chat[0] = 2;
    return { chat, seq: 1_000_000, read: 1_000_000, flags: 1 };
  });
  return encodeClient({
    type: T.SYNC,
    entries,
    more: part + 1 < LIMITS.userChats / LIMITS.syncEntries,
    backfill: 0,
  }).slice();
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const ATTACKS: readonly Attack[] = [
  {
    name: 'sends',
    prepare: async (hostile) => void (await ownChat(hostile)),
    tick: (hostile) => hostile.send(chats.get(hostile)!, 100),
  },
  {
    name: 'bodies',
    prepare: async (hostile) => void (await ownChat(hostile)),
    tick: (hostile) => hostile.send(chats.get(hostile)!, LIMITS.body),
  },
  {
    name: 'lists',
    async prepare(hostile) {
      for (let at = 0; at < 80; at += 1) await hostile.fill(await hostile.direct(`${hostile.user}-${at}`), 1, 100);
    },
    tick: (hostile) => asks(hostile, (r) => ({ type: T.LIST, r, after: null, limit: LIMITS.listRows })),
  },
  {
    name: 'histories',
    prepare: async (hostile, { history }) => hostile.fill(await ownChat(hostile), history, LIMITS.body),
    tick(hostile) {
      const chat = chats.get(hostile)!;
      asks(hostile, (r) => ({ type: T.HISTORY, r, chat, before: 0, limit: LIMITS.historyRows }));
    },
  },
  {
    name: 'deaf',
    prepare: async (hostile, { history }) => hostile.fill(await ownChat(hostile), history, LIMITS.body),
    tick(hostile) {
      const chat = chats.get(hostile)!;
      hostile.deafen();
      asks(hostile, (r) => ({ type: T.HISTORY, r, chat, before: 0, limit: LIMITS.historyRows }));
    },
  },
  {
    name: 'infos',
    tick: (hostile, { crowd }) => asks(hostile, (r) => ({ type: T.INFO, r, chat: crowd! })),
  },
  {
    name: 'syncs',
    tick(hostile) {
      if (round(hostile) % 10 === 0) for (const part of vector) hostile.bytes(part);
    },
  },
  {
    name: 'noise',
    tick(hostile, { room, crowd }) {
      const at = round(hostile);
      times(FRAMES / 2, (i) => {
        const on = (at + i) % 2 === 0;
        hostile.frame({ type: T.TYPING, chat: room!, on });
        hostile.frame({ type: T.WATCH, chat: i % 2 === 0 ? room! : crowd!, on });
      });
    },
  },
  {
    name: 'tells',
    tick(hostile, { room, crowd }) {
      const at = round(hostile);
      times(FRAMES / 4, (i) => {
        hostile.frame({ type: T.READ, chat: room!, seq: at * FRAMES + i });
        hostile.frame({ type: T.ACK, chat: crowd!, seq: at * FRAMES + i });
        hostile.frame({ type: T.DIRECT, r: 1, user: `nobody-${at}-${i}` });
        hostile.frame({ type: T.CREATE, r: 2, id: makeMessageId(world), title: 'g', users: [`x${at}-${i}`] });
      });
    },
  },
  {
    name: 'doors',
    storm: (hostile) =>
      storm(hostile, async () => {
        const raw = await hostile.open();
        const say = (frame: ClientFrame): void => raw.send(encodeClient(frame));
        const hello = async (token: string): Promise<void> =>
          say({ type: T.HELLO, version: 1, token, credit: 1, agent: '' });
        switch (round(hostile) % 5) {
          case 0:
            // As itself: takes over from the connection before.
            await hello(await hostile.token());
            say({ type: T.SYNC, entries: [], more: false, backfill: 0 });
            break;
          case 1:
            await hello(await hostile.token(randomBytes(32)));
            break;
          case 2:
            say({ type: T.PING, n: 1 });
            break;
          case 3:
            raw.send(randomBytes(1_000));
            break;
          default:
            raw.write(randomBytes(100_000));
        }
        await pause(20);
        raw.close();
      }),
  },
];
