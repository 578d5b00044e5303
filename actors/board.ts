// Owns this node's part in a table of presence outside the nodes: its sessions with it, and whether it is there at all.
//
//   user's actor ── may see, how exactly ──▶ connection ── follows ──▶ Readers ◀── heard, looked ── table
//        └── online, last seen ──▶ Entries ── put, again each beat ──▶ table ── published ──▶ Readers of other nodes
//
// Invariant: nobody ever waits for the table. What is for it gathers by user, so no queue grows beyond the users there are; one round is
// on its way at a time. It is there only as long as probes come back by the very way on which changes are heard; whatever goes
// wrong ends the session, and a new one reads and writes everything anew. So nothing can stay lost.
// Must not: decide who may see whom (presence.ts), or know what keeps the table.

import { byShard, Entries, type Shards } from './board-entries.js';
import type { Line, LineSession, Place, State } from './board-line.js';
import { Readers } from './board-readers.js';
import { BOARD_LIMITS, LIMITS } from './limits.js';
import type { World } from './world.js';

export interface BoardOptions extends Shards {
  readonly world: World;
  readonly line: Line;
  /** Another node's post. */
  readonly posted: (bytes: Uint8Array) => void;
  readonly report: (event: string, fields: Readonly<Record<string, string | number>>) => void;
}

export interface BoardStats {
  readonly where: string;
  readonly up: boolean;
  /** Why it is not; '' where it is. */
  readonly reason: string;
  /** ms since that is so. */
  readonly sinceMs: number;
  /** Entries of users here, users followed here. */
  readonly own: number;
  readonly followed: number;
  /** Entries written, read, heard; those that a newer one was there for; posts of typing. */
  readonly written: number;
  readonly read: number;
  readonly heard: number;
  readonly stale: number;
  readonly posts: number;
  /** Times that the table was lost. */
  readonly losses: number;
}

export class Board {
  readonly readers: Readers;
  readonly #options: BoardOptions;
  readonly #world: World;
  readonly #entries: Entries;
  #session: LineSession | null = null;
  #up = false;
  #reason = 'starting';
  /** Reasons that were reported since the table was there. */
  readonly #told = new Set<string>();
  #since: number;
  #stopped = true;
  /** Sessions that failed since the table was there. */
  #tries = 0;
  #round = false;
  /** Monotonic ms when the last round began. */
  #began = 0;
  #gathering = false;
  /** The next round has to ask some shards whether they are there; the next one of them. */
  #patrols = false;
  #patrol = 0;
  /** Probes sent, and monotonic ms of the last one that came back. */
  #probes = 0;
  #alive = 0;
  #cancel = (): void => undefined;
  readonly #stats = { read: 0, heard: 0, posts: 0, losses: 0 };

  constructor(options: BoardOptions) {
    const { world } = options;
    this.#options = options;
    this.#world = world;
    this.#since = world.now();
    this.#entries = new Entries(world, options);
    this.readers = new Readers(
      world,
      () => this.#up,
      () => this.#gather(),
    );
  }

  get up(): boolean {
    return this.#up;
  }

  stats(): BoardStats {
    const { where } = this.#options.line;
    return {
      where,
      up: this.#up,
      reason: this.#up ? '' : this.#reason,
      sinceMs: Math.round(this.#world.now() - this.#since),
      own: this.#entries.size,
      followed: this.readers.size,
      ...this.#entries.stats,
      ...this.#stats,
    };
  }

  // ---- what actors say ----

  /** A user whose actor is here is online from now on, or not any more. */
  put(user: string, state: State): void {
    if (this.#entries.put(user, state)) this.#gather();
  }

  /** The shard is, or will be, another node's. */
  leave(shard: number): void {
    this.#entries.leave(shard);
  }

  /** False: it has to go another way. */
  post(node: string, bytes: Uint8Array): boolean {
    if (!this.#up || this.#session?.post(node, bytes) !== true) return false;
    this.#stats.posts += 1;
    return true;
  }

  // ---- sessions ----

  start(): void {
    this.#stopped = false;
    this.#tries = 0;
    this.#dial();
  }

  /** What this node wrote stays for as long as entries do: whoever has its users next says otherwise. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
    const session = this.#session;
    this.#session = null;
    this.#up = false;
    session?.end();
  }

  #dial(): void {
    const mine = (): boolean => this.#session === session;
    const session: LineSession = this.#options.line.dial({
      opened: () => mine() && this.#opened(),
      heard: (user, value) => {
        if (!mine()) return;
        this.#stats.heard += 1;
        this.readers.heard(user, value);
      },
      posted: (bytes) => mine() && this.#options.posted(bytes),
      probed: (probe) => mine() && this.#probed(probe),
      broken: (reason) => mine() && this.#broken(reason),
    });
    this.#session = session;
    this.#cancel = this.#world.timer(BOARD_LIMITS.openMs, () => this.#broken('timeout'));
  }

  /** Before it counts as there all parts of it have to answer: each shard's. */
  #opened(): void {
    const session = this.#session!;
    this.#cancel();
    this.#alive = this.#world.now();
    this.#begin();
    const shards = Array.from({ length: LIMITS.shards }, (_, shard) => session.look(shard, []));
    Promise.all(shards).then(
      () => {
        if (this.#session !== session) return;
        this.#round = false;
        this.#probe();
      },
      (error: unknown) => this.#wentRound(session, error),
    );
    this.#tick();
  }

  #begin(): void {
    this.#round = true;
    this.#began = this.#world.now();
  }

  /** Each probe's turn is also the turn of what is due. */
  #tick(): void {
    const { silenceMs } = BOARD_LIMITS;
    const now = this.#world.now();
    // Part of the table may be gone, where no probe is written.
    if (now - this.#alive > silenceMs || (this.#round && now - this.#began > silenceMs)) return this.#broken('silent');
    this.#probe();
    this.#cancel = this.#world.timer(BOARD_LIMITS.probeMs, () => this.#tick());
    if (this.#up) this.#gather();
  }

  #probe(): void {
    this.#patrols = true;
    this.#probes += 1;
    this.#session?.probe(this.#probes);
  }

  #probed(probe: number): void {
    // What took so long is no sign of life: it may have waited in a socket all the time.
    if (probe < this.#probes - BOARD_LIMITS.silenceMs / BOARD_LIMITS.probeMs) return;
    this.#alive = this.#world.now();
    if (this.#up || this.#round) return;
    this.#up = true;
    this.#tries = 0;
    this.readers.begin();
    this.#entries.again();
    const downMs = Math.round(this.#world.now() - this.#since);
    this.#since = this.#world.now();
    this.#options.report('presence_known', { where: this.#options.line.where, downMs });
    this.#gather();
  }

  #broken(reason: string): void {
    this.#cancel();
    const session = this.#session;
    this.#session = null;
    this.#round = false;
    session?.end();
    if (this.#stopped) return;
    if (this.#up) {
      this.#up = false;
      this.#stats.losses += 1;
      this.#since = this.#world.now();
      this.readers.lost();
    }
    // What comes of the first trouble may be another one, as a password that was changed while it was away.
    if (this.#tries === 0) this.#told.clear();
    if (!this.#told.has(reason)) this.#options.report('presence_unknown', { where: this.#options.line.where, reason });
    this.#told.add(reason);
    this.#reason = reason;
    this.#tries += 1;
    const most = Math.min(BOARD_LIMITS.redialMs * 2 ** Math.min(this.#tries - 1, 8), BOARD_LIMITS.redialMostMs);
    this.#cancel = this.#world.timer(most * (0.5 + this.#world.random() / 2), () => this.#dial());
  }

  // ---- rounds ----

  #gather(): void {
    if (this.#gathering || this.#round || !this.#up) return;
    this.#gathering = true;
    this.#world.timer(BOARD_LIMITS.gatherMs, () => {
      this.#gathering = false;
      const session = this.#session;
      if (session === null || !this.#up || this.#round) return;
      this.#begin();
      this.#goRound(session).then(
        () => this.#wentRound(session),
        (error: unknown) => this.#wentRound(session, error),
      );
    });
  }

  #wentRound(session: LineSession, error?: unknown): void {
    if (this.#session !== session) return;
    this.#round = false;
    if (error !== undefined) return this.#broken(error instanceof Error ? error.message : 'failed');
    if (this.#entries.dirty || this.readers.wants) this.#gather();
  }

  async #goRound(session: LineSession): Promise<void> {
    const { slice } = BOARD_LIMITS;
    const places = (users: readonly string[]): Place[] => users.map((user) => [this.#options.shardOf(user), user]);
    const ignored = this.readers.toIgnore(slice);
    const fresh = this.readers.toListen(slice);
    const users = [...fresh, ...this.readers.toLook(slice)];
    const patrol: Promise<unknown>[] = [];
    for (let i = 0; this.#patrols && i < BOARD_LIMITS.patrol; i++) {
      patrol.push(session.look(this.#patrol, []));
      this.#patrol = (this.#patrol + 1) % LIMITS.shards;
    }
    this.#patrols = false;
    // First listening, then looking: a change in between would be missed the other way round.
    const listened = fresh.length === 0 ? Promise.resolve() : session.listen(places(fresh));
    await Promise.all([
      this.#entries.write(session, slice),
      ignored.length === 0 ? null : session.ignore(places(ignored)),
      listened.then(() => this.#look(session, users)),
      ...patrol,
    ]);
  }

  async #look(session: LineSession, users: readonly string[]): Promise<void> {
    await Promise.all(
      [...byShard(users, this.#options)].map(async ([shard, some]) => {
        const { age, values } = await session.look(shard, some);
        if (session !== this.#session) return;
        this.#stats.read += some.length;
        for (const [at, user] of some.entries()) this.readers.looked(user, values[at] ?? null, age);
      }),
    );
  }
}
