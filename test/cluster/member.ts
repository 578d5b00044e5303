// Owns the child process of the tests on real stores: a member of a cluster with a writer for each shard, and nothing else.
// Invariant: a line "ack SHARD SEQ TEXT" is one synchronous write, after the log's answer.
// Must not: end by itself but in order, by SIGTERM; its parent kills, stops and continues it.
//
//   member.js lmdb PATH NODE          its parent writes, at the other end of descriptor 3
//   member.js fdb CLUSTER_FILE DIRECTORY NODE
//
//   SIGUSR2    it gives away all that it has; again: it takes its part

import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { LIMITS } from '../../actors/limits.js';
import { startCluster } from '../../cluster/cluster.js';
import { UNPACED } from '../../cluster/drain.js';
import { SPEECH } from '../../cluster/versions.js';
import { CommitLine } from '../../storage/commit-line.js';
import { openFoundationDb } from '../../storage/foundationdb.js';
import { messageKey, seqOf } from '../../storage/keys.js';
import { openLmdbReader } from '../../storage/lmdb-reader.js';
import type { Service } from '../../supervisors/worker.js';
import { machine } from '../storage/world.js';
import { macOf } from './link-scene.js';

const [engine, path = '', directory = ''] = process.argv.slice(2);
const node = process.argv.at(-1)!;
const say = (line: string): void => void writeSync(1, `${line}\n`);
const line = (): CommitLine => new CommitLine(new Socket({ fd: 3 }), { lost: () => process.exit(1) });
const store =
  engine === 'lmdb'
    ? openLmdbReader({ path, line: line() })
    : await openFoundationDb({ clusterFile: path, directory: [directory] });
/** Newest number of each shard's chat; absent: not read, or not this node's. */
const heads = new Map<number, number>();
/** The newest reading of each shard's chat, as long as the shard is this node's. */
const turns = new Map<number, object>();
const waiting = new Set<number>();

function chatOf(shard: number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, at) => (at === 2 ? shard : at === 1 ? 0 : 1));
}

async function load(shard: number): Promise<void> {
  const chat = chatOf(shard);
  const range = { start: messageKey(chat, 0), end: messageKey(chat, 2 ** 40), limit: 1, reverse: true };
  const turn = {};
  turns.set(shard, turn);
  heads.delete(shard);
  try {
    await cluster.log.settled(chat, shard);
    const { rows } = await store.range(range);
    if (turns.get(shard) === turn) heads.set(shard, rows[0] === undefined ? 0 : seqOf(rows[0].key));
  } catch {
    setTimeout(() => {
      if (turns.get(shard) === turn) void load(shard);
    }, 100);
  }
}

/** It is another's, or nobody's. */
function forget(shard: number): void {
  turns.delete(shard);
  heads.delete(shard);
}

function forgetAll(): void {
  for (let shard = 0; shard < LIMITS.shards; shard += 1) forget(shard);
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
    forget(shard);
    return Promise.resolve();
  },
  resync: () => undefined,
  hint: () => undefined,
  replaced: () => say('replaced'),
  report: (event, fields) => say(`${event} ${JSON.stringify(fields)}`),
});
cluster.placement.subscribe((shard, owner) => {
  if (owner?.mine === true) void load(shard);
  else forget(shard);
  const mine = Array.from({ length: LIMITS.shards }, (_, each) => cluster.placement.owner(each)?.mine === true);
  say(`holds ${mine.filter(Boolean).length}`);
});

let service: Service;

async function live(): Promise<void> {
  const own = cluster.service();
  service = own;
  try {
    await own.start(() => void again(own));
    say(`joined ${cluster.status()?.incarnation}`);
  } catch (error) {
    say(`refused ${error}`);
    setTimeout(live, 100);
  }
}

async function again(own: Service): Promise<void> {
  say('over');
  forgetAll();
  await own.stop();
  await live();
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
      if (turns.has(shard)) void load(shard);
    }
  };
  const telling = { done: true };
  const append = { chat, shard, head: head + 1, writes: [row], bytes: 100, witness: row, telling, done };
  if (cluster.log.append(append) === 'ok') waiting.add(shard);
}

let draining = false;
process.on('SIGUSR2', () => {
  draining = !draining;
  if (draining) cluster.drain(UNPACED);
  else cluster.stay();
});
process.on('SIGTERM', async () => {
  forgetAll();
  await service.stop();
  process.exit();
});

await live();
setInterval(() => {
  for (let shard = 0; shard < LIMITS.shards; shard += 1) write(shard);
}, 25);
