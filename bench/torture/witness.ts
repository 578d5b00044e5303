// Owns what is read from the node at the end, by devices that nobody used before: every chat's log and members.
// Invariant: reads through the SDK what any client could.
// Must not: send, or judge.

import { type Chat, connect, type Session } from '../../client/index.js';
import type { Entry, Position } from './checker.js';
import type { PlannedChat } from './plan.js';

export interface Access {
  readonly url: string;
  token(user: string, device: string): Promise<string>;
}

export class Witness {
  /** Whole logs by chat id, oldest entry first. */
  readonly histories = new Map<string, Entry[]>();
  readonly #chats: Chat[] = [];
  readonly #sessions = new Map<string, Session>();

  private constructor() {}

  /** Reads all that was planned. `members` names the groups by id; direct chats are added to it. */
  static async read(
    planned: readonly PlannedChat[],
    members: Map<string, readonly string[]>,
    access: Access,
  ): Promise<Witness> {
    const witness = new Witness();
    for (const [id, users] of members) await witness.#take((await witness.#session(users[0]!, access)).group(id));
    for (const { kind, users } of planned) {
      if (kind === 'group') continue;
      const [user, other] = users as [string, string];
      const chat = (await witness.#session(user, access)).direct(other);
      if (await witness.#take(chat)) members.set(chat.id, users);
    }
    return witness;
  }

  /** How far each member is, as the node says now. */
  async positions(): Promise<Position[]> {
    const positions = this.#chats.map(async (chat) => {
      const { members } = await chat.info();
      return members.map(({ user, delivered, read }) => ({ chat: chat.id, user, delivered, read }));
    });
    return (await Promise.all(positions)).flat();
  }

  async close(): Promise<void> {
    for (const session of this.#sessions.values()) await session.close();
  }

  /** False: nobody ever wrote in this chat. */
  async #take(chat: Chat): Promise<boolean> {
    const history = await readLog(chat);
    if (history.length === 0) return false;
    this.histories.set(chat.id, history);
    this.#chats.push(chat);
    return true;
  }

  async #session(user: string, { url, token }: Access): Promise<Session> {
    let session = this.#sessions.get(user);
    if (session === undefined) {
      session = await connect({ url, token: () => token(user, 'reader'), backfill: 1 });
      this.#sessions.set(user, session);
    }
    return session;
  }
}

async function readLog(chat: Chat): Promise<Entry[]> {
  const pages: Entry[][] = [];
  let before = 0;
  for (let more = true; more; ) {
    const page = await chat.history({ before, limit: 100 }).catch(absent);
    pages.push(
      page.items.map((item) => ({
        seq: item.seq,
        id: item.id,
        from: item.from,
        type: item.type,
        body: item.type === 'message' ? item.text : `${item.change} ${item.users.join(' ')}`,
      })),
    );
    more = page.more && page.items.length > 0;
    before = page.items[0]?.seq ?? 0;
  }
  return pages.reverse().flat();
}

/** Nobody ever wrote in this direct chat. */
function absent(error: unknown): { readonly items: never[]; readonly more: false } {
  if (error instanceof Error && 'code' in error && error.code === 'unknown_chat') return { items: [], more: false };
  throw error;
}
