// Owns the tests of a cluster on a real store: processes on one LMDB environment, killed, stopped and continued.
// Invariant: nothing is asked to happen by a certain time; each step waits for what the processes say.
// Must not: repeat the scenes on virtual time; it shows that the machine keeps to them.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { LIMITS } from '../../actors/limits.js';
import { serveCommits } from '../../storage/commit-server.js';
import { messageKey, seqOf } from '../../storage/keys.js';
import { openLmdb } from '../../storage/lmdb.js';
import type { Store } from '../../storage/store.js';
import { folder } from '../storage/folder.js';

const MEMBER = join(import.meta.dirname, 'lmdb-member.js');

class Member {
  readonly child: ChildProcess;
  readonly acks: { readonly shard: number; readonly seq: number; readonly text: string }[] = [];
  readonly lines: string[] = [];
  holds = 0;
  #waiting: (() => void)[] = [];

  constructor(t: TestContext, store: Store, path: string, name: string) {
    this.child = spawn(process.execPath, ['--enable-source-maps', MEMBER, path, name], {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    });
    serveCommits(store, this.child.stdio[3] as Socket, (reason) => assert.fail(reason));
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
}

test('three processes on one LMDB store: killed, stopped past the lease and continued; all that was answered is there', {
  timeout: 120_000,
}, async (t) => {
  const path = folder();
  const store = await openLmdb({ path });
  t.after(() => store.close());
  const members = ['n1', 'n2', 'n3'].map((name) => new Member(t, store, path, name));
  const [n1, n2, n3] = members as [Member, Member, Member];
  const shared = ({ holds }: Member): boolean => holds === 10 || holds === 11;
  for (const member of members) await member.until(() => shared(member) && member.acks.length > 50);

  n1.child.kill('SIGKILL');
  await once(n1.child, 'exit');
  for (const member of [n2, n3]) await member.until(() => member.holds === LIMITS.shards / 2);

  n2.child.kill('SIGSTOP');
  await n3.until(() => n3.holds === LIMITS.shards);
  const written = n3.acks.length;
  await n3.until(() => n3.acks.length > written + LIMITS.shards);
  const before = n2.acks.length;
  n2.child.kill('SIGCONT');
  await n2.until(() => n2.lines.includes('over'));
  // What it had answered before it was stopped may still have been on its way to us; nothing came after.
  assert.ok(n2.acks.length - before <= LIMITS.shards);
  await n2.until(() => n2.holds === LIMITS.shards / 2);
  const again = n2.acks.length;
  await n2.until(() => n2.acks.length > again + 20);

  for (const member of [n2, n3]) {
    member.child.kill('SIGKILL');
    await once(member.child, 'exit');
  }
  const acks = members.flatMap((member) => member.acks);
  for (let shard = 0; shard < LIMITS.shards; shard += 1) {
    const chat = Uint8Array.from({ length: 16 }, (_, at) => (at === 2 ? shard : at === 1 ? 0 : 1));
    const { rows } = await store.range({
      start: messageKey(chat, 0),
      end: messageKey(chat, 2 ** 40),
      limit: 1_000_000,
    });
    for (const [at, { key }] of rows.entries()) assert.equal(seqOf(key), at + 1);
    for (const ack of acks.filter((one) => one.shard === shard)) {
      assert.equal(Buffer.from(rows[ack.seq - 1]!.value).toString(), ack.text);
    }
  }
});
