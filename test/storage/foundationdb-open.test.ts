// Owns the tests of what the FoundationDB engine says where it cannot work at all.
// Invariant: needs neither a cluster nor its client; runs everywhere.
// Must not: expect that they are absent either.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { StoreOpenError } from '../../storage/failure.js';
import { openFoundationDb } from '../../storage/foundationdb.js';
import { folder } from './folder.js';

test('a cluster file that is absent or none is refused by code and named', async () => {
  const where = folder();
  const path = join(where, 'fdb.cluster');
  const refused = (clusterFile: string): Promise<void> =>
    assert.rejects(openFoundationDb({ clusterFile }), (error) => {
      assert.ok(error instanceof StoreOpenError, String(error));
      assert.equal(error.code, 'store_bad_cluster_file', error.message);
      assert.ok(error.message.includes(clusterFile), error.message);
      return true;
    });
  await refused(path);
  await refused(where);
  for (const text of ['', 'nonsense', 'weft:id@', 'weft@127.0.0.1:4500', '# weft:id@127.0.0.1:4500\n', 'a b:c@d:1\n']) {
    writeFileSync(path, text);
    await refused(path);
  }
});

test('without the client library a start says what to install and exits as for every store that needs a person', () => {
  const where = folder();
  // Found before any that the machine may have.
  writeFileSync(join(where, 'libfdb_c.so'), 'no library');
  const cluster = join(where, 'fdb.cluster');
  writeFileSync(cluster, '# as copied from a server\nweft:id@127.0.0.1:1,[::1]:2:tls,host.example:3\n');
  const main = join(import.meta.dirname, '../../cli/main.js');
  const args = ['start', '--data', join(where, 'data'), '--store', `fdb:${cluster}`, '--listen', '127.0.0.1:0'];
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    env: { ...process.env, LD_LIBRARY_PATH: where },
    encoding: 'utf8',
  });
  assert.equal(status, 4, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /weft: store_client_missing: /);
  assert.match(stderr, /foundationdb-clients/);
});
