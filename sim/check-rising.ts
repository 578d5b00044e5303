// Owns the rule that what is told of somebody's position never goes back, and is so at the end.
// Invariant: of one node every frame counts; of several what the SDK makes of them, since their frames have many ways.
// Must not: judge whether positions are true (check-receipts.ts).

import type { Evidence } from './evidence.js';
import type { Fault, Rule } from './rule.js';

/** The frame INFO (docs/wire.md §4). */
const INFO = 12;

export const neverBack: Rule = {
  name: 'receipts_rise',
  promise: 'delivered and read of a user never go back, for anybody, and what was told is so at the end',
  check(evidence, fault) {
    const told = new Map<string, { delivered: number; read: number }>();
    const said = new Map<string, { readonly order: number; readonly delivered: number; readonly read: number }[]>();
    /** By user and chat, when INFO was asked for. */
    const asks = new Map<string, number[]>();
    for (const { at, order, tap, way, what } of evidence.wire) {
      if (what.kind === 'ask' && what.asked.type === INFO) {
        const key = `${tap.user} ${what.asked.fields[0]}`;
        asks.set(key, [...(asks.get(key) ?? []), order]);
      }
      if (way === 'in' || (what.kind !== 'receipt' && what.kind !== 'tally')) continue;
      const user = what.kind === 'receipt' ? what.user : '';
      const key = `${tap.user} ${tap.deviceId} ${what.chat} ${user}`;
      const before = told.get(key);
      const { delivered, read } = what;
      // Of several nodes the one that had a chat may be heard after its successor: there the SDK sees to it (below).
      const back = before !== undefined && (delivered < before.delivered || read < before.read);
      if (back && evidence.plan.cluster === undefined) {
        const who = user === '' ? 'everybody' : user;
        fault(
          `${tap.device} was told ${delivered}/${read} of ${who} in ${what.chat.slice(0, 8)} after ${before.delivered}/${before.read}`,
          at,
        );
      }
      told.set(key, { delivered, read });
      if (user === '') continue;
      const place = `${what.chat} ${user}`;
      said.set(place, [...(said.get(place) ?? []), { order, delivered, read }]);
    }
    forApplications(evidence, fault);
    for (const { user: asker, chat, members, order } of evidence.of('info')) {
      // What was told while the answer was on its way need not be in it (seed 1020499456423 of the cluster).
      const asked = asks.get(`${asker} ${chat}`)?.findLast((ask) => ask < order) ?? order;
      for (const { user, delivered, read } of members) {
        const most = said
          .get(`${chat} ${user}`)
          ?.find((each) => each.order < asked && (each.delivered > delivered || each.read > read));
        if (most === undefined) continue;
        fault(`${user} stands at ${delivered}/${read} in ${chat.slice(0, 8)}; ${most.delivered}/${most.read} was told`);
      }
    }
  },
};

/** What applications are told never goes back within a life. */
function forApplications({ lives, plan }: Evidence, fault: Fault): void {
  if (plan.cluster === undefined) return;
  for (const { device, receipts } of [...lives.values()].flat()) {
    const told = new Map<string, { readonly delivered: number; readonly read: number }>();
    for (const { at, chat, user, delivered, read } of receipts) {
      const before = told.get(`${chat} ${user}`) ?? { delivered: 0, read: 0 };
      told.set(`${chat} ${user}`, { delivered, read });
      if (delivered >= before.delivered && read >= before.read) continue;
      fault(
        `${device} shows ${delivered}/${read} of ${user} in ${chat.slice(0, 8)} after ${before.delivered}/${before.read}`,
        at,
      );
    }
  }
}
