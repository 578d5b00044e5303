// Owns a session's parts and how they are wired: store, connection, outbox, chats, delivery.
// Invariant: the same code runs on machines and in simulation; all it knows of the outside are World, Dial and ClientStore.
// Must not: be used by applications (session.ts and chat.ts are their face).

import { shrunk } from '../actors/buggify.js';
import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import { type ClientFrame, type Plain, T } from '../transport/frames.js';
import { Account } from './account.js';
import { Application } from './application.js';
import { Changes } from './changes.js';
import { ChatList } from './chat-list.js';
import type { ChatLog, Release } from './chat-log.js';
import { ChatTable } from './chat-table.js';
import type { Welcome } from './connection.js';
import { Delivery } from './delivery.js';
import { Dialer } from './dialer.js';
import { asWeftError, WeftError } from './errors.js';
import { Flusher } from './flush.js';
import { Gaps } from './gaps.js';
import { hex, IdSource, unhex, uuidText } from './ids.js';
import type { Pending } from './lane.js';
import { MarkSync } from './marks.js';
import type { CoreOptions } from './options.js';
import { Outbox, type Receipt } from './outbox.js';
import { Queries } from './queries.js';
import { Receiver } from './receiver.js';
import { type Answer, Requests } from './requests.js';
import type { ClientStore } from './store.js';
import { Watches } from './watches.js';

export class Core {
  readonly world: World;
  readonly application: Application;
  readonly table: ChatTable;
  readonly outbox: Outbox;
  readonly requests: Requests;
  readonly ids: IdSource;
  readonly dialer: Dialer;
  readonly flusher: Flusher;
  readonly receiver: Receiver;
  readonly delivery: Delivery;
  readonly gaps: Gaps;
  readonly queries: Queries;
  readonly changes: Changes;
  readonly marks: MarkSync;
  readonly list: ChatList;
  readonly account: Account;
  readonly watches: Watches;
  readonly #store: ClientStore;
  #device = '';
  #maxBody: number = LIMITS.body;
  /** ms that the server's clock is ahead of this one's. */
  #ahead = 0;
  #closed: Promise<void> | undefined;

  constructor(options: CoreOptions) {
    const { world, store } = options;
    this.world = world;
    this.#store = store;
    this.ids = new IdSource(world);
    this.application = new Application(this);
    this.requests = new Requests(world, (frame) => this.dialer.send(frame));
    this.table = new ChatTable((from, to) => this.#merged(from, to));
    this.outbox = new Outbox(world, this.#outboxHooks(), shrunk(world, 'client pipeline', options.pipeline, 1));
    this.flusher = new Flusher(world, store, {
      ack: (log, seq) => this.say(log, (chat) => ({ type: T.ACK, chat, seq })),
      read: (log, seq) => this.say(log, (chat) => ({ type: T.READ, chat, seq })),
      trouble: (error) => this.application.trouble(error),
    });
    this.delivery = new Delivery(
      {
        handle: (log, release) => this.application.handle(log, release),
        handled: (log, release) => this.#handled(log, release),
        grant: (n) => this.dialer.send({ type: T.CREDIT, n }),
      },
      shrunk(world, 'client credit', options.credit, 4),
    );
    this.gaps = new Gaps(world, {
      trouble: (error) => this.application.trouble(error),
      pull: (log, before, limit) => this.queries.pull(log, before, limit),
      sync: (again) => this.queries.greeting(again).forEach((frame) => void this.dialer.send(frame)),
      placed: (log) => this.delivery.run(log),
      flowing: () => !this.delivery.starved,
    });
    const hooks = this.application.hooks((error) => this.dialer.fail(error));
    this.receiver = new Receiver(this, hooks);
    this.queries = new Queries(this, options.backfill ?? 0);
    this.changes = new Changes(this, (log, change) => this.application.made(log, change));
    this.marks = new MarkSync(this, this.application);
    this.list = new ChatList(this, (log) => hooks.chat(log));
    this.account = new Account(this);
    this.watches = new Watches((log, on) => this.say(log, (chat) => ({ type: T.WATCH, chat, on })));
    this.dialer = new Dialer({ ...options, agent: options.agent ?? 'weft-js' }, this.#dialerHooks());
  }

  get me(): string {
    return this.receiver.me;
  }

  get device(): string {
    return this.#device;
  }

  /** Rejects with `store_failed` or `store_locked`; else the session lives and dials. */
  async start(): Promise<void> {
    try {
      const state = await this.#store.load();
      this.receiver.me = state.owner?.user ?? '';
      this.#device = state.owner?.device ?? '';
      for (const chat of state.chats) this.table.restore(chat);
      this.marks.restore(state.marks ?? 0);
      this.account.restore(state.blocked ?? [], state.profiles ?? []);
      const refusals: (() => void)[] = [];
      for (const send of state.outbox) {
        const chat = unhex(send.chat);
        const id = unhex(send.id);
        if (id === undefined) continue;
        if (chat !== undefined && send.user !== '') this.table.bind(send.user, chat);
        const log = chat === undefined ? this.table.byUser(send.user) : this.table.byId(chat);
        const { refused } = send;
        if (refused === undefined) this.outbox.restore(log, id, send.body);
        else refusals.push(() => this.#failed(log, id, new WeftError(refused.code, refused.detail)));
      }
      if (refusals.length > 0) this.#tellOnce(refusals);
    } catch (error) {
      throw asWeftError(error, 'store_failed');
    }
    this.dialer.start();
  }

  /** Messages flow once somebody listens; a turn later, so that all listeners of one turn hear the first one. */
  listened(): void {
    if (!this.delivery.started) this.world.defer(() => this.delivery.start(this.table.all()));
  }

  send(log: ChatLog, body: Uint8Array): Promise<Receipt> {
    if (this.#closed !== undefined || this.#over) return Promise.reject(this.#ended());
    if (body.length > this.#maxBody) {
      return Promise.reject(new WeftError('too_large', `${body.length} bytes; at most ${this.#maxBody}`));
    }
    // A copy: the application may change its buffer while the message waits. Not slice: that of a Buffer shares memory.
    return this.outbox.add(log, this.ids.next(), new Uint8Array(body));
  }

  /** What the server answers with OK. Rejects with its code, or with `offline`, `timeout`, `busy`, `closed`, … */
  async ask(make: (r: number) => ClientFrame): Promise<readonly Plain[]> {
    const answer = await this.#answer(make);
    if (answer.type !== 'ok') throw new WeftError('bad_response', 'a page answered what none was asked of');
    return answer.results;
  }

  /** The same for a page of history. */
  async page(make: (r: number) => ClientFrame): Promise<Extract<Answer, { type: 'page' }>> {
    const answer = await this.#answer(make);
    if (answer.type !== 'page') throw new WeftError('bad_response', 'HISTORY answered without a page');
    return answer;
  }

  /** Positions are written and told; unsent messages stay in the store, their promises reject with `closed`. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.delivery.stop();
    await this.flusher.flush();
    const error = new WeftError('closed', 'the session was closed');
    this.dialer.stop();
    this.outbox.close(error);
    this.requests.close(error);
    this.gaps.down();
    // What came while the positions were written and the connection was still up.
    await this.flusher.stop();
    await this.#store.close();
  }

  #answer(make: (r: number) => ClientFrame): Promise<Answer> {
    return this.#closed !== undefined || this.#over ? Promise.reject(this.#ended()) : this.requests.ask(make);
  }

  get #over(): boolean {
    const { state } = this.dialer;
    return state === 'failed' || state === 'replaced' || state === 'closed';
  }

  #ended(): WeftError {
    return new WeftError(this.dialer.state === 'replaced' ? 'replaced' : 'closed', `session is ${this.dialer.state}`);
  }

  #outboxHooks(): ConstructorParameters<typeof Outbox>[1] {
    return {
      transmit: (log, { id, body }) => {
        if (this.dialer.buffered > LIMITS.clientBuffered) return false;
        this.queries.introduce(log);
        this.say(log, (chat) => ({ type: T.SEND, chat, id, body }));
        return true;
      },
      locate: (log) => void this.queries.locate(log).catch(() => {}),
      save: (log, { id, body }) => {
        // Both where known: an earlier message of the same chat may have been stored when only the user was.
        const user = log.kind === 1 ? log.name : '';
        return this.#store.write([{ type: 'add', send: { id: hex(id), chat: log.key, user, body } }], true);
      },
      sent: (log, { id }, seq) => {
        this.flusher.settled(hex(id));
        log.state.at = Math.max(log.state.at, this.world.wall() + this.#ahead);
        this.receiver.own(log, seq);
        // The first message makes a direct chat; before that the server has nothing to watch by.
        if (seq === 1) this.watches.began(log);
        this.application.emit('sent', { chat: this.application.chat(log), id: uuidText(id), seq });
        if (this.outbox.flying === 0) this.dialer.idle();
      },
      failed: (log, { id }: Pending, error) => {
        const { code, message } = error;
        const detail = message.slice(code.length + 2);
        // Whoever is told that it failed must not see it sent again by the next run (seed 1066).
        const kept = this.#store.write([{ type: 'refuse', id: hex(id), code, detail }], true);
        return kept.catch(() => {}).then(() => this.#failed(log, id, error));
      },
    };
  }

  /** What the last run may have ended before it said. A moment after the first SYNCED: before that nobody listens. */
  #tellOnce(refusals: readonly (() => void)[]): void {
    const off = this.application.on('synced', () => {
      off();
      this.world.timer(0, () => {
        for (const tell of refusals) tell();
      });
    });
  }

  #failed(log: ChatLog, id: Uint8Array, error: WeftError): void {
    this.flusher.settled(hex(id));
    this.application.emit('failed', { chat: this.application.chat(log), id: uuidText(id), error });
  }

  #dialerHooks(): ConstructorParameters<typeof Dialer>[1] {
    return {
      greet: () => {
        this.flusher.greeted(this.table.all());
        return { credit: this.delivery.open(), frames: this.queries.greeting() };
      },
      admit: (welcome) => this.#admit(welcome),
      up: (welcome) => {
        this.flusher.online();
        this.delivery.grant();
        this.gaps.connected();
        this.requests.online();
        this.outbox.online(welcome.window);
        this.list.up();
        this.marks.up();
        this.account.up();
        this.watches.up();
      },
      frame: (frame) => this.receiver.frame(frame),
      down: () => {
        this.outbox.offline();
        this.requests.offline();
        this.queries.down();
        this.account.down();
        this.flusher.offline();
        this.gaps.down();
        this.table.down();
      },
      renew: (token) => this.queries.renew(token),
      unanswered: () => this.outbox.flying,
      leaving: () => this.outbox.pause(),
      state: (change) => {
        this.application.emit('state', change);
        if (change.state !== 'failed' && change.state !== 'replaced') return;
        const error = change.error ?? this.#ended();
        this.outbox.close(error);
        this.requests.close(error);
      },
      trouble: (error) => this.application.trouble(error),
    };
  }

  #admit({ user, device, maxBody, time }: Welcome): WeftError | undefined {
    if (this.me !== '' && (this.me !== user || this.#device !== device)) {
      return new WeftError(
        'store_mismatch',
        `the store is of ${this.me}/${this.#device}, the token of ${user}/${device}`,
      );
    }
    this.#maxBody = maxBody;
    this.#ahead = time - this.world.wall();
    if (this.me === '') {
      this.receiver.me = user;
      this.#device = device;
      this.#store
        .write([{ type: 'owner', user, device }], false)
        .catch((error: unknown) => this.application.trouble(asWeftError(error, 'store_failed')));
    }
    return undefined;
  }

  #merged(from: ChatLog, to: ChatLog): void {
    from.mergedInto = to;
    this.watches.merged(from, to);
    this.application.merged(from, to);
    this.outbox.merge(from, to);
  }

  /** Says something of a chat, if there is a connection and the chat's id is known. */
  say(log: ChatLog, make: (chat: Uint8Array | number) => ClientFrame): void {
    const ref = this.table.ref(log);
    if (ref !== undefined) this.dialer.send(make(ref));
  }

  #handled(log: ChatLog, release: Release): void {
    log.settle();
    if (release.type === 'item') this.flusher.handled(log);
    else this.flusher.dirty(log);
  }
}
