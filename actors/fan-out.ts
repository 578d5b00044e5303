// Owns telling a chat's members: what became durable, receipts, typing.
// Invariant: durable entries reach the audience as it stood at that entry; nothing here waits or fails: who is not
// reachable finds everything in the log.
// Must not: be called with anything that is not durable, or touch the store.

import type { Telling } from '../storage/untold.js';
import type { Entry } from './entry.js';
import type { Fabric } from './fabric.js';
import type { ConnectionRef, News } from './messages.js';
import { Onlookers } from './onlookers.js';
import type { Roster } from './roster.js';

const nobody: readonly string[] = [];
const NOTHING = new Uint8Array(0);

export class FanOut {
  readonly onlookers: Onlookers;
  readonly #users: Fabric['users'];

  constructor(fabric: Fabric, chat: string) {
    this.#users = fabric.users;
    this.onlookers = new Onlookers(fabric, chat);
  }

  /** A durable entry, in order. Who joins with it is told of it, who leaves with it too. */
  entry(entry: Entry, roster: Roster): void {
    const { change, from, seq, row } = entry;
    const joined = change === null ? nobody : change.joined.map(({ user }) => user);
    for (const user of joined) roster.audience.add(user);
    const title = change?.settings?.title;
    if (title !== undefined) roster.info = { ...roster.info, title };
    // After a retry the newest connection is the one whose client waits for SENT.
    const last = entry.waiters[entry.waiters.length - 1];
    const origin = last?.type === 'send' ? last.connection : null;
    this.#tell(roster, { type: 'delivery', info: roster.info, from, seq, row, origin, joined });
    if (change === null) return this.onlookers.wrote(from, roster);
    for (const user of change.gone) roster.audience.delete(user);
    this.onlookers.changed(change, roster);
  }

  /**
   * Whoever had the chat before may have ended before it told of all that it made durable: everybody is told how far the log goes.
   * Not what is in it: a connection that is behind reads it there, as after news that it had no room for.
   */
  again(head: number, roster: Roster | null, telling: Telling): void {
    telling.done = true;
    if (roster === null || head === 0) return;
    const { info } = roster;
    this.#tell(roster, {
      type: 'delivery',
      info,
      from: '',
      seq: head,
      row: NOTHING,
      origin: null,
      joined: nobody,
      again: true,
    });
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
