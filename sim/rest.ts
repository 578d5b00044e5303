// Owns what is read when all is quiet: every chat's log as each user gets it, members, lists, outboxes.
// Invariant: read through the users' own devices, so it shows what people see.
// Must not: change anything that is read, or judge it.

import type { Chat } from '../client/chat.js';
import type { Session } from '../client/session.js';
import type { Device } from './device.js';
import { codeOf, entryOf } from './entries.js';
import type { Entry } from './record.js';
import type { Site } from './site.js';
import type { Universe } from './universe.js';

/** Virtual ms that all of it may take. */
const PATIENCE_MS = 60_000;
const PAGE = 100;

export async function gather(universe: Universe, site: Site, devices: readonly Device[]): Promise<void> {
  const { clock } = universe;
  let open = devices.length;
  const users = new Set<string>();
  for (const device of devices) {
    const { session, id } = device;
    const first = !users.has(device.user);
    users.add(device.user);
    if (session === null) {
      open -= 1;
      continue;
    }
    const bodies = session.pending().map(({ body }) => Buffer.from(body).toString());
    universe.fact({ kind: 'pending', device: id, bodies });
    read(universe, device, session, first)
      .catch((error: unknown) =>
        universe.fact({ kind: 'trouble', where: id, what: `reading at rest: ${codeOf(error)}` }),
      )
      .finally(() => {
        open -= 1;
        if (open === 0) clock.stop();
      });
  }
  if (open > 0) await clock.run(clock.now + PATIENCE_MS);
  for (const node of site.nodes)
    universe.fact({ kind: 'probe', node: node.name, rest: false, gauges: node.gauges(false) });
}

async function read(universe: Universe, device: Device, session: Session, first: boolean): Promise<void> {
  const summaries = await session.chats();
  universe.fact({
    kind: 'list',
    device: device.id,
    chats: summaries.map(({ id, head, read: upTo, unread, muted, pinned, archived, markedUnread }) => ({
      chat: id,
      head,
      read: upTo,
      unread,
      muted,
      pinned,
      archived,
      markedUnread,
    })),
  });
  if (!first) return;
  for (const { chat, id } of summaries) {
    if (id === '') continue;
    device.name(chat);
    universe.fact({ kind: 'log', user: device.user, chat: id, entries: await everything(chat) });
    await members(universe, device, chat);
  }
}

async function everything(chat: Chat): Promise<Entry[]> {
  const entries: Entry[] = [];
  let before = 0;
  for (;;) {
    const { items, more } = await chat.history({ before, limit: PAGE });
    entries.unshift(...items.map(entryOf));
    before = items[0]?.seq ?? 0;
    if (!more || before <= 1) return entries;
  }
}

/** Who is no member any more is refused: then somebody else's word counts. */
async function members(universe: Universe, { user }: Device, chat: Chat): Promise<void> {
  try {
    const { members: all } = await chat.info();
    const standings = all.map(({ user: name, role, delivered, read: upTo }) => ({
      user: name,
      role,
      delivered,
      read: upTo,
    }));
    universe.fact({ kind: 'info', user, chat: chat.id, members: standings });
  } catch (error) {
    universe.note(`info of ${chat.id} for ${user}: ${codeOf(error)}`);
  }
}
