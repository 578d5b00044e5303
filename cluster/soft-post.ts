// Owns the other way for typing between nodes: by posts of the table of presence, as long as it is there, so that links are kept for
// what must arrive.
// Invariant: what is told in one turn leaves as one post a node, and one encoding a message; what cannot go this way goes by the
// link, and what is lost on it ends by itself at the client. The receiving side passes nothing on: a user who is not here misses it.
// Must not: carry anything whose loss has to be made good.

import type { Directory } from '../actors/fabric.js';
import { BOARD_LIMITS } from '../actors/limits.js';
import type { TypingNews, UserMessage } from '../actors/messages.js';
import type { World } from '../actors/world.js';
import { Reader } from '../transport/reader.js';
import { Slab } from '../transport/slab.js';
import { Writer } from '../transport/writer.js';
import { Infos } from './infos.js';
import { DEPTH, type Refs } from './message-codec.js';
import { typing } from './news-codec.js';

/** Typing names no connection. */
const noRefs = (): Refs => ({
  write: () => undefined,
  read: () => {
    throw new Error('typing names no connection');
  },
  infos: new Infos(),
});

export interface PostOffice {
  readonly up: boolean;
  /** False: it takes no more. */
  post(node: string, bytes: Uint8Array): boolean;
}

export class SoftPost {
  readonly #world: World;
  readonly #office: PostOffice;
  /** By node: each message with the users that it is for. */
  #waiting = new Map<string, Map<TypingNews, string[]>>();
  #count = 0;
  readonly #writer = new Writer();
  readonly #reader = new Reader(new Slab());
  readonly #refs = noRefs();

  constructor(world: World, office: PostOffice) {
    this.#world = world;
    this.#office = office;
  }

  /** False: it has to go by the link. */
  tell(node: string, user: string, message: TypingNews): boolean {
    if (!this.#office.up || this.#count >= BOARD_LIMITS.posts) return false;
    if (this.#count === 0) this.#world.defer(() => this.#flush());
    this.#count += 1;
    const messages = this.#waiting.get(node) ?? new Map<TypingNews, string[]>();
    this.#waiting.set(node, messages);
    const users = messages.get(message);
    if (users === undefined) messages.set(message, [user]);
    else users.push(user);
    return true;
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    this.#count = 0;
    for (const [node, messages] of waiting) {
      let writer = this.#writer.reset();
      for (const [message, users] of messages) {
        writer.array(2 + typing.fields).array(users.length);
        for (const user of users) writer.str(user);
        writer.int(typing.tag);
        typing.write(message, writer, this.#refs);
        if (writer.length < BOARD_LIMITS.postBytes) continue;
        this.#office.post(node, writer.copy());
        writer = this.#writer.reset();
      }
      if (writer.length > 0) this.#office.post(node, writer.copy());
    }
  }

  /** Another node's post. What cannot be read is passed over: it may be a later build's. */
  receive(bytes: Uint8Array, users: Directory<UserMessage>): void {
    const reader = this.#reader;
    reader.open(bytes, DEPTH);
    while (!reader.atEnd) {
      const count = reader.array();
      const keys: string[] = [];
      for (let rest = reader.array(); rest > 0 && reader.fault === ''; rest--) keys.push(reader.str());
      const known = reader.uint() === typing.tag && count >= 2 + typing.fields;
      const message = known ? typing.read(reader, this.#refs, typing.fields) : null;
      reader.skip(count - 2 - (known ? typing.fields : 0), 1);
      if (reader.fault !== '') return;
      if (message !== null) for (const key of keys) users.lookup(key)?.tell(message);
    }
  }
}
