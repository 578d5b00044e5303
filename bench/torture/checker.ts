// Owns the judgement: holds what the node's logs say against what was acknowledged and what every device saw.
// Invariant: knows only numbers, ids and bodies as outsiders saw them; nothing of it comes from the product, so the two
// cannot share a mistake.
// Must not: talk to a node, or excuse anything.

export interface Entry {
  readonly seq: number;
  /** '' where the onlooker was not told. */
  readonly id: string;
  readonly from: string;
  readonly type: 'message' | 'event';
  /** Of an event: what it says. */
  readonly body: string;
}

/** `send` resolved with this number. */
export interface Ack {
  readonly chat: string;
  readonly device: string;
  readonly seq: number;
  readonly body: string;
}

/** One run of a client on one device. */
export interface Life {
  /** It began where the run before was killed: what that had seen and not noted yet may come again. */
  readonly afterCrash: boolean;
  readonly sights: Entry[];
}

/** What one device saw of one chat. */
export interface View {
  readonly chat: string;
  readonly device: string;
  readonly user: string;
  readonly lives: Life[];
  /** Own messages, by the acknowledgements of this device. */
  readonly own: Pick<Entry, 'seq' | 'id'>[];
}

/** How far the chat's log says a user is, at the end. */
export interface Position {
  readonly chat: string;
  readonly user: string;
  readonly delivered: number;
  readonly read: number;
}

export interface Evidence {
  /** Each chat's whole log as read from the node at the end, oldest first. */
  readonly histories: ReadonlyMap<string, readonly Entry[]>;
  readonly acks: readonly Ack[];
  readonly views: readonly View[];
  readonly receipts: ReceiptTrail;
  readonly positions: readonly Position[];
  /** Who wrote a body, and as which of the writer's messages in this chat; null for a body that nobody wrote. */
  readonly author: (body: string) => { readonly device: string; readonly count: number } | null;
}

export type Rule =
  /** Numbers of a log are not 1, 2, 3, … */
  | 'dense'
  /** An id or a body is in a log twice. */
  | 'doubled'
  /** A device's messages are not in the order in which it sent them. */
  | 'sender_order'
  /** A log holds what nobody wrote. */
  | 'forged'
  /** Acknowledged and not in the log. */
  | 'lost'
  /** Acknowledged with another number. */
  | 'moved'
  /** A device saw something else than the log holds. */
  | 'differs'
  | 'seen_twice'
  | 'seen_out_of_order'
  /** A device never saw an entry of its chat. */
  | 'missed'
  /** A device that stayed connected was not told what was acknowledged before something happened to a node. */
  | 'untold'
  /** Two lives of nodes owned a shard under one epoch. */
  | 'two_owners'
  /** An epoch went back. */
  | 'epoch_back'
  /** A position went back. */
  | 'receipt_back'
  /** A position is not where it must be at the end. */
  | 'receipt_wrong';

export interface Violation {
  readonly rule: Rule;
  readonly chat: string;
  readonly detail: string;
}

/** Follows positions as devices were told them. */
export class ReceiptTrail {
  readonly violations: Violation[] = [];
  /** Highest that anybody was told, by chat and user. */
  readonly highest = new Map<string, Position>();
  readonly #told = new Map<string, Position>();

  /** In order. */
  told(device: string, position: Position): void {
    this.heard(position);
    const { chat, user, delivered, read } = position;
    const key = `${device} ${chat} ${user}`;
    const before = this.#told.get(key);
    if (before !== undefined && (delivered < before.delivered || read < before.read)) {
      const detail = `${device} was told ${show(position)} of ${user} after ${show(before)}`;
      this.violations.push({ rule: 'receipt_back', chat, detail });
    }
    this.#told.set(key, position);
  }

  /** Perhaps after a newer one. */
  heard({ chat, user, delivered, read }: Position): void {
    const top = this.highest.get(`${chat} ${user}`);
    this.highest.set(`${chat} ${user}`, {
      chat,
      user,
      delivered: Math.max(delivered, top?.delivered ?? 0),
      read: Math.max(read, top?.read ?? 0),
    });
  }
}

export function check(evidence: Evidence): Violation[] {
  const violations: Violation[] = [...evidence.receipts.violations];
  const fault = (rule: Rule, chat: string, detail: string): void => {
    violations.push({ rule, chat, detail });
  };
  for (const [chat, history] of evidence.histories) checkLog(chat, history, evidence.author, fault);
  checkAcks(evidence, fault);
  for (const view of evidence.views) checkView(view, evidence.histories.get(view.chat) ?? [], fault);
  checkPositions(evidence, fault);
  return violations;
}

type Fault = (rule: Rule, chat: string, detail: string) => void;

function checkLog(chat: string, history: readonly Entry[], author: Evidence['author'], fault: Fault): void {
  const ids = new Map<string, number>();
  const bodies = new Map<string, number>();
  const counts = new Map<string, number>();
  for (const [at, { seq, id, from, type, body }] of history.entries()) {
    if (seq !== at + 1) fault('dense', chat, `number ${seq} stands at place ${at + 1}`);
    const sameId = ids.get(id);
    if (sameId !== undefined) fault('doubled', chat, `id ${id} has numbers ${sameId} and ${seq}`);
    ids.set(id, seq);
    if (type === 'event') continue;
    const same = bodies.get(body);
    if (same !== undefined) fault('doubled', chat, `${short(body)} has numbers ${same} and ${seq}`);
    bodies.set(body, seq);
    const writer = author(body);
    if (writer === null || !writer.device.startsWith(`${from}/`)) {
      fault('forged', chat, `number ${seq} from ${from} holds ${short(body)}`);
      continue;
    }
    const before = counts.get(writer.device) ?? 0;
    if (writer.count <= before) {
      fault('sender_order', chat, `number ${seq}: message ${writer.count} of ${writer.device} after its ${before}`);
    }
    counts.set(writer.device, writer.count);
  }
}

function checkAcks({ acks, histories }: Evidence, fault: Fault): void {
  const places = new Map<string, Map<string, number>>();
  for (const [chat, history] of histories) {
    places.set(chat, new Map(history.map(({ body, seq }) => [body, seq])));
  }
  for (const { chat, device, seq, body } of acks) {
    const found = places.get(chat)?.get(body);
    if (found === undefined) fault('lost', chat, `${short(body)} of ${device}, acknowledged as ${seq}`);
    else if (found !== seq) fault('moved', chat, `${short(body)} of ${device}, acknowledged as ${seq}, is ${found}`);
  }
}

function checkView({ chat, device, user, lives, own }: View, history: readonly Entry[], fault: Fault): void {
  const had = new Set<number>();
  const see = (sight: Pick<Entry, 'seq' | 'id'> & Partial<Entry>): void => {
    const entry = history[sight.seq - 1];
    had.add(sight.seq);
    const same =
      entry !== undefined &&
      (sight.id === '' || sight.id === entry.id) &&
      (sight.from ?? user) === entry.from &&
      (sight.type ?? entry.type) === entry.type &&
      (sight.body ?? entry.body) === entry.body;
    if (!same) fault('differs', chat, `${device} saw ${describe(sight)}, the log holds ${describe(entry)}`);
  };
  // Since the newest crash: what was seen before it may come once more, if not in the next life then in a later one.
  let since = new Set<number>();
  for (const { afterCrash, sights } of lives) {
    if (afterCrash) since = new Set();
    let last = 0;
    for (const sight of sights) {
      if (sight.seq <= last) fault('seen_out_of_order', chat, `${device} saw ${sight.seq} after ${last}`);
      else if (since.has(sight.seq)) fault('seen_twice', chat, `${device} saw ${sight.seq} again`);
      last = sight.seq;
      since.add(sight.seq);
      see(sight);
    }
  }
  const seen = new Set(had);
  const crashed = lives.some(({ afterCrash }) => afterCrash);
  for (const sight of own) {
    if (seen.has(sight.seq) && !crashed) fault('seen_twice', chat, `${device} was told its own ${sight.seq} again`);
    seen.add(sight.seq);
    see(sight);
  }
  const missing = history.filter(({ seq }) => !had.has(seq)).map(({ seq }) => seq);
  if (missing.length > 0) {
    fault(
      'missed',
      chat,
      `${device} never saw ${missing.length} of ${history.length}: ${missing.slice(0, 8).join(', ')}`,
    );
  }
}

/** Everything told was durable, and whoever has all messages is shown to have them. */
function checkPositions({ positions, receipts, histories }: Evidence, fault: Fault): void {
  const found = new Map(positions.map((position) => [`${position.chat} ${position.user}`, position]));
  for (const [key, told] of receipts.highest) {
    const position = found.get(key);
    if (position === undefined || position.delivered < told.delivered || position.read < told.read) {
      const stands = position === undefined ? 'nothing' : show(position);
      fault('receipt_back', told.chat, `${told.user}: ${show(told)} was told, at the end it is ${stands}`);
    }
  }
  for (const { chat, user, delivered, read } of positions) {
    const history = histories.get(chat) ?? [];
    const newest = history.findLast(({ from }) => from !== user)?.seq ?? 0;
    if (delivered < newest || read > delivered || delivered > history.length) {
      const detail = `${user} has everything up to ${newest}; the node says ${show({ delivered, read })}`;
      fault('receipt_wrong', chat, detail);
    }
  }
}

function show({ delivered, read }: Pick<Position, 'delivered' | 'read'>): string {
  return `delivered ${delivered} read ${read}`;
}

function describe(entry: (Pick<Entry, 'seq' | 'id'> & Partial<Entry>) | undefined): string {
  if (entry === undefined) return 'nothing';
  return `${entry.seq} ${entry.id} from ${entry.from ?? 'itself'}: ${short(entry.body ?? '')}`;
}

function short(body: string): string {
  return JSON.stringify(body.length > 40 ? `${body.slice(0, 40)}…` : body);
}
