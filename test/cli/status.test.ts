// Owns the proof that `weft status` tells ready, not ready and unreachable apart, for people and for programs.
// Invariant: talks to a real HTTP server that answers as a node does.
// Must not: need a node.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answering, closed } from './answering.js';
import { weft } from './command.js';

const status = {
  node: 'n1',
  pid: 12_345,
  uptimeMs: 3_723_000,
  store: { engine: 'lmdb', sizeBytes: 1_536 },
  connections: 12_345,
  supervisors: ['chats', 'users'],
  title: 'red\u001b[31m',
};

test('ready: exit code 0, an aligned table without colours in a pipe', async () => {
  const url = await answering({
    '/healthz': [200, 'ok'],
    '/readyz': [200, 'ok'],
    '/status': [200, JSON.stringify(status)],
  });
  const { code, out, err } = await weft(['status', '--url', url]);
  assert.deepEqual({ code, err }, { code: 0, err: '' });
  assert.equal(
    out,
    [
      `${url}  ready`,
      '  node             n1',
      '  pid              12345',
      '  uptimeMs         1 h 2 min',
      '  store.engine     lmdb',
      '  store.sizeBytes  1.5 KiB',
      '  connections      12,345',
      '  supervisors      chats, users',
      '  title            red\uFFFD[31m',
      '',
    ].join('\n'),
  );
  const json = await weft(['status', '--json'], { WEFT_URL: url });
  assert.deepEqual(JSON.parse(json.out), { url, healthy: true, ready: true, status, cluster: null });
  const socket = await weft(['status', '--json'], { WEFT_URL: `${url.replace('http', 'ws')}/v1` });
  assert.deepEqual(socket, json, 'the address that weft chat takes');
});

test('colours on request, and never under NO_COLOR', async () => {
  const url = await answering({ '/healthz': [200, 'ok'], '/readyz': [200, 'ok'] });
  assert.ok((await weft(['status', '--url', url], { FORCE_COLOR: '1' })).out.includes('\u001b['));
  assert.ok(!(await weft(['status', '--url', url], { NO_COLOR: '1', FORCE_COLOR: '1' })).out.includes('\u001b['));
});

test('up but not ready: exit code 1', async () => {
  const url = await answering({ '/healthz': [200, 'ok'], '/readyz': [503, 'draining'] });
  const { code, out } = await weft(['status', '--url', url]);
  assert.equal(code, 1);
  assert.match(out, /up, not ready/);
});

test('nothing there, or no node: exit code 3 and a way out', async () => {
  const gone = await answering({});
  const other = await weft(['status', '--url', gone, '--json']);
  assert.deepEqual({ code: other.code, out: other.out }, { code: 3, out: '' });
  assert.match(other.err, /unreachable: .* is no Weft node/);
  const none = await weft(['status', '--url', await closed()]);
  assert.equal(none.code, 3);
  assert.match(none.err, /unreachable: no node answers .*ECONNREFUSED.*weft start/);
});

test('an address that is none: exit code 2', async () => {
  for (const url of ['nonsense', 'ftp://127.0.0.1']) assert.equal((await weft(['status', '--url', url])).code, 2);
});
