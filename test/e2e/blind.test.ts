// Owns the end-to-end test of blindness: bodies are opaque, and neither they nor tokens are ever logged.
// Invariant: a real node process, at its most talkative log level.
// Must not: look inside the node.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { T } from '../../transport/frames.js';
import { newId, RawClient, secret, token } from './harness.js';

test('arbitrary bytes come out as they went in, and the log shows neither bodies nor tokens', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-blind-'));
  const file = join(folder, 'secret');
  writeFileSync(file, secret, { mode: 0o600 });
  const main = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
  const args = [
    'start',
    '--data',
    folder,
    '--listen',
    '127.0.0.1:0',
    '--jwt-secret-file',
    file,
    '--log-level',
    'trace',
    '--frame-rate',
    '0',
  ];
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  let output = '';
  child.stderr.on('data', (data: Buffer) => {
    output += data.toString('latin1');
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`exit ${code}: ${output}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      output += `${line}\n`;
      const ready = /^weft ready (\S+)/.exec(line)?.[1];
      if (ready !== undefined) resolve(ready);
    });
  });
  const ada = await RawClient.join(url, 'ada', 'a1');
  const bob = await RawClient.join(url, 'bob', 'b1');
  const chat = await ada.direct('bob');
  const marker = 'tell nobody about the harbour';
  const bodies = [
    Buffer.from(marker),
    Buffer.alloc(0),
    Buffer.from([0xc1, 0xff, 0x00, 0x93, 0x22]),
    ...Array.from({ length: 50 }, (_, at) => randomBytes(1 + at * 977)),
  ];
  for (const body of bodies) {
    ada.send({ type: T.SEND, chat, id: newId(), body });
    const { body: got } = await bob.next(T.MESSAGE);
    assert.ok(Buffer.from(got).equals(body));
  }
  // Frames that are wrong are what a careless server would print.
  const eve = await RawClient.open(url);
  const stolen = await token('eve', 'e1', -3_600);
  eve.send({ type: T.HELLO, version: 1, token: stolen, credit: 1, agent: marker });
  await eve.next(T.ERROR);
  await eve.closing();
  ada.socket.send(Buffer.from(`\x93\x02${marker}`));
  await ada.closing();
  bob.close();
  child.removeAllListeners('exit');
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  assert.equal(await ended, 0);
  assert.match(output, /"msg":"ready"/);
  assert.ok(!output.includes(marker));
  assert.ok(!output.includes(stolen.slice(-20)));
  assert.ok(!output.includes(stolen.split('.')[1]!));
});
