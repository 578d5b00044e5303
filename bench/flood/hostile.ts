// Owns the hostile clients of the flood suite, run as a process of its own: each does one thing as much as it may, and
// more.
// Invariant: one that the server ends comes back at once; what they do is counted, so that a run can show that they did it.
// Must not: judge what the server answers.

import { readdirSync } from 'node:fs';
import { setPriority } from 'node:os';
import { ATTACKS, type Scene } from './attacks.js';
import { Hostile } from './hostile-client.js';

/** What the course tells it, as JSON in the first argument. */
export interface HostileLoad {
  readonly url: string;
  /** Hex. */
  readonly secret: string;
  readonly clients: number;
  /** Largest bodies in the logs that are asked for again and again. */
  readonly history: number;
}

/** 'prepare' makes their chats, 'go' and 'stop' are what they say; answered with a HostileResult. */
export type HostileOrder = 'prepare' | 'go' | 'stop';

export interface HostileResult {
  /** Frames and connections tried, since the start, by attack. */
  readonly tried: Readonly<Record<string, number>>;
  /** What the server answered with a code. */
  readonly refused: Readonly<Record<string, number>>;
}

/** ms between two rounds of all. */
const TICK_MS = 10;

const load = JSON.parse(process.argv[2]!) as HostileLoad;
// What the machine has to give goes to the server and to those who measure. Linux has a priority for each thread, and the
// collector's are many.
for (const thread of threads()) setPriority(thread, 19);

const scene: Scene = { crowd: null, room: null, history: load.history };
const clients = Array.from({ length: load.clients }, (_, at) => {
  const attack = ATTACKS[at % ATTACKS.length]!;
  return { attack, hostile: new Hostile(load, attack.name, `h${at}`, `127.81.0.${at + 1}`) };
});
let going = false;

function threads(): readonly number[] {
  try {
    return readdirSync('/proc/self/task').map(Number);
  } catch {
    return [0];
  }
}

async function prepare(): Promise<void> {
  for (const { hostile } of clients) await hostile.connect();
  const [first] = clients;
  const users = clients.map(({ hostile }) => hostile.user);
  const fill = (count: number): string[] => Array.from({ length: count - users.length }, (_, at) => `filler${at}`);
  scene.crowd = await first!.hostile.create('crowd', [...users, ...fill(1_024)]);
  scene.room = await first!.hostile.create('room', [...users, ...fill(100)]);
  await Promise.all(clients.map(({ attack, hostile }) => attack.prepare?.(hostile, scene)));
}

function tick(): void {
  if (!going) return;
  for (const { attack, hostile } of clients) {
    if (hostile.ready) attack.tick?.(hostile, scene);
    else if (attack.tick !== undefined) hostile.reconnect();
    attack.storm?.(hostile);
  }
}

async function obey(order: HostileOrder): Promise<HostileResult> {
  if (order === 'prepare') await prepare();
  else going = order === 'go';
  const tried: Record<string, number> = {};
  const refused: Record<string, number> = {};
  for (const { attack, hostile } of clients) {
    tried[attack.name] = (tried[attack.name] ?? 0) + hostile.tried;
    for (const [code, count] of hostile.refused) refused[code] = (refused[code] ?? 0) + count;
  }
  return { tried, refused };
}

setInterval(tick, TICK_MS);
process.on('message', (order: HostileOrder) => {
  void obey(order).then((result) => process.send!(result));
});
process.on('disconnect', () => process.exit(0));
process.send!('ready');
