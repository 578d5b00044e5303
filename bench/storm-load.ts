// Owns the devices of the storm suite, run in processes of their own: SDK sessions, each another user at an address of its own, in a large
// group, a small one and a direct chat.
// Invariant: times count from when the process is told of the storm; each device has the SDK's own backoff, and only its socket is the
// bench's. A device has caught up when its application was given all that was written to its chats since then.
// Must not: know what happens to the nodes.

import { issueToken } from '../cli/token.js';
import { type Chat, MemoryStore, openSession, type Session } from '../client/index.js';
import { platform } from '../client/platform.js';
import { ensureSecret } from '../services/secret.js';
import { dialRaw } from './raw-link.js';

/** What the suite tells the load, as JSON in the first argument. Then it says `storm`, and `enough` when it waits no longer. */
export interface StormLoad {
  readonly url: string;
  /** Of the nodes, with their secret. */
  readonly data: string;
  /** First of its users, and how many. */
  readonly from: number;
  readonly count: number;
  /** Members of a large group, and of a small one. */
  readonly large: number;
  readonly small: number;
}

/** How far its devices are; once all are online, then as they come back. */
export interface StormProgress {
  readonly type: 'progress';
  readonly online: number;
  readonly caught: number;
  /** Attempts to connect that the nodes refused so far, by code. */
  readonly refused: Readonly<Record<string, number>>;
}

/** What it answers at the end. */
export interface StormReport {
  readonly type: 'report';
  /** ms until each device was online again. */
  readonly online: readonly number[];
  /** ms until each had all that was written to its chats. */
  readonly caught: readonly number[];
  /** Sessions that ended for good. */
  readonly failed: number;
  /** Refusals that sessions told of and did not end by. */
  readonly refused: number;
  /** CPU seconds of the load since the storm began. */
  readonly cpu: number;
}

export type StormAnswer = { readonly type: 'ready' } | StormProgress | StormReport;

/** Logins and chats under way at once, before the storm. */
const CONCURRENCY = 64;
const PROGRESS_MS = 1_000;
/** Of the connection, and no refusals: it broke, or nobody was there. */
const BROKEN: readonly string[] = ['offline', 'timeout', 'closed'];
const TEXT = 'written while you were away';

interface Device {
  readonly session: Session;
  /** Chats in which it has missed something: its groups, and what its neighbour writes. */
  readonly missed: Set<string>;
  online: number | null;
  caught: number | null;
}

const load = JSON.parse(process.argv[2]!) as StormLoad;
const found = ensureSecret(load.data);
if (!found.ok) throw new Error(found.detail);
const { secret } = found;
const issued = Math.floor(Date.now() / 1_000);
const devices: Device[] = [];
/** Chats with what each of them is sent when the storm comes. */
const writers: { readonly device: Device; readonly chat: Chat }[] = [];
const refused: Record<string, number> = {};
let failed = 0;
let online = 0;
let caught = 0;
let began = Number.POSITIVE_INFINITY;
let cpu = process.cpuUsage();

const userOf = (number: number): string => `u${load.from + number}`;

async function connect(number: number): Promise<void> {
  const token = await issueToken(secret, { user: userOf(number), device: 'd', issued, expires: issued + 86_400 });
  const place = load.from + number;
  const dial = dialRaw(`127.${100 + (place >> 16)}.${(place >> 8) & 255}.${place & 255}`);
  const session = await openSession({
    world: platform,
    dial,
    store: new MemoryStore(),
    url: load.url,
    token: () => token,
  });
  const device: Device = { session, missed: new Set(), online: null, caught: null };
  devices[number] = device;
  session.on('state', ({ state, error }) => {
    if (state === 'failed' || state === 'replaced') failed += 1;
    if (error !== undefined && !BROKEN.includes(error.code)) refused[error.code] = (refused[error.code] ?? 0) + 1;
    if (state !== 'online' || device.online !== null || began > performance.now()) return;
    device.online = performance.now() - began;
    online += 1;
  });
  session.on('message', ({ text, chat }) => {
    if (text === TEXT) has(device, chat.id);
  });
}

function has(device: Device, chat: string): void {
  device.missed.delete(chat);
  if (device.missed.size > 0 || device.caught !== null) return;
  device.caught = performance.now() - began;
  caught += 1;
  if (caught === load.count) report();
}

/** Each is called with its number, some at once. */
async function each(count: number, run: (number: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const number = next;
      next += 1;
      await run(number);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

/** The devices in groups of this size, each made by its first. */
async function group(size: number): Promise<void> {
  await each(Math.ceil(load.count / size), async (at) => {
    const members = devices.slice(at * size, (at + 1) * size);
    const [maker] = members;
    const others = members.slice(1).map((_, number) => userOf(at * size + number + 1));
    const chat = await maker!.session.createGroup({ title: `group of ${size}`, members: others });
    await chat.send('before');
    for (const { missed } of members) missed.add(chat.id);
    writers.push({ device: maker!, chat });
  });
}

/** Two neighbours write to each other. */
async function neighbours(number: number): Promise<void> {
  const [one, other] = devices.slice(2 * number, 2 * number + 2);
  if (other === undefined) return;
  const chat = one!.session.direct(userOf(2 * number + 1));
  await chat.send('before');
  writers.push({ device: one!, chat });
  one!.missed.add(chat.id);
  other.missed.add(chat.id);
}

function tell(answer: StormAnswer): void {
  process.send?.(answer);
}

let told = false;

function report(): void {
  if (told) return;
  told = true;
  const { user, system } = process.cpuUsage(cpu);
  tell({
    type: 'report',
    online: devices.flatMap((device) => device.online ?? []),
    caught: devices.flatMap((device) => device.caught ?? []),
    failed,
    refused: Object.values(refused).reduce((total, count) => total + count, 0),
    cpu: (user + system) / 1e6,
  });
}

function storm(): void {
  began = performance.now();
  cpu = process.cpuUsage();
  // Into the outbox: it leaves when its writer is back, and its sender has it when it is accepted.
  for (const { device, chat } of writers) void chat.send(TEXT).then(() => has(device, chat.id));
  setInterval(() => tell({ type: 'progress', online, caught, refused }), PROGRESS_MS);
}

await each(load.count, connect);
await group(load.large);
await group(load.small);
await each(Math.ceil(load.count / 2), neighbours);
process.on('message', (message) => {
  if (message === 'storm') storm();
  else report();
});
tell({ type: 'ready' });
