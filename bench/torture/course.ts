// Owns the course of a torture: clients send without end while their node is killed and started again, round by round;
// then quiet, and the evidence is gathered.
// Invariant: waits for what must happen, each wait with a bound, and never takes time itself for a sign of anything.
// Must not: judge (checker.ts), or print.

import { join } from 'node:path';
import { issueToken } from '../../cli/token.js';
import { ensureSecret } from '../../services/secret.js';
import { NodeProcess, quietPort } from '../node-process.js';
import { median } from '../report.js';
import { type Ack, check, type Position, ReceiptTrail, type Violation } from './checker.js';
import { Device, type Setting, type Tally } from './device.js';
import { authorOf, EARLY, FAN_OUT_THRESHOLD, FROZEN, LATE, type Plan, plan, randomFrom, TWICE } from './plan.js';
import { Witness } from './witness.js';

export interface TortureOptions {
  readonly rounds: number;
  readonly clients: number;
  readonly seed: number;
  /** Empty folder for the node's data and the clients' stores. */
  readonly folder: string;
  /** ms that the node is frozen at most; 0: never. Beyond 40,000 every client gives its connection up. */
  readonly freeze: number;
  readonly progress: (figures: Figures) => void;
}

export interface Figures {
  readonly round: number;
  readonly acked: number;
  readonly deliveries: number;
  readonly kills: number;
  readonly freezes: number;
  readonly reconnects: number;
  readonly restarts: number;
  readonly crashes: number;
  readonly cuts: number;
  /** Median ms from the start of a killed node to `weft ready`. */
  readonly readyMs: number;
}

export interface Outcome {
  readonly figures: Figures;
  readonly chats: number;
  readonly violations: readonly Violation[];
  /** What went wrong around the checks: sessions that failed, waits that ended without what they waited for. */
  readonly troubles: readonly string[];
  /** The node's newest lines. */
  readonly log: readonly string[];
}

/** ms that any one wait may take: far over what a slow machine needs, so that its end means something. */
const PATIENCE = 60_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function torture(options: TortureOptions): Promise<Outcome> {
  const course = new Course(options, await quietPort());
  try {
    return await course.run();
  } finally {
    await course.end();
  }
}

class Course {
  readonly #options: TortureOptions;
  readonly #random: () => number;
  readonly #plan: Plan;
  readonly #port: number;
  readonly #tally: Tally = {
    deliveries: 0,
    reconnects: 0,
    restarts: 0,
    crashes: 0,
    cuts: 0,
    troubles: new Map(),
  };
  readonly #acks: Ack[] = [];
  readonly #receipts = new ReceiptTrail();
  /** Members by chat id. */
  readonly #chats = new Map<string, readonly string[]>();
  readonly #devices: Device[] = [];
  readonly #setting: Setting;
  readonly #ready: number[] = [];
  readonly #mischief = new Set<Promise<void>>();
  #node: NodeProcess | null = null;
  #round = 0;
  #kills = 0;
  #freezes = 0;

  constructor(options: TortureOptions, port: number) {
    this.#options = options;
    this.#random = randomFrom(options.seed);
    this.#plan = plan(options.clients, this.#random);
    this.#port = port;
    const kept = new Map<string, string>();
    this.#setting = {
      url: `ws://127.0.0.1:${port}/v1`,
      acks: this.#acks,
      receipts: this.#receipts,
      random: this.#random,
      tally: this.#tally,
      keep: (text) => {
        const known = kept.get(text);
        if (known === undefined) kept.set(text, text);
        return known ?? text;
      },
      token: tokens(join(options.folder, 'node')),
    };
  }

  async run(): Promise<Outcome> {
    await this.#start();
    await this.#introduce();
    for (const device of this.#devices) device.run();
    for (this.#round = 1; this.#round <= this.#options.rounds; this.#round += 1) {
      await this.#torment();
      this.#options.progress(this.#figures());
    }
    this.#round = this.#options.rounds;
    await this.#calm();
    const violations = await this.#judge();
    const { code, signal } = await this.#node!.stop('SIGTERM');
    if (code !== 0) this.#trouble(`the node ended with ${code ?? signal} on SIGTERM`);
    return {
      figures: this.#figures(),
      chats: this.#chats.size,
      violations,
      troubles: [...this.#tally.troubles].map(([text, times]) => (times === 1 ? text : `${times} × ${text}`)),
      log: this.#node!.lines,
    };
  }

  async end(): Promise<void> {
    await Promise.allSettled(this.#devices.map((device) => device.close()));
    await this.#node?.stop('SIGKILL');
  }

  // ---- the node ----

  async #start(): Promise<void> {
    this.#node = await NodeProcess.start(this.#nodeOptions());
  }

  #nodeOptions(): Parameters<typeof NodeProcess.start>[0] {
    const { folder } = this.#options;
    return { data: join(folder, 'node'), port: this.#port, flags: ['--fanout-threshold', String(FAN_OUT_THRESHOLD)] };
  }

  async #kill(): Promise<void> {
    this.#kills += 1;
    await this.#node!.stop('SIGKILL');
  }

  /** Clients go on, come and go; then what they sent meanwhile meets a node whose clock has jumped. */
  async #freeze(ms: number): Promise<void> {
    if (ms === 0) return;
    this.#freezes += 1;
    const frozen = this.#node!.freeze(ms);
    for (let n = 0; n < 3; n += 1) this.#tease();
    await frozen;
    await pause(this.#random() * EARLY.ms);
  }

  /** One round: traffic, mischief among the clients, death, resurrection. */
  async #torment(): Promise<void> {
    const random = this.#random;
    const early = random() < EARLY.share;
    if (!early) {
      const acked = this.#acks.length;
      await this.#until('traffic', () => this.#acks.length > acked + this.#devices.length);
    }
    const left = random() * (early ? EARLY.ms : LATE);
    const moments = Array.from({ length: Math.ceil(this.#devices.length / 8) }, () => random() * left).sort(
      (a, b) => a - b,
    );
    let now = 0;
    for (const moment of moments) {
      await pause(moment - now);
      now = moment;
      this.#tease();
    }
    await pause(left - now);
    if (random() < FROZEN) await this.#freeze(random() * this.#options.freeze);
    await this.#kill();
    // Also while the node is away.
    for (let n = 0; n < 3; n += 1) this.#tease();
    await pause(random() * 100);
    if (random() < TWICE) {
      this.#node = NodeProcess.spawn(this.#nodeOptions());
      await pause(random() * 300);
      await this.#kill();
    }
    await this.#start();
    this.#ready.push(this.#node!.readyMs);
  }

  /** Something happens to a client. */
  #tease(): void {
    const device = this.#devices[Math.floor(this.#random() * this.#devices.length)]!;
    const choice = this.#random();
    if (device.persistent && choice < 0.7) {
      const done: Promise<void> = (choice < 0.35 ? device.restart() : device.crash())
        .catch((error: unknown) => this.#trouble(`${device.name} could not come back: ${error}`))
        .finally(() => this.#mischief.delete(done));
      this.#mischief.add(done);
    } else if (choice < 0.85) device.cut();
    else device.lose();
  }

  // ---- the clients ----

  /** Everybody comes online, groups are made, and each device learns whom it writes to. */
  async #introduce(): Promise<void> {
    const byUser = new Map<string, Device[]>();
    for (const [at, planned] of this.#plan.devices.entries()) {
      const path = at % 2 === 0 ? join(this.#options.folder, `${planned.user}-${planned.device}`) : null;
      const device = new Device(planned, this.#setting, path);
      this.#devices.push(device);
      byUser.set(planned.user, [...(byUser.get(planned.user) ?? []), device]);
    }
    await Promise.all(this.#devices.map((device) => device.open()));
    await this.#until('all clients online', () => this.#devices.every((device) => device.online));
    for (const [number, { kind, users }] of this.#plan.chats.entries()) {
      const devices = users.map((user) => byUser.get(user)!);
      if (kind === 'direct') {
        const [a, b] = users as [string, string];
        for (const device of devices[0]!) device.targets.push({ kind, to: b, number });
        for (const device of devices[1]!) device.targets.push({ kind, to: a, number });
        continue;
      }
      const maker = devices[0]![0]!;
      const group = await maker.session.createGroup({ title: `group ${number}`, members: users.slice(1) });
      maker.made(group.id, 1);
      this.#chats.set(group.id, users);
      for (const device of devices.flat()) device.targets.push({ kind, to: group.id, number });
    }
  }

  /** No more sends; what is under way ends, and every device gets what it lacks. */
  async #calm(): Promise<void> {
    for (const device of this.#devices) device.rest();
    await Promise.all(this.#mischief);
    await this.#until('all outboxes empty', () =>
      this.#devices.every((device) => device.session.pending().length === 0),
    );
    // What is read from here on was on disk, not only in the node's memory.
    await this.#kill();
    await this.#start();
    await this.#until('all clients online', () => this.#devices.every((device) => device.online));
  }

  // ---- the evidence ----

  async #judge(): Promise<Violation[]> {
    const { url, token } = this.#setting;
    const witness = await Witness.read(this.#plan.chats, this.#chats, { url, token });
    const { histories } = witness;
    const heads = new Map([...histories].map(([chat, history]) => [chat, history.length]));
    const behind = (): boolean =>
      this.#devices.some((device) => {
        const mine = [...this.#chats].filter(([, users]) => users.includes(device.user));
        return mine.some(([chat]) => device.has(chat) < heads.get(chat)!);
      });
    await this.#until('all devices caught up', () => !behind());
    const newest = (chat: string, user: string): number =>
      histories.get(chat)!.findLast(({ from }) => from !== user)?.seq ?? 0;
    let positions: Position[] = [];
    const told = async (): Promise<boolean> => {
      positions = await witness.positions();
      return positions.every(({ chat, user, delivered }) => delivered >= newest(chat, user));
    };
    await this.#until('all receipts stored', told);
    await witness.close();
    const views = this.#devices.flatMap((device) =>
      [...this.#chats]
        .filter(([, users]) => users.includes(device.user))
        .map(
          ([chat]) => device.views.get(chat) ?? { chat, device: device.name, user: device.user, lives: [], own: [] },
        ),
    );
    return check({ histories, acks: this.#acks, views, receipts: this.#receipts, positions, author: authorOf });
  }

  async #until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + PATIENCE;
    while (!(await holds())) {
      if (performance.now() > end) return this.#trouble(`waited ${PATIENCE} ms in vain: ${what}`);
      await pause(20);
    }
  }

  #trouble(text: string): void {
    this.#tally.troubles.set(text, (this.#tally.troubles.get(text) ?? 0) + 1);
  }

  #figures(): Figures {
    const { deliveries, reconnects, restarts, crashes, cuts } = this.#tally;
    return {
      round: this.#round,
      acked: this.#acks.length,
      deliveries,
      kills: this.#kills,
      freezes: this.#freezes,
      reconnects,
      restarts,
      crashes,
      cuts,
      readyMs: median(this.#ready),
    };
  }
}

function tokens(data: string): Setting['token'] {
  const found = ensureSecret(data);
  if (!found.ok) throw new Error(found.detail);
  const issued = Math.floor(Date.now() / 1_000);
  return (user, device) => issueToken(found.secret, { user, device, issued, expires: issued + 86_400 });
}
