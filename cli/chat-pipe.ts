// Owns the chat without a terminal: each line of stdin a message, each message of others a line of stdout.
// Invariant: ends with 0 only when every line is SENT; what could not be sent is told, line by line, and what still waits
// stays in the outbox for the next run. A message counts as read only when its line is out.
// Must not: colour, move the cursor, or put anything but messages (or JSON events) on stdout.

import { once } from 'node:events';
import { LIMITS } from '../actors/limits.js';
import {
  type Chat,
  type GroupEvent,
  type Message,
  type Session,
  type SessionEvents,
  WeftError,
} from '../client/index.js';
import { runCommands } from './chat-do.js';
import { linesOf } from './chat-input.js';
import { type Format, jsonFormat, plainFormat } from './chat-lines.js';
import { asFailure, type Connection, detailOf, endOf, openChat, unreachable, waiting } from './chat-session.js';
import { chatOf, type Target } from './chat-target.js';
import { CliFailure, EXIT } from './failure.js';
import { onStop } from './stop.js';

export interface PipeOptions extends Connection {
  /** Undefined: listens to all chats. */
  readonly target: Target | undefined;
  readonly json: boolean;
  /** Seconds to stay when all is sent; Infinity: until it is stopped. */
  readonly stay: number;
  /** Commands, in place of lines on stdin. */
  readonly commands: readonly string[];
  /** ms without a node after which it gives up. */
  readonly patience: number;
}

/** Rejects with a CliFailure unless all was sent. */
export async function runPipe(options: PipeOptions): Promise<void> {
  const session = await openChat(options, 0);
  try {
    await new Pipe(session, options).run();
  } finally {
    // A line that nobody finishes must not hold the process.
    process.stdin.destroy();
    await session.close();
  }
}

/** What programs may want to know of a chat besides its messages. */
const TOLD = [
  'receipt',
  'tally',
  'typing',
  'presence',
  'count',
  'truncated',
  'deleted',
  'expired',
  'marks',
  'profile',
] as const;

class Pipe {
  readonly #session: Session;
  readonly #options: PipeOptions;
  readonly #format: Format;
  /** This device has never connected. */
  readonly #fresh: boolean;
  /** What an earlier run left. */
  readonly #left: Set<string>;
  #synced = false;
  #everSynced = false;
  #sending = 0;
  #failed = 0;
  #impatience: NodeJS.Timeout | undefined;
  #waiting: (() => void)[] = [];
  /** Ends the run: by somebody's wish, or with a failure. The first call counts. */
  #finish: () => void = () => {};
  #fail: (error: unknown) => void = () => {};
  readonly #finished = new Promise<void>((resolve, reject) => {
    this.#finish = resolve;
    this.#fail = reject;
  });

  constructor(session: Session, options: PipeOptions) {
    this.#session = session;
    this.#options = options;
    this.#format = options.json ? jsonFormat : plainFormat(options.target === undefined);
    this.#fresh = session.user === '';
    this.#left = new Set(session.pending().map(({ id }) => id));
  }

  async run(): Promise<void> {
    const off = onStop(() => this.#finish());
    process.stdout.on('error', () => this.#finish());
    this.#watch();
    this.#lost();
    this.#work().then(this.#finish, this.#fail);
    try {
      await this.#finished;
    } catch (error) {
      throw asFailure(error);
    } finally {
      off();
      clearTimeout(this.#impatience);
    }
    if (this.#failed > 0) throw new CliFailure('not_sent', `${counted(this.#failed)} not sent, see above`);
    const left = this.#session.pending().length;
    if (left > 0) throw new CliFailure('interrupted', `${waiting(left)}; the next run sends what waits`);
  }

  async #work(): Promise<void> {
    const { target, stay, commands } = this.#options;
    // A user's chat needs no node to be named: its lines reach the outbox whatever else fails.
    const early =
      target?.type === 'user' && commands.length === 0 ? this.#send(await chatOf(this.#session, target)) : undefined;
    // What fails while this waits for the node is told when it is awaited below.
    early?.catch(() => {});
    await this.#until(() => this.#synced);
    const chat = target === undefined ? undefined : await chatOf(this.#session, target);
    if (target?.type === 'new' && chat !== undefined) await this.#print(this.#format.group(chat));
    if (commands.length === 0 || stay > 0) await this.#listen(chat);
    if (commands.length === 0) await (early ?? this.#send(chat));
    else
      await runCommands(this.#session, this.#options, chat, commands, (...said) =>
        this.#print(this.#format.answer(...said)),
      );
    await this.#until(() => this.#sending === 0 && this.#session.pending().length === 0);
    // Without end, only a signal or the reader's end is one.
    await new Promise<void>((done) => (stay === Number.POSITIVE_INFINITY ? undefined : setTimeout(done, stay * 1_000)));
  }

  /** Puts stdin into the outbox, as fast as it empties. */
  async #send(chat: Chat | undefined): Promise<void> {
    for await (const { number, body, length } of linesOf(process.stdin)) {
      if (chat === undefined) {
        throw new CliFailure('bad_usage', 'say to whom the lines go, with --to USER or --group ID', EXIT.usage);
      }
      if (body === undefined) {
        this.#refused(number, new WeftError('too_large', `${length} bytes; at most ${LIMITS.body}`));
        continue;
      }
      this.#sending++;
      chat
        .send(body)
        .catch((error: unknown) => this.#refused(number, error))
        .finally(() => {
          this.#sending--;
          this.#wake();
        });
      await this.#until(() => this.#sending < LIMITS.chatPipeline);
    }
  }

  #refused(line: number, error: unknown): void {
    // The next run sends it.
    if (!(error instanceof WeftError) || error.code === 'closed') return;
    this.#failed++;
    process.stderr.write(`weft: ${error.code}: line ${line} was not sent: ${detailOf(error)}\n`);
  }

  #watch(): void {
    const session = this.#session;
    session.on('synced', () => {
      this.#synced = true;
      this.#everSynced = true;
      clearTimeout(this.#impatience);
      this.#impatience = undefined;
      this.#wake();
    });
    session.on('state', (change) => {
      const end = endOf(change, this.#options);
      if (end !== undefined) this.#fail(end);
      else if (change.state !== 'online' && !session.ended) this.#lost();
    });
    session.on('sent', () => this.#wake());
    session.on('failed', ({ id, error }) => {
      if (!this.#left.has(id)) return;
      this.#failed++;
      process.stderr.write(`weft: ${error.code}: a message of an earlier run was not sent: ${detailOf(error)}\n`);
      this.#wake();
    });
    session.on('error', (error) => {
      if (error.code === 'diverged' || error.code === 'store_failed')
        process.stderr.write(`weft: warning: ${error.code}: ${detailOf(error)}\n`);
    });
    if (this.#options.json) for (const name of ['state', 'sent', 'failed', 'error'] as const) this.#tell(name);
  }

  /** Prints from now on what comes in `chat`, or in every chat. */
  async #listen(chat: Chat | undefined): Promise<void> {
    // A new device gets the whole log; what its user has read elsewhere is no news.
    const known = new Map(this.#fresh ? (await this.#session.chats()).map(({ id, read }) => [id, read]) : []);
    const show = async (item: Message | GroupEvent): Promise<void> => {
      if (chat !== undefined && item.chat.id !== chat.id) return;
      if (item.seq <= (known.get(item.chat.id) ?? 0)) return;
      await this.#print(this.#format.item(item));
      item.read();
    };
    this.#session.on('message', show);
    this.#session.on('event', show);
    if (!this.#options.json) return;
    for (const name of TOLD) this.#tell(name, chat);
    chat?.watch(true);
  }

  #tell(name: Exclude<keyof SessionEvents, 'message' | 'event' | 'chat'>, chat?: Chat): void {
    this.#session.on(name, (event) => {
      const elsewhere = chat !== undefined && 'chat' in event && event.chat.id !== chat.id;
      return elsewhere ? undefined : this.#print(this.#format.other(name, event));
    });
  }

  /** Resolves when the reader has room again: until then no more is asked of the node. */
  async #print(text: string | undefined): Promise<void> {
    if (text !== undefined && !process.stdout.write(`${text}\n`)) await once(process.stdout, 'drain');
  }

  /** No connection: patience begins to run out, unless it is the run's business to wait. */
  #lost(): void {
    this.#synced = false;
    if (this.#impatience !== undefined) return;
    this.#impatience = setTimeout(() => {
      if (this.#everSynced && this.#options.stay > 0) return;
      const left = this.#session.pending().length;
      const more = left === 0 ? '' : ` (${waiting(left)}; the next run sends what waits)`;
      this.#fail(unreachable(this.#options, more));
    }, this.#options.patience);
  }

  async #until(reached: () => boolean): Promise<void> {
    while (!reached()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Something changed that `#until` may wait for. */
  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function counted(messages: number): string {
  return messages === 1 ? '1 message was' : `${messages} messages were`;
}
