// Owns the trial of a real node over real sockets: hostile clients, one after the other, beside two honest ones.
// Invariant: a connection lives on or is closed with the code that docs/wire.md gives for what it did; all that the node
// says is well formed and in its vocabulary; no actor crashes; the honest ones go on in order.
// Must not: use the SDK or the codec to speak: bytes come from fuzz-frames.ts, and are judged by fuzz-grammar.ts.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { WebSocket } from 'ws';
import { DEFAULT_QUOTAS } from '../actors/allowances.js';
import { CODES } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import { FOREVER, SWEEP_PACE } from '../actors/retention.js';
import { issueToken } from '../cli/token.js';
import { createVerifier } from '../services/auth.js';
import { createMachine } from '../services/machine.js';
import { type Node, startNode } from '../services/node.js';
import { directChat } from '../storage/keys.js';
import { openLmdb } from '../storage/lmdb.js';
import { CLOSE, SUBPROTOCOL, T } from '../transport/frames.js';
import { hostile } from './fuzz-frames.js';
import { CLIENT, judge, SERVER } from './fuzz-grammar.js';
import { array, bin, int, str, type Value, write } from './fuzz-value.js';

/** What one hostile client does. */
export interface Assault {
  /** Says HELLO and SYNC first. */
  readonly greets: boolean;
  readonly frames: readonly Uint8Array[];
}

const SECRET = new Uint8Array(32).fill(7);
const QUOTAS = Object.fromEntries(Object.keys(DEFAULT_QUOTAS).map((name) => [name, 0])) as Record<string, number>;
/** ms that an answer may take. */
const PATIENCE = 20_000;
/** Closes that a client's own doing explains, apart from bad frames. */
const EXPLAINED: readonly number[] = [
  CLOSE.auth,
  CLOSE.goingAway,
  CLOSE.flood,
  CLOSE.removed,
  CLOSE.tooBig,
  CLOSE.badFrame,
];

/** Bad frames, a second HELLO, and TOKEN with one that is none. */
const FATAL: readonly number[] = [-1, T.HELLO, T.TOKEN];

/** A raw socket and what came through it, each frame as its fields by docs/wire.md. */
class Wire {
  readonly heard: (Record<string, unknown> & { readonly type: number })[] = [];
  closed: number | null = null;
  readonly socket: WebSocket;
  #wake: () => void = () => undefined;

  constructor(url: string) {
    this.socket = new WebSocket(url, SUBPROTOCOL, { perMessageDeflate: false });
    this.socket.on('message', (data: Buffer) => {
      this.heard.push(judge(Uint8Array.from(data), SERVER, LIMITS.serverDepth));
      this.#wake();
    });
    this.socket.on('close', (code) => {
      this.closed = code;
      this.#wake();
    });
    this.socket.on('error', () => undefined);
  }

  open(): Promise<void> {
    return new Promise((resolve, reject) => this.socket.once('open', resolve).once('error', reject));
  }

  say(...fields: Value[]): void {
    this.socket.send(write(array(fields)));
  }

  /** The first frame heard that passes, or null when the connection has ended. */
  async until(passes: (frame: this['heard'][number]) => boolean, what: string): Promise<this['heard'][number] | null> {
    const deadline = performance.now() + PATIENCE;
    for (let looked = 0; ; ) {
      for (; looked < this.heard.length; looked += 1) if (passes(this.heard[looked]!)) return this.heard[looked]!;
      if (this.closed !== null) return null;
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`nothing came in ${PATIENCE} ms: ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

export class FuzzNode {
  readonly #node: Node;
  readonly #folder: string;
  readonly #time = Date.now();
  readonly #ann: Wire;
  readonly #ben: Wire;
  #users = 0;
  #sent = 0;
  #ids = 0;

  private constructor(node: Node, folder: string) {
    this.#node = node;
    this.#folder = folder;
    [this.#ann, this.#ben] = [new Wire(node.url), new Wire(node.url)];
  }

  static async start(): Promise<FuzzNode> {
    const folder = mkdtempSync(join(tmpdir(), 'weft-fuzz-'));
    const verifier = createVerifier({ keys: { type: 'secret', secret: SECRET } });
    if (!verifier.ok) throw new Error(verifier.detail);
    const world = createMachine();
    const node = await startNode({
      node: 'fuzz',
      world,
      host: '127.0.0.1',
      port: 0,
      transport: 'auto',
      verifier: verifier.verifier,
      openStore: () => openLmdb({ path: join(folder, 'store') }),
      http: () => ({ status: 404, body: '' }),
      event: () => undefined,
      fenced: () => undefined,
      report: () => undefined,
      settings: {
        fanOutThreshold: 4,
        passivateMs: 200,
        quotas: { ...DEFAULT_QUOTAS, ...QUOTAS, loopback: true },
        retention: FOREVER,
        sweep: SWEEP_PACE,
      },
    });
    const fuzz = new FuzzNode(node, folder);
    await fuzz.#greet(fuzz.#ann, 'ann');
    await fuzz.#greet(fuzz.#ben, 'ben');
    fuzz.#ann.say(int(T.DIRECT), int(1), str('ben'));
    await fuzz.#ann.until(({ type }) => type === T.OK, 'DIRECT of an honest client');
    return fuzz;
  }

  /** Assaults by clients of which each is a new user. */
  assaults(): fc.Arbitrary<Assault> {
    const words = {
      chats: [directChat('u0', 'u1'), directChat('u1', 'zoë')],
      users: ['u0', 'u1', 'zoë'],
      tokens: ['a.b.c'],
      time: this.#time,
    };
    const any = hostile(CLIENT, words);
    const sound = any.filter((frame) => !FATAL.includes(judge(frame, CLIENT, LIMITS.depth).type));
    return fc.record({
      greets: fc.oneof({ weight: 7, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
      // What ends a connection comes at the end, so that what comes before is looked at.
      frames: fc
        .tuple(fc.array(sound, { minLength: 1, maxLength: 120, size: 'max' }), fc.array(any, { maxLength: 2 }))
        .map(([first, last]) => [...first, ...last]),
    });
  }

  /** How the connection ended, 0 if it did not. Rejects where the node did what it should not. */
  async try({ greets, frames }: Assault): Promise<number> {
    const wire = new Wire(this.#node.url);
    await wire.open();
    if (greets) await this.#settle(wire, `u${this.#users++}`);
    let bad = false;
    for (const frame of frames) {
      wire.socket.send(frame);
      bad ||= judge(frame, CLIENT, LIMITS.depth).type === -1;
    }
    const mark = 1_000_000_007;
    wire.say(int(T.PING), int(mark));
    const pong = await wire.until(({ type, n }) => type === T.PONG && n === mark, 'PONG or a close');
    this.#judge(wire, greets, bad, pong !== null);
    if (pong !== null) wire.socket.close();
    await this.#honest();
    return wire.closed ?? 0;
  }

  async stop(): Promise<void> {
    this.#ann.socket.close();
    this.#ben.socket.close();
    await this.#node.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #greet(wire: Wire, user: string): Promise<void> {
    if (wire.socket.readyState !== WebSocket.OPEN) await wire.open();
    const issued = Math.floor(Date.now() / 1_000);
    const who = { user, device: 'd1', issued, expires: issued + 86_400, issuer: undefined, audience: undefined };
    wire.say(int(T.HELLO), int(1), str(await issueToken(SECRET, who)), int(65_535), str('fuzz'));
    wire.say(int(T.SYNC), array([]), int(0), int(0));
    const synced = await wire.until(({ type }) => type === T.SYNCED, `SYNCED of ${user}`);
    if (synced === null) throw new Error(`${user} was not let in: ${wire.closed}`);
  }

  /** A direct chat and a group of one's own, which get the first aliases. */
  async #settle(wire: Wire, user: string): Promise<void> {
    await this.#greet(wire, user);
    wire.say(int(T.DIRECT), int(401), str('zoë'));
    wire.say(int(T.SEND), bin(directChat(user, 'zoë')), bin(this.#id()), bin(new Uint8Array(4)));
    wire.say(int(T.CREATE), int(402), bin(this.#id()), str('tea'), array([str('zoë')]));
    await wire.until(({ type, r }) => type === T.OK && r === 402, `CREATE of ${user}`);
    wire.heard.length = 0;
  }

  #judge(wire: Wire, greeted: boolean, bad: boolean, lives: boolean): void {
    const odd = wire.heard.find(({ type, code }) => type <= 0 || (code !== undefined && !(String(code) in CODES)));
    if (odd !== undefined) throw new Error(`the node said what docs/wire.md does not have: ${JSON.stringify(odd)}`);
    if (this.#node.acceptor.crashes > 0) throw new Error('a connection’s actor crashed');
    const why = wire.heard.findLast(({ type, r }) => type === T.ERROR && r === 0)?.code;
    if (lives) {
      if (bad || !greeted) throw new Error('a bad frame, or one before HELLO, and the connection lives');
    } else if (!EXPLAINED.includes(wire.closed ?? 0)) throw new Error(`closed with ${wire.closed}`);
    else if (wire.closed !== CLOSE.removed && wire.closed !== CLOSE.tooBig && why === undefined) {
      throw new Error(`closed with ${wire.closed} and no ERROR`);
    } else if (!bad && wire.closed === CLOSE.badFrame && why !== 'bad_version')
      throw new Error('closed as bad_frame without one');
  }

  /** A UUIDv7 that was not there before. */
  #id(): Uint8Array {
    const id = Uint8Array.from({ length: 16 }, (_, i) => (i < 6 ? Math.floor(this.#time / 256 ** (5 - i)) % 256 : 0));
    id.set([0x70, 0, 0x80], 6);
    this.#ids += 1;
    new DataView(id.buffer).setUint32(12, this.#ids);
    return id;
  }

  /** Ann writes to Ben: the next number, and Ben has it. */
  async #honest(): Promise<void> {
    this.#sent += 1;
    const seq = this.#sent;
    this.#ann.say(int(T.SEND), bin(directChat('ann', 'ben')), bin(this.#id()), bin(new Uint8Array(8)));
    const sent = await this.#ann.until(({ type }) => type === T.SENT || type === T.FAILED, 'SENT of an honest client');
    const got = await this.#ben.until(({ type }) => type === T.MESSAGE, 'MESSAGE to an honest client');
    if (sent?.seq !== seq || got?.seq !== seq)
      throw new Error(`honest message ${seq} is ${sent?.seq}, came as ${got?.seq}`);
    this.#ann.heard.length = 0;
    this.#ben.heard.length = 0;
    if (seq % 100 === 0) this.#ben.say(int(T.CREDIT), int(100));
  }
}
