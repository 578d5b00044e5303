// Owns one device in the simulated world: its application, run after run, on one store; and the record of what its SDK told it.
// Invariant: what a run says after its end is not recorded; an application calls the SDK as docs/client.md says.
// Must not: judge, or know the node.

import type { Chat } from '../client/chat.js';
import type { Dial } from '../client/link.js';
import type { GroupEvent, Message } from '../client/message.js';
import { openSession } from '../client/open.js';
import type { Session } from '../client/session.js';
import { codeOf, entryOf } from './entries.js';
import { tokenOf } from './node.js';
import type { Options } from './plan.js';
import type { Process } from './process.js';
import type { Random } from './random.js';
import type { ApplicationFact, ChatId, DeviceName } from './record.js';
import { Shelf } from './shelf.js';
import type { Universe } from './universe.js';

/** ms that a token is good for. */
const TOKEN_MS = 86_400_000;

/** A fact about a device's life, but for which. */
type OfLife = ApplicationFact extends infer F
  ? F extends ApplicationFact
    ? Omit<F, 'device' | 'life'>
    : never
  : never;

/** What all devices of a history share. */
export interface Community {
  readonly universe: Universe;
  readonly options: Options;
  /** Where a device dials, and with what. */
  address(device: DeviceName): string;
  dialer(process: Process, device: DeviceName): Dial;
  /** Wall ms by which tokens are issued: no node's clock is ahead of it. */
  issuing(): number;
  /** Ids of the plan's groups, once they are known. */
  readonly groups: Map<string, ChatId>;
  /** Newest invite link by the plan's name of the group. */
  readonly invites: Map<string, string>;
  /** The number of the next request. */
  request(): number;
}

export class Device {
  readonly id: DeviceName;
  readonly user: string;
  readonly shelf: Shelf;
  readonly community: Community;
  life = 0;
  session: Session | null = null;
  process: Process | null = null;
  /** The node removed it: the next run is a new installation. */
  removed = false;
  /** Numbers by chat that it was shown or told of. */
  readonly seen = new Map<ChatId, number[]>();
  /** Requests without an answer, and listeners at work. */
  busy = 0;
  /** Virtual ms at which it was last told anything. */
  moved = 0;
  #issued: number | null = null;
  #closing = false;
  readonly #luck: Random;
  /** Runs and installations of the device so far. */
  readonly #lives: { count: number; installed: number };
  /** Bodies of what this device sent, by id. */
  readonly #bodies = new Map<string, string>();
  #named = new Set<ChatId>();

  constructor(id: DeviceName, community: Community, lives = { count: 0, installed: 0 }) {
    lives.installed += 1;
    this.#lives = lives;
    this.id = id;
    this.user = id.slice(0, id.lastIndexOf('.'));
    this.community = community;
    this.#luck = community.universe.stream(`device ${id} ${lives.installed}`);
    this.shelf = new Shelf(community.universe.stream(`shelf ${id} ${lives.installed}`));
  }

  get #universe(): Universe {
    return this.community.universe;
  }

  get online(): boolean {
    return this.session?.state === 'online';
  }

  /** Another installation of this very device, with an empty store; its runs count on from this one's. */
  double(): Device {
    const other = new Device(this.id, this.community, this.#lives);
    other.#issued = this.#issued;
    return other;
  }

  /** Opens the application, unless it is open. */
  start(): void {
    if (this.session !== null || this.process !== null) return;
    if (this.removed) {
      this.removed = false;
      this.#issued = null;
      this.shelf.wipe();
      this.seen.clear();
    }
    this.#issued ??= this.community.issuing();
    this.#lives.count += 1;
    this.life = this.#lives.count;
    this.#closing = false;
    this.#named = new Set();
    const { credit, pipeline, backfill } = this.community.options;
    const process = this.#universe.process(this.id, 0);
    this.process = process;
    this.tell({ kind: 'start', user: this.user, fresh: this.shelf.empty });
    const issued = this.#issued;
    const device = this.id.slice(this.id.lastIndexOf('.') + 1);
    openSession({
      world: process,
      dial: this.community.dialer(process, this.id),
      store: this.shelf.open(process),
      url: this.community.address(this.id),
      token: () => tokenOf(this.user, device, issued, issued + TOKEN_MS),
      agent: 'sim',
      credit,
      pipeline,
      backfill,
      offline: true,
    }).then(
      (session) => {
        if (this.process === process) this.#opened(session);
      },
      (error: unknown) => {
        if (this.process === process) this.#ended('failed', codeOf(error));
      },
    );
  }

  /** Closes it as a person does. True: it was open. */
  close(): boolean {
    const { session, process } = this;
    if (session === null || this.#closing) return false;
    this.#closing = true;
    const over = (): void => {
      if (this.process === process) this.#ended('closed', '');
    };
    session.close().then(over, over);
    return true;
  }

  /** Its process dies. Of what its store had not flushed `keep` (0 to 1) survives. */
  kill(keep: number): boolean {
    if (this.process === null) return false;
    const lost = this.shelf.crash(keep);
    if (lost > 0) this.#universe.fault('client_lost_tail', this.id, `${lost} writes`);
    this.#ended('killed', '');
    return true;
  }

  /** Its chat of the plan; null where it is not known yet. */
  chat(name: string): Chat | null {
    const { session } = this;
    if (session === null || this.#closing) return null;
    if (name.startsWith('direct:')) {
      const other = name.split(':').find((user, at) => at > 0 && user !== this.user);
      return other === undefined ? null : session.direct(other);
    }
    const id = this.community.groups.get(name);
    return id === undefined ? null : session.group(id);
  }

  send(name: string, body: string): void {
    const chat = this.chat(name);
    const { session, process } = this;
    if (chat === null || session === null) return;
    this.tell({ kind: 'send', name, body });
    const sending = chat.send(body);
    for (const { id, body: bytes } of session.pending()) {
      if (!this.#bodies.has(id)) this.#bodies.set(id, Buffer.from(bytes).toString());
    }
    sending.then(
      ({ seq }) => {
        if (this.process !== process) return;
        this.name(chat);
        this.tell({ kind: 'sent', by: 'promise', chat: chat.id, id: '', body, seq });
      },
      (error: unknown) => {
        if (this.process === process) this.tell({ kind: 'failed', by: 'promise', body, code: codeOf(error) });
      },
    );
  }

  /** One of the numbers that it was shown or told; null: there is none. */
  pick(chat: Chat, pick: number): number | null {
    const seen = this.seen.get(chat.id) ?? [];
    return seen[Math.floor(pick * seen.length)] ?? null;
  }

  /** The application says that its user has read up to here. */
  read(chat: Chat, seq: number): void {
    this.tell({ kind: 'read', chat: chat.id, seq });
    chat.read(seq);
  }

  /** The id of a chat is known: it gets the name that the plan has for it. */
  name(chat: Chat): void {
    const { id } = chat;
    if (id === '' || this.#named.has(id)) return;
    this.#named.add(id);
    let name = [...this.community.groups].find(([, group]) => group === id)?.[0];
    if (chat.kind === 'direct') name = `direct:${[this.user, chat.name].sort().join(':')}`;
    if (name !== undefined) this.tell({ kind: 'named', chat: id, name });
  }

  /** Adds a fact about this life. */
  tell(fact: OfLife): void {
    this.moved = this.#universe.clock.now;
    this.#universe.fact({ device: this.id, life: this.life, ...fact });
  }

  #opened(session: Session): void {
    const process = this.process!;
    const live = (): boolean => this.process === process;
    this.session = session;
    for (const { id, body } of session.pending()) this.#bodies.set(id, Buffer.from(body).toString());
    session.on('state', ({ state, error }) => {
      if (!live()) return;
      this.tell({ kind: 'state', state });
      if (state !== 'replaced' && state !== 'failed') return;
      this.removed ||= error?.code === 'device_removed';
      // The application closes what is over, and ends.
      this.#closing = true;
      const over = (): void => {
        if (live()) this.#ended(state, error?.code ?? '');
      };
      process.arrive(0, () => void session.close().then(over, over));
    });
    session.on('message', (message) => (live() ? this.#shown(message) : undefined));
    session.on('event', (event) => (live() ? this.#shown(event) : undefined));
    session.on('sent', ({ chat, id, seq }) => {
      if (!live()) return;
      this.name(chat);
      this.#saw(chat.id, seq);
      this.tell({ kind: 'sent', by: 'event', chat: chat.id, id, body: this.#bodies.get(id) ?? '', seq });
    });
    session.on('failed', ({ id, error }) => {
      if (live()) this.tell({ kind: 'failed', by: 'event', body: this.#bodies.get(id) ?? '', code: error.code });
    });
    session.on('truncated', ({ chat, from, to }) => {
      if (live()) this.tell({ kind: 'truncated', chat: chat.id, from, to });
    });
    session.on('deleted', ({ chat, seqs, everyone }) => {
      if (live()) this.tell({ kind: 'deleted', chat: chat.id, seqs, everyone });
    });
    session.on('expired', ({ chat, first, last }) => {
      if (live()) this.tell({ kind: 'expired', chat: chat.id, first, last });
    });
    session.on('receipt', ({ chat, user, delivered, read }) => {
      if (live()) this.tell({ kind: 'receipt', chat: chat.id, user, delivered, read });
    });
    session.on('tally', ({ chat, delivered, read }) => {
      if (live()) this.tell({ kind: 'receipt', chat: chat.id, user: '', delivered, read });
    });
    session.on('typing', ({ chat, user, on }) => {
      if (live()) this.tell({ kind: 'typing', chat: chat.id, user, on });
    });
    session.on('presence', ({ user, online, precision }) => {
      if (live()) this.tell({ kind: 'presence', user, online, precision });
    });
    session.on('chat', ({ chat }) => {
      if (live()) this.name(chat);
    });
    session.on('error', (error) => {
      if (live()) this.tell({ kind: 'error', code: error.code, detail: error.message });
    });
  }

  #shown(item: Message | GroupEvent): Promise<void> | undefined {
    const process = this.process!;
    const { chat, seq } = item;
    this.name(chat);
    this.#saw(chat.id, seq);
    this.tell({ kind: 'shown', chat: chat.id, entry: entryOf(item) });
    const { options } = this.community;
    if (item.type === 'message' && !item.own && this.#luck.chance(options.readAtOnce)) this.read(chat, seq);
    const handled = (): void => this.tell({ kind: 'handled', chat: chat.id, seq });
    if (!this.#luck.chance(options.slowHandler)) {
      handled();
      return undefined;
    }
    const [from_, to] = options.handling;
    this.busy += 1;
    return new Promise((resolve) => {
      process.timer(from_ + this.#luck() * (to - from_), () => {
        this.busy -= 1;
        handled();
        resolve();
      });
    });
  }

  #saw(chat: ChatId, seq: number): void {
    const seen = this.seen.get(chat);
    if (seen === undefined) this.seen.set(chat, [seq]);
    else if (!seen.includes(seq)) seen.push(seq);
  }

  #ended(how: 'closed' | 'killed' | 'replaced' | 'failed', code: string): void {
    const { process } = this;
    if (process === null) return;
    this.tell({ kind: 'end', how, code });
    this.process = null;
    this.session = null;
    this.busy = 0;
    process.end();
    this.#universe.network.died(process, false);
    // A session that was replaced or refused has its store still open; a crash of the application ends it without a loss.
    if (how !== 'killed') this.shelf.crash(1);
  }
}
