// Owns the load of the failover suite, run as a process of its own: direct chats of SDK clients, each with one message under way.
// Invariant: every message is timed from when it is given to the SDK until its promise resolves, whatever happens in between; a message
// belongs to the phase in which it was given.
// Must not: know what happens to the nodes, but that something does.

import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { issueToken } from '../cli/token.js';
import { type Chat, connect } from '../client/index.js';
import { ensureSecret } from '../services/secret.js';

/** What the suite tells the load, as JSON in the first argument. */
export interface FailoverLoad {
  readonly url: string;
  /** Of the nodes, with their secret. */
  readonly data: string;
  readonly chats: number;
  readonly everyMs: number;
}

/** What begins, as lines on stdin; `end` ends it. `blow`: something happens to a node in this moment. */
export type FailoverCommand = 'calm' | 'blow';

/** Printed as one line of JSON at the end of each phase. */
export interface FailoverPhase {
  /** ms of each message that was given in the phase; those not answered by its end count with what they took so far. */
  readonly times: readonly number[];
  /** Of each chat, ms from the blow to the acknowledgement of a message that was given after it; so far, where there was none. */
  readonly gaps: readonly number[];
  readonly failed: number;
}

class Phase {
  readonly began = performance.now();
  readonly blow: boolean;
  readonly times: number[] = [];
  readonly gaps = new Map<number, number>();
  failed = 0;

  constructor(blow: boolean) {
    this.blow = blow;
  }
}

const load = JSON.parse(process.argv[2]!) as FailoverLoad;
const found = ensureSecret(load.data);
if (!found.ok) throw new Error(found.detail);
const { secret } = found;
const issued = Math.floor(Date.now() / 1_000);
let phase = new Phase(false);
/** When each chat's message under way was given. */
const given = new Map<number, { readonly at: number; readonly in: Phase }>();

function session(user: string): ReturnType<typeof connect> {
  const token = (): Promise<string> => issueToken(secret, { user, device: 'd', issued, expires: issued + 86_400 });
  return connect({ url: load.url, token, offline: true });
}

async function stream(chat: Chat, number: number, served: () => void): Promise<void> {
  for (let count = 0; ; count += 1) {
    const mine = phase;
    const at = performance.now();
    given.set(number, { at, in: mine });
    try {
      await chat.send(`${number} ${count}`);
    } catch {
      mine.failed += 1;
    }
    given.delete(number);
    const now = performance.now();
    mine.times.push(now - at);
    if (mine.blow && !mine.gaps.has(number)) mine.gaps.set(number, now - mine.began);
    if (count === 0) served();
    // After a blow the next one goes at once: what is asked is when it is accepted.
    if (!phase.blow || phase.gaps.has(number)) await pause(load.everyMs * (0.5 + Math.random()));
  }
}

function told(): FailoverPhase {
  const now = performance.now();
  const waiting = [...given.values()].filter((message) => message.in === phase).map(({ at }) => now - at);
  const gaps = Array.from({ length: load.chats }, (_, number) => phase.gaps.get(number) ?? now - phase.began);
  return { times: [...phase.times, ...waiting], gaps: phase.blow ? gaps : [], failed: phase.failed };
}

const served = Array.from({ length: load.chats }, async (_, number) => {
  const [sender] = await Promise.all([session(`s${number}`), session(`r${number}`)]);
  await new Promise<void>((resolve) => void stream(sender.direct(`r${number}`), number, resolve));
});
await Promise.all(served);
console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'end') console.log(JSON.stringify(told()));
  else phase = new Phase(line === 'blow');
}
process.exit(0);
