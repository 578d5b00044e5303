// Owns one session with another node: what this node's actors tell actors there, what is told from there, and who there and
// here is known to whom.
// Invariant: nothing outlives the session: at its end every outsider behind it has ended, what was watched for it is not any more, and
// what may be lost is told to the hub. A message whose actor is not here is answered, or refused by `moved`, never passed to
// another incarnation of the shard's owner.
// Must not: decide who owns a shard (placement.ts), or encode (outbound.ts, *-codec.ts).

import type { Delivery, ExitReason } from '../actors/behaviour.js';
import type { Directory } from '../actors/fabric.js';
import type { ChatMessage, ConnectionMessage, UserMessage } from '../actors/messages.js';
import type { Runtime } from '../actors/runtime.js';
import { Watchers } from '../actors/watchers.js';
import type { Reader } from '../transport/reader.js';
import { chatCodec } from './chat-codec.js';
import { connectionCodec } from './connection-codec.js';
import { OP, PARTY, type Party, readParty, reasonNumber, reasonOf } from './envelope.js';
import { type Lasting, lasts, owed } from './lasting.js';
import type { PeerLink } from './link.js';
import { DEPTH } from './message-codec.js';
import { type Acquaintance, Names } from './names.js';
import { type Losses, Outbound } from './outbound.js';
import type { Far, FarConnection } from './outsiders.js';
import { excuse } from './refusals.js';
import { MOVED } from './shard-actors.js';
import { linkReader } from './texts.js';
import { userCodec } from './user-codec.js';

/** What all sessions of a node share. */
export interface Hub extends Acquaintance {
  readonly runtime: Runtime;
  /** The node's own actors. */
  readonly users: Directory<UserMessage>;
  readonly chats: Directory<ChatMessage>;
  /** The router's count: grows with each thing that is told to another node. */
  count(): number;
  mine(party: Party, key: string): boolean;
  /** To be told again until it is taken. */
  again(lasting: Lasting): void;
  /** Another node lost news for users of the shard; false: that is not this one's. */
  missedElsewhere(shard: number): boolean;
  /** This one did, and whom it told of it, or told them, is not the owner. `since`: as told, where it was before now. */
  missedStill(shard: number, since: number | null): void;
  missedUser(user: string, since: number | null): void;
  /** An actor is not where it was looked for. */
  astray(): void;
  hinted(): void;
}

export class Peer implements Far {
  readonly link: PeerLink;
  readonly node: string;
  readonly incarnation: number;
  readonly out: Outbound;
  readonly names: Names;
  readonly #hub: Hub;
  /** Monitors of its chats and users. */
  readonly #watching = new Map<string, Watchers>();
  /** Our chats and users that are watched for it. */
  readonly #watched = new Map<string, () => void>();
  /** Its connections that missed news when too much waited. */
  #behind: FarConnection[] = [];
  readonly #reader = linkReader();

  constructor(hub: Hub, world: Runtime['world'], link: PeerLink) {
    this.#hub = hub;
    this.link = link;
    ({ node: this.node, incarnation: this.incarnation } = link);
    this.names = new Names(hub, this, (op, number) => this.out.control(op, number));
    this.out = new Outbound(world, link, this.names, () => hub.count());
  }

  /** Connections of the peer known here, its actors watched here, and ours watched for it. */
  get sizes() {
    return { far: this.names.size, watching: this.#watching.size, watched: this.#watched.size };
  }

  // ---- what leaves ----

  tellChat(key: string, message: ChatMessage): Delivery {
    if (!chatCodec.crosses(message)) return 'dead';
    if (this.out.full && !lasts(message)) return 'busy';
    this.out.put(OP.chat, key, message, message.type === 'send' ? message.body.length : 0);
    if (owed(message)) this.out.lasting({ party: 'chat', key, message });
    return 'ok';
  }

  tellUser(key: string, message: UserMessage): Delivery {
    if (!userCodec.crosses(message)) return 'dead';
    if (this.out.full && !lasts(message)) return 'busy';
    this.out.put(OP.user, key, message);
    if (owed(message)) this.out.lasting({ party: 'user', key, message });
    return 'ok';
  }

  /** To a chat, if it is awake. */
  whisperChat(key: string, message: ChatMessage): Delivery {
    this.out.put(OP.whisper, key, message);
    if (lasts(message)) this.out.lasting({ party: 'chat', key, message });
    return 'ok';
  }

  /** To a user, if it is awake. `busy`: they are lost. */
  whisperUser(key: string, shard: number, message: UserMessage): Delivery {
    if (!userCodec.crosses(message)) return 'dead';
    const lasting = lasts(message);
    if (this.out.full && !lasting) return 'busy';
    this.out.share(OP.news, key, message);
    if (lasting) this.out.lasting({ party: 'user', key, message });
    else this.out.news(shard);
    return 'ok';
  }

  toConnection(connection: FarConnection, message: ConnectionMessage): Delivery {
    if (!connectionCodec.crosses(message)) return 'dead';
    const number = connection.incarnation;
    switch (message.type) {
      case 'delivery':
      case 'receipt':
      case 'tally':
      case 'blocked':
      case 'marked':
        if (this.out.full) return this.#misses(connection);
        this.out.share(OP.connection, number, message);
        return 'ok';
      case 'typing':
      case 'profiled':
        if (!this.out.full) this.out.share(OP.connection, number, message);
        return 'ok';
      default:
        // Answers, as many as clients wait for, and what is told once.
        this.out.put(OP.connection, number, message);
        return 'ok';
    }
  }

  #misses(connection: FarConnection): Delivery {
    if (!connection.missed) this.#behind.push(connection);
    connection.missed = true;
    return 'ok';
  }

  /** Where monitors of a chat or user there wait. */
  watchable(party: Party, key: string): Watchers {
    const name = `${party}${key}`;
    const known = this.#watching.get(name);
    if (known !== undefined) return known;
    const watchers = new Watchers();
    this.#watching.set(name, watchers);
    this.out.control(OP.watch, party, key);
    return watchers;
  }

  // ---- what comes ----

  receive(bytes: Uint8Array): void {
    const reader = this.#reader;
    reader.open(bytes, DEPTH);
    while (!reader.atEnd) {
      const count = reader.array();
      const op = reader.uint();
      const read = this.#frame(op, reader, count - 1);
      reader.skip(count - 1 - read, 1);
      if (reader.fault !== '') throw new Error(`frame ${op} of ${this.node}: ${reader.fault}`);
    }
  }

  /** Answers how many of the fields it read. */
  #frame(op: number, reader: Reader, fields: number): number {
    switch (op) {
      case OP.chat:
      case OP.whisper: {
        const key = reader.str();
        const message = chatCodec.read(reader, this.names);
        if (message !== null) this.#chat(key, message, op === OP.chat);
        return 2;
      }
      case OP.user: {
        const key = reader.str();
        const message = userCodec.read(reader, this.names);
        if (message !== null) this.#user(key, message);
        return 2;
      }
      case OP.news:
        this.#news(reader);
        return 2;
      case OP.connection:
        this.#connections(reader);
        return 2;
      case OP.watch:
        this.#watch(readParty(reader), reader.str());
        return 2;
      case OP.ended:
        this.#over(`${readParty(reader)}${reader.str()}`, reasonOf(reader.uint()));
        return 3;
      case OP.hold:
        this.#hub.exports.hold(reader.uint(), this.names);
        return 1;
      case OP.gone:
        this.names.left(reader.uint());
        return 1;
      case OP.moved:
        this.#moved(readParty(reader), reader.str(), reader.flag());
        return 3;
      case OP.resync:
        this.#missed(reader.uint(), fields > 1 && reader.flag());
        return Math.min(fields, 2);
      case OP.hint:
        this.#hub.hinted();
        return 0;
      default:
        return 0;
    }
  }

  #chat(key: string, message: ChatMessage, activate: boolean): void {
    const { chats } = this.#hub;
    if (!this.#hub.mine(PARTY.chat, key)) {
      if (owed(message)) this.#hub.again({ party: 'chat', key, message });
      this.#astray(PARTY.chat, key);
    } else if (!activate) chats.lookup(key)?.tell(message);
    else {
      const told = chats.tell(key, message);
      if (told === 'busy' && owed(message)) this.#hub.again({ party: 'chat', key, message });
      excuse(message, told);
    }
  }

  #user(key: string, message: UserMessage): void {
    const told = this.#hub.mine(PARTY.user, key) ? this.#hub.users.tell(key, message) : null;
    if (told === null) this.#astray(PARTY.user, key);
    else excuse(message, told);
    if (told !== 'ok' && owed(message)) this.#hub.again({ party: 'user', key, message });
  }

  #news(reader: Reader): void {
    const keys: string[] = [];
    for (let rest = reader.array(); rest > 0; rest--) keys.push(reader.str());
    const message = userCodec.read(reader, this.names);
    if (message === null) return;
    for (const key of keys) {
      if (this.#hub.mine(PARTY.user, key)) this.#hub.users.lookup(key)?.tell(message);
      else if (lasts(message)) this.#hub.again({ party: 'user', key, message });
      else this.#astray(PARTY.user, key, true);
    }
  }

  #connections(reader: Reader): void {
    const numbers: number[] = [];
    for (let rest = reader.array(); rest > 0; rest--) numbers.push(reader.uint());
    const message = connectionCodec.read(reader, this.names);
    if (message !== null) for (const number of numbers) this.#hub.exports.get(number)?.tell(message);
  }

  /** `news`: it was told some, which are lost. */
  #astray(party: Party, key: string, news = false): void {
    this.#hub.astray();
    this.out.control(OP.moved, party, key, news ? 1 : 0);
  }

  #watch(party: Party, key: string): void {
    const name = `${party}${key}`;
    if (!this.#hub.mine(party, key)) return this.#astray(party, key);
    const ref = party === PARTY.chat ? this.#hub.chats.lookup(key) : this.#hub.users.lookup(key);
    if (ref === undefined) return this.out.control(OP.ended, party, key, reasonNumber({ type: 'noproc' }));
    // It may be watched in an incarnation that is just ending: then the peer hears of that, and asks again.
    if (this.#watched.has(name)) return;
    const undo = this.#hub.runtime.watch(ref, (reason) => {
      this.#watched.delete(name);
      this.out.control(OP.ended, party, key, reasonNumber(reason));
    });
    this.#watched.set(name, undo);
  }

  #over(name: string, reason: ExitReason): void {
    const watchers = this.#watching.get(name);
    this.#watching.delete(name);
    watchers?.announce(reason);
  }

  #moved(party: Party, key: string, news: boolean): void {
    this.#hub.astray();
    this.#over(`${party}${key}`, MOVED);
    // Its batch is not taken yet: link-session.ts says this first.
    if (news) this.#hub.missedUser(key, this.out.since);
  }

  /** `back`: it was told to make them good, and the shard is not its own. */
  #missed(shard: number, back: boolean): void {
    if (back) this.#hub.missedStill(shard, this.out.since);
    else if (!this.#hub.missedElsewhere(shard)) this.out.control(OP.resync, shard, 1);
  }

  /** Some shards are another node's now: nobody there will answer for their actors. */
  leave(moved: (party: Party, key: string) => boolean): void {
    for (const name of [...this.#watching.keys()]) {
      if (moved(name.startsWith('0') ? PARTY.chat : PARTY.user, name.slice(1))) this.#over(name, MOVED);
    }
  }

  // ---- room, and the end ----

  /** The link takes more: first those hear who missed something. */
  room(): void {
    for (const connection of this.#behind.splice(0)) {
      connection.missed = false;
      connection.tell({ type: 'resync' });
    }
    this.out.room();
  }

  /** The session is over. */
  end(): Losses {
    for (const undo of this.#watched.values()) undo();
    this.#watched.clear();
    const losses = this.out.end();
    for (const name of [...this.#watching.keys()]) this.#over(name, { type: 'noconnection' });
    this.names.end();
    return losses;
  }
}
