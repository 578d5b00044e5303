// Owns one client under torture: its sessions one after another, what it sends, and the record of all it was told.
// Invariant: what a session says after its end is not recorded; a body is never used twice.
// Must not: judge.

import { copyFileSync, rmSync } from 'node:fs';
import { connect, FileStore, MemoryStore, type Session, WeftError } from '../../client/index.js';
import type { ClientStore } from '../../client/store.js';
import type { Ack, Entry, Life, ReceiptTrail, View } from './checker.js';
import { type PlannedDevice, writeBody } from './plan.js';
import { Tap } from './tap.js';

/** What all devices share. */
export interface Setting {
  readonly url: string;
  readonly acks: Ack[];
  readonly receipts: ReceiptTrail;
  /** Receipts may come after newer ones (docs/wire.md): what counts is what the SDK makes of them. */
  readonly severalNodes: boolean;
  readonly random: () => number;
  readonly tally: Tally;
  /** Keeps one copy of each text. */
  readonly keep: (text: string) => string;
  token(user: string, device: string): Promise<string>;
}

export interface Tally {
  deliveries: number;
  reconnects: number;
  restarts: number;
  crashes: number;
  cuts: number;
  /** What must not happen to a session, by its text. */
  readonly troubles: Map<string, number>;
}

/** Sends of one device at a time, each in a chat of its own choice. */
const LANES = 2;

/** ms between an acknowledgement and the next send of a lane, at most. */
const PAUSE = 40;

/** Codes that a session may report while its node dies and comes back. */
const EXPECTED: readonly string[] = ['offline', 'timeout', 'closed'];

export class Device {
  readonly user: string;
  readonly name: string;
  readonly views = new Map<string, View>();
  /** Highest number of others' entries that it was told, by chat. */
  readonly heard = new Map<string, number>();
  /** How often a session of its came online. */
  connections = 0;
  /** Chats to write to, ids of groups and users of direct chats. */
  readonly targets: { readonly kind: 'direct' | 'group'; readonly to: string; readonly number: number }[] = [];
  readonly #planned: PlannedDevice;
  readonly #setting: Setting;
  readonly #path: string | null;
  readonly #memory = new MemoryStore();
  /** The device's life to which a record belongs. */
  readonly #bornIn = new WeakMap<Life, number>();
  readonly #counts = new Map<number, number>();
  #session: Session | null = null;
  #tap: Tap;
  #lives = 0;
  #copies = 0;
  #sending = false;
  #wake: (() => void)[] = [];
  #old: Promise<void>[] = [];

  /** `path`: of the store's file; null keeps it in memory. */
  constructor(planned: PlannedDevice, setting: Setting, path: string | null) {
    this.#planned = planned;
    this.user = planned.user;
    this.name = `${planned.user}/${planned.device}`;
    this.#setting = setting;
    this.#path = path;
    this.#tap = this.#newTap();
  }

  get online(): boolean {
    return this.#session?.state === 'online';
  }

  /** Has a store that outlives its session's process. */
  get persistent(): boolean {
    return this.#path !== null;
  }

  get session(): Session {
    if (this.#session === null) throw new Error(`${this.name} has no session`);
    return this.#session;
  }

  /** Opens a session; it connects when it can. */
  async open(): Promise<void> {
    this.#lives += 1;
    const life = this.#lives;
    const { url, token, tally } = this.#setting;
    const { user, device } = this.#planned;
    this.#tap = this.#newTap();
    const session = await connect({
      url,
      token: () => token(user, device),
      store: this.#store(),
      dial: this.#tap.dial,
      offline: true,
      backoff: { base: 30, cap: 400, immediate: true },
    });
    const live = (): boolean => life === this.#lives;
    let onlines = 0;
    session.on('state', ({ state, error }) => {
      if (!live()) return;
      if (state === 'online') this.connections += 1;
      if (state === 'online' && ++onlines > 1) tally.reconnects += 1;
      if (state === 'failed' || state === 'replaced') this.#trouble(`session ${state}: ${error?.message}`);
    });
    session.on('message', (m) => {
      if (live()) this.#saw(m.chat.id, { type: 'message', seq: m.seq, id: m.id, from: m.from, body: m.text });
      if (live() && this.#setting.random() < 0.3) m.read();
    });
    session.on('event', (e) => {
      const body = `${e.change} ${e.users.join(' ')}`;
      if (live()) this.#saw(e.chat.id, { type: 'event', seq: e.seq, id: e.id, from: e.from, body });
    });
    session.on('sent', ({ chat, id, seq }) => {
      if (live()) this.#view(chat.id).own.push({ seq, id: this.#setting.keep(id) });
    });
    session.on('receipt', ({ chat, user, delivered, read }) => {
      const { severalNodes, receipts } = this.#setting;
      // Each life begins with what its store has kept.
      if (live() && severalNodes)
        receipts.told(`${this.name} in life ${life}`, { chat: chat.id, user, delivered, read });
    });
    session.on('failed', ({ chat, error }) => this.#trouble(`refused for good in ${chat.id}: ${error.message}`));
    session.on('truncated', ({ chat, from, to }) => this.#trouble(`${from} to ${to} of ${chat.id} are not coming`));
    session.on('error', (error) => {
      if (live() && !EXPECTED.includes(error.code)) this.#trouble(`session error ${error.message}`);
    });
    this.#session = session;
    for (const wake of this.#wake.splice(0)) wake();
  }

  /** Sends until `rest`. */
  run(): void {
    this.#sending = true;
    for (let lane = 0; lane < LANES; lane += 1) void this.#lane();
  }

  rest(): void {
    this.#sending = false;
  }

  cut(): void {
    this.#setting.tally.cuts += 1;
    this.#tap.cut();
  }

  lose(): void {
    this.#setting.tally.cuts += 1;
    this.#tap.lose();
  }

  /** Closes the session as a person closes an application, and opens the next on its store. */
  async restart(): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    this.#setting.tally.restarts += 1;
    this.#session = null;
    await session.close();
    await this.open();
  }

  /** The session's process dies: the next one finds the store as it stood in that moment, torn lines included. */
  async crash(): Promise<void> {
    const session = this.#session;
    if (session === null || this.#path === null) return;
    this.#setting.tally.crashes += 1;
    const before = this.#file();
    this.#session = null;
    this.#lives += 1;
    this.#copies += 1;
    copyFileSync(before, this.#file());
    this.#tap.end();
    this.#old.push(session.close().then(() => rmSync(before, { force: true })));
    // In every chat, whether or not the next life sees anything of it.
    for (const { lives } of this.views.values()) this.#begin(lives, true);
    await this.open();
  }

  async close(): Promise<void> {
    this.rest();
    const session = this.#session;
    this.#session = null;
    await session?.close();
    await Promise.all(this.#old);
  }

  /** An entry that the device made itself and was not told of: the creation of its group. */
  made(chat: string, seq: number): void {
    this.#view(chat).own.push({ seq, id: '' });
  }

  /** How many of a chat's entries the device has. */
  has(chat: string): number {
    const view = this.views.get(chat);
    if (view === undefined) return 0;
    const seqs = new Set(view.own.map(({ seq }) => seq));
    for (const { sights } of view.lives) for (const { seq } of sights) seqs.add(seq);
    return seqs.size;
  }

  #newTap(): Tap {
    const { receipts, severalNodes } = this.#setting;
    return new Tap((position) => (severalNodes ? receipts.heard(position) : receipts.told(this.name, position)));
  }

  #store(): ClientStore {
    return this.#path === null ? this.#memory : new FileStore(this.#file());
  }

  /** A crash leaves the dead session its file, so every life after one has another. */
  #file(): string {
    return `${this.#path}.${this.#copies}`;
  }

  async #lane(): Promise<void> {
    const { random, acks, keep } = this.#setting;
    while (this.#sending) {
      if (this.#session === null) {
        await new Promise<void>((resolve) => this.#wake.push(resolve));
        continue;
      }
      const target = this.targets[Math.floor(random() ** 2 * this.targets.length)];
      if (target === undefined) return;
      const { kind, to, number } = target;
      const count = (this.#counts.get(number) ?? 0) + 1;
      this.#counts.set(number, count);
      const body = keep(writeBody(this.name, number, count, random));
      try {
        const chat = kind === 'direct' ? this.#session.direct(to) : this.#session.group(to);
        const { seq } = await chat.send(body);
        acks.push({ chat: chat.id, device: this.name, seq, body });
      } catch (error) {
        const code = error instanceof WeftError ? error.code : 'not a WeftError';
        if (code !== 'closed') this.#trouble(`send rejected: ${error}`);
      }
      await new Promise((resolve) => setTimeout(resolve, random() * PAUSE));
    }
  }

  #view(chat: string): View {
    let view = this.views.get(chat);
    if (view === undefined) {
      view = { chat, device: this.name, user: this.user, lives: [], own: [] };
      this.views.set(chat, view);
    }
    return view;
  }

  #saw(chat: string, entry: Entry): void {
    const { keep, tally } = this.#setting;
    tally.deliveries += 1;
    this.heard.set(chat, Math.max(entry.seq, this.heard.get(chat) ?? 0));
    const { lives } = this.#view(chat);
    const last = lives.at(-1);
    const life = last !== undefined && this.#bornIn.get(last) === this.#lives ? last : this.#begin(lives, false);
    life.sights.push({ ...entry, id: keep(entry.id), body: keep(entry.body) });
  }

  #begin(lives: View['lives'], afterCrash: boolean): Life {
    const life = { afterCrash, sights: [] };
    this.#bornIn.set(life, this.#lives);
    lives.push(life);
    return life;
  }

  #trouble(text: string): void {
    const { troubles } = this.#setting.tally;
    troubles.set(text, (troubles.get(text) ?? 0) + 1);
  }
}
