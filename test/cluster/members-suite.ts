// Owns the tests of a cluster on a real store: processes that share it, killed, stopped and continued, drained and ended.
// Invariant: nothing is asked to happen by a certain time; each step waits for what the processes say. In the end every append that was
// answered is held against the store.
// Must not: repeat the scenes on virtual time; it shows that the machine keeps to them.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { messageKey, seqOf } from '../../storage/keys.js';
import type { Store } from '../../storage/store.js';

const MEMBER = join(import.meta.dirname, 'member.js');
const SHARDS = Array.from({ length: LIMITS.shards }, (_, shard) => shard);

/** A real store, empty, for one test. */
export interface Ground {
  /** What a member is told of it, before its name. */
  readonly args: readonly string[];
  readonly store: Store;
  /** A member was started, with a pipe as descriptor 3. */
  joined?(child: ChildProcess): void;
}

interface Acked {
  readonly shard: number;
  readonly seq: number;
  readonly text: string;
}

class Member {
  readonly child: ChildProcess;
  readonly acks: Acked[] = [];
  readonly lines: string[] = [];
  holds = 0;
  #waiting: (() => void)[] = [];

  constructor(t: TestContext, { args, joined }: Ground, name: string) {
    this.child = spawn(process.execPath, ['--enable-source-maps', MEMBER, ...args, name], {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    });
    joined?.(this.child);
    t.after(() => this.child.kill('SIGKILL'));
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      const [word, first = '', second = '', ...rest] = line.split(' ');
      if (word === 'ack') this.acks.push({ shard: Number(first), seq: Number(second), text: rest.join(' ') });
      else this.lines.push(line);
      if (word === 'holds') this.holds = Number(first);
      for (const look of this.#waiting.splice(0)) look();
    });
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** It goes on: so many more appends are answered. */
  async writes(more: number): Promise<void> {
    const before = this.acks.length;
    await this.until(() => this.acks.length > before + more);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const exit = once(this.child, 'exit');
    this.child.kill(signal);
    await exit;
  }

  said(word: string): number {
    return this.lines.filter((line) => line.startsWith(word)).length;
  }
}

/** Three members that have a third of the shards each, and write. */
export class Members {
  readonly all: readonly [Member, Member, Member];
  readonly #store: Store;

  private constructor(t: TestContext, ground: Ground) {
    this.#store = ground.store;
    this.all = [new Member(t, ground, 'n1'), new Member(t, ground, 'n2'), new Member(t, ground, 'n3')];
  }

  static async start(t: TestContext, ground: Ground): Promise<Members> {
    const members = new Members(t, ground);
    const shared = ({ holds }: Member): boolean => holds === 10 || holds === 11;
    for (const member of members.all) await member.until(() => shared(member) && member.acks.length > 50);
    return members;
  }

  /** What was answered is there, once, under its number; each chat is dense. */
  async check(): Promise<void> {
    for (const { child } of this.all) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    const acks = this.all.flatMap((member) => member.acks);
    for (const shard of SHARDS) {
      const chat = Uint8Array.from({ length: 16 }, (_, at) => (at === 2 ? shard : at === 1 ? 0 : 1));
      const all = { start: messageKey(chat, 0), end: messageKey(chat, 2 ** 40), limit: 1_000_000 };
      const { rows } = await this.#store.range(all);
      for (const [at, { key }] of rows.entries()) assert.equal(seqOf(key), at + 1);
      const texts = rows.map(({ value }) => Buffer.from(value).toString());
      assert.equal(new Set(texts).size, texts.length);
      for (const ack of acks.filter((one) => one.shard === shard)) assert.equal(texts[ack.seq - 1], ack.text);
    }
  }
}

export function membersSuite(engine: string, open: (t: TestContext) => Promise<Ground>): void {
  test(`three processes on ${engine}: killed, stopped past the lease and continued; all that was answered is there`, {
    timeout: 120_000,
  }, async (t) => {
    const members = await Members.start(t, await open(t));
    const [n1, n2, n3] = members.all;

    await n1.end('SIGKILL');
    for (const member of [n2, n3]) await member.until(() => member.holds === LIMITS.shards / 2);

    n2.child.kill('SIGSTOP');
    await n3.until(() => n3.holds === LIMITS.shards);
    await n3.writes(LIMITS.shards);
    const before = n2.acks.length;
    n2.child.kill('SIGCONT');
    await n2.until(() => n2.said('over') > 0);
    // What it had answered before it was stopped may still have been on its way to us; nothing came after.
    assert.ok(n2.acks.length - before <= LIMITS.shards);
    await n2.until(() => n2.holds === LIMITS.shards / 2);
    await n2.writes(20);
    await members.check();
  });

  test(`three processes on ${engine}: one gives all away and takes its part again, one ends in order; nobody is thrown out`, {
    timeout: 120_000,
  }, async (t) => {
    const members = await Members.start(t, await open(t));
    const [n1, n2, n3] = members.all;

    n1.child.kill('SIGUSR2');
    await n1.until(() => n1.holds === 0);
    for (const member of [n2, n3]) await member.until(() => member.holds === LIMITS.shards / 2);
    for (const member of [n2, n3]) await member.writes(LIMITS.shards);
    n1.child.kill('SIGUSR2');
    await n1.until(() => n1.holds >= 10);
    await n1.writes(20);

    await n2.end('SIGTERM');
    for (const member of [n1, n3]) await member.until(() => member.holds === LIMITS.shards / 2);
    for (const member of [n1, n3]) await member.writes(LIMITS.shards);
    for (const member of members.all) {
      assert.deepEqual([member.said('nodes_evicted'), member.said('over')], [0, 0], member.lines.join('\n'));
    }
    await members.check();
  });
}
