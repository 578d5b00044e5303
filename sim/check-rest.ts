// Owns the rules about the end: the world comes to rest in time, nothing waits, counts are right, nothing leaks or went wrong.
// Invariant: what is read at rest is compared with the logs, by the words of docs/client.md and docs/wire.md.
// Must not: judge single messages (the other check-*.ts do).

import type { Evidence, LifeStory } from './evidence.js';
import type { Listed } from './record.js';
import { LAST_MOMENTS, type Rule, SESSION_ENDS } from './rule.js';
import { entryOf, isErased, short } from './says.js';
import type { WireEntry } from './sights.js';
import type { ChatStory } from './story.js';

const converges: Rule = {
  name: 'comes_to_rest',
  promise: 'when faults are over, everything is delivered and quiet within a bounded time',
  check({ of }, fault) {
    for (const { reached, ms, why } of of('rest')) if (!reached) fault(`not at rest ${ms} ms after the calm: ${why}`);
    if (of('rest').length === 0) fault('nobody waited for rest');
  },
};

const settled: Rule = {
  name: 'settled',
  promise:
    'in the end every message that was sent is acknowledged, refused for good, or was lost with its own device alone',
  check({ sends, lives, of }, fault) {
    for (const { device, bodies } of of('pending')) {
      if (bodies.length > 0)
        fault(`${device} still waits with ${bodies.length}: ${bodies.slice(0, 3).map(short).join(', ')}`);
    }
    const waiting = new Set(of('pending').flatMap(({ bodies }) => bodies));
    for (const { send, sent, failed } of sends.values()) {
      if (sent.length > 0 || waiting.has(send.body)) continue;
      if (failed.some(({ code }) => !SESSION_ENDS.includes(code))) continue;
      const runs = lives.get(send.device) ?? [];
      const run = runs.find(({ life }) => life === send.life);
      if (run === undefined || diedEarly(run, send.at) || runs.at(-1)?.end !== null || wiped(runs, run)) continue;
      fault(`${short(send.body)} of ${send.device} was neither acknowledged nor refused, and does not wait`, send.at);
    }
  },
};

/** Killed before the message was on the device's disk, or the disk failed. */
function diedEarly(run: LifeStory, at: number): boolean {
  return run.storeFailed || (run.end?.how === 'killed' && run.end.at - at < LAST_MOMENTS);
}

/** The store was emptied later, with what waited in it. */
function wiped(runs: readonly LifeStory[], run: LifeStory): boolean {
  return runs.some(({ fresh, life }) => fresh && life > run.life);
}

const answered: Rule = {
  name: 'answered',
  promise: 'every request of an application is answered or refused while it lives',
  check({ requests, lives }, fault) {
    for (const { asked, answered } of requests.values()) {
      if (answered !== null) continue;
      const run = lives.get(asked.device)?.find(({ life }) => life === asked.life);
      if (run === undefined || run.end !== null) continue;
      fault(`${asked.what} of ${asked.device} has no answer`, asked.at);
    }
  },
};

const unread: Rule = {
  name: 'unread',
  promise: 'in the end a list of chats tells their newest entry, how far they are read, and how many messages are not',
  check(evidence, fault) {
    const { of, chats, plan } = evidence;
    for (const { device, chats: listed } of of('list')) {
      const user = evidence.userOf(device);
      for (const row of listed) {
        const chat = chats.get(row.chat);
        const log = chat?.logs.get(user);
        if (chat === undefined || log === undefined || log.length === 0) continue;
        const large = evidence.large(chat);
        const sole = plan.users.find((each) => each.user === user)?.devices.length === 1;
        // Of large groups it learns only now and then what another device read.
        if (large && !sole) continue;
        const head = Math.max(...[...chat.ever.keys()].filter((seq) => chat.visible(user, seq)));
        // When who left did so is known where nothing is missing (seed 200609).
        const known = chat.whole || chat.members().includes(user);
        if (row.head !== head && known && !evidence.ends(chat.id))
          fault(`${device} lists ${row.head} as newest of ${chat.id.slice(0, 8)}, there is ${head}`);
        // Under a retention the count is of what the device had (docs/wire.md: clients count for themselves).
        // With a backfill a device counts what it has, and what LIST told beyond that.
        if (evidence.ends(chat.id) || row.read > head || plan.options.backfill > 0) continue;
        // Who left is not told of later deletions.
        if (!chat.members().includes(user)) continue;
        const many = Math.min(1_000, unreadIn(chat, user, row));
        if (row.unread !== many)
          fault(`${device} shows ${row.unread} unread in ${chat.id.slice(0, 8)} after ${row.read}; there are ${many}`);
      }
    }
    agree(evidence, fault);
  },
};

function unreadIn(chat: ChatStory, user: string, { read }: Listed): number {
  const log = chat.logs.get(user) ?? [];
  return log.filter((entry) => entry.seq > read && entry.type === 'message' && entry.from !== user && !isErased(entry))
    .length;
}

/** All devices of a user show the same. */
function agree({ of, userOf, chats, large: isLarge }: Evidence, fault: (detail: string) => void): void {
  const first = new Map<string, { readonly device: string; readonly text: string }>();
  for (const { device, chats: listed } of of('list')) {
    for (const row of listed) {
      const key = `${userOf(device)} ${row.chat}`;
      const chat = chats.get(row.chat);
      // In a chat that one has left nobody is told of a reading, one's other devices neither.
      const large = chat === undefined || isLarge(chat) || !chat.members().includes(userOf(device));
      const { muted, pinned, archived, markedUnread } = row;
      const read = large ? 0 : readOf(chat, userOf(device), row.read);
      const text = JSON.stringify({ muted, pinned, archived, markedUnread, read });
      const known = first.get(key);
      if (known === undefined) first.set(key, { device, text });
      else if (known.text !== text)
        fault(`of ${row.chat.slice(0, 8)} ${known.device} shows ${known.text}, ${device} ${text}`);
    }
  }
}

/**
 * The newest message of others that was read: what the user wrote himself, events and what was deleted are not to be read, so
 * nobody asks how far another device has read of them (docs/client.md; seed 205010).
 */
function readOf(chat: ChatStory, user: string, read: number): number {
  const log = chat.logs.get(user);
  if (log === undefined) return read;
  return log.findLast(({ seq, from, type }) => seq <= read && from !== user && type === 'message')?.seq ?? 0;
}

const bounded: Rule = {
  name: 'bounded',
  promise: 'every queue, buffer and table stays within its limit; at rest nothing is left of what is over',
  check({ of }, fault) {
    for (const { node, rest, gauges, at } of of('probe')) {
      for (const { name, value, most } of gauges) {
        if (value > most) fault(`${node}${rest ? ' at rest' : ''}: ${name} is ${value}, at most ${most}`, at);
      }
    }
  },
};

const calm: Rule = {
  name: 'nothing_thrown',
  promise: 'no fault of the world makes the product throw, reject unhandled or break an invariant',
  check({ of }, fault) {
    for (const { where, what, at } of of('trouble')) fault(`${where}: ${what}`, at);
    for (const { device, code, detail, at } of of('error')) {
      if (code === 'diverged' || code === 'bad_response' || code === 'listener_failed')
        fault(`${device}: ${code} ${detail}`, at);
    }
  },
};

const presence: Rule = {
  name: 'presence',
  promise: 'in the end who watches a chat knows which of its members are online',
  check(evidence, fault) {
    const { wire, taps, chats, of, plan, requests } = evidence;
    const shy = new Set(
      [...requests.values()]
        .filter(({ asked }) => ['privacy', 'block', 'unblock'].includes(asked.what))
        .flatMap(({ asked, user }) => [user, ...asked.users]),
    );
    const watched = new Map<number, Set<string>>();
    const told = new Map<string, boolean>();
    const rest = of('rest').at(-1)?.order ?? 0;
    for (const { order, tap, way, what } of wire) {
      if (order > rest) break;
      if (way === 'in' && what.kind === 'watch') {
        const set = watched.get(tap.link) ?? new Set<string>();
        watched.set(tap.link, set);
        if (what.on) set.add(what.chat);
        else set.delete(what.chat);
      }
      // A watch ends with membership (docs/wire.md); who is a member again watches anew (seeds 23349, 2952).
      if (way === 'out' && what.kind === 'entry' && what.by === 'push' && ends(what.entry, tap.user))
        watched.get(tap.link)?.delete(what.entry.chat);
      if (way === 'out' && what.kind === 'presence' && what.precision === 0)
        told.set(`${tap.link} ${what.user}`, what.online);
    }
    if (of('rest').some(({ reached }) => !reached)) return;
    // A node that died does not say that its links ended: the newest of each device counts.
    const newest = [...new Map(taps.map((tap) => [tap.device === '' ? tap.link : tap.device, tap])).values()];
    const online = new Set(newest.filter(({ open, user }) => open && user !== '').map(({ user }) => user));
    for (const tap of newest) {
      if (!tap.open || tap.device === '' || shy.has(tap.user)) continue;
      for (const id of watched.get(tap.link) ?? []) {
        const chat = chats.get(id);
        const members = chat === undefined ? [] : present(evidence, chat);
        if (!members.includes(tap.user) || members.length > Math.min(256, plan.options.fanOutThreshold)) continue;
        for (const member of members) {
          const shown = told.get(`${tap.link} ${member}`);
          if (member === tap.user || shy.has(member) || shown === undefined || shown === online.has(member)) continue;
          fault(`${tap.device} is told that ${member} is ${shown ? 'online' : 'away'}, who is not`);
        }
      }
    }
  },
};

/**
 * Who is in the chat at the end: as its log says or, where something of that was never seen, as its members are told. Events end as
 * messages do (docs/wire.md), also the one by which a user left (seed 942474021562 of the cluster).
 */
function present({ of }: Evidence, chat: ChatStory): readonly string[] {
  if (chat.type === 1 || chat.whole) return chat.members();
  const told = of('info').find((info) => info.chat === chat.id)?.members ?? [];
  return told.filter(({ role }) => role !== 'gone').map(({ user }) => user);
}

/** The event ends the user's membership. */
function ends(entry: WireEntry, user: string): boolean {
  const { event, from } = entryOf(entry);
  return (event?.change === 'left' && from === user) || (event?.change === 'removed' && event.users.includes(user));
}

export const restRules = [converges, settled, answered, unread, bounded, calm, presence];
