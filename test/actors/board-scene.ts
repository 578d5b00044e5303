// Owns a table of presence in memory, with faults, and nodes' boards on it, for tests.
// Invariant: it does what the scripts of services/redis-line.ts do: entries have a time to live, older ones replace no newer ones, and what
// differs is told to who listens. Answers come a turn of the event loop later.
// Must not: be kinder than Redis: what is lost is lost without a word.

import { setImmediate as turn } from 'node:timers/promises';
import { Board } from '../../actors/board.js';
import type { Line, LineEvents } from '../../actors/board-line.js';
import { BOARD_LIMITS } from '../../actors/limits.js';
import type { ConnectionRef, PresenceNews } from '../../actors/messages.js';
import { PRECISION } from '../../transport/frames.js';
import { ManualWorld } from './manual-world.js';

const STEP_MS = 10;

interface Ears {
  readonly events: LineEvents;
  readonly users: Set<string>;
  readonly node: string;
}

export class FakeTable {
  readonly world = new ManualWorld();
  readonly entries = new Map<string, { readonly value: string; readonly ends: number }>();
  readonly sessions = new Set<Ears>();
  /** Calls of each kind. */
  readonly calls = { put: 0, look: 0, listen: 0, dial: 0 };
  /** It takes connections, but says nothing; it refuses them; what is published is lost, and probes are not; nor are probes. */
  frozen = false;
  refusing = false;
  deaf: 'no' | 'changes' | 'all' = 'no';
  /** Entries are not written, and not read: the part that has them is gone. */
  hanging = false;
  /** ms that everything takes. */
  lag = 0;
  /** ms by which what is published comes later still. */
  hearing = 0;
  #born: number | null = null;

  line(node: string): Line {
    return {
      where: 'memory',
      dial: (events) => {
        this.calls.dial += 1;
        const ears: Ears = { events, users: new Set(), node };
        if (this.refusing) this.#later(() => events.broken('ECONNREFUSED'));
        else {
          this.sessions.add(ears);
          this.#later(() => events.opened());
        }
        return {
          put: (_shard, entries) =>
            this.#answer(
              ears,
              () => {
                this.calls.put += 1;
                return entries.filter(({ user, value }) => !this.#put(user, value)).length;
              },
              true,
            ),
          look: (_shard, users) =>
            this.#answer(
              ears,
              () => {
                this.calls.look += 1;
                this.#born ??= this.world.time;
                const values = users.map((user) => this.get(user));
                return { age: this.world.time - this.#born, values };
              },
              true,
            ),
          listen: (places) =>
            this.#answer(ears, () => {
              this.calls.listen += 1;
              for (const [, user] of places) ears.users.add(user);
            }),
          ignore: (places) =>
            this.#answer(ears, () => {
              for (const [, user] of places) ears.users.delete(user);
            }),
          post: () => true,
          probe: (probe) => {
            if (this.deaf !== 'all')
              void this.#answer(ears, () => this.world.timer(this.hearing, () => events.probed(probe)));
          },
          end: () => this.sessions.delete(ears),
        };
      },
    };
  }

  get(user: string): string | null {
    const entry = this.entries.get(user);
    return entry === undefined || entry.ends <= this.world.time ? null : entry.value;
  }

  #put(user: string, value: string): boolean {
    const old = this.get(user);
    if (old !== null && old.slice(0, 30) > value.slice(0, 30)) return false;
    this.entries.set(user, { value, ends: this.world.time + BOARD_LIMITS.entryMs });
    if (old === value || this.deaf !== 'no') return true;
    for (const { users, events } of this.sessions) if (users.has(user)) this.#later(() => events.heard(user, value));
    return true;
  }

  #later(task: () => void): void {
    if (this.frozen) return;
    if (this.lag > 0) this.world.timer(this.lag, task);
    else this.world.defer(task);
  }

  #answer<T>(ears: Ears, result: () => T, hangs = false): Promise<T> {
    return new Promise((resolve) => {
      if (hangs && this.hanging) return;
      this.#later(() => {
        if (this.sessions.has(ears)) resolve(result());
      });
    });
  }

  /** Everything it had is gone, and every session. */
  kill(): void {
    this.refusing = true;
    this.entries.clear();
    this.#born = null;
    for (const { events } of [...this.sessions]) events.broken('closed');
  }

  start(): void {
    this.refusing = false;
  }

  async run(ms: number): Promise<void> {
    for (let past = 0; past < ms; past += STEP_MS) {
      this.world.advance(STEP_MS);
      await turn();
      this.world.settle();
      await turn();
    }
  }
}

export interface SceneNode {
  readonly board: Board;
  readonly reports: string[];
  /** Of all shards; null: they are another node's. */
  epoch: number | null;
}

export function boardOf(table: FakeTable, name: string, epoch: number): SceneNode {
  const reports: string[] = [];
  const node: SceneNode = {
    reports,
    epoch,
    board: new Board({
      world: table.world,
      line: table.line(name),
      shardOf: (user) => user.charCodeAt(0) % 4,
      epoch: () => node.epoch,
      posted: () => undefined,
      report: (event, { reason }) => void reports.push(reason === undefined ? event : `${event} ${reason}`),
    }),
  };
  node.board.start();
  return node;
}

/** A client's connection, and what it was shown: `bob on`, `bob off 5`, `bob unknown`. */
export class Watching {
  readonly shown: string[] = [];
  readonly ref: ConnectionRef;
  alive = true;
  readonly #node: SceneNode;

  constructor(node: SceneNode) {
    this.#node = node;
    const told = (news: PresenceNews): void => void this.shown.push(inWords(news));
    const alive = (): boolean => this.alive;
    this.ref = {
      kind: 'connection',
      key: '',
      incarnation: 1,
      get alive() {
        return alive();
      },
      tell: (message) => {
        if (message.type === 'presence') told(message);
        return 'ok';
      },
    };
  }

  /** The user's actor lets it see the user. */
  view(user: string, online: boolean, precision: number = PRECISION.exact, lastSeen = 0): void {
    this.#node.board.readers.view({ type: 'presence', user, online, lastSeen, precision }, this.ref);
  }

  end(): void {
    this.alive = false;
    this.#node.board.readers.ended(this.ref);
  }

  get last(): string {
    return this.shown.at(-1) ?? '';
  }
}

function inWords({ user, online, lastSeen, precision }: PresenceNews): string {
  if (precision === PRECISION.unknown) return `${user} unknown`;
  if (precision === PRECISION.hidden) return `${user} hidden`;
  if (precision === PRECISION.count) return `${user} counted`;
  return online ? `${user} on` : `${user} off ${lastSeen}`;
}
