// Owns the proof that sweeping and kill -9 together lose nothing and store nothing twice.
// Invariant: a sender repeats a message under its id until it is answered; a receiver says what it has, and takes each
// number once: whatever is missing, doubled or out of order in the end was the node's doing.
// Must not: know what the node does in between.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { chatKey, directChat, messageKey, seqOf } from '../../storage/keys.js';
import { openLmdb } from '../../storage/lmdb.js';
import { T } from '../../transport/frames.js';
import { decodeRow } from '../../transport/row.js';
import { newId, RawClient, text, utf8 } from './harness.js';

const PAIRS = 8;
const MESSAGES = 40;
const KILLS = 4;
const NODE = join(import.meta.dirname, 'sweeping-node.js');

class Mortal {
  url = '';
  #child: ChildProcess | null = null;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async start(): Promise<void> {
    const child = spawn(process.execPath, ['--enable-source-maps', NODE, this.#path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    this.url = line.replace('ready ', '');
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    this.url = '';
    child.kill(signal);
    await once(child, 'exit');
  }
}

/** A device that connects again and again, and says each time what it has. */
class Device {
  /** Everything up to here is with it. */
  have = 0;
  readonly chat: Uint8Array;
  readonly #user: string;
  readonly #mortal: Mortal;
  #client: RawClient | null = null;

  constructor(user: string, chat: Uint8Array, mortal: Mortal) {
    this.#user = user;
    this.chat = chat;
    this.#mortal = mortal;
  }

  async connected(): Promise<RawClient> {
    for (;;) {
      if (this.#client !== null && this.#client.closed === null) return this.#client;
      try {
        if (this.#mortal.url !== '') {
          this.#client = await RawClient.join(this.#mortal.url, this.#user, '1', [[this.chat, this.have]], 10_000);
          return this.#client;
        }
      } catch {
        this.#client = null;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async ack(): Promise<void> {
    (await this.connected()).send({ type: T.ACK, chat: this.chat, seq: this.have });
  }

  close(): void {
    this.#client?.cut();
  }
}

/** Sends its messages one after the other; each until it is answered. */
async function sender(device: Device, other: string): Promise<number> {
  let retries = 0;
  for (let n = 1; n <= MESSAGES; n += 1) {
    const id = newId();
    for (let answered = false; !answered; ) {
      const client = await device.connected();
      client.send({ type: T.DIRECT, r: client.request(), user: other });
      client.send({ type: T.SEND, chat: device.chat, id, body: utf8(`${n}`) });
      while (!answered && client.closed === null) {
        const [frame] = client.frames.splice(0, 1);
        if (frame === undefined) await client.changed();
        else if (frame.type === T.SENT) {
          assert.equal(frame.seq, n, 'each message once, in order');
          answered = true;
        } else if (frame.type === T.FAILED) {
          assert.ok(frame.retry);
          await new Promise((resolve) => setTimeout(resolve, 20));
          break;
        }
      }
      if (!answered) retries += 1;
    }
    device.have = n;
    await device.ack();
  }
  return retries;
}

async function receiver(device: Device): Promise<string[]> {
  const got: string[] = [];
  while (device.have < MESSAGES) {
    const client = await device.connected();
    const [frame] = client.frames.splice(0, 1);
    if (frame === undefined) {
      await client.changed();
      continue;
    }
    if (frame.type === T.CERT) {
      for (const entry of frame.entries) assert.ok(entry.start <= device.have + 1, 'nothing was cut off');
    }
    if (frame.type !== T.MESSAGE || frame.seq <= device.have) continue;
    assert.equal(frame.seq, device.have + 1, 'no gap');
    got.push(text(frame.body));
    device.have = frame.seq;
    await device.ack();
  }
  return got;
}

test('kill -9 while logs are swept: every message once, and in the end all are gone', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-sweep-'));
  const path = join(folder, 'store');
  const mortal = new Mortal(path);
  t.after(async () => {
    await mortal.end('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  await mortal.start();
  const pairs = Array.from({ length: PAIRS }, (_, i) => [`ada${i}`, `bob${i}`] as const);
  const devices = pairs.map(([ada, bob]) => {
    const chat = directChat(ada, bob);
    return [new Device(ada, chat, mortal), new Device(bob, chat, mortal)] as const;
  });
  t.after(() => devices.flat().map((device) => device.close()));
  let over = false;
  const killing = (async (): Promise<number> => {
    let kills = 0;
    for (; kills < KILLS && !over; kills += 1) {
      await new Promise((resolve) => setTimeout(resolve, 50 + 25 * kills));
      await mortal.end('SIGKILL');
      await mortal.start();
    }
    return kills;
  })();
  const sent = await Promise.all([
    ...devices.map(([ada], i) => sender(ada, pairs[i]![1])),
    ...devices.map(([, bob]) =>
      receiver(bob).then((got) => {
        assert.deepEqual(
          got,
          Array.from({ length: MESSAGES }, (_, i) => `${i + 1}`),
        );
        return 0;
      }),
    ),
  ]);
  over = true;
  const kills = await killing;
  // The last acknowledgements may have gone down with the node.
  for (const device of devices.flat()) await device.ack();
  await new Promise((resolve) => setTimeout(resolve, 300));
  await mortal.end('SIGTERM');
  const store = await openLmdb({ path });
  t.after(() => store.close());
  for (const [{ chat }] of devices) {
    const range = { start: messageKey(chat, 0), end: messageKey(chat, 2 ** 48 - 1), limit: 1_000 };
    const rows = (await store.range(range)).rows.map(({ key, value }) => `${seqOf(key)} ${decodeRow(value).type}`);
    assert.deepEqual(rows, [`${MESSAGES} ${T.EVENT}`], chatKey(chat));
  }
  assert.ok(kills >= 1, `${kills} kills`);
  t.diagnostic(`${kills} kills, ${sent.reduce((sum, n) => sum + n, 0)} repeated`);
});
