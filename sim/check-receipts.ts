// Owns the rules about receipts: what is told of somebody's position is true, lasting, and in the end known to the sender.
// Invariant: the truth is what the user's applications finished and said as read, and what their devices claimed on the wire.
// Must not: judge users some of whose devices are not ours; those may claim anything.

import { beginningOf, havingOf } from './check-views.js';
import type { Evidence, LifeStory } from './evidence.js';
import type { ChatId, DeviceName, Standing } from './record.js';
import type { Fault, Rule } from './rule.js';

const trueClaims: Rule = {
  name: 'receipts_true',
  promise: 'nobody is told that a user has, or has read, what none of his devices claimed',
  check({ wire, hostile }, fault) {
    const claimed = new Map<string, { delivered: number; read: number }>();
    for (const { at, tap, way, what } of wire) {
      if (way === 'in') {
        if (what.kind !== 'ack') continue;
        const key = `${what.chat} ${tap.user === '' ? userOf(tap.device) : tap.user}`;
        const before = claimed.get(key) ?? { delivered: 0, read: 0 };
        claimed.set(key, {
          delivered: Math.max(before.delivered, what.delivered),
          read: Math.max(before.read, what.read),
        });
        continue;
      }
      if (what.kind !== 'receipt' || hostile.has(what.user)) continue;
      const { delivered, read } = claimed.get(`${what.chat} ${what.user}`) ?? { delivered: 0, read: 0 };
      if (what.delivered > Math.max(delivered, read) || what.read > read) {
        fault(
          `${tap.device} was told ${what.delivered}/${what.read} of ${what.user} in ${what.chat.slice(0, 8)}, who claimed ${delivered}/${read}`,
          at,
        );
      }
    }
  },
};

const possible: Rule = {
  name: 'receipts_possible',
  promise: 'nobody, whatever he claims, is said to have or to have read what is not there',
  check({ wire, chats, of, userOf }, fault) {
    // Cleared by its only member before anything of it was seen: what was there is not known (seeds 679278207404, 437014155747).
    const unseen = (chat: ChatId): boolean => (chats.get(chat)?.head ?? 0) === 0;
    const beyond = (chat: ChatId, top: number): boolean => top > (chats.get(chat)?.head ?? 0);
    for (const { at, tap, way, what } of wire) {
      if (way === 'in' || (what.kind !== 'receipt' && what.kind !== 'tally')) continue;
      const top = Math.max(what.delivered, what.read);
      if (unseen(what.chat) && what.kind === 'receipt' && what.user === userOf(tap.device)) continue;
      if (beyond(what.chat, top)) fault(`${tap.device} was told of ${top} in ${what.chat.slice(0, 8)}`, at);
    }
    for (const { chat, members } of of('info')) {
      if (unseen(chat)) continue;
      for (const { user, delivered, read } of members) {
        if (beyond(chat, Math.max(delivered, read)))
          fault(`${user} stands at ${delivered}/${read} in ${chat.slice(0, 8)}`);
      }
    }
  },
};

const honest: Rule = {
  name: 'acks_true',
  promise: 'the SDK acknowledges what the application has finished, and tells as read what it was told to',
  check(evidence, fault) {
    const { wire, lives, chats, hostile } = evidence;
    const claims = new Map<string, Claim[]>();
    for (const { at, order, tap, way, what } of wire) {
      if (way !== 'in' || what.kind !== 'ack') continue;
      const key = `${tap.device} ${what.chat}`;
      const all = claims.get(key) ?? [];
      claims.set(key, all);
      all.push({ at, order, delivered: what.delivered, read: what.read });
    }
    for (const [device, runs] of lives) {
      const user = runs[0]?.user ?? '';
      if (hostile.has(user)) continue;
      const installed = runs.slice(
        Math.max(
          0,
          runs.findLastIndex(({ fresh }) => fresh),
        ),
      );
      const since = installed[0]?.start.order ?? 0;
      for (const chat of chats.values()) {
        const said = evidence
          .of('read')
          .filter((each) => evidence.userOf(each.device) === user && each.chat === chat.id);
        const read = Math.max(0, ...said.map(({ seq }) => seq));
        const had = havingOf(installed, chat, evidence);
        const from = beginningOf(installed, chat.id, evidence);
        const lacks = (chat.logs.get(user) ?? []).find(({ seq }) => seq >= from && !had.has(seq));
        const wrong = claims
          .get(`${device} ${chat.id}`)
          ?.find(
            (claim) =>
              claim.read > read || (claim.order > since && lacks !== undefined && claim.delivered >= lacks.seq),
          );
        if (wrong === undefined) continue;
        fault(
          `${device} claims ${wrong.delivered}/${wrong.read} of ${chat.id.slice(0, 8)}; it lacks ${lacks?.seq ?? 'nothing'}, read is ${read}`,
          wrong.at,
        );
      }
    }
  },
};

interface Claim {
  readonly at: number;
  readonly order: number;
  readonly delivered: number;
  readonly read: number;
}

const early: Rule = {
  name: 'acks_in_time',
  promise: 'a message counts as delivered only once a listener has finished with it',
  check(evidence, fault) {
    const { facts, wire, lives, chats } = evidence;
    const had = new Map<string, Set<number>>();
    const own = new Map<string, Set<number>>();
    const note = (into: Map<string, Set<number>>, device: DeviceName, chat: string, seq: number): void => {
      const key = `${device} ${chat}`;
      const set = into.get(key) ?? new Set<number>();
      into.set(key, set.add(seq));
    };
    // A device's own entries are not handed to it; that it will learn of them later does no harm here.
    for (const { device, chat, seq } of evidence.of('sent')) note(own, device, chat, seq);
    for (const { asked, answered } of evidence.requests.values()) {
      if (answered?.code === '' && answered.seq > 0) note(own, asked.device, answered.chat, answered.seq);
    }
    for (const [key, numbers] of evidence.changed)
      own.set(key, new Set([...(own.get(key) ?? []), ...numbers.map(({ seq }) => seq)]));
    let next = 0;
    for (const { order, at, tap, way, what } of wire) {
      for (; next < order; next += 1) {
        const fact = facts[next]!;
        if (fact.kind === 'handled') note(had, fact.device, fact.chat, fact.seq);
        // What ended before it could be shown again will not come.
        if (fact.kind === 'truncated') {
          for (let seq = fact.from; seq <= fact.to; seq += 1) note(had, fact.device, fact.chat, seq);
        }
      }
      if (way !== 'in' || what.kind !== 'ack' || !lives.has(tap.device)) continue;
      const chat = chats.get(what.chat);
      const runs = lives.get(tap.device) ?? [];
      // What other installations of the device were or will be shown is their own affair.
      const fresh = Math.max(
        0,
        runs.findLastIndex((run) => run.fresh && run.start.order < order),
      );
      const end = runs.findIndex((run, place) => place > fresh && run.fresh);
      const installed = runs.slice(fresh, end < 0 ? runs.length : end);
      // With a backfill a chat that was not written down begins anew, further up.
      const present =
        evidence.plan.options.backfill > 0 ? installed.filter((run) => run.start.order < order).slice(-1) : installed;
      const gone = evidence.ends(what.chat);
      const shown = present.flatMap((run) =>
        run.shown.filter(
          ({ chat: of, entry }) =>
            of === what.chat &&
            // What ended by its age after the application that was shown it had ended does not come again (seed 539639317151).
            !(gone && run.end !== null && run.end.order < order && !chat?.final.has(entry.seq)),
        ),
      );
      const key = `${tap.device} ${what.chat}`;
      const user = runs[0]?.user ?? '';
      const open = shown.find(
        ({ entry: { seq } }) =>
          seq <= what.delivered &&
          had.get(key)?.has(seq) !== true &&
          own.get(key)?.has(seq) !== true &&
          // What its user cleared, on any device, is not handed to it again after it ended in the middle of it.
          !evidence.hid(user, what.chat, seq),
      );
      if (chat === undefined || open === undefined || what.by === 'read') continue;
      fault(
        `${tap.device} acknowledged ${what.delivered} of ${what.chat.slice(0, 8)} and has not finished ${open.entry.seq}`,
        at,
      );
    }
  },
};

const ticks: Rule = {
  name: 'ticks',
  promise: 'in the end whoever sent a message knows who has it and who has read it',
  check(evidence: Evidence, fault) {
    const seen = new Set<string>();
    for (const { chat, members } of evidence.of('info')) {
      if (seen.has(chat)) continue;
      seen.add(chat);
      const present = members.filter(({ role }) => role !== 'gone');
      for (const [device, runs] of evidence.lives) {
        const run = runs.at(-1);
        const others = present.filter(({ user }) => user !== run?.user);
        if (run === undefined || run.end !== null || others.length === present.length) continue;
        const mine = newestOf(evidence, device, runs, chat);
        if (mine > 0) judgeTicks(evidence, run, chat, mine, others, fault);
      }
    }
  },
};

/**
 * The newest message of a chat that this installation sent, or in a direct chat its user before it began, as far as it was shown
 * that: of what a backfill left out it does not ask (seed 7770203 of the cluster). What another device sent while it was away it
 * learns of by INFO (docs/client.md).
 */
function newestOf(
  { sends, chats, userOf, hid }: Evidence,
  device: DeviceName,
  runs: readonly LifeStory[],
  chat: ChatId,
): number {
  const fresh = runs.findLast((each) => each.fresh)?.start.order ?? 0;
  const direct = chats.get(chat)?.type === 1;
  const shown = new Set(
    runs
      .filter(({ start }) => start.order >= fresh)
      .flatMap((run) => run.shown.filter((each) => each.chat === chat).map(({ entry }) => entry.seq)),
  );
  const numbers = [...sends.values()].flatMap(({ send, sent }) => {
    const here = send.device === device && send.order > fresh;
    const before = direct && userOf(send.device) === userOf(device);
    const told = sent.filter(
      ({ chat: of, order, seq }) =>
        of === chat && (here || (before && order < fresh && shown.has(seq) && !hid(userOf(device), chat, seq))),
    );
    return told.map(({ seq }) => seq);
  });
  const newest = Math.max(0, ...numbers);
  return chats.get(chat)?.final.has(newest) === true ? newest : 0;
}

function judgeTicks(
  evidence: Evidence,
  { device, receipts }: LifeStory,
  id: ChatId,
  mine: number,
  others: readonly Standing[],
  fault: Fault,
): void {
  const chat = evidence.chats.get(id);
  if (chat === undefined) return;
  const heard = receipts.filter((each) => each.chat === id);
  // A group that was ever large, by its members or by a struck site, tells only what all of them have.
  const large = evidence.large(chat);
  // Who came later has it not, whatever his position says.
  const addressed = others.filter(({ user }) => chat.visible(user, mine));
  for (const by of ['delivered', 'read'] as const) {
    const known = (user: string): number =>
      Math.max(0, ...heard.filter((each) => each.user === user || each.user === '').map((each) => each[by]));
    const have = addressed.filter((each) => each[by] >= mine);
    if (large && have.length < addressed.length) continue;
    const unknown = have.find(({ user }) => known(user) < mine);
    if (unknown !== undefined)
      fault(
        `${device} does not know that ${unknown.user} stands at ${mine} of ${id.slice(0, 8)} (${by}; told ${known(unknown.user)})`,
      );
  }
}

const reached: Rule = {
  name: 'delivered_at_rest',
  promise: 'in the end a user whose device has everything is shown to have everything',
  check({ of, chats, lives, hostile, plan }, fault) {
    // A device that has not the whole chat cannot say that it has.
    if (plan.options.backfill > 0) return;
    for (const { chat: id, members } of of('info')) {
      const chat = chats.get(id);
      // Without a head: as above.
      if (chat === undefined || chat.head === 0) continue;
      for (const { user, role, delivered, read } of members) {
        if (role === 'gone' || hostile.has(user)) continue;
        const log = chat.logs.get(user) ?? [];
        const live = [...lives.values()].some((runs) => runs.at(-1)?.user === user && runs.at(-1)?.end === null);
        const owed = log.findLast(({ from }) => from !== user)?.seq ?? 0;
        if (live && delivered < owed) fault(`${user} has ${owed} of ${id.slice(0, 8)}, and stands at ${delivered}`);
        if (delivered > chat.head || read > delivered)
          fault(`${user} stands at ${delivered}/${read} of ${chat.head} in ${id.slice(0, 8)}`);
      }
    }
  },
};

/** Of a frame that came before WELCOME. */
function userOf(device: DeviceName): string {
  return device.split('.')[0] ?? '';
}

export const receiptRules = [trueClaims, possible, honest, early, ticks, reached];
