// Owns people of end-to-end tests who all write into one group and to each other without end, while something becomes of their nodes.
// Invariant: clients by the SDK, as applications have them; every send counts, and a send that fails ends the talk.
// Must not: know what happens to the nodes.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type Chat, connect, type Session } from '../../client/index.js';
import { token } from './harness.js';

export const BACKOFF = { base: 50, cap: 500 };

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, what);
    await pause(50);
  }
}

export interface Person {
  readonly session: Session;
  readonly chat: Chat;
  /** `from text`, in the order in which they came. */
  readonly heard: string[];
}

/** `u0`, `u1` and so on, one for each URL, in a group of all. */
export async function crowd(t: TestContext, urls: readonly string[]): Promise<Person[]> {
  const names = urls.map((_, at) => `u${at}`);
  const people: Person[] = [];
  for (const [at, url] of urls.entries()) {
    const session = await connect({ url, token: () => token(names[at]!, 'phone'), backoff: BACKOFF });
    t.after(() => session.close());
    const heard: string[] = [];
    session.on('message', ({ from, text }) => void heard.push(`${from} ${text}`));
    const [first] = people;
    const chat =
      first === undefined
        ? await session.createGroup({ title: 'all', members: names.slice(1) })
        : session.group(first.chat.id);
    people.push({ session, chat, heard });
  }
  return people;
}

/** The chat of all. */
const ALL = -1;

interface Said {
  readonly from: number;
  /** ALL, or a person. */
  readonly to: number;
  readonly line: string;
}

/** Everybody writes to all and to each other in turn, all the time; a send that fails ends it. */
export class Talk {
  /** As they were acknowledged. */
  readonly sent: Said[] = [];
  readonly #people: readonly Person[];
  readonly #streams: Promise<void>[];
  #sending = true;

  constructor(people: readonly Person[]) {
    this.#people = people;
    this.#streams = people.map(async ({ chat, session }, from) => {
      for (let n = 0; this.#sending; n++) {
        const to = n % 2 === 0 ? ALL : (from + 1 + ((n >> 1) % (people.length - 1))) % people.length;
        const text = `${to} ${n}`;
        await (to === ALL ? chat : session.direct(`u${to}`)).send(text);
        this.sent.push({ from, to, line: `u${from} ${text}` });
        await pause(20);
      }
    });
    // It is asked for when it ends.
    for (const stream of this.#streams) stream.catch(() => undefined);
  }

  /** No send failed, and everybody has heard all that was for them once, and each chat in order. */
  async end(): Promise<void> {
    this.#sending = false;
    await Promise.all(this.#streams);
    for (const [i, { heard }] of this.#people.entries()) {
      // Each stream's sends were acknowledged one after the other.
      const expected = this.sent.filter(({ from, to }) => from !== i && (to === ALL || to === i));
      await until(`u${i} has heard all`, () => heard.length >= expected.length);
      assert.equal(heard.length, expected.length, `u${i}: each message once`);
      for (const start of new Set(expected.map(({ from, to }) => `u${from} ${to} `))) {
        assert.deepEqual(
          heard.filter((line) => line.startsWith(start)),
          expected.filter(({ line }) => line.startsWith(start)).map(({ line }) => line),
          `u${i} heard each of ${start}once and in order`,
        );
      }
    }
  }
}
