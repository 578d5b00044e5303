// Owns telling a chat's members, and who waits for it: what became durable; receipts, typing.
// Invariant: durable entries reach the audience as it stood at that entry; nothing here waits or fails: who is not
// reachable finds everything in the log. Who sent it hears of an entry before those whom it is for.
// Must not: be called with anything that is not durable, or touch the store.
//
//   entry ─▶ [ 7, 8, 9 ] ── the append ends, the members change, or it is long ──▶ one delivery to each member

import { shrunk } from './buggify.js';
import type { Entry } from './entry.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import type { ConnectionRef, News, Told } from './messages.js';
import { Onlookers } from './onlookers.js';
import type { Leavers } from './retelling.js';
import type { Roster } from './roster.js';
import { Answers } from './waiter.js';

const nobody: readonly string[] = [];
const NOTHING: Told = { from: '', row: new Uint8Array(0), origin: null };

export class FanOut {
  readonly onlookers: Onlookers;
  readonly #users: Fabric['users'];
  /** Entries that the members are to be told of together, the number of the first, and the bytes of all. */
  #run: Told[] = [];
  #first = 0;
  #bytes = 0;
  readonly #longest: number;
  readonly #answers = new Answers();

  constructor(fabric: Fabric, chat: string) {
    this.#users = fabric.users;
    this.#longest = shrunk(fabric.world, 'run', LIMITS.runEntries, 1);
    this.onlookers = new Onlookers(fabric, chat);
  }

  /** A durable entry, in order. Who joins with it is told of it, who leaves with it too. `flush` follows. */
  entry({ change, from, seq, row, waiters }: Entry, roster: Roster): void {
    for (const waiter of waiters) this.#answers.settle(waiter, seq, roster.audience.size);
    // What was before it has other members; or it was not told, where the chat broke off.
    const hole = this.#run.length > 0 && seq !== this.#first + this.#run.length;
    if (change !== null || hole) this.flush(roster);
    const joined = change === null ? nobody : change.joined.map(({ user }) => user);
    for (const user of joined) roster.audience.add(user);
    const title = change?.settings?.title;
    if (title !== undefined) roster.info = { ...roster.info, title };
    // After a retry the newest connection is the one whose client waits for SENT.
    const last = waiters[waiters.length - 1];
    const origin = last?.type === 'send' ? last.connection : null;
    if (this.#run.length === 0) this.#first = seq;
    this.#run.push({ from, row, origin });
    this.#bytes += row.length;
    if (change === null) {
      if (this.#run.length >= this.#longest || this.#bytes >= LIMITS.runBytes) this.flush(roster);
      return this.onlookers.wrote(from, roster);
    }
    this.flush(roster, joined);
    for (const user of change.gone) roster.audience.delete(user);
    this.onlookers.changed(change, roster);
  }

  /** Senders and members are told of what came since the last time. */
  flush(roster: Roster, joined = nobody): void {
    this.#answers.flush();
    if (this.#run.length === 0) return;
    const entries = this.#run;
    this.#run = [];
    this.#bytes = 0;
    this.#tell(roster, { type: 'delivery', info: roster.info, seq: this.#first, entries, joined });
  }

  /** How far the log goes, to everybody; to who is out of it, how far theirs does (retelling.ts). */
  again(head: number, roster: Roster, leavers: Leavers): void {
    const { info } = roster;
    const news = { type: 'delivery', info, entries: [NOTHING], joined: nobody, again: true } as const;
    this.#tell(roster, { ...news, seq: head });
    for (const [user, seq] of leavers) if (!roster.audience.has(user)) this.#users.lookup(user)?.tell({ ...news, seq });
  }

  /** Durable receipts; false: there are none. In large groups n members would cause n² frames: a tally takes their place. */
  receipts(roster: Roster): boolean {
    const written = roster.takeWritten();
    for (const { user, device, delivered, read } of written) {
      if (!roster.large) this.#tell(roster, { type: 'receipt', info: roster.info, user, device, delivered, read });
    }
    return written.length > 0;
  }

  /** All receipts of a small chat as they stand, to one who asks: by way of the user, or they would overtake older ones. */
  receiptsTo(asker: string, connection: ConnectionRef, roster: Roster): void {
    const user = this.#users.lookup(asker);
    if (user === undefined) return;
    for (const { user: of, told } of roster.members.values()) {
      const { delivered, read } = told;
      if (delivered === 0) continue;
      const news = { type: 'receipt', info: roster.info, user: of, device: '', delivered, read } as const;
      // This connection asks again, for this chat alone: nothing is lost for the others.
      if (user.tell({ type: 'pass', connection, news }) === 'ok') continue;
      return void connection.tell({ type: 'unpassed', key: roster.info.key, large: false });
    }
  }

  /** Typing of a member. Large groups get none: it would cost a frame per member and tell nobody anything. Nor do two who
   * block each other. */
  typing(user: string, on: boolean, roster: Roster): void {
    if (!roster.large && roster.blockers.length === 0)
      this.#tell(roster, { type: 'typing', info: roster.info, user, on });
  }

  #tell(roster: Roster, news: News): void {
    for (const user of roster.audience) this.#users.lookup(user)?.tell(news);
  }
}
