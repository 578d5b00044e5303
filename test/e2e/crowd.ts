// Owns people of end-to-end tests who all write into one group without end, while something becomes of their nodes.
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

/** Everybody writes into the one chat, all the time; a send that fails ends it. */
export class Talk {
  /** `from text`, as they were acknowledged. */
  readonly sent: string[] = [];
  readonly #people: readonly Person[];
  readonly #streams: Promise<void>[];
  #sending = true;

  constructor(people: readonly Person[]) {
    this.#people = people;
    this.#streams = people.map(async ({ chat }, i) => {
      for (let n = 0; this.#sending; n++) {
        await chat.send(`${n}`);
        this.sent.push(`u${i} ${n}`);
        await pause(20);
      }
    });
    // It is asked for when it ends.
    for (const stream of this.#streams) stream.catch(() => undefined);
  }

  /** No send failed, and everybody has heard all of the others once and in order. */
  async end(): Promise<void> {
    this.#sending = false;
    await Promise.all(this.#streams);
    for (const [i, { heard }] of this.#people.entries()) {
      const expected = this.sent.filter((line) => !line.startsWith(`u${i} `));
      await until(`u${i} has heard all`, () => heard.length >= expected.length);
      assert.deepEqual([...heard].sort(), expected.sort(), `u${i}: each message once`);
      for (let j = 0; j < this.#people.length; j++) {
        const theirs = heard.filter((line) => line.startsWith(`u${j} `)).map((line) => Number(line.split(' ')[1]));
        assert.deepEqual(
          theirs,
          [...theirs].sort((a, b) => a - b),
          `u${i} heard u${j} in order`,
        );
      }
    }
  }
}
