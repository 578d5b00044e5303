// Owns the proof that `weft shards` and `weft status` put together what the nodes of a cluster say, for people and for programs.
// Invariant: talks to real HTTP servers that answer as nodes do.
// Must not: need a node.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterReport } from '../../services/cluster-report.js';
import { answering, closed } from './answering.js';
import { weft } from './command.js';

const member = (node: string, url: string, shards: number): ClusterReport['members'][number] => {
  const address = `${url.replace('http', 'ws')}/peer`;
  return { node, state: 'up', incarnation: 1, silenceMs: 120, address, shards, format: 1, p99Ms: 12.5 };
};

const link = (node: string): ClusterReport['links'][number] => {
  return { node, state: 'up', end: null, version: 1, roundTripMs: 1.26, queuedBytes: 2_048, unsentBytes: 0, resets: 0 };
};

const shard = (
  number: number,
  owner: string | null,
  epoch: number,
  live: number | null,
): ClusterReport['shards'][number] => {
  return { shard: number, owner, epoch, chats: live, users: live, dirty: live };
};

/** Two nodes, each with its own view of the shards; the second one may be silent. */
async function cluster(owner: string | null = 'b', alive = true): Promise<string> {
  const common = { healthy: true, view: 7, format: 1 };
  let first = '';
  const second: string = alive
    ? await answering((url) => ({ '/cluster': [200, JSON.stringify(b(url))] }))
    : await closed();
  const members = (): ClusterReport['members'] => [member('a', first, 1), member('b', second, 1)];
  const b = (url: string): ClusterReport & { later: string } => {
    assert.equal(url, second);
    const shards = [shard(0, 'a', 3, null), shard(1, owner, 4, 12)];
    return {
      ...common,
      node: 'b',
      members: members(),
      shards,
      links: [link('a')],
      moves: 2,
      staleWrites: 1,
      clients: 40,
      drain: null,
      later: 'x',
    };
  };
  const a = (): ClusterReport => {
    const shards = [shard(0, 'a', 3, 5), shard(1, owner, 4, null)];
    return {
      ...common,
      node: 'a',
      members: members(),
      shards,
      links: [link('b')],
      moves: 1,
      staleWrites: 0,
      clients: 40,
      drain: null,
    };
  };
  first = await answering(() => ({
    '/cluster': [200, JSON.stringify(a())],
    '/healthz': [200, 'ok'],
    '/readyz': [200, 'ok'],
    '/status': [200, '{"node":"a"}'],
  }));
  return first;
}

test('shards: who owns them by the word of the node that is asked, what lives there by its owner’s', async () => {
  const url = await cluster();
  const { code, out, err } = await weft(['shards', '--url', url]);
  assert.deepEqual({ code, err }, { code: 0, err: '' });
  assert.equal(
    out,
    [
      '2 of 2 shards owned · view 7 · moves 3 · stale writes refused 1',
      '  shard  owner  epoch  chats  users  dirty',
      '      0  a          3      5      5      5',
      '      1  b          4     12     12     12',
      '',
    ].join('\n'),
  );
  const json = await weft(['shards', '--json'], { WEFT_URL: url });
  assert.deepEqual(JSON.parse(json.out), {
    node: 'a',
    view: 7,
    shards: [shard(0, 'a', 3, 5), shard(1, 'b', 4, 12)],
    moves: 3,
    staleWrites: 1,
  });
});

test('shards: one without an owner is exit code 1; a silent node is named', async () => {
  const nobody = await weft(['shards', '--url', await cluster(null)]);
  assert.equal(nobody.code, 1);
  assert.match(nobody.out, /^1 of 2 shards owned .*\n.*\n.*\n +1 {2}nobody +4 +- +- +-\n$/);
  const silent = await weft(['shards', '--url', await cluster('b', false)]);
  assert.equal(silent.code, 0);
  assert.match(silent.out, /\n +1 {2}b +4 +- +- +-\nno answer from b: .*\n$/);
});

test('shards: nothing there, no node, a node between two lives', async () => {
  const none = await weft(['shards', '--url', await closed()]);
  assert.equal(none.code, 3);
  assert.match(none.err, /unreachable: no node answers .*ECONNREFUSED.*weft start/);
  const other = await weft(['shards', '--url', await answering({ '/cluster': [200, '{"node":1}'] }), '--json']);
  assert.deepEqual({ code: other.code, out: other.out }, { code: 3, out: '' });
  assert.match(other.err, /unreachable: .* is no Weft node/);
  const between = await weft(['shards', '--url', await answering({ '/cluster': [503, ''] })]);
  assert.equal(between.code, 1);
  assert.match(between.err, /between_lives: .*ask again/);
});

test('status: members and links of all nodes', async () => {
  const url = await cluster();
  const { code, out } = await weft(['status', '--url', url]);
  assert.equal(code, 0);
  const [address] = /ws:\S+\/peer/.exec(out.slice(out.indexOf('\n  b '))) ?? [''];
  assert.ok(
    out.endsWith(
      [
        '',
        'members',
        '  node  state  silent  shards  clients  p99      incarnation  address',
        `  a     up     120 ms       1       40  12.5 ms            1  ${url.replace('http', 'ws')}/peer`,
        `  b     up     120 ms       1       40  12.5 ms            1  ${address}`,
        '',
        'links',
        '  from  to  state  round trip  queued   unsent  resets',
        '  a     b   up     1.3 ms      2.0 KiB  0 B          0',
        '  b     a   up     1.3 ms      2.0 KiB  0 B          0',
        '',
      ].join('\n'),
    ),
    out,
  );
  const json = JSON.parse((await weft(['status', '--json', '--url', url])).out);
  assert.deepEqual(json.cluster.links, [
    { from: 'a', ...link('b') },
    { from: 'b', ...link('a') },
  ]);
  assert.deepEqual(json.cluster.members[1].healthy, true);
  assert.match(
    (await weft(['status', '--url', await cluster('b', false)])).out,
    /\n {2}b {5}no answer {2}120 ms +1 +- /,
  );
});
