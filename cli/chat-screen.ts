// Owns the chat on a terminal from beginning to end: keys to window, window to screen, and how it is left.
// Invariant: a node that cannot be reached does not end it; whoever leaves is told how many messages still wait.
// Must not: know the protocol, or what commands do.

import type { Key } from 'node:readline';
import pc from 'picocolors';
import { LIMITS } from '../actors/limits.js';
import { type Session, WeftError } from '../client/index.js';
import { answerOf, completed, isQuit, messageOf } from './chat-commands.js';
import { Editor } from './chat-editor.js';
import { insert, press, type Wish } from './chat-keys.js';
import { asFailure, type Connection, detailOf, endOf, openChat, waiting } from './chat-session.js';
import { chatOf, type Target } from './chat-target.js';
import { Terminal } from './chat-terminal.js';
import { cleanLine } from './chat-text.js';
import { compose, type Screen } from './chat-view.js';
import { Window } from './chat-window.js';
import { CliFailure } from './failure.js';
import { onStop } from './stop.js';

/** Newest messages of a chat that is new to this device; earlier ones are read as they are scrolled to. */
const BACKFILL = LIMITS.historyRows;

/** Runs until it is left. Rejects with a CliFailure where the session ended by itself. */
export async function runScreen(connection: Connection, target: Target | undefined): Promise<void> {
  const session = await openChat(connection, BACKFILL);
  const screen = new ChatScreen(session, connection);
  let left = 0;
  try {
    await screen.run(target);
  } finally {
    left = session.pending().length;
    await session.close();
  }
  if (left > 0)
    process.stdout.write(
      `${waiting(left)}; the next weft chat of ${connection.account.user} on this device sends what waits.\n`,
    );
}

class ChatScreen {
  readonly #session: Session;
  readonly #connection: Connection;
  readonly #terminal: Terminal;
  readonly #window: Window;
  readonly #editor = new Editor();
  #screen: Screen | undefined;
  #leaving = false;
  #leave: () => void = () => {};
  #fail: (error: unknown) => void = () => {};
  readonly #left = new Promise<void>((resolve, reject) => {
    this.#leave = resolve;
    this.#fail = reject;
  });

  constructor(session: Session, connection: Connection) {
    this.#session = session;
    this.#connection = connection;
    this.#terminal = new Terminal({
      compose: (columns, rows) => this.#compose(columns, rows),
      key: (key, text) => this.#key(key, text),
      paste: (text) => this.#typed(insert(this.#editor, text)),
    });
    this.#window = new Window(session, connection, () => this.#terminal.draw());
  }

  async run(target: Target | undefined): Promise<void> {
    const off = onStop(() => this.#end());
    const offState = this.#session.on('state', (change) => {
      const end = endOf(change, this.#connection);
      if (end !== undefined) this.#fail(end);
    });
    this.#terminal.start();
    try {
      this.#begin(target).catch(this.#fail);
      await this.#left;
      await this.#flush();
    } catch (error) {
      throw asFailure(error);
    } finally {
      this.#terminal.stop();
      offState();
      off();
    }
  }

  /** A user's chat opens at once, also without a node; all else has to ask the node first. */
  async #begin(target: Target | undefined): Promise<void> {
    if (target?.type === 'user') {
      await this.#window.open(await chatOf(this.#session, target));
      return;
    }
    await synced(this.#session);
    if (target === undefined) {
      await this.#run('/chats');
      return;
    }
    try {
      await this.#window.open(await chatOf(this.#session, target));
    } catch (error) {
      if (error instanceof WeftError) this.#window.note(`${detailOf(error)} (${error.code})`);
      else if (error instanceof CliFailure) this.#window.note(`${error.message}. /chats lists your chats.`);
      else throw error;
    }
  }

  #compose(columns: number, rows: number): Screen {
    const { text, cursor } = this.#editor;
    const chat = this.#window.chat;
    const hint =
      chat === undefined
        ? '/open NAME, or /help'
        : `Message ${cleanLine(chat.name) || 'the group'} · /help for commands`;
    this.#screen = compose(this.#window.view({ text, cursor }, hint), columns, rows, pc);
    return this.#screen;
  }

  #key(key: Key, text: string): void {
    this.#window.hint('');
    this.#typed(press(this.#editor, key, text));
  }

  #typed(wish: Wish | undefined): void {
    const { text } = this.#editor;
    this.#window.chat?.typing(text !== '' && messageOf(text) !== undefined);
    if (wish !== undefined) this.#wish(wish);
    this.#terminal.draw();
  }

  #wish(wish: Wish): void {
    const { scroll = 0, page = 1 } = this.#screen ?? {};
    switch (wish) {
      case 'submit':
        return this.#submit();
      case 'leave':
        return this.#end();
      case 'suspend':
        return this.#terminal.suspend();
      case 'redraw':
        return this.#terminal.redraw();
      case 'complete':
        return this.#editor.set(completed(this.#editor.text));
      case 'up':
        return this.#up(scroll + 1);
      case 'down':
        return this.#window.scroll(scroll - 1);
      case 'pageUp':
        return this.#up(scroll + page - 1);
      case 'pageDown':
        return this.#window.scroll(scroll - page + 1);
      case 'end':
        return this.#window.end();
      case 'full':
        return this.#window.hint(`a message has at most ${LIMITS.body.toLocaleString('en-US')} bytes`);
    }
  }

  /** At the top, what is above is read first. */
  #up(lines: number): void {
    if (this.#screen?.top !== true) {
      this.#window.scroll(lines);
      return;
    }
    this.#window.earlier(LIMITS.historyRows).then(
      (got) => {
        if (got > 0) this.#window.scroll(lines);
      },
      () => this.#window.hint('earlier messages come when the node can be reached'),
    );
  }

  #submit(): void {
    const line = this.#editor.text;
    if (line.trim() === '') return;
    this.#editor.take();
    this.#window.chat?.typing(false);
    if (isQuit(line)) {
      this.#end();
      return;
    }
    const message = messageOf(line);
    if (message !== undefined) this.#window.send(message.trimEnd());
    else this.#run(line).catch(this.#fail);
  }

  /** What is wrong with a command is told where its answer would be. */
  async #run(line: string): Promise<void> {
    try {
      const answer = await answerOf(this.#window, line);
      if (answer !== undefined) this.#window.note(answer);
    } catch (error) {
      if (!(error instanceof CliFailure)) throw error;
      const [name] = line.split(' ', 1);
      this.#window.note(
        `${error.code === 'bad_usage' ? '' : `${name}: `}${capital(error.message)} ${codeOf(error)}`.trimEnd(),
      );
    }
  }

  /** The first time, what is on its way may arrive; a second time does not wait. */
  #end(): void {
    this.#window.chat?.typing(false);
    if (this.#leaving) this.#fail(new CliFailure('interrupted', 'left without waiting'));
    this.#leaving = true;
    this.#leave();
  }

  async #flush(): Promise<void> {
    const deadline = Date.now() + LIMITS.chatLeaveMs;
    while (this.#session.state === 'online' && this.#session.pending().length > 0 && Date.now() < deadline) {
      this.#window.hint(`${waiting(this.#session.pending().length)}…`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }
}

/** A way of writing is no failure, and needs no code. */
function codeOf({ code }: CliFailure): string {
  return code === 'bad_usage' ? '' : `(${code})`;
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** Resolves when the node has told of all chats. */
function synced(session: Session): Promise<void> {
  return new Promise((resolve) => {
    const off = session.on('synced', () => {
      off();
      resolve();
    });
  });
}
