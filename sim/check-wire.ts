// Owns the rules about what leaves a node: to whom, in which order, within which credit, after what was forbidden.
// Invariant: judged at the node's socket, so what a broken link swallowed counts as told.
// Must not: judge what applications make of it (check-views.ts).

import type { Evidence } from './evidence.js';
import type { Rule } from './rule.js';
import { entryOf, short, show } from './says.js';
import { nodeOf } from './tenures.js';

/** ms by which the clock of whoever issues tokens is ahead. */
const AHEAD = 1_000;
/** ms that what was under way when a change was answered may take: the last word to a device that was removed, a page of a log. */
const CLOSING = 1_000;

const membersOnly: Rule = {
  name: 'members_only',
  promise: 'no frame brings an entry to somebody who was no member at that place of the log',
  check({ wire, chats }, fault) {
    for (const { at, tap, way, what } of wire) {
      if (way === 'in' || what.kind !== 'entry') continue;
      const { entry } = what;
      const chat = chats.get(entry.chat);
      if (chat === undefined || chat.type === 0 || !chat.whole) continue;
      if (!chat.visible(tap.user, entry.seq))
        fault(`${tap.user} got ${entry.seq} of ${entry.chat.slice(0, 8)} (${show(entryOf(entry))})`, at);
    }
  },
};

const streamed: Rule = {
  name: 'streamed_in_order',
  promise: 'one connection gets the entries of a chat in order, each once (unless it asks to begin anew)',
  check({ wire, answersLate, cutOff }, fault) {
    const last = new Map<string, number>();
    /** Up to where the client has a chat by its last SYNC. */
    const had = new Map<string, number>();
    /** By link: where its CERTs have its chats begin. What was streamed before a SYNC was read has some too: the last before SYNCED holds. */
    const begun = new Map<number, Map<string, number>>();
    for (const { at, tap, way, what } of wire) {
      if (way === 'in') continue;
      if (what.kind === 'cert') {
        const certified = begun.get(tap.link) ?? new Map<string, number>();
        begun.set(tap.link, certified.set(`${tap.link} ${what.chat}`, what.start - 1));
      } else if (what.kind === 'synced') {
        for (const [key, before] of begun.get(tap.link) ?? []) {
          last.set(key, before);
          had.set(key, before);
        }
        begun.delete(tap.link);
      }
      if (what.kind !== 'entry' || what.by !== 'push') continue;
      const { chat, seq } = what.entry;
      const key = `${tap.link} ${chat}`;
      const before = last.get(key) ?? 0;
      // Read from the store before its chat knew that it is there, then told by the chat; or told, held up at a node on its way, and
      // read meanwhile (seed 110395083007 of the cluster): the SDK has it already.
      const known = answersLate(at) || (seq <= (had.get(key) ?? 0) && cutOff(null, at));
      if (seq <= before && !known)
        fault(`link ${tap.link} of ${tap.device}: ${seq} of ${chat.slice(0, 8)} after ${before}`, at);
      last.set(key, Math.max(seq, before));
      begun.get(tap.link)?.delete(key);
    }
  },
};

const credit: Rule = {
  name: 'credit',
  promise: 'a client gets no more entries than it has room for',
  check({ wire }, fault) {
    const left = new Map<number, number>();
    for (const { at, tap, way, what } of wire) {
      const now = left.get(tap.link) ?? 0;
      if (way === 'in') {
        if (what.kind === 'hello' && !left.has(tap.link)) left.set(tap.link, what.credit);
        if (what.kind === 'credit') left.set(tap.link, now + what.n);
      } else if (what.kind === 'entry' && what.by === 'push') {
        left.set(tap.link, now - 1);
        if (now === 0)
          fault(
            `link ${tap.link} of ${tap.device} has no credit, and got ${what.entry.seq} of ${what.entry.chat.slice(0, 8)}`,
            at,
          );
      }
    }
  },
};

const wellFormed: Rule = {
  name: 'well_formed',
  promise:
    'every frame of a node is one of docs/wire.md, with aliases that were announced and answers to what was asked',
  check({ wire }, fault) {
    for (const { at, tap, way, what } of wire) {
      if (way === 'in') continue;
      if (what.kind === 'garbled') fault(`link ${tap.link} of ${tap.device}: ${what.why}`, at);
      else if ('chat' in what && what.chat.startsWith('alias'))
        fault(`link ${tap.link}: ${what.chat} was not announced`, at);
      else if ('user' in what && what.user.startsWith('alias'))
        fault(`link ${tap.link}: ${what.user} was not announced`, at);
      else if (what.kind === 'entry' && (what.entry.chat.startsWith('alias') || what.entry.from.startsWith('alias'))) {
        fault(`link ${tap.link}: an alias of entry ${what.entry.seq} was not announced`, at);
      }
    }
  },
};

const hidden: Rule = {
  name: 'hidden_stays_hidden',
  promise: 'what a user cleared or deleted for himself comes to none of his devices any more',
  check(evidence, fault) {
    const { requests, chats, wire } = evidence;
    for (const { asked, answered, user } of requests.values()) {
      if (answered?.code !== '' || (asked.what !== 'clear' && asked.what !== 'delete_for_me')) continue;
      const top = asked.what === 'clear' ? Math.max(0, ...asked.values) : 0;
      const numbers = new Set(asked.values);
      const hides = (seq: number): boolean => seq <= top || numbers.has(seq);
      const found = chats
        .get(asked.chat)
        ?.logs.get(user)
        ?.find(({ seq }) => hides(seq));
      if (found !== undefined)
        fault(`${user} still reads ${found.seq} of ${asked.chat.slice(0, 8)} after ${asked.what}`);
      for (const { order, at, tap, way, what } of wire) {
        // What was being read at that moment may still come, and what the chat itself learnt later than a reader of the store.
        if (
          order <= answered.order ||
          at < answered.at + CLOSING ||
          way === 'in' ||
          tap.user !== user ||
          what.kind !== 'entry' ||
          evidence.cutOff(tap.node, at) ||
          evidence.answersLate(at)
        )
          continue;
        if (what.entry.chat === asked.chat && hides(what.entry.seq)) {
          fault(
            `${tap.device} got ${what.entry.seq} of ${asked.chat.slice(0, 8)} after ${asked.what} was answered`,
            at,
          );
        }
      }
    }
  },
};

const removed: Rule = {
  name: 'removed_device',
  promise: 'a device that was removed receives nothing any more',
  check(evidence, fault) {
    const { requests, wire, cutOff, lives } = evidence;
    for (const { asked, answered, user } of requests.values()) {
      if (asked.what !== 'remove_device' || answered?.code !== '') continue;
      const device = asked.users[0] ?? '';
      const teller = removerOf(evidence, user, device, answered.order);
      for (const { at, tap, way, what } of wire) {
        if (tap.device !== device || tap.user !== user || tap.opened >= asked.at || at < answered.at + CLOSING)
          continue;
        // By its token, which is from the future, it was let in after the removal (docs/wire.md: a later token may come back).
        const issued = lives.get(device)?.findLast((run) => run.fresh && run.start.at <= tap.opened)?.start.at ?? 0;
        if (answered.at <= issued + AHEAD) continue;
        // One that was about to say who it is to its user's node hears it from there (seed 101827757724 of the cluster).
        if (way === 'out' && what.kind === 'entry' && ![tap.node, teller].some((node) => cutOff(node, at))) {
          fault(
            `${device} was removed and got ${what.entry.seq} of ${what.entry.chat.slice(0, 8)} on a connection of before`,
            at,
          );
          break;
        }
      }
    }
  },
};

/** Key `05 user 00 device` is a device (docs/simulation.md). */
const DEVICE = 5;

/** The node that wrote the removal; '' where there is one only. */
function removerOf({ of }: Evidence, user: string, device: string, before: number): string {
  const name = `${user}\0${device.slice(user.length + 1)}`;
  const names = (key: Uint8Array): boolean => key[0] === DEVICE && Buffer.from(key).toString('utf8', 1) === name;
  const flush = of('flushed').findLast(
    ({ order, writes }) => order < before && writes.some(({ key, value }) => value !== null && names(key)),
  );
  return nodeOf(flush?.writes.find(({ key }) => names(key))?.by ?? '');
}

const answeredOnce: Rule = {
  name: 'acknowledged_number',
  promise:
    'a message that is sent again, over any connection and after any crash, is acknowledged with its first number',
  check(evidence: Evidence, fault) {
    const numbers = new Map<string, number>();
    for (const { at, tap, way, what } of evidence.wire) {
      if (way === 'in' || what.kind !== 'sent') continue;
      const key = `${what.send.chat} ${what.send.id}`;
      const first = numbers.get(key);
      if (first !== undefined && first !== what.seq)
        fault(`${short(what.send.body)} of ${tap.user} was acknowledged as ${first} and as ${what.seq}`, at);
      numbers.set(key, first ?? what.seq);
    }
  },
};

export const wireRules = [membersOnly, streamed, credit, wellFormed, hidden, removed, answeredOnce];
