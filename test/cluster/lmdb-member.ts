// Owns the child process of the tests on a real store: a member of a cluster with a writer for each shard, and nothing else.
// Invariant: a line "ack SHARD SEQ TEXT" is one synchronous write, after the log's answer.
// Must not: end by itself; its parent kills, stops and continues it.
//
//   lmdb-member.js PATH NODE      its parent writes, at the other end of descriptor 3

import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { LIMITS } from '../../actors/limits.js';
import { startCluster } from '../../cluster/cluster.js';
import { SPEECH } from '../../cluster/versions.js';
import { CommitLine } from '../../storage/commit-line.js';
import { messageKey, seqOf } from '../../storage/keys.js';
import { openLmdbReader } from '../../storage/lmdb-reader.js';
import { machine } from '../storage/world.js';
import { macOf } from './link-scene.js';

const [path = '', node = ''] = process.argv.slice(2);
const say = (line: string): void => void writeSync(1, `${line}\n`);
const line = new CommitLine(new Socket({ fd: 3 }), { lost: () => process.exit(1) });
const store = openLmdbReader({ path, line });
/** Newest number of each shard's chat; absent: not read, or not this node's. */
const heads = new Map<number, number>();
const waiting = new Set<number>();

function chatOf(shard: number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, at) => (at === 2 ? shard : at === 1 ? 0 : 1));
}

async function load(shard: number): Promise<void> {
  const chat = chatOf(shard);
  const range = { start: messageKey(chat, 0), end: messageKey(chat, 2 ** 40), limit: 1, reverse: true };
  const { rows } = await store.range(range);
  if (cluster.placement.owner(shard)?.mine === true) heads.set(shard, rows[0] === undefined ? 0 : seqOf(rows[0].key));
}

const cluster = startCluster({
  world: machine,
  store: () => store,
  mac: macOf('secret'),
  identity: () => ({ node, address: `${node}:1`, url: '', speech: SPEECH }),
  chats: {
    tell: (_, message) => {
      if (message.type === 'recover') message.telling.done = true;
      return 'ok';
    },
    lookup: () => undefined,
  },
  close: (shard) => {
    heads.delete(shard);
    return Promise.resolve();
  },
  resync: () => undefined,
  hint: () => undefined,
  replaced: () => say('replaced'),
  report: (event) => say(event),
});
cluster.placement.subscribe((shard, owner) => {
  heads.delete(shard);
  if (owner?.mine === true) void load(shard);
  const mine = Array.from({ length: LIMITS.shards }, (_, each) => cluster.placement.owner(each)?.mine === true);
  say(`holds ${mine.filter(Boolean).length}`);
});

async function live(): Promise<void> {
  const service = cluster.service();
  await service.start(() => {
    say('over');
    heads.clear();
    void Promise.resolve(service.stop()).then(() => live());
  });
  say(`joined ${cluster.status()?.incarnation}`);
}

function write(shard: number): void {
  const head = heads.get(shard);
  if (head === undefined || waiting.has(shard)) return;
  const chat = chatOf(shard);
  const text = `${node} ${process.pid} ${head + 1}`;
  const row = { key: messageKey(chat, head + 1), value: Buffer.from(text) };
  const done = ({ outcome }: { readonly outcome: string }): void => {
    waiting.delete(shard);
    if (outcome === 'committed') {
      say(`ack ${shard} ${head + 1} ${text}`);
      if (heads.get(shard) === head) heads.set(shard, head + 1);
    } else {
      say(`${outcome} ${shard}`);
      heads.delete(shard);
      void load(shard);
    }
  };
  const telling = { done: true };
  const append = { chat, shard, head: head + 1, writes: [row], bytes: 100, witness: row, telling, done };
  if (cluster.log.append(append) === 'ok') waiting.add(shard);
}

await live();
setInterval(() => {
  for (let shard = 0; shard < LIMITS.shards; shard += 1) write(shard);
}, 25);
