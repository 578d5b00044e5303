// Owns the devices of the storm suite, run in processes of their own: SDK sessions, each another user, in groups.
// Invariant: times count from when the process is told of the storm; each device has the SDK's own backoff.
// Must not: know what happens to the nodes.

import { issueToken } from '../cli/token.js';
import { connect, type Session } from '../client/index.js';
import { ensureSecret } from '../services/secret.js';

/** What the suite tells the load, as JSON in the first argument. Then it says `storm`, and `enough` when it waits no longer. */
export interface StormLoad {
  readonly url: string;
  /** Of the nodes, with their secret. */
  readonly data: string;
  /** First of its users, and how many. */
  readonly from: number;
  readonly count: number;
  /** Members of a group. */
  readonly group: number;
}

/** What it answers, after a first message that says that all are online. */
export interface StormReport {
  /** ms until each device was online again. */
  readonly online: readonly number[];
  /** ms until each had the message that was sent to its group after the storm began. */
  readonly caught: readonly number[];
  /** Sessions that ended for good. */
  readonly failed: number;
  /** Refusals that sessions told of and did not end by. */
  readonly refused: number;
}

/** Logins under way at once, before the storm. */
const CONCURRENCY = 64;
/** Codes of what is no refusal: the connection broke. */
const BROKEN: readonly string[] = ['offline', 'timeout', 'closed'];

const load = JSON.parse(process.argv[2]!) as StormLoad;
const found = ensureSecret(load.data);
if (!found.ok) throw new Error(found.detail);
const { secret } = found;
const issued = Math.floor(Date.now() / 1_000);
const sessions: Session[] = [];
const online = new Map<number, number>();
const caught = new Map<number, number>();
let failed = 0;
let refused = 0;
let began = Number.POSITIVE_INFINITY;
let told = false;

async function device(number: number): Promise<void> {
  const user = `u${load.from + number}`;
  const token = (): Promise<string> => issueToken(secret, { user, device: 'd', issued, expires: issued + 86_400 });
  const session = await connect({ url: load.url, token });
  sessions[number] = session;
  session.on('state', ({ state }) => {
    const since = performance.now() - began;
    if (state === 'online' && since >= 0 && !online.has(number)) online.set(number, since);
    if (state === 'failed' || state === 'replaced') failed += 1;
  });
  session.on('message', ({ text }) => {
    if (text === 'storm') done(number);
  });
  session.on('error', ({ code }) => {
    if (!BROKEN.includes(code)) refused += 1;
  });
}

function done(number: number): void {
  if (!caught.has(number)) caught.set(number, performance.now() - began);
  if (caught.size === load.count) tell();
}

function tell(): void {
  if (told) return;
  told = true;
  const report: StormReport = { online: [...online.values()], caught: [...caught.values()], failed, refused };
  process.send?.(report);
}

let next = 0;
await Promise.all(
  Array.from({ length: CONCURRENCY }, async () => {
    while (next < load.count) {
      const number = next;
      next += 1;
      await device(number);
    }
  }),
);
const groups: { readonly maker: number; readonly id: string }[] = [];
for (let maker = 0; maker < load.count; maker += load.group) {
  const members = Array.from({ length: Math.min(load.group, load.count - maker) - 1 }, (_, at) => maker + at + 1);
  const group = await sessions[maker]!.createGroup({
    title: `group ${maker}`,
    members: members.map((member) => `u${load.from + member}`),
  });
  await group.send('before');
  groups.push({ maker, id: group.id });
}
process.on('message', (message) => {
  if (message === 'enough') return tell();
  began = performance.now();
  for (const { maker, id } of groups) {
    // The sender has it when it is accepted.
    void sessions[maker]!.group(id)
      .send('storm')
      .then(() => done(maker));
  }
});
process.send?.('online');
