// Owns the table of presence in Redis: its keys, channels and scripts, over ioredis.
// Invariant: a session is a pair of connections that are made together and end together: neither reconnects by itself, queues while it is
// not connected, or sends anything twice; so one that hangs in a state of its own is thrown away with it. Each change is written and
// published by one script, in the order of who may write last. Errors leave as a word, never with what was sent.
// Must not: decide when Redis counts as gone (actors/board.ts).
//
//   PREFIX:p:{SHARD}:USER   an entry, with a time to live, and the channel on which its changes are published
//   PREFIX:t:{SHARD}        when the table of the shard began, in s of Redis' clock
//   PREFIX:n:NODE           the node's probe, and the channel of probes and posts

import { createHash } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import type { Entry, Line, LineEvents, LineSession, Looked, Place } from '../actors/board-line.js';
import { BOARD_LIMITS } from '../actors/limits.js';
import { clientOf, wordOf } from './redis-client.js';
import type { RedisTarget } from './redis-target.js';

interface Script {
  readonly lua: string;
  readonly sha: string;
}

const script = (lua: string): Script => ({ lua, sha: createHash('sha1').update(lua).digest('hex') });

/** Digits of an entry that say who may write last (actors/board-line.ts). */
const PUT = script(`
local stale = 0
for i, key in ipairs(KEYS) do
  local old = redis.call('GET', key)
  local new = ARGV[i + 1]
  if old and #old > 30 and string.sub(old, 1, 30) > string.sub(new, 1, 30) then
    stale = stale + 1
  else
    redis.call('SET', key, new, 'PX', ARGV[1])
    if old ~= new then redis.call('PUBLISH', key, new) end
  end
end
return stale`);

const LOOK = script(`
local now = tonumber(redis.call('TIME')[1])
local born = tonumber(redis.call('GET', KEYS[1]))
if not born or born > now then
  born = now
  redis.call('SET', KEYS[1], born)
end
local found = { now - born }
for i = 2, #KEYS do found[i] = redis.call('GET', KEYS[i]) end
return found`);

const PROBE = script(`
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('PUBLISH', KEYS[1], ARGV[1])
return 1`);

const PROBE_MARK = 0x70;
const POST_MARK = 0x74;

/** Loads ioredis. `token`: tells this process from another of the same node id. */
export async function redisLine(target: RedisTarget, node: string, token: string): Promise<Line> {
  const { Redis, Cluster } = await import('ioredis');
  return {
    where: target.where,
    dial: (events) => new Session(clientOf(target, { Redis, Cluster }), target.prefix, node, token, events),
  };
}

class Session implements LineSession {
  readonly #commands: Redis | Cluster;
  readonly #hearing: Redis | Cluster;
  readonly #events: LineEvents;
  readonly #prefix: string;
  readonly #own: string;
  readonly #token: string;
  #posts = 0;
  #over = false;

  constructor(
    [commands, hearing]: readonly [Redis | Cluster, Redis | Cluster],
    prefix: string,
    node: string,
    token: string,
    events: LineEvents,
  ) {
    this.#commands = commands;
    this.#hearing = hearing;
    this.#events = events;
    this.#prefix = prefix;
    this.#token = token;
    this.#own = this.#node(node);
    for (const client of new Set([commands, hearing])) {
      // Without a listener an error ends the process.
      client.on('error', (error: unknown) => this.#broken(error));
      client.on('end', () => this.#broken('closed'));
    }
    hearing.on('messageBuffer', (channel: Buffer, message: Buffer) => this.#heard(channel.toString(), message));
    void this.#open();
  }

  async #open(): Promise<void> {
    try {
      await Promise.all([...new Set([this.#commands, this.#hearing])].map((client) => client.connect()));
      await this.#hearing.subscribe(this.#own);
    } catch (error) {
      return this.#broken(error);
    }
    if (!this.#over) this.#events.opened();
  }

  #broken(error: unknown): void {
    if (this.#over) return;
    this.end();
    this.#events.broken(typeof error === 'string' ? error : wordOf(error));
  }

  end(): void {
    if (this.#over) return;
    this.#over = true;
    for (const client of new Set([this.#commands, this.#hearing])) client.disconnect();
  }

  // ---- keys ----

  #entry(shard: number, user: string): string {
    return `${this.#prefix}:p:{${shard}}:${user}`;
  }

  #node(node: string): string {
    return `${this.#prefix}:n:${node}`;
  }

  // ---- what is asked ----

  async #run({ lua, sha }: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    try {
      return await this.#commands.evalsha(sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return this.#commands.eval(lua, keys.length, ...keys, ...args);
    }
  }

  /** The word is all that may leave of an error: its text may have what was sent. */
  async #asked<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw new Error(wordOf(error));
    }
  }

  async put(shard: number, entries: readonly Entry[]): Promise<number> {
    const keys = entries.map(({ user }) => this.#entry(shard, user));
    const values = entries.map(({ value }) => value);
    return Number(await this.#asked(this.#run(PUT, keys, [BOARD_LIMITS.entryMs, ...values])));
  }

  async look(shard: number, users: readonly string[]): Promise<Looked> {
    const keys = [`${this.#prefix}:t:{${shard}}`, ...users.map((user) => this.#entry(shard, user))];
    const found = (await this.#asked(this.#run(LOOK, keys, []))) as readonly unknown[];
    const values = users.map((_, at) => {
      const value = found[at + 1];
      return typeof value === 'string' ? value : null;
    });
    return { age: Number(found[0]) * 1_000, values };
  }

  async listen(places: readonly Place[]): Promise<void> {
    await this.#asked(this.#hearing.subscribe(...places.map(([shard, user]) => this.#entry(shard, user))));
  }

  async ignore(places: readonly Place[]): Promise<void> {
    await this.#asked(this.#hearing.unsubscribe(...places.map(([shard, user]) => this.#entry(shard, user))));
  }

  post(node: string, bytes: Uint8Array): boolean {
    if (this.#posts >= BOARD_LIMITS.posts) return false;
    this.#posts += 1;
    this.#commands.publish(this.#node(node), Buffer.concat([Buffer.of(POST_MARK), bytes])).then(
      () => {
        this.#posts -= 1;
      },
      (error: unknown) => this.#broken(error),
    );
    return true;
  }

  probe(probe: number): void {
    const text = `p${this.#token}:${probe}`;
    this.#run(PROBE, [this.#own], [text, BOARD_LIMITS.entryMs]).catch((error: unknown) => this.#broken(error));
  }

  // ---- what is heard ----

  #heard(channel: string, message: Buffer): void {
    if (this.#over) return;
    if (channel !== this.#own) return this.#events.heard(channel.slice(channel.indexOf('}') + 2), message.toString());
    if (message[0] === POST_MARK) return this.#events.posted(message.subarray(1));
    const [token, probe] = message.toString().slice(1).split(':');
    if (message[0] === PROBE_MARK && token === this.#token) this.#events.probed(Number(probe));
  }
}
