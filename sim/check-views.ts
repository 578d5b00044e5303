// Owns the rules about what applications were shown: everything that is theirs to see, once, in order, and nothing else.
// Invariant: what counts as had is what a listener finished (handled), as docs/client.md says; a crash may bring back the last
// moments, never more, and never leaves anything out.
// Must not: look at frames (check-wire.ts).

import type { Evidence, LifeStory } from './evidence.js';
import type { DeviceName } from './record.js';
import { LAST_MOMENTS, type Rule } from './rule.js';
import { show } from './says.js';
import type { ChatStory } from './story.js';

const inOrder: Rule = {
  name: 'shown_in_order',
  promise:
    'an application is shown the entries of a chat in order and once; after a crash of its own at most the last moments again',
  check({ lives }, fault) {
    for (const [device, runs] of lives) {
      let past = new Map<string, Past>();
      for (const run of runs) {
        if (run.fresh) past = new Map();
        judgeRun(run, past, (detail, at) => fault(`${device} in life ${run.life}: ${detail}`, at));
      }
    }
  },
};

interface Past {
  /** When each number was handled; forgotten numbers may come again. */
  readonly handled: Map<number, number>;
  top: number;
}

function judgeRun(run: LifeStory, past: Map<string, Past>, fault: (detail: string, at: number) => void): void {
  const last = new Map<string, number>();
  for (const { chat, entry, at } of run.shown) {
    const before = last.get(chat) ?? 0;
    if (entry.seq <= before) fault(`${entry.seq} of ${chat.slice(0, 8)} came after ${before}`, at);
    last.set(chat, Math.max(before, entry.seq));
    const known = past.get(chat);
    if (known === undefined) continue;
    if (known.handled.has(entry.seq)) fault(`${entry.seq} of ${chat.slice(0, 8)} (${show(entry)}) came again`, at);
    else if (entry.seq < known.top && !known.handled.has(-entry.seq) && entry.from !== run.user) {
      // What this device itself wrote is not handed to it, and may be after a crash.
      fault(`${entry.seq} of ${chat.slice(0, 8)} came only after ${known.top} was handled`, at);
    }
  }
  // Who is replaced or refused ends as abruptly as by a crash: its position may not have been written.
  const mayRepeat = run.end?.how !== 'closed' || run.storeFailed;
  for (const { chat, seq, at, order } of run.handled) {
    const known = past.get(chat) ?? { handled: new Map<number, number>(), top: 0 };
    past.set(chat, known);
    known.handled.set(run.closing !== null && order > run.closing ? -seq : seq, at);
    known.top = Math.max(known.top, seq);
  }
  if (!mayRepeat) return;
  const edge = run.storeFailed ? run.start.at : (run.end?.at ?? 0) - LAST_MOMENTS;
  for (const { handled } of past.values()) {
    for (const [seq, at] of [...handled]) {
      if (at < edge || seq < 0) continue;
      handled.delete(seq);
      // Kept as a number that was had and may come again.
      handled.set(-seq, at);
    }
  }
}

const complete: Rule = {
  name: 'shown_all',
  promise: 'in the end every device has everything that its user can read in a chat, without a hole',
  check(evidence, fault) {
    const { lives, chats } = evidence;
    for (const [device, runs] of lives) {
      const present = runs.at(-1);
      if (present === undefined || present.end !== null) continue;
      const since = runs.slice(runs.findLastIndex(({ fresh }) => fresh));
      for (const chat of chats.values()) {
        const log = chat.logs.get(present.user);
        if (log === undefined) continue;
        const had = havingOf(since, chat, evidence);
        const from = beginningOf(since, chat.id, evidence);
        const owed = log.filter(({ seq }) => seq >= from);
        const missing = owed.filter(({ seq }) => !had.has(seq));
        if (missing.length === 0) continue;
        const list = missing.slice(0, 6).map((entry) => `${entry.seq} ${show(entry)}`);
        fault(`${device} lacks ${missing.length} of ${owed.length} of ${chat.id.slice(0, 8)}: ${list.join(', ')}`);
      }
    }
  },
};

/** Numbers that a device has: handled, or its own. */
export function havingOf(
  runs: readonly LifeStory[],
  chat: ChatStory,
  { of, requests, changed }: Evidence,
): Set<number> {
  const had = new Set<number>();
  const [first] = runs;
  if (first === undefined) return had;
  // What an installation before that one had is gone with its store.
  const { device, start } = first;
  const mine = (fact: { readonly device: DeviceName; readonly order: number }): boolean =>
    fact.device === device && fact.order >= start.order;
  for (const run of runs) for (const each of run.handled) if (each.chat === chat.id) had.add(each.seq);
  for (const each of of('sent')) if (mine(each) && each.chat === chat.id) had.add(each.seq);
  for (const { asked, answered } of requests.values()) {
    if (mine(asked) && answered?.code === '' && answered.chat === chat.id && answered.seq > 0) had.add(answered.seq);
  }
  for (const { seq, order } of changed.get(`${device} ${chat.id}`) ?? []) if (order >= start.order) had.add(seq);
  return had;
}

/** Where a device's log of a chat begins: with what it was handed first, where it asked for the newest entries only. */
export function beginningOf(runs: readonly LifeStory[], chat: string, { plan, of }: Evidence): number {
  const present = runs.at(-1);
  if (plan.options.backfill === 0 || present === undefined) return 1;
  // Anew with each run that finds no position of it, and above what a SYNC that did not list it yet left out.
  const handled = present.handled.filter((each) => each.chat === chat).map(({ seq }) => seq);
  const gaps = of('truncated').filter(
    (each) => each.device === present.device && each.life === present.life && each.chat === chat,
  );
  return Math.max(Math.min(...handled), ...gaps.map(({ to }) => to + 1));
}

const entitledToSee: Rule = {
  name: 'shown_only',
  promise: 'nobody is shown what was said before he joined, after he left, or in chats that are not his',
  check({ chats, lives }, fault) {
    for (const [device, runs] of lives) {
      for (const { user, shown } of runs) {
        for (const { chat: id, entry, at } of shown) {
          const chat = chats.get(id);
          if (chat === undefined || !chat.whole) continue;
          if (!chat.visible(user, entry.seq))
            fault(`${device} was shown ${entry.seq} of ${id.slice(0, 8)} (${show(entry)})`, at);
        }
      }
    }
    for (const chat of chats.values()) {
      for (const [user, log] of chat.logs) {
        if (!chat.whole) continue;
        const stranger = log.find(({ seq }) => !chat.visible(user, seq));
        if (stranger !== undefined)
          fault(`${user} reads ${stranger.seq} of ${chat.id.slice(0, 8)} (${show(stranger)})`);
      }
    }
  },
};

const readable: Rule = {
  name: 'readable',
  promise: 'HISTORY shows a user all that is his to see, but what he deleted for himself and what has ended',
  check({ chats, hid, ends }, fault) {
    for (const chat of chats.values()) {
      if (!chat.whole) continue;
      for (const [user, log] of chat.logs) {
        const mine = new Set(log.map(({ seq }) => seq));
        const [first, last] = [log[0]?.seq ?? Number.POSITIVE_INFINITY, log.at(-1)?.seq ?? 0];
        for (const { seq, event } of chat.ever.values()) {
          // What ends goes from the front, between one reading of the log and the next as well; its notice comes after what was
          // read then (seed 476012062276).
          const ended = ends(chat.id) && (seq < first || (event?.change === 'expired' && seq > last));
          if (!mine.has(seq) && !ended && !hid(user, chat.id, seq) && chat.visible(user, seq)) {
            fault(`${user} does not find ${seq} in ${chat.id.slice(0, 8)} (${show(chat.ever.get(seq)!)})`);
          }
        }
      }
    }
  },
};

export const viewRules = [inOrder, complete, entitledToSee, readable];
