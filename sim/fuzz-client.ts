// Owns the trial of the SDK: a session whose server sends it hostile frames, and then an honest one.
// Invariant: nothing throws and no promise rejects unheard, whatever comes; when the server is honest again the session gets
// online and hands over what it is sent, unless it was told in so many words that it must not come back.
// Must not: use sockets or the machine's clock.

import fc from 'fast-check';
import type { Dial, LinkEvents } from '../client/link.js';
import { openSession } from '../client/open.js';
import type { Session } from '../client/session.js';
import { MemoryStore } from '../client/store-memory.js';
import { decodeClient, encodeServer } from '../transport/codec.js';
import { type ClientFrame, type ServerFrame, T } from '../transport/frames.js';
import { Clock, WORLD } from './clock.js';
import { hostile, type Words } from './fuzz-frames.js';
import { SERVER } from './fuzz-grammar.js';
import { Process, wallAt } from './process.js';

const CHAT = new Uint8Array(16).fill(1);
const LAST = new Uint8Array(16).fill(9);
const WORDS: Words = {
  chats: [CHAT, new Uint8Array(16).fill(2)],
  users: ['ada', 'bob', 'zoë'],
  tokens: ['t'],
  time: wallAt(0),
};

const number = fc.oneof(fc.nat(100_000), fc.constantFrom(0, 1, 2 ** 31, 2 ** 32, 2 ** 53 - 1));

export interface Ordeal {
  /** Numbers of the WELCOMEs that come before the frames. */
  readonly welcome: readonly number[];
  readonly frames: readonly Uint8Array[];
}

/** What a hostile server says. */
export const ordeals: fc.Arbitrary<Ordeal> = fc.record({
  welcome: fc.oneof(
    fc.constant([1, 64, 65_536, wallAt(0), 30_000, wallAt(0) + 3_600_000]),
    fc.tuple(...Array.from({ length: 6 }, () => number)),
  ),
  frames: fc.array(hostile(SERVER, WORDS), { minLength: 1, maxLength: 40 }),
});

/** ms between two frames, and until the honest server's word must have arrived: twice the longest that it may ask to wait. */
const PACE = 3;
const PATIENCE = 7_500_000;

class Server {
  honest = false;
  sent = 0;
  readonly #process: Process;
  readonly #ordeal: Ordeal;
  #events: LinkEvents | null = null;

  constructor(process: Process, ordeal: Ordeal) {
    this.#process = process;
    this.#ordeal = ordeal;
  }

  readonly dial: Dial = (_url, _protocol, events) => {
    let open = true;
    const closed = (code: number): void => {
      if (!open) return;
      open = false;
      if (this.#events === events) this.#events = null;
      this.#process.arrive(1, () => events.closed(code, ''));
    };
    this.#events = events;
    this.#process.arrive(1, () => open && events.open());
    return {
      send: (bytes) => {
        const frame = decodeClient(bytes);
        if (frame.type <= 0) throw new Error('the SDK sent what is no frame');
        if (open) this.#take(frame as ClientFrame, events);
      },
      buffered: () => 0,
      close: () => closed(1005),
    };
  };

  /** The next hostile frame, where there is a connection. False: none is left. */
  step(): boolean {
    const bytes = this.#ordeal.frames[this.sent];
    if (bytes === undefined) return false;
    const events = this.#events;
    if (events !== null) {
      this.sent += 1;
      events.message(bytes.slice());
    }
    return true;
  }

  /** From now on it keeps to the protocol; the connection of before is lost. */
  reform(): void {
    this.honest = true;
    this.#events?.closed(1006, '');
    this.#events = null;
  }

  #take(frame: ClientFrame, events: LinkEvents): void {
    const say = (answer: ServerFrame): void => {
      const bytes = encodeServer(answer);
      this.#process.arrive(1, () => this.#events === events && events.message(bytes));
    };
    if (frame.type === T.HELLO) {
      const [durability, window, maxBody, time, heartbeat, expires] = this.#ordeal.welcome as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      const now = this.#process.wall();
      const honest = {
        durability: 1,
        window: 64,
        maxBody: 65_536,
        time: now,
        heartbeat: 30_000,
        expires: now + 3_600_000,
      };
      const said = this.honest ? honest : { durability, window, maxBody, time, heartbeat, expires };
      say({ type: T.WELCOME, user: 'ada', device: 'd1', ...said });
    } else if (frame.type === T.PING) say({ type: T.PONG, n: frame.n });
    else if (this.honest && frame.type === T.SYNC && !frame.more) {
      say({ type: T.CERT, entries: [{ chat: LAST, head: 1, start: 1, kind: 2, name: 'last' }] });
      say({ type: T.SYNCED, chats: 1 });
      const id = Uint8Array.from(LAST);
      say({
        type: T.MESSAGE,
        chat: LAST,
        from: 'bob',
        seq: 1,
        id,
        lag: 0,
        body: new TextEncoder().encode('last word'),
      });
    }
  }
}

/** Resolves to whether the session came through; rejects where it threw, or is deaf to an honest server. */
export async function tryClient(ordeal: Ordeal): Promise<boolean> {
  const clock = new Clock();
  const thrown: unknown[] = [];
  clock.thrown = (error) => thrown.push(error);
  const process = new Process({ clock, seed: 1, name: 'client', number: 1, skew: 0, turn: [0, 0] });
  const server = new Server(process, ordeal);
  const opening = openSession({
    world: process,
    dial: server.dial,
    store: new MemoryStore(),
    url: 'ws://fuzz',
    token: 't',
    offline: true,
  });
  await clock.run(1);
  const session = await opening;
  let last = false;
  session.on('message', ({ text }) => {
    last ||= text === 'last word';
  });
  for (const event of ['receipt', 'typing', 'presence', 'error'] as const) session.on(event, () => undefined);
  use(session);
  const over = (): boolean => last || thrown.length > 0 || session.state === 'failed';
  const step = (): void => {
    if (over()) return clock.stop();
    if (!server.honest && !server.step()) server.reform();
    clock.schedule(clock.now + (server.honest ? 1_000 : session.state === 'online' ? PACE : 500), WORLD, step);
  };
  step();
  await clock.run(clock.now + PATIENCE);
  const { state } = session;
  const closing = session.close();
  void closing.then(() => clock.stop());
  await clock.run(clock.now + 60_000);
  await closing;
  if (thrown.length > 0)
    throw new Error(`the session threw ${thrown[0] instanceof Error ? thrown[0].stack : String(thrown[0])}`);
  if (state !== 'failed' && !last) throw new Error(`the session is ${state} and has not heard the honest server`);
  return last;
}

/** What an application does, so that frames find something to answer. */
function use(session: Session): void {
  const bob = session.direct('bob');
  const group = session.group(CHAT);
  for (const asked of [
    bob.send('one'),
    bob.send('two'),
    group.send('three'),
    group.history({}),
    group.info(),
    session.profile('bob'),
  ]) {
    asked.catch(() => {});
  }
}
