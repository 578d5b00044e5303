// Owns the fuzzing of a client's journal.
// Invariant: sound lines are applied in order, damaged ones not at all; a session starts over whatever is left.
// Must not: need a server.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { line } from '../../client/journal.js';
import { FileStore } from '../../client/store-file.js';
import { journals, tryJournal } from '../../sim/fuzz-journal.js';
import { ManualWorld } from '../actors/manual-world.js';
import { bench } from './bench.js';
import { FakeServer } from './fake-server.js';

test('10,000 damaged journals: the sound lines, all of them, and nothing else', () => {
  let lost = 0;
  fc.assert(
    fc.property(journals, (journal) => {
      const image = tryJournal(journal);
      if (image.size === 1) lost++;
    }),
    { numRuns: 10_000 },
  );
  assert.ok(lost < 8_000, `${lost} of 10,000 left nothing`);
});

test('a line is damaged also where only what parts checksum and changes is', () => {
  const changes = [{ type: 'owner', user: 'ada', device: 'd1' }] as const;
  const [checksum = '', json = ''] = line(changes).split(/ (.*)/s);
  const places = [' ', '\t', '', '  '].map((between) => Buffer.from(`${checksum}${between}${json}`));
  // Two bytes that decode to one character.
  places.push(Buffer.concat([Buffer.from(checksum), Buffer.of(0xf2, 0x9f), Buffer.from(json)]));
  const nothing = tryJournal({ writes: [], bytes: Buffer.alloc(0) }).state();
  const read = places.map((bytes) => !isDeepStrictEqual(tryJournal({ writes: [changes], bytes }).state(), nothing));
  assert.deepEqual(read, [true, false, false, false, false]);
});

test('a session starts over a damaged file, and what it writes then is there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-journal-'));
  let run = 0;
  await fc.assert(
    fc.asyncProperty(journals, async (journal) => {
      const path = join(folder, `j${run++}`);
      writeFileSync(path, journal.bytes);
      const world = new ManualWorld();
      const server = new FakeServer(world);
      server.up = false;
      const { session } = await bench({ world, server, store: new FileStore(path), offline: true });
      const pending = session.pending().length;
      session
        .direct('bob')
        .send('late')
        .catch(() => {});
      await session.close();
      const again = new FileStore(path);
      assert.equal((await again.load()).outbox.length, pending + 1);
      await again.close();
    }),
    { numRuns: 60 },
  );
  rmSync(folder, { recursive: true, force: true });
});
