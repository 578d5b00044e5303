// Owns the proof that what a user owns survives kills of the node: what was answered is there, and nothing else.
// Invariant: every request is repeated until it is answered; a model of each user says what must be found.
// Must not: know what the node does in between.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomFrom } from '../../bench/torture/plan.js';
import { DEVICE_OP, MARK_OP, T } from '../../transport/frames.js';
import { newId } from './harness.js';
import { Mortal, Persistent } from './mortal.js';
import { Home } from './process.js';

const USERS = 6;
const STEPS = 50;
const KILLS = 3;
const CHATS = 3;
const HEAD = 5;
/** Of each user; more would be refused for a while. */
const DESCRIPTIONS = 8;

type Marks = [muted: number, pinned: number, archived: number, unread: number, cleared: number, hidden: number[]];

class Owner {
  readonly #person: Persistent;
  readonly #random: () => number;
  readonly #chats: Uint8Array[] = [];
  readonly #marks: Marks[] = [];
  readonly #versions: number[] = [];
  readonly #blocks = new Set<string>();
  #profile = 0;
  #name = '';
  #audience = 0;
  #deviceName = '';

  constructor(person: Persistent, random: () => number) {
    this.#person = person;
    this.#random = random;
  }

  async drive(done: () => void): Promise<void> {
    for (let i = 0; i < CHATS; i += 1) {
      const users = [`${this.#person.user}-${i}`];
      const id = newId();
      const [chat] = (await this.#ask((r) => ({ type: T.CREATE, r, id, title: 'g', users }))) as [Uint8Array];
      for (let seq = 2; seq <= HEAD; seq += 1) assert.equal(await this.#person.send(chat, newId(), 'x'), seq);
      this.#chats.push(chat);
      this.#marks.push([0, 0, 0, 0, 0, []]);
    }
    for (let step = 0; step < STEPS; step += 1) {
      await this.#step();
      done();
    }
  }

  async #ask(frame: Parameters<Persistent['ask']>[0]): Promise<readonly unknown[]> {
    const answer = await this.#person.ask(frame);
    assert.ok(typeof answer !== 'string', `${answer}`);
    return answer;
  }

  #pick(count: number): number {
    return Math.floor(this.#random() * count);
  }

  async #step(): Promise<void> {
    const what = this.#pick(8);
    if (what === 0) {
      const user = `b${this.#pick(6)}`;
      const on = this.#random() < 0.6;
      await this.#ask((r) => ({ type: T.BLOCK, r, user, on }));
      if (on) this.#blocks.add(user);
      else this.#blocks.delete(user);
    } else if (what === 1 && this.#profile < DESCRIPTIONS) {
      const name = `n${this.#profile}`;
      const [version] = await this.#ask((r) => ({ type: T.DESCRIBE, r, name, avatar: '', about: '', fields: [] }));
      assert.equal(version, this.#profile + 1, 'once, however often it was asked');
      this.#profile += 1;
      this.#name = name;
    } else if (what === 2) {
      const audience = this.#pick(3);
      assert.deepEqual(await this.#ask((r) => ({ type: T.PRIVACY, r, audience })), [audience]);
      this.#audience = audience;
    } else if (what === 3) {
      const name = `device ${this.#pick(1_000)}`;
      await this.#ask((r) => ({ type: T.DEVICE, r, device: 'd', op: DEVICE_OP.rename, name }));
      this.#deviceName = name;
    } else await this.#mark();
  }

  async #mark(): Promise<void> {
    const at = this.#pick(CHATS);
    const chat = this.#chats[at]!;
    const marks = this.#marks[at]!;
    const op = 1 + this.#pick(6);
    const seq = 1 + this.#pick(HEAD);
    const value = op === MARK_OP.cleared ? seq : op <= MARK_OP.pinned ? this.#pick(1_000) : this.#pick(2);
    const seqs = op === MARK_OP.hidden ? [seq] : [];
    const [version] = await this.#ask((r) => ({ type: T.MARK, r, chat, op, value, seqs }));
    if (op === MARK_OP.hidden) marks[5] = [...new Set([...marks[5], ...seqs])].sort((a, b) => a - b);
    else marks[op - 1] = op === MARK_OP.cleared ? Math.max(marks[4], value) : value;
    marks[5] = marks[5].filter((hidden) => hidden > marks[4]);
    // 0: nothing was ever marked there, and this changed nothing.
    if (version !== 0 && !this.#versions.includes(version as number)) this.#versions.push(version as number);
  }

  async check(): Promise<void> {
    const { user } = this.#person;
    const [blocks] = await this.#ask((r) => ({ type: T.BLOCKS, r }));
    assert.deepEqual(blocks, [...this.#blocks].sort());
    const [version, name] = await this.#ask((r) => ({ type: T.PROFILE, r, user, version: -1 + 2 ** 40 }));
    assert.deepEqual([version, name], [this.#profile, this.#name]);
    assert.deepEqual(await this.#ask((r) => ({ type: T.PRIVACY, r, audience: null })), [this.#audience]);
    const [devices] = await this.#ask((r) => ({ type: T.DEVICES, r }));
    assert.deepEqual(
      (devices as unknown[][]).map(([device, called]) => [device, called]),
      [['d', this.#deviceName]],
    );
    const [rows, more] = await this.#ask((r) => ({ type: T.MARKS, r, since: 0, limit: 500 }));
    assert.equal(more, 0);
    const order: number[] = [];
    const found = new Map<string, unknown[]>();
    for (const [chat, at, ...marks] of rows as [Uint8Array, number, ...unknown[]][]) {
      order.push(at);
      found.set(Buffer.from(chat).toString('hex'), marks);
    }
    for (const [at, chat] of this.#chats.entries()) {
      const row = found.get(Buffer.from(chat).toString('hex'));
      assert.deepEqual(row ?? [0, 0, 0, 0, 0, []], this.#marks[at]);
    }
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
    // Each change has a version of its own, without a gap: those in doubt were made once.
    const highest = Math.max(0, ...this.#versions);
    assert.deepEqual(
      this.#versions,
      Array.from({ length: highest }, (_, i) => i + 1),
    );
    assert.equal(order.at(-1) ?? 0, highest);
  }
}

test('kill -9 while users change what they own: each change that was answered is there, and once', async (t) => {
  const home = new Home(t);
  const mortal = new Mortal();
  mortal.revive(await home.start());
  const random = randomFrom(11);
  const people = Array.from({ length: USERS }, (_, i) => new Persistent(`u${i}`, mortal));
  const owners = people.map((person) => new Owner(person, random));
  let steps = 0;
  const kill = async (): Promise<void> => {
    const { node } = mortal;
    mortal.node = null;
    await node!.stop('SIGKILL');
    mortal.kills += 1;
    mortal.revive(await home.start());
  };
  let killing = Promise.resolve();
  const stepped = (): void => {
    steps += 1;
    // In the middle of what the others have on its way.
    if (steps % Math.floor((USERS * STEPS) / (KILLS + 1)) === 0 && steps < USERS * STEPS) killing = killing.then(kill);
  };
  await Promise.all(owners.map((owner) => owner.drive(stepped)));
  await killing;
  assert.equal(mortal.kills, KILLS);
  assert.ok(
    people.some(({ retries }) => retries > 0),
    'some request was on its way when the node died',
  );
  await kill();
  for (const owner of owners) await owner.check();
  for (const person of people) person.close();
});
