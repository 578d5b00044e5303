// Owns the proof that a change of a group happens once, however often the node is killed while it is made.
// Invariant: every request is repeated under its id until it is answered; a model says what the log and the members must
// be, event by event.
// Must not: know what the node does in between.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeProcess } from '../../bench/node-process.js';
import { randomFrom } from '../../bench/torture/plan.js';
import { type ClientFrame, OP, type PageRow, ROLE, T } from '../../transport/frames.js';
import { newId, RawClient, text, utf8 } from './harness.js';
import { Home } from './process.js';

const GROUPS = 10;
/** Changes of each group. */
const STEPS = 30;
const KILLS = 8;
/** Members above which a group is read from its own log: reached by some groups on their way. */
const THRESHOLD = 5;

/** The node as it comes and goes. */
class Mortal {
  node: NodeProcess | null = null;
  url = '';
  kills = 0;
  #revived: (() => void)[] = [];

  revive(node: NodeProcess): void {
    this.node = node;
    this.url = node.url;
    for (const wake of this.#revived.splice(0)) wake();
  }

  async alive(): Promise<void> {
    if (this.node === null) await new Promise<void>((resolve) => this.#revived.push(resolve));
  }
}

/** A user's connection, made again whenever it is gone. */
class Persistent {
  readonly user: string;
  readonly #mortal: Mortal;
  #client: RawClient | null = null;
  retries = 0;

  constructor(user: string, mortal: Mortal) {
    this.user = user;
    this.#mortal = mortal;
  }

  /** Asks under whatever number, until there is an answer: OK's results, PAGE's rows, or the code of a refusal. */
  async ask(frame: (r: number) => ClientFrame): Promise<readonly unknown[] | string> {
    for (;;) {
      const client = await this.#connected();
      const r = client.request();
      client.send(frame(r));
      const answer = await this.#answer(client, r);
      if (answer !== null) return answer;
      this.retries += 1;
    }
  }

  /** Sends until there is a number. */
  async send(chat: Uint8Array, id: Uint8Array, body: string): Promise<number | string> {
    for (;;) {
      const client = await this.#connected();
      client.send({ type: T.SEND, chat, id, body: utf8(body) });
      const frame = await either(client, (it) => it.type === T.SENT || it.type === T.FAILED);
      if (frame?.type === T.SENT) return frame.seq;
      if (frame?.type === T.FAILED && !frame.retry) return frame.code;
      this.retries += 1;
    }
  }

  close(): void {
    this.#client?.close();
  }

  async #answer(client: RawClient, r: number): Promise<readonly unknown[] | string | null> {
    const frame = await either(client, (it) => 'r' in it && it.r === r);
    if (frame?.type === T.OK) return frame.results;
    if (frame?.type === T.PAGE) return frame.rows;
    return frame?.type === T.ERROR && !frame.retry ? frame.code : null;
  }

  async #connected(): Promise<RawClient> {
    for (;;) {
      if (this.#client !== null && this.#client.closed === null) return this.#client;
      await this.#mortal.alive();
      try {
        this.#client = await RawClient.join(this.#mortal.url, this.user, 'd', null, 60_000);
        this.#client.sync([]);
        if ((await either(this.#client, ({ type }) => type === T.SYNCED)) !== null) return this.#client;
      } catch {
        // The node died on the way.
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

type Frame = RawClient['frames'][number];

/** The first frame that passes, or null when the connection is gone without one. */
async function either(client: RawClient, passes: (frame: Frame) => boolean): Promise<Frame | null> {
  for (;;) {
    const at = client.frames.findIndex(passes);
    if (at >= 0) return client.frames.splice(at, 1)[0]!;
    if (client.closed !== null) return null;
    await client.changed();
  }
}

/** What the log must hold, in words. */
interface Expected {
  readonly from: string;
  readonly what: string;
}

/** One group, driven through changes one after another, and the model of it. */
class Group {
  readonly log: Expected[] = [];
  readonly members = new Map<string, number>();
  /** Everybody's stays, from the event that brought them to the one that ended it. */
  readonly stays = new Map<string, { readonly from: number; until: number }[]>();
  readonly #people: Persistent[];
  readonly #random: () => number;
  chat: Uint8Array = new Uint8Array(0);

  constructor(people: Persistent[], random: () => number) {
    this.#people = people;
    this.#random = random;
  }

  person(user: string): Persistent {
    return this.#people.find((person) => person.user === user)!;
  }

  async drive(done: () => void): Promise<void> {
    const [maker, ...others] = this.#people;
    const users = others.slice(0, 2).map(({ user }) => user);
    const id = newId();
    const made = await maker!.ask((r) => ({ type: T.CREATE, r, id, title: 'group', users }));
    assert.ok(typeof made !== 'string', `CREATE: ${made}`);
    this.chat = made[0] as Uint8Array;
    this.members.set(maker!.user, ROLE.owner);
    this.#note(maker!.user, `created group ${[maker!.user, ...users].join(' ')}`, made[1]);
    this.#joins(users);
    this.stays.set(maker!.user, [{ from: 1, until: Number.POSITIVE_INFINITY }]);
    for (let step = 0; step < STEPS; step += 1) {
      await this.#step(step);
      done();
    }
  }

  async #step(step: number): Promise<void> {
    const owner = [...this.members].find(([, role]) => role === ROLE.owner)![0];
    const plain = [...this.members].filter(([, role]) => role === ROLE.member).map(([user]) => user);
    const outside = this.#people.map(({ user }) => user).filter((user) => !this.members.has(user));
    const choice = this.#random();
    if (choice < 0.3 && outside.length > 0) {
      const users = outside.slice(0, choice < 0.15 ? 1 : 2);
      await this.#change(owner, OP.added, users, `added ${users.join(' ')}`);
      this.#joins(users);
    } else if (choice < 0.5 && plain.length > 1) {
      const user = plain[Math.floor(this.#random() * plain.length)]!;
      await this.#change(owner, OP.removed, [user], `removed ${user}`);
      this.#leaves(user);
    } else if (choice < 0.65 && plain.length > 1) {
      const user = plain[Math.floor(this.#random() * plain.length)]!;
      await this.#change(user, OP.left, [], 'left');
      this.#leaves(user);
    } else if (choice < 0.75 && plain.length > 0) {
      // The owner goes: the longest-standing member becomes owner with an event of its own, before.
      const heir = plain[0]!;
      this.log.push({ from: owner, what: `owner ${heir}` });
      await this.#change(owner, OP.left, [], 'left');
      this.#leaves(owner);
      this.members.set(heir, ROLE.owner);
    } else {
      const all = [...this.members.keys()];
      const user = all[Math.floor(this.#random() * all.length)]!;
      const id = newId();
      const seq = await this.person(user).send(this.chat, id, `step ${step}`);
      this.#note(user, `message step ${step}`, seq);
    }
  }

  async #change(user: string, op: number, users: readonly string[], what: string): Promise<void> {
    const id = newId();
    const { chat } = this;
    const answer = await this.person(user).ask((r) => ({
      type: T.CHANGE,
      r,
      chat,
      id,
      op,
      users: [...users],
      args: [],
    }));
    assert.ok(typeof answer !== 'string', `${what} by ${user}: ${answer}`);
    this.#note(user, what, answer[0]);
  }

  /** With the newest event. */
  #joins(users: readonly string[]): void {
    for (const user of users) {
      this.members.set(user, ROLE.member);
      const stay = { from: this.log.length, until: Number.POSITIVE_INFINITY };
      this.stays.set(user, [...(this.stays.get(user) ?? []), stay]);
    }
  }

  #leaves(user: string): void {
    this.members.delete(user);
    this.stays.get(user)!.at(-1)!.until = this.log.length;
  }

  #note(from: string, what: string, seq: unknown): void {
    this.log.push({ from, what });
    assert.equal(seq, this.log.length, `${what} by ${from}: its number is its place`);
  }

  /** All who are in it see the same members and head, and everybody sees the log of the own stays, no more, no less. */
  async check(): Promise<void> {
    const { chat } = this;
    for (const person of this.#people) {
      const { user } = person;
      const info = await person.ask((r) => ({ type: T.INFO, r, chat }));
      const rows = await this.#history(person);
      if (!this.members.has(user)) assert.equal(info, 'unknown_chat', `${user} is not in it`);
      else {
        assert.ok(typeof info !== 'string', `INFO by ${user}: ${info}`);
        assert.equal(info[2], this.log.length, 'head');
        const members = (info[3] as [string, number][]).map(([member, role]) => [member, role] as const);
        assert.deepEqual(new Map(members), this.members, `members as ${user} sees them`);
      }
      const stays = this.stays.get(user) ?? [];
      const visible = this.log
        .map((expected, at) => ({ seq: at + 1, expected }))
        .filter(({ seq }) => stays.some(({ from, until }) => from <= seq && seq <= until));
      const seen = rows.map((row) => ({ seq: row.seq, expected: inWords(row) }));
      assert.deepEqual(seen, visible, `the log as ${user} sees it`);
    }
  }

  async #history(person: Persistent): Promise<PageRow[]> {
    const { chat } = this;
    const rows = await person.ask((r) => ({ type: T.HISTORY, r, chat, before: 0, limit: 100 }));
    if (typeof rows !== 'string') return rows as PageRow[];
    assert.equal(rows, 'unknown_chat');
    return [];
  }
}

const NAMES: Readonly<Record<number, string>> = {
  [OP.created]: 'created',
  [OP.added]: 'added',
  [OP.removed]: 'removed',
  [OP.left]: 'left',
  [OP.owner]: 'owner',
};

function inWords(row: PageRow): Expected {
  if (row.type === T.MESSAGE) return { from: row.from, what: `message ${text(row.body)}` };
  return { from: row.from, what: [NAMES[row.op], ...row.args.flat(1)].join(' ') };
}

test('kill -9 while groups change: each change is there once, and all members agree', async (t) => {
  const home = new Home(t);
  const mortal = new Mortal();
  const flags = ['--fanout-threshold', String(THRESHOLD)];
  mortal.revive(await home.start({ flags }));
  const random = randomFrom(7);
  const people: Persistent[] = [];
  const groups = Array.from({ length: GROUPS }, (_, number) => {
    const mine = Array.from({ length: 8 }, (_, at) => new Persistent(`g${number}u${at}`, mortal));
    people.push(...mine);
    return new Group(mine, random);
  });
  let steps = 0;
  let stepped = (): void => undefined;
  let over = false;
  const drives = Promise.all(
    groups.map((group) =>
      group.drive(() => {
        steps += 1;
        stepped();
      }),
    ),
  ).finally(() => {
    over = true;
    stepped();
  });
  // A kill after every so many changes, in the middle of those that are then on their way.
  const killer = (async () => {
    for (let kill = 1; kill <= KILLS && !over; kill += 1) {
      const due = Math.floor((kill * GROUPS * STEPS) / (KILLS + 1));
      while (steps < due && !over) {
        await new Promise<void>((resolve) => {
          stepped = resolve;
        });
      }
      for (let turns = Math.floor(random() * 8); turns > 0; turns -= 1) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      const { node } = mortal;
      mortal.node = null;
      await node!.stop('SIGKILL');
      mortal.kills += 1;
      mortal.revive(await home.start({ flags }));
    }
  })();
  await Promise.all([drives, killer]);
  assert.equal(mortal.kills, KILLS);
  assert.ok(
    people.some(({ retries }) => retries > 0),
    'some request was on its way when the node died',
  );
  for (const group of groups) await group.check();
  // Once more from disk alone.
  mortal.node = null;
  await home.last.stop('SIGKILL');
  mortal.revive(await home.start({ flags }));
  for (const group of groups) await group.check();
  t.diagnostic(`${steps} changes and messages, ${people.reduce((sum, { retries }) => sum + retries, 0)} retries`);
  for (const person of people) person.close();
  assert.deepEqual(await home.last.stop('SIGTERM'), { code: 0, signal: null });
});
