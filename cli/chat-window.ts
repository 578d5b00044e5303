// Owns an open chat on a terminal: which chat, what of it is shown, who is there, what the connection does.
// Invariant: what is shown at the end of the transcript counts as read; one transcript at a time, so memory does not grow
// with the number of chats.
// Must not: know keys, the terminal or commands' syntax.

import { LIMITS } from '../actors/limits.js';
import { type Chat, type GroupEvent, type Message, type Session, WeftError } from '../client/index.js';
import type { Place } from './chat-command.js';
import { Elsewhere } from './chat-elsewhere.js';
import { Presence } from './chat-presence.js';
import { type Connection, detailOf } from './chat-session.js';
import { statusOf } from './chat-status.js';
import { cleanLine } from './chat-text.js';
import { type Entry, Transcript } from './chat-transcript.js';
import type { Mark, View } from './chat-view.js';
import { Viewport } from './chat-viewport.js';

/** Entries of a chat that are read at a time. */
const PAGE = 50;

export class Window implements Place {
  readonly session: Session;
  readonly connection: Connection;
  readonly presence: Presence;
  readonly #changed: () => void;
  #chat: Chat | undefined;
  #transcript = new Transcript();
  #unreadFrom = 0;
  /** The newest messages were read from the node: what was unread is known, and may now count as read. */
  #loaded = false;
  readonly #viewport = new Viewport();
  #numbers = false;
  #synced = false;
  #loading = false;
  #hint = '';
  #tried = false;
  readonly #elsewhere = new Elsewhere();

  constructor(session: Session, connection: Connection, changed: () => void) {
    this.session = session;
    this.connection = connection;
    this.#changed = changed;
    this.presence = new Presence(changed);
    this.#watch();
  }

  get chat(): Chat | undefined {
    return this.#chat;
  }

  /** Shows a chat from its newest messages on. */
  async open(chat: Chat): Promise<void> {
    this.close();
    this.#chat = chat;
    chat.watch(true);
    for (const pending of this.session.pending()) if (this.#shows(pending.chat)) this.#show(pending.id, pending.body);
    await this.load();
  }

  /** Shows no chat. */
  close(): void {
    this.#chat?.watch(false);
    this.#chat = undefined;
    this.#transcript = new Transcript();
    this.#unreadFrom = 0;
    this.#loaded = false;
    this.presence.clear();
    this.end();
  }

  /** Sends a message; it is shown at once. */
  send(text: string): void {
    const chat = this.#chat;
    if (chat === undefined) {
      this.note('Open a chat first: /open NAME, or its number in /chats.');
      return;
    }
    // Offline, writing is a sign that somebody wants to be online.
    this.session.reconnect();
    chat.send(text).catch((error: unknown) => {
      if (error instanceof WeftError && error.code !== 'closed' && pending === undefined) {
        this.note(`Not sent: ${detailOf(error)} (${error.code}).`);
      }
    });
    const pending = this.session.pending().findLast((one) => this.#shows(one.chat) && !this.#transcript.waits(one.id));
    if (pending !== undefined) this.#show(pending.id, pending.body);
    this.#unreadFrom = 0;
    this.end();
  }

  note(text: string): void {
    this.#transcript.note(text, Date.now());
    this.end();
  }

  /** Shown above the line being typed until the next key. */
  hint(text: string): void {
    if (text === this.#hint) return;
    this.#hint = text;
    this.#changed();
  }

  /** Shows what stands so many lines above the end. */
  scroll(lines: number): void {
    if (lines <= 0) {
      this.end();
      return;
    }
    this.#viewport.up(lines, this.#transcript.entries);
    this.#changed();
  }

  /** Back to the newest. */
  end(): void {
    this.#viewport.end();
    this.#read();
    this.#changed();
  }

  /** Reads up to `count` earlier messages; answers how many came. */
  async earlier(count: number): Promise<number> {
    const chat = this.#chat;
    const transcript = this.#transcript;
    let got = 0;
    if (chat === undefined || this.#loading || !transcript.more) return 0;
    this.#loading = true;
    try {
      while (got < count && transcript.more) {
        const limit = Math.min(LIMITS.historyRows, count - got);
        const page = await chat.history({ before: transcript.oldest, limit });
        if (transcript !== this.#transcript) return got;
        for (const item of page.items) transcript.add(item);
        got += page.items.length;
        transcript.more = page.more && page.items.length > 0;
      }
    } finally {
      this.#loading = false;
      this.#changed();
    }
    return got;
  }

  /** Shows the messages' numbers in place of their times, or no longer; answers which. */
  numbers(): boolean {
    this.#numbers = !this.#numbers;
    this.#changed();
    return this.#numbers;
  }

  get terminal(): Window {
    return this;
  }

  view(draft: View['draft'], hint: string): View {
    const chat = this.#chat;
    return {
      me: cleanLine(this.connection.account.user),
      title: chat === undefined ? 'weft' : cleanLine(chat.name) || 'group',
      presence: this.#synced ? this.presence.who(chat) : { text: '', online: false },
      connection: statusOf(this.session, this.#synced, this.#tried),
      entries: this.#viewport.visible(this.#transcript.entries),
      numbers: this.#numbers,
      mark: (entry) => this.#mark(entry),
      unreadFrom: this.#unreadFrom,
      more: this.#transcript.more,
      scroll: this.#viewport.scroll,
      status: this.#hint || this.presence.typing,
      elsewhere: this.#elsewhere.text,
      hint,
      draft,
    };
  }

  #watch(): void {
    const { session } = this;
    session.on('message', (message) => this.#arrived(message));
    session.on('event', (event) => this.#arrived(event));
    session.on('sent', ({ chat, id, seq }) =>
      this.#settle(() => {
        this.#transcript.sent(id, seq);
        if (this.#shows(chat)) this.#grew(seq, false);
      }),
    );
    session.on('failed', ({ chat, id, error }) =>
      this.#settle(() => {
        const reason = `${detailOf(error)} (${error.code})`;
        if (this.#shows(chat)) this.#transcript.failed(id, reason);
        else this.note(`A message to ${cleanLine(chat.name)} was not sent: ${reason}.`);
      }),
    );
    this.presence.listen(session, (chat) => this.#shows(chat));
    session.on('deleted', ({ chat, seqs, everyone }) => {
      if (this.#shows(chat)) this.#transcript.erase(seqs, everyone);
      this.#changed();
    });
    session.on('marks', ({ chat }) => {
      if (this.#shows(chat)) this.#transcript.clear(chat.marks.cleared);
      this.#changed();
    });
    for (const name of ['receipt', 'tally', 'chat'] as const) session.on(name, () => this.#changed());
    session.on('state', ({ state, previous }) => {
      if (state !== 'online') this.#synced = false;
      if (state === 'waiting' && previous === 'connecting') this.#warn();
      this.#changed();
    });
    session.on('synced', () => {
      this.#synced = true;
      void this.load();
      // What fails is asked again by the next connection.
      this.session.chats().then(
        (chats) => this.#settle(() => this.#elsewhere.set(chats.filter(({ chat }) => !this.#shows(chat)))),
        () => {},
      );
    });
    session.on('error', (error) => {
      if (error.code === 'diverged')
        this.note('The node has lost messages that this device has seen. Start over with another --store.');
      else if (error.code === 'store_failed' || error.code === 'token_failed')
        this.note(`${detailOf(error)} (${error.code})`);
    });
  }

  #settle(change: () => void): void {
    change();
    this.#changed();
  }

  #arrived(item: Message | GroupEvent): void {
    this.presence.types(item.from, false);
    if (this.#shows(item.chat)) {
      this.#transcript.add(item);
      this.#grew(item.seq, item.type === 'event');
      if (this.#viewport.scroll === 0) this.#read();
    } else if (!item.own && item.type === 'message') {
      this.#elsewhere.add(item.chat);
    }
    this.#changed();
  }

  /** A chat that has just come to be, and a group that changed, have members to be asked about. */
  #grew(seq: number, changed: boolean): void {
    // It fails for who has left; the next connection asks again.
    if (seq === 1 || changed) this.#refresh().catch(() => {});
  }

  /** The newest messages, members and positions: at the opening, and after each time without connection. */
  async load(): Promise<void> {
    const chat = this.#chat;
    const transcript = this.#transcript;
    if (chat === undefined || !this.#synced) return;
    try {
      // Who has left learns nothing of the members, and still sees what was there before.
      const read = await this.#refresh().catch(() => chat.readUpTo);
      transcript.clear(chat.marks.cleared);
      const before = transcript.oldest;
      const page = await chat.history({ limit: PAGE });
      if (transcript !== this.#transcript) return;
      for (const item of page.items) transcript.add(item);
      if (before === 0 || transcript.oldest < before) transcript.more = page.more;
      if (!this.#loaded) this.#unreadFrom = transcript.entries.find(({ own, seq }) => !own && seq > read)?.seq ?? 0;
    } catch (error) {
      // A direct chat that nobody has written in does not exist yet.
      if (error instanceof WeftError && !error.retry && error.code !== 'unknown_chat' && error.code !== 'closed')
        this.note(`${detailOf(error)} (${error.code})`);
    }
    if (transcript !== this.#transcript) return;
    this.#loaded = true;
    if (this.#viewport.scroll === 0) this.#read();
    this.#changed();
  }

  /** Members and their positions; answers how far this user has read. */
  async #refresh(): Promise<number> {
    const chat = this.#chat;
    if (chat === undefined) return 0;
    const members = await chat.members();
    if (chat === this.#chat) {
      this.presence.members(members.map(({ user }) => user));
      // Again: a watch covers the members that there were.
      chat.watch(true);
    }
    const mine = members.find(({ user }) => user === this.connection.account.user);
    return Math.max(chat.readUpTo, mine?.read ?? 0);
  }

  #read(): void {
    const chat = this.#chat;
    if (chat === undefined || !this.#loaded || this.#transcript.newest === 0) return;
    chat.read(this.#transcript.newest);
    this.#elsewhere.remove(chat);
  }

  #warn(): void {
    const first = !this.#tried;
    this.#tried = true;
    if (!first || this.session.user !== '') return;
    this.note(
      `No node answers at ${this.connection.url.href}. Trying again and again: what you write waits here meanwhile. (weft start runs a node; another one: --url.)`,
    );
  }

  #show(id: string, body: Uint8Array): void {
    // A UUIDv7 begins with the time at which it was made.
    const at = Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
    this.#transcript.wait(id, this.connection.account.user, new TextDecoder().decode(body), at);
  }

  #shows(chat: Chat): boolean {
    return this.#chat !== undefined && (chat === this.#chat || (chat.id !== '' && chat.id === this.#chat.id));
  }

  #mark(entry: Entry): Mark {
    if (entry.failed !== undefined) return 'failed';
    if (entry.seq === 0) return 'waiting';
    return this.#chat?.tick(entry.seq).state ?? 'sent';
  }
}
