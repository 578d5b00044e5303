// Owns the reading of a record into what the rules look at: chats, devices and their lives, sends, requests, the wire.
// Invariant: one pass over the facts, in their order; `order` is a fact's place, for "before" and "after".
// Must not: judge.

import { OwnChanges } from './own-changes.js';
import type { Plan } from './plan.js';
import type { ChatId, DeviceName, Fact, Fault } from './record.js';
import { entryOf } from './says.js';
import type { Seen, Tap } from './sights.js';
import { ChatStory } from './story.js';
import { type NodeWrite, tenuresOf } from './tenures.js';
import { Wiretap } from './wiretap.js';

type Of<K extends Fact['kind']> = Extract<Fact, { kind: K }>;
export type Ordered<T> = T & { readonly order: number };

export interface LifeStory {
  readonly device: DeviceName;
  readonly user: string;
  readonly life: number;
  readonly fresh: boolean;
  readonly start: Ordered<Of<'start'>>;
  end: Ordered<Of<'end'>> | null;
  readonly shown: Ordered<Of<'shown'>>[];
  readonly handled: Ordered<Of<'handled'>>[];
  readonly receipts: Ordered<Of<'receipt'>>[];
  /** From here on it was being closed: what a listener finishes then is not written down any more. */
  closing: number | null;
  /** Its store failed meanwhile: positions may not have been written. */
  storeFailed: boolean;
}

export interface RequestStory {
  readonly asked: Ordered<Of<'asked'>>;
  readonly user: string;
  answered: Ordered<Of<'answered'>> | null;
}

export interface SendStory {
  readonly send: Ordered<Of<'send'>>;
  readonly user: string;
  readonly sent: Ordered<Of<'sent'>>[];
  readonly failed: Ordered<Of<'failed'>>[];
}

export interface Evidence {
  readonly plan: Plan;
  readonly facts: readonly Fact[];
  readonly chats: ReadonlyMap<ChatId, ChatStory>;
  readonly names: ReadonlyMap<string, ChatId>;
  readonly lives: ReadonlyMap<DeviceName, readonly LifeStory[]>;
  readonly sends: ReadonlyMap<string, SendStory>;
  readonly requests: ReadonlyMap<number, RequestStory>;
  readonly wire: readonly Ordered<Seen>[];
  /** Numbers of a device's own changes, by device and chat (own-changes.ts). */
  readonly changed: ReadonlyMap<string, readonly { readonly seq: number; readonly order: number }[]>;
  readonly taps: readonly Tap[];
  /** Users with devices that are not ours: what those claim is not the user's application speaking. */
  readonly hostile: ReadonlySet<string>;
  /** Chats and users whose entries may end: `until-delivered`, an age, or a timer that was ever asked for. */
  ends(chat: ChatId): boolean;
  /** The user asked for this entry to be gone for himself, whatever came of it. */
  hid(user: string, chat: ChatId, seq: number): boolean;
  /** Only tallies are told: the group was large at some time, or may have been made so by a struck site. */
  large(chat: ChatStory): boolean;
  /** One of several nodes that stood still, that others could not reach, or that was no member, of late: what was changed elsewhere it may
   * learn only now. Null: any of them. */
  cutOff(node: string | null, at: number): boolean;
  /** The store that several nodes share held back answers of late: what is there may not be known to who wrote it. */
  answersLate(at: number): boolean;
  userOf(device: DeviceName): string;
  of<K extends Fact['kind']>(kind: K): readonly Ordered<Of<K>>[];
}

export function gather(facts: readonly Fact[]): Evidence {
  const first = facts[0];
  if (first?.kind !== 'plan') throw new Error('a record begins with its plan');
  const { plan } = first;
  const users = new Map(plan.users.flatMap(({ user, devices }) => devices.map((device) => [device, user])));
  const chats = new Map<ChatId, ChatStory>();
  const names = new Map<string, ChatId>();
  const lives = new Map<DeviceName, LifeStory[]>();
  const sends = new Map<string, SendStory>();
  const requests = new Map<number, RequestStory>();
  const shelves = new Map<string, Ordered<Fact>[]>();
  const wire: Ordered<Seen>[] = [];
  const changed = new Map<string, { readonly seq: number; readonly order: number }[]>();
  const tap = new Wiretap();
  const changes = new OwnChanges();
  const timed = new Set<string>();
  /** The newest connection of each device, where there are several nodes. */
  const newest = new Map<DeviceName, number>();
  const hidden = new Map<string, Hidden>();
  const userOf = (device: DeviceName): string => users.get(device) ?? device.split('.')[0]!;
  const story = (id: ChatId): ChatStory => {
    const known = chats.get(id) ?? new ChatStory(id);
    chats.set(id, known);
    return known;
  };
  const living = ({ device, life }: { device: DeviceName; life: number }): LifeStory | undefined =>
    lives.get(device)?.findLast((each) => each.life === life);

  let rested = false;
  for (const [order, fact] of facts.entries()) {
    // What is read at rest is the end; that applications and their connections go afterwards is no part of it.
    if (rested && (fact.kind === 'end' || fact.kind === 'unlink')) continue;
    if (fact.kind === 'rest') rested = true;
    const now = { ...fact, order };
    if (fact.kind === 'link' && plan.cluster !== undefined) newest.set(fact.device, fact.link);
    for (const seen of tap.hear(fact)) {
      // A node that others count out may go on telling a client that has long been with another one: nobody hears it.
      const { device, link } = seen.tap;
      if (seen.way === 'out' && device !== '' && link < (newest.get(device) ?? 0)) continue;
      wire.push({ ...seen, order });
      overheard(story, seen);
      const own = changes.hear(seen);
      if (own === null) continue;
      const key = `${device} ${own.chat}`;
      changed.set(key, [...(changed.get(key) ?? []), { seq: own.seq, order }]);
    }
    if (fact.kind === 'in' || fact.kind === 'out') continue;
    const shelf = shelves.get(fact.kind);
    if (shelf === undefined) shelves.set(fact.kind, [now]);
    else shelf.push(now);
    switch (now.kind) {
      case 'start': {
        const { device, user, life, fresh } = now;
        changes.begin(device);
        const all = lives.get(device) ?? [];
        lives.set(device, all);
        all.push({
          ...{
            device,
            user,
            life,
            fresh,
            start: now,
            end: null,
            closing: null,
            storeFailed: fails(plan, device, now.at),
          },
          ...{ shown: [], handled: [], receipts: [] },
        });
        break;
      }
      case 'end': {
        const life = living(now);
        if (life !== undefined) life.end = now;
        break;
      }
      case 'fault': {
        const life = lives.get(now.whom)?.at(-1);
        if (life === undefined) break;
        if (now.fault === 'client_store_fails') life.storeFailed = true;
        if (now.fault === 'client_close') life.closing = order;
        break;
      }
      case 'named': {
        names.set(now.name, now.chat);
        const [kind, ...parties] = now.name.split(':');
        const chat = story(now.chat);
        chat.type = kind === 'direct' ? 1 : 2;
        if (chat.type === 1) for (const user of parties) chat.parties.add(user);
        break;
      }
      case 'send':
        sends.set(now.body, { send: now, user: userOf(now.device), sent: [], failed: [] });
        break;
      case 'sent':
      case 'failed':
        if (now.kind === 'sent') sends.get(now.body)?.sent.push(now);
        else sends.get(now.body)?.failed.push(now);
        break;
      case 'shown':
        living(now)?.shown.push(now);
        story(now.chat).saw(now.entry, now.device);
        break;
      case 'handled':
        living(now)?.handled.push(now);
        break;
      case 'receipt':
        living(now)?.receipts.push(now);
        break;
      case 'asked':
        requests.set(now.request, { asked: now, user: userOf(now.device), answered: null });
        if (now.what === 'expiry') timed.add(now.chat);
        if (now.what === 'clear' || now.what === 'delete_for_me') hide(hidden, userOf(now.device), now);
        break;
      case 'answered': {
        const request = requests.get(now.request);
        // CREATE makes the group's first entry; the SDK answers with the chat.
        const first = request?.asked.what === 'create' && now.code === '';
        if (request !== undefined) request.answered = first ? { ...now, seq: 1 } : now;
        break;
      }
      case 'log':
        story(now.chat).read(now.user, now.entries);
        break;
    }
  }
  let joinsAndEnds: readonly NodeWrite[] | undefined;
  const evidence: Evidence = {
    ...{ plan, facts, chats, names, lives, sends, requests, wire, changed, userOf },
    taps: [...tap.taps.values()],
    hostile: new Set(plan.steps.flatMap((step) => (step.do === 'hostile' ? [step.user] : []))),
    answersLate: (at) =>
      plan.cluster !== undefined && blows(shelves, LATE).some((blow) => blow.at <= at && blow.at > at - OF_LATE),
    cutOff(node, at) {
      if (plan.cluster === undefined) return false;
      const struck = blows(shelves, CUTS).some(
        (blow) =>
          blow.at <= at &&
          blow.at > at - OF_LATE &&
          (node === null || [blow.whom, blow.detail].some((of) => of === node || of === '*')),
      );
      if (struck) return true;
      joinsAndEnds ??= tenuresOf(evidence).nodes.filter(
        ({ before, incarnation }) => before?.incarnation !== incarnation,
      );
      const nodes = node === null ? new Set(joinsAndEnds.map((change) => change.node)) : [node];
      return [...nodes].some((each) => outside(joinsAndEnds!, each, at));
    },
    ends: (chat) => plan.options.retention !== 'forever' || timed.has(chat) || timed.has(''),
    large: (chat) => {
      const { fanOutThreshold, buggify } = plan.options;
      return chat.people().length > fanOutThreshold || (chat.type === 2 && buggify.active > 0);
    },
    hid: (user, chat, seq) => {
      const mine = hidden.get(`${user} ${chat}`);
      return mine !== undefined && (seq <= mine.cleared || mine.numbers.has(seq));
    },
    of: <K extends Fact['kind']>(kind: K) =>
      (shelves.get(kind) ?? []).filter((fact): fact is Ordered<Of<K>> => fact.kind === kind),
  };
  return evidence;
}

/** Others took it for dead, and its row has not come back, or of late. */
function outside(changes: readonly NodeWrite[], node: string, at: number): boolean {
  const of = changes.filter((change) => change.node === node && change.at <= at);
  const gone = of.findLastIndex(({ incarnation }) => incarnation === 0);
  if (gone < 0) return false;
  const back = of[gone + 1];
  return back === undefined || back.at > at - OF_LATE;
}

/** ms within which a freeze or a partition is over, and made good. */
const OF_LATE = 10_000;
const CUTS: readonly Fault[] = [
  'node_slow',
  'node_zombie',
  'wire_cut',
  'wire_half_open',
  'wire_one_way',
  'wire_slow',
  'store_one_way',
];
const LATE: readonly Fault[] = ['commit_lost', 'commit_late', 'store_timeout', 'store_one_way', 'store_crash'];

function blows(
  shelves: ReadonlyMap<string, readonly Ordered<Fact>[]>,
  kinds: readonly Fault[],
): Ordered<Of<'fault'>>[] {
  return (shelves.get('fault') ?? []).filter(
    (fact): fact is Ordered<Of<'fault'>> => fact.kind === 'fault' && kinds.includes(fact.fault),
  );
}

/** The device's store takes nothing at this moment. */
function fails({ steps }: Plan, device: DeviceName, at: number): boolean {
  return steps.some(
    (step) => step.do === 'client_store_fails' && step.device === device && at >= step.at && at < step.at + step.ms,
  );
}

interface Hidden {
  cleared: number;
  readonly numbers: Set<number>;
}

function hide(hidden: Map<string, Hidden>, user: string, { what, chat, values }: Of<'asked'>): void {
  const key = `${user} ${chat}`;
  const mine = hidden.get(key) ?? { cleared: 0, numbers: new Set<number>() };
  hidden.set(key, mine);
  if (what === 'clear') mine.cleared = Math.max(mine.cleared, ...values);
  else for (const seq of values) mine.numbers.add(seq);
}

/** What the wire adds to the chats' stories. */
function overheard(story: (id: ChatId) => ChatStory, { tap, way, what }: Seen): void {
  if (way === 'in') return;
  if (what.kind === 'entry') story(what.entry.chat).saw(entryOf(what.entry), `a frame to ${tap.device}`);
  if (what.kind === 'party' && what.chat !== '') {
    const chat = story(what.chat);
    chat.type = what.type;
    if (what.type === 1) for (const user of [tap.user, what.name]) if (user !== '') chat.parties.add(user);
  }
  // A client that is not ours may repeat an id with another body; that of the first counts.
  if (what.kind === 'sent' && what.send.chat !== '' && tap.device !== '') {
    const { chat, id, body } = what.send;
    story(chat).saw({ seq: what.seq, id, from: tap.user, type: 'message', body, event: null }, `SENT to ${tap.device}`);
  }
}
