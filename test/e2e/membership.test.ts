// Owns the proof that a change of a group happens once, however often the node is killed while it is made.
// Invariant: every request is repeated under its id until it is answered; a model says what the answers, the log and the
// members must be, event by event.
// Must not: know what the node does in between.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomFrom } from '../../bench/torture/plan.js';
import { INVITE_MODE, OP, type PageRow, ROLE, T } from '../../transport/frames.js';
import { type Act, GroupModel } from '../actors/group-model.js';
import { newId } from './harness.js';
import { Mortal, Persistent } from './mortal.js';
import { Home } from './process.js';

const GROUPS = 10;
/** Requests of each group. */
const STEPS = 45;
const KILLS = 8;
/** Members above which a group is read from its own log: reached by some groups on their way. */
const THRESHOLD = 5;

/** One group, driven through requests one after another, and the model of it. */
class Group {
  readonly #people: readonly Persistent[];
  readonly #random: () => number;
  readonly #model: GroupModel;
  #chat: Uint8Array = new Uint8Array(0);

  constructor(people: readonly Persistent[], random: () => number) {
    this.#people = people;
    this.#random = random;
    const [maker, ...others] = people.map(({ user }) => user);
    this.#model = new GroupModel(maker!, others.slice(0, 3), 'group');
  }

  async drive(done: () => void): Promise<void> {
    const [maker, ...others] = this.#people;
    const users = others.slice(0, 3).map(({ user }) => user);
    const id = newId();
    const made = await maker!.ask((r) => ({ type: T.CREATE, r, id, title: 'group', users }));
    assert.ok(typeof made !== 'string', `CREATE: ${made}`);
    this.#chat = made[0] as Uint8Array;
    for (let step = 0; step < STEPS; step += 1) {
      const act = this.#next(step);
      const answer = await this.#do(act);
      assert.equal(answer, this.#model.answer(act), JSON.stringify(act));
      done();
    }
  }

  /** Mostly something that will be granted. */
  #next(step: number): Act {
    const { roles, waiting, mode, links } = this.#model;
    const all = [...roles.keys()];
    const owner = all.find((user) => roles.get(user) === ROLE.owner)!;
    const leaders = all.filter((user) => roles.get(user)! >= ROLE.admin);
    const plain = all.filter((user) => roles.get(user) === ROLE.member);
    const outside = this.#people.map(({ user }) => user).filter((user) => !roles.has(user));
    const leader = this.#one(leaders, owner);
    const change = (user: string, op: number, users: string[] = [], args: (string | number)[] = []): Act => ({
      type: 'change',
      user,
      op,
      users,
      args,
    });
    const choices: (() => Act)[] = [
      () => change(leader, OP.added, [this.#one([...waiting, ...outside], owner), this.#one(outside, owner)]),
      () => change(leader, OP.added, [this.#one(outside, owner)]),
      () => change(leader, OP.removed, [this.#one(all.length > 3 ? all : outside, owner)]),
      () => change(this.#one(all.length > 3 ? all : outside, owner), OP.left),
      () => change(owner, OP.owner, [this.#one(all, owner)]),
      () => change(leader, OP.role, [this.#one(plain, owner)], [ROLE.admin]),
      () => change(leader, OP.role, [this.#one(leaders, owner)], [ROLE.member]),
      () => change(leader, OP.title, [], [`title ${step}`]),
      () => change(leader, OP.announce, [], [step % 2]),
      () => change(leader, OP.expiry, [], [step * 60]),
      () => change(leader, OP.invite, [], [this.#random() < 0.5 ? INVITE_MODE.open : INVITE_MODE.approval]),
      () => change(leader, OP.declined, [this.#one(waiting, owner)]),
      () => ({ type: 'send', user: this.#one(all, owner) }),
      () => ({ type: 'join', user: this.#one(outside, owner), link: mode === INVITE_MODE.none ? -1 : links }),
      () => ({ type: 'join', user: this.#one(outside, owner), link: links }),
    ];
    return this.#one(choices, choices[0]!)();
  }

  #one<T>(from: readonly T[], otherwise: T): T {
    return from[Math.floor(this.#random() * from.length)] ?? otherwise;
  }

  async #do(act: Act): Promise<number | string> {
    const chat = this.#chat;
    const id = newId();
    const person = this.#person(act.user);
    if (act.type === 'send') return person.send(chat, id, 'x');
    if (act.type === 'change') {
      const { op, users, args } = act;
      const answer = await person.ask((r) => ({ type: T.CHANGE, r, chat, id, op, users: [...users], args }));
      return typeof answer === 'string' ? answer : (answer[0] as number);
    }
    const invite = await this.#link();
    const answer = await person.ask((r) => ({ type: T.JOIN, r, id, invite }));
    return typeof answer === 'string' ? answer : (answer[1] as number);
  }

  /** The link as its owner is told it; one that nobody has where there is none. */
  async #link(): Promise<Uint8Array> {
    const owner = [...this.#model.roles].find(([, role]) => role === ROLE.owner)![0];
    const chat = this.#chat;
    const told = await this.#person(owner).ask((r) => ({ type: T.INVITE, r, chat }));
    assert.ok(typeof told !== 'string', `INVITE: ${told}`);
    assert.equal(told[0], this.#model.mode);
    return told[0] === INVITE_MODE.none ? Uint8Array.of(...chat, ...new Uint8Array(16)) : (told[1] as Uint8Array);
  }

  #person(user: string): Persistent {
    return this.#people.find((person) => person.user === user)!;
  }

  /** All who are in it are told what the model has, and everybody sees the log of the own stays, no more, no less. */
  async check(): Promise<void> {
    const chat = this.#chat;
    const model = this.#model;
    for (const person of this.#people) {
      const { user } = person;
      const info = await person.ask((r) => ({ type: T.INFO, r, chat }));
      const role = model.roles.get(user);
      if (role === undefined) assert.equal(info, 'unknown_chat', `${user} is not in it`);
      else {
        assert.ok(typeof info !== 'string', `INFO by ${user}: ${info}`);
        const [, name, head, members, ...settings] = info;
        assert.deepEqual([name, head], [model.title, model.log.length]);
        const roles = (members as [string, number][]).map(([member, of]) => [member, of] as const);
        assert.deepEqual(new Map(roles), model.roles, `members as ${user} sees them`);
        const { avatar, announce, expiry, mode } = model;
        const waiting = role >= ROLE.admin ? model.waiting : [];
        assert.deepEqual(settings, [avatar, announce, expiry, mode, waiting], `settings as ${user} sees them`);
      }
      const stays = model.stays.get(user) ?? [];
      const visible = model.log
        .map((what, at) => ({ seq: at + 1, what }))
        .filter(({ seq }) => stays.some(([from, until]) => from <= seq && (until === 0 || seq <= until)));
      const seen = (await this.#history(person)).map((row) => ({ seq: row.seq, what: inWords(row) }));
      assert.deepEqual(seen, visible, `the log as ${user} sees it`);
    }
  }

  async #history(person: Persistent): Promise<PageRow[]> {
    const chat = this.#chat;
    const rows = await person.ask((r) => ({ type: T.HISTORY, r, chat, before: 0, limit: 100 }));
    if (typeof rows !== 'string') return rows as PageRow[];
    assert.equal(rows, 'unknown_chat');
    return [];
  }
}

const NAMES = new Map<number, string>(Object.entries(OP).map(([name, op]) => [op, name]));

function inWords(row: PageRow): string {
  if (row.type === T.MESSAGE) return `${row.from} says`;
  return [row.from, NAMES.get(row.op), ...row.args.flat(1)].join(' ');
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
