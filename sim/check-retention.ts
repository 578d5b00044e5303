// Owns the rule about what retention takes: nothing that somebody still waits for goes without a word.
// Invariant: whether a device had an entry is judged by what it acknowledged on the wire before the log lost it.
// Must not: know when sweeping takes place; only what is gone at the end.

import type { Evidence } from './evidence.js';
import type { ChatId } from './record.js';
import type { Rule } from './rule.js';
import { show } from './says.js';
import type { ChatStory } from './story.js';

const told: Rule = {
  name: 'expired_is_told',
  promise:
    'an entry goes only when every registered device of every member has it, or its end is told by an event `expired`',
  check(evidence, fault) {
    const acked = claims(evidence);
    for (const chat of evidence.chats.values()) {
      if (chat.type === 0 || chat.logs.size === 0 || !evidence.ends(chat.id) || !chat.whole) continue;
      const announced = [...chat.ever.values()].flatMap(({ event }) =>
        event?.change === 'expired' ? [[event.first ?? 0, event.last ?? 0] as const] : [],
      );
      for (const entry of chat.ever.values()) {
        // Its own end is never told: what an `expired` said was said when it came.
        if (chat.final.has(entry.seq) || entry.type === 'event') continue;
        if (announced.some(([first, last]) => entry.seq >= first && entry.seq <= last)) continue;
        // Whoever read the log had hidden it from himself: it may be there (seed 640200001104).
        const sees = (user: string): boolean =>
          chat.visible(user, entry.seq) && !evidence.hid(user, chat.id, entry.seq);
        if (![...chat.logs.keys()].some(sees)) continue;
        const without = chat
          .members()
          .find(
            (user) =>
              chat.visible(user, entry.seq) && user !== entry.from && !has(acked, chat, user, entry.seq, evidence),
          );
        if (without !== undefined)
          fault(
            `chat ${chat.id.slice(0, 8)}: ${entry.seq} (${show(entry)}) is gone, ${without} never had it, and nobody was told`,
          );
      }
    }
  },
};

/** Highest number that each device claimed to have, by chat. */
function claims({ wire }: Evidence): Map<string, number> {
  const acked = new Map<string, number>();
  for (const { tap, way, what } of wire) {
    if (way !== 'in' || what.kind !== 'ack') continue;
    const key = `${what.chat} ${tap.device}`;
    acked.set(key, Math.max(acked.get(key) ?? 0, what.delivered, what.read));
  }
  return acked;
}

/** Some device of the user claimed it, or he has no device that could. */
function has(
  acked: ReadonlyMap<string, number>,
  { id }: ChatStory,
  user: string,
  seq: number,
  { taps, hostile }: Evidence,
): boolean {
  if (hostile.has(user)) return true;
  const devices = new Set(taps.filter((tap) => tap.user === user).map(({ device }) => device));
  return (
    devices.size > 0 &&
    [...devices].some((device) => (acked.get(`${id} ${device}` satisfies `${ChatId} ${string}`) ?? 0) >= seq)
  );
}

const registered: Rule = {
  name: 'kept_until_delivered',
  promise: 'under `until-delivered` no device that is registered finds a message gone that it had not acknowledged',
  check(evidence, fault) {
    if (evidence.plan.options.retention !== 'until-delivered') return;
    const { of, chats, lives } = evidence;
    const announced = (chat: ChatStory, seq: number): boolean =>
      [...chat.ever.values()].some(
        ({ event }) => event?.change === 'expired' && seq >= (event.first ?? 0) && seq <= (event.last ?? 0),
      );
    for (const { device, chat: id, from, to, at, life } of of('truncated')) {
      const chat = chats.get(id);
      const runs = lives.get(device) ?? [];
      if (chat === undefined || !chat.whole || runs[0] === undefined) continue;
      // A timer of the chat ends its entries whoever lacks them.
      if ([...evidence.requests.values()].some(({ asked }) => asked.what === 'expiry' && asked.chat === id)) continue;
      // Asked for before the application knew the chat's id (seed 30812).
      if ([...chat.ever.values()].some(({ event }) => event?.change === 'expiry')) continue;
      const had = new Set(runs.flatMap((run) => run.handled.filter((each) => each.chat === id).map(({ seq }) => seq)));
      // Of a chat that a vector lacked, what is before the backfill it asked for is not coming (docs/wire.md), kept or not (seed 203540).
      if (evidence.plan.options.backfill > 0 && Math.min(...had) > to) continue;
      const fresh = runs.findLast((run) => run.fresh && run.life <= life);
      // A removed device claims nothing, and one that its token from the next second lets in again claims from then on (seed 728226).
      const removals = [...evidence.requests.values()].filter(
        ({ asked }) => asked.what === 'remove_device' && asked.users[0] === device,
      );
      if (removals.some(({ asked }) => asked.order > (fresh?.start.order ?? 0))) continue;
      for (let seq = from; seq <= to; seq += 1) {
        const entry = chat.ever.get(seq);
        const sent = entry === undefined ? undefined : evidence.sends.get(entry.body)?.sent[0];
        // Owed is what was sent after the device was registered.
        if (
          entry === undefined ||
          sent === undefined ||
          fresh === undefined ||
          sent.order < registeredAt(evidence, device, fresh.start.order)
        )
          continue;
        if (had.has(seq) || entry.from === runs[0].user || chat.final.has(seq) || announced(chat, seq)) continue;
        // Who leaves claims nothing any more, nor does he when he is back (seed 337972832284 of the cluster).
        const stays = chat.stays(runs[0].user).some((stay) => seq >= stay.from && stay.to === Number.POSITIVE_INFINITY);
        if (stays && !evidence.hid(runs[0].user, id, seq)) {
          fault(
            `${device} was told that ${seq} of ${id.slice(0, 8)} will not come; it was registered, and nobody was told of an end`,
            at,
          );
        }
      }
    }
  },
};

function registeredAt({ wire }: Evidence, device: string, after: number): number {
  const welcome = wire.find(
    ({ order, tap, way, what }) => order > after && tap.device === device && way === 'out' && what.kind === 'welcome',
  );
  return welcome?.order ?? Number.POSITIVE_INFINITY;
}

export const retentionRules = [told, registered];
