// Owns the clients of a torture: who they are, what is done to them, and the evidence they give in the end.
// Invariant: waits for what must happen, each wait with a bound, and never takes time itself for a sign of anything.
// Must not: touch nodes, or judge (checker.ts).

import { join } from 'node:path';
import { issueToken } from '../../cli/token.js';
import { ensureSecret } from '../../services/secret.js';
import { type Ack, check, type Position, ReceiptTrail, type Violation } from './checker.js';
import { Device, type Setting, type Tally } from './device.js';
import { authorOf, type Plan, plan, randomFrom } from './plan.js';
import { Witness } from './witness.js';

interface CrowdOptions {
  readonly clients: number;
  readonly seed: number;
  /** Of the clients' stores. */
  readonly folder: string;
  /** Of the nodes, with their secret. */
  readonly data: string;
  /** Where the nodes serve, on this machine. */
  readonly port: number;
  readonly severalNodes: boolean;
}

/** ms that any one wait may take: far over what a slow machine needs, so that its end means something. */
const PATIENCE = 60_000;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class Crowd {
  readonly random: () => number;
  readonly tally: Tally = { deliveries: 0, reconnects: 0, restarts: 0, crashes: 0, cuts: 0, troubles: new Map() };
  readonly acks: Ack[] = [];
  readonly devices: Device[] = [];
  /** Members by chat id. */
  readonly chats = new Map<string, readonly string[]>();
  readonly #options: CrowdOptions;
  readonly #plan: Plan;
  readonly #receipts = new ReceiptTrail();
  readonly #setting: Setting;
  readonly #comingBack = new Set<Promise<void>>();

  constructor(options: CrowdOptions) {
    const { clients, seed, data, port, severalNodes } = options;
    this.#options = options;
    this.random = randomFrom(seed);
    this.#plan = plan(clients, this.random);
    const kept = new Map<string, string>();
    this.#setting = {
      url: `ws://127.0.0.1:${port}/v1`,
      acks: this.acks,
      receipts: this.#receipts,
      severalNodes,
      random: this.random,
      tally: this.tally,
      keep: (text) => {
        const known = kept.get(text);
        if (known === undefined) kept.set(text, text);
        return known ?? text;
      },
      token: tokens(data),
    };
  }

  /** Everybody sends, until `rest`. */
  run(): void {
    for (const device of this.devices) device.run();
  }

  /** No more sends; resolves when what is under way has ended. */
  async rest(): Promise<void> {
    for (const device of this.devices) device.rest();
    await Promise.all(this.#comingBack);
    await this.until('all outboxes empty', () => this.devices.every((device) => device.session.pending().length === 0));
  }

  async online(): Promise<void> {
    await this.until('all clients online', () => this.devices.every((device) => device.online));
  }

  /** As many acknowledgements as there are devices. */
  async traffic(): Promise<void> {
    const acked = this.acks.length;
    await this.until('traffic', () => this.acks.length > acked + this.devices.length);
  }

  /** Who is to get a message, by its body. */
  members(body: string): readonly string[] {
    return this.#plan.chats[authorOf(body)?.chat ?? -1]?.users ?? [];
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.devices.map((device) => device.close()));
  }

  /** Something happens to one client in eight, at any moments of so many ms. */
  async mischief(ms: number): Promise<void> {
    const moments = Array.from({ length: Math.ceil(this.devices.length / 8) }, () => this.random() * ms).sort(
      (a, b) => a - b,
    );
    let now = 0;
    for (const moment of moments) {
      await pause(moment - now);
      now = moment;
      this.tease();
    }
    await pause(ms - now);
  }

  /** Something happens to a client. */
  tease(): void {
    const device = this.devices[Math.floor(this.random() * this.devices.length)]!;
    const choice = this.random();
    if (device.persistent && choice < 0.7) {
      const done: Promise<void> = (choice < 0.35 ? device.restart() : device.crash())
        .catch((error: unknown) => this.trouble(`${device.name} could not come back: ${error}`))
        .finally(() => this.#comingBack.delete(done));
      this.#comingBack.add(done);
    } else if (choice < 0.85) device.cut();
    else device.lose();
  }

  /** Everybody comes online, groups are made, and each device learns whom it writes to. */
  async introduce(): Promise<void> {
    const byUser = new Map<string, Device[]>();
    for (const [at, planned] of this.#plan.devices.entries()) {
      const path = at % 2 === 0 ? join(this.#options.folder, `${planned.user}-${planned.device}`) : null;
      const device = new Device(planned, this.#setting, path);
      this.devices.push(device);
      byUser.set(planned.user, [...(byUser.get(planned.user) ?? []), device]);
    }
    await Promise.all(this.devices.map((device) => device.open()));
    await this.online();
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
      this.chats.set(group.id, users);
      for (const device of devices.flat()) device.targets.push({ kind, to: group.id, number });
    }
  }

  /** Reads all that there is, and waits until every device has it. */
  async judge(): Promise<Violation[]> {
    const { url, token } = this.#setting;
    const witness = await Witness.read(this.#plan.chats, this.chats, { url, token });
    const { histories } = witness;
    const heads = new Map([...histories].map(([chat, history]) => [chat, history.length]));
    const behind = (): boolean =>
      this.devices.some((device) => {
        const mine = [...this.chats].filter(([, users]) => users.includes(device.user));
        return mine.some(([chat]) => device.has(chat) < heads.get(chat)!);
      });
    await this.until('all devices caught up', () => !behind());
    const newest = (chat: string, user: string): number =>
      histories.get(chat)!.findLast(({ from }) => from !== user)?.seq ?? 0;
    let positions: Position[] = [];
    const told = async (): Promise<boolean> => {
      positions = await witness.positions();
      return positions.every(({ chat, user, delivered }) => delivered >= newest(chat, user));
    };
    await this.until('all receipts stored', told);
    await witness.close();
    const views = this.devices.flatMap((device) =>
      [...this.chats]
        .filter(([, users]) => users.includes(device.user))
        .map(
          ([chat]) => device.views.get(chat) ?? { chat, device: device.name, user: device.user, lives: [], own: [] },
        ),
    );
    return check({ histories, acks: this.acks, views, receipts: this.#receipts, positions, author: authorOf });
  }

  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + PATIENCE;
    while (!(await holds())) {
      if (performance.now() > end) return this.trouble(`waited ${PATIENCE} ms in vain: ${what}`);
      await pause(20);
    }
  }

  trouble(text: string): void {
    this.tally.troubles.set(text, (this.tally.troubles.get(text) ?? 0) + 1);
  }
}

function tokens(data: string): Setting['token'] {
  const found = ensureSecret(data);
  if (!found.ok) throw new Error(found.detail);
  const issued = Math.floor(Date.now() / 1_000);
  return (user, device) => issueToken(found.secret, { user, device, issued, expires: issued + 86_400 });
}
