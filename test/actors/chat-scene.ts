// Owns a chat on a manual clock: real actors, real log, the memory store with faults on demand, and puppets for the rest.
// Invariant: nothing happens but in `settle` and `pass`; a run repeats.
// Must not: hold assertions.

import { Allowances, type Quotas } from '../../actors/allowances.js';
import type { Behaviour } from '../../actors/behaviour.js';
import { conversation } from '../../actors/conversation.js';
import type { Directory, Fabric, Verdict } from '../../actors/fabric.js';
import { group } from '../../actors/group.js';
import { Latency } from '../../actors/latency.js';
import { LIMITS } from '../../actors/limits.js';
import { idText, makeMessageId } from '../../actors/message-id.js';
import type {
  ChatMessage,
  ConnectionMessage,
  ConnectionRef,
  News,
  Registration,
  UserMessage,
} from '../../actors/messages.js';
import { Online } from '../../actors/online.js';
import { ReadLine } from '../../actors/read-line.js';
import type { Ref } from '../../actors/ref.js';
import { FOREVER, type Retention, SWEEP_PACE, type SweepPace } from '../../actors/retention.js';
import { createRuntime, type Runtime } from '../../actors/runtime.js';
import { noSweeps, type SweeperMessage, sweeper } from '../../actors/sweeper.js';
import { Watches } from '../../actors/watches.js';
import { chatKey, directChat, groupChat, seqOf } from '../../storage/keys.js';
import { Log } from '../../storage/log.js';
import { type MemoryFault, type MemoryStore, openMemory } from '../../storage/memory.js';
import type { Store } from '../../storage/store.js';
import { decodeRow } from '../../transport/row.js';
import { NO_QUOTAS } from '../quotas.js';
import { numbers } from './delivery.js';
import { ManualWorld } from './manual-world.js';

/** An actor that remembers what it is told. */
function ear<M>(kind: string): Behaviour<M[], M, M[]> {
  return {
    kind,
    level: 'interactive',
    capacity: 100_000,
    init: (_, heard) => heard,
    receive: (h, m) => void h.push(m),
  };
}

const CONNECTION = ear<ConnectionMessage>('connection');
const USER = ear<UserMessage>('user');

export interface Ear<M> {
  readonly ref: Ref<M>;
  readonly heard: M[];
}

export type Sent = { readonly n: number; readonly seq: number } | { readonly n: number; readonly code: string };

export class ChatScene {
  readonly world = new ManualWorld();
  readonly runtime: Runtime = createRuntime(this.world);
  readonly memory: MemoryStore;
  readonly store: Store;
  readonly reports: string[] = [];
  readonly lost: number[] = [];
  readonly users = new Map<string, Ear<UserMessage>>();
  readonly chats = new Map<string, Ref<ChatMessage>>();
  /** Chats rest, as after a crash: they take nothing. */
  resting = false;
  readonly swept = noSweeps();
  sweeper!: Ref<SweeperMessage>;
  /** What becomes of the next commits, in order. */
  faults: (MemoryFault | undefined)[] = [];
  unreadable = false;
  /** Commits asked for. */
  commits = 0;
  usersBusy = false;
  /** What users' actors answer to who registers. */
  registration: Registration = null;
  /** By default a token is `user/device`. */
  verify = async (token: string): Promise<Verdict> => {
    const [user, device] = token.split('/') as [string, string];
    return { ok: true, user, device, issued: this.world.wall(), expires: this.world.wall() + 3_600_000 };
  };
  /** Reads wait until `release`. */
  holding = false;
  #held: (() => void)[] = [];
  #n = 0;
  #log: Log | null = null;
  #fabric: Fabric | null = null;
  readonly #passivateMs: number;

  private constructor(passivateMs: number) {
    this.#passivateMs = passivateMs;
    this.memory = openMemory({ world: this.world, fault: () => this.faults.shift() });
    const read = async <T>(answer: () => Promise<T>): Promise<T> => {
      if (this.holding) await new Promise<void>((resolve) => this.#held.push(resolve));
      if (this.unreadable) throw new Error('unreadable');
      return answer();
    };
    this.store = {
      engine: 'memory',
      durability: 'memory',
      get: (key) => read(() => this.memory.get(key)),
      range: (query) => read(() => this.memory.range(query)),
      commit: (commit) => {
        this.commits += 1;
        return this.memory.commit(commit);
      },
      watch: (key, changed) => this.memory.watch(key, changed),
      close: () => this.memory.close(),
    };
  }

  static async open(
    options: {
      readonly passivateMs?: number;
      readonly threshold?: number;
      readonly quotas?: Partial<Quotas>;
      readonly retention?: Retention;
      readonly sweep?: SweepPace;
    } = {},
  ): Promise<ChatScene> {
    const scene = new ChatScene(options.passivateMs ?? LIMITS.passivateMs);
    const opening = Log.open(scene.store, scene.world, 'n1', (shard) => scene.lost.push(shard));
    await scene.settle();
    scene.#log = await opening;
    const quotas = { ...NO_QUOTAS, ...options.quotas };
    scene.#fabric = {
      node: 'n1',
      world: scene.world,
      store: scene.store,
      reader: new ReadLine(scene.world, () => scene.store),
      log: scene.#log,
      settings: {
        fanOutThreshold: options.threshold ?? LIMITS.fanOutThreshold,
        passivateMs: scene.#passivateMs,
        quotas,
        retention: options.retention ?? FOREVER,
        sweep: options.sweep ?? SWEEP_PACE,
      },
      sweeper: {
        due: (chat, ms) => scene.sweeper.tell({ type: 'due', chat, ms }) === 'ok',
      },
      allowances: new Allowances(scene.world, quotas),
      latency: new Latency(scene.world),
      owns: () => true,
      heard: () => 0,
      online: new Online(),
      watches: new Watches(),
      board: null,
      chats: scene.#chatDirectory(),
      users: {
        tell: (name, message) => {
          if (scene.usersBusy) return 'busy';
          const user = scene.users.get(name) ?? scene.user(name);
          if (message.type === 'register') {
            message.connection.tell({ type: 'registered', round: message.round, registration: scene.registration });
          }
          return user.ref.tell(message);
        },
        lookup: (user) => scene.users.get(user)?.ref,
      },
      verify: (token) => scene.verify(token),
      report: (event) => scene.reports.push(event),
    };
    scene.startSweeper();
    return scene;
  }

  startSweeper(): void {
    this.sweeper = this.runtime.spawn(sweeper, 'sweeper', { fabric: this.fabric, stats: this.swept });
  }

  get log(): Log {
    return this.#log!;
  }

  get fabric(): Fabric {
    return this.#fabric!;
  }

  #chatDirectory(): Directory<ChatMessage> {
    return {
      tell: (key, message) => {
        if (this.resting) return 'busy';
        let ref = this.chats.get(key);
        if (ref === undefined || !ref.alive) {
          ref = this.runtime.spawn(key.startsWith('01') ? conversation : group, key, { fabric: this.fabric, key });
          this.chats.set(key, ref);
        }
        return ref.tell(message);
      },
      lookup: (key) => (this.chats.get(key)?.alive === true ? this.chats.get(key) : undefined),
    };
  }

  /** Runs until nothing moves without the clock. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      await new Promise((resolve) => setImmediate(resolve));
      quiet = this.world.deferred > 0 ? 0 : quiet + 1;
      this.world.settle();
    }
  }

  async pass(ms: number): Promise<void> {
    for (let rest = ms; rest > 0; rest -= 10) {
      this.world.advance(Math.min(rest, 10));
      await this.settle();
    }
  }

  release(): void {
    this.holding = false;
    for (const go of this.#held.splice(0)) go();
  }

  connection(): Ear<ConnectionMessage> {
    const heard: ConnectionMessage[] = [];
    return { heard, ref: this.runtime.spawn(CONNECTION, 'c', heard) };
  }

  /** A user who is online and remembers the news. */
  user(name: string): Ear<UserMessage> {
    const heard: UserMessage[] = [];
    const user = { heard, ref: this.runtime.spawn(USER, name, heard) };
    this.users.set(name, user);
    return user;
  }

  id(): Uint8Array {
    return makeMessageId(this.world);
  }

  /** Sends in the direct chat of ada and bob; answers the number of the send. */
  send(connection: ConnectionRef, options: Partial<Extract<ChatMessage, { type: 'send' }>> = {}): number {
    this.#n += 1;
    const id = options.id ?? this.id();
    const pair = ['ada', 'bob'] as const;
    const body = new Uint8Array(10);
    const message = { user: 'ada', connection, n: this.#n, id, idText: idText(id), after: null, body, pair };
    this.fabric.chats.tell(DIRECT_KEY, { type: 'send', ...message, ...options });
    return this.#n;
  }

  /** Makes a group of ada and `users`; answers its key. */
  async group(connection: ConnectionRef, users: readonly string[], title = 'crew'): Promise<string> {
    const id = this.id();
    const key = chatKey(groupChat('ada', id));
    const asker = { user: 'ada', connection, r: 1 };
    this.fabric.chats.tell(key, { type: 'create', asker, id, title, users });
    await this.settle();
    return key;
  }

  /** The chat's log as the store has it: `seq sender` of each row. */
  async rows(chat: Uint8Array = DIRECT): Promise<string[]> {
    const start = Uint8Array.of(1, ...chat, 0, 0, 0, 0, 0, 0);
    const end = Uint8Array.of(1, ...chat, 255, 255, 255, 255, 255, 255);
    const { rows } = await this.memory.range({ start, end, limit: 10_000 });
    return rows.map(({ key, value }) => `${seqOf(key)} ${idText(decodeRow(value).id)}`);
  }
}

export const DIRECT = directChat('ada', 'bob');
export const DIRECT_KEY = chatKey(DIRECT);

/** What a connection heard of its sends. */
export function answers(ear: Ear<ConnectionMessage>): Sent[] {
  return ear.heard.flatMap((message): Sent[] => {
    if (message.type === 'sent') {
      return Array.from({ length: message.count }, (_, at) => ({ n: message.n + at, seq: message.seq + at }));
    }
    return message.type === 'failed' ? [{ n: message.n, code: message.code }] : [];
  });
}

/** Numbers of the deliveries that a user was told of. */
export function told(ear: Ear<UserMessage>): number[] {
  return numbers(ear.heard);
}

/** The receipts that a user was told of. */
export function receipts(ear: Ear<UserMessage>): Extract<News, { type: 'receipt' }>[] {
  return ear.heard.flatMap((news) => (news.type === 'receipt' ? [news] : []));
}
