// Owns how one message between actors crosses a link: as a MessagePack array of its tag and its fields.
// Invariant: what one node writes another reads back equal, refs apart: each becomes what stands for the same actor there. Tags
// never change meaning and fields are only appended, so nodes of two builds understand each other: a message of an
// unknown tag, and fields that are not known, are passed over.
// Must not: know what carries the bytes (outbound.ts), or what a message means.

import { CODES, type Code, type Refusal } from '../actors/errors.js';
import type { Asker, ChatInfo, ConnectionRef } from '../actors/messages.js';
import { chatKey } from '../storage/keys.js';
import type { Reader } from '../transport/reader.js';
import type { Writer } from '../transport/writer.js';
import type { Infos } from './infos.js';

/** Arrays may nest so deep in a message: results of an answer in their frame's fields. */
export const DEPTH = 12;

/** What connections are called on a link. */
export interface Refs {
  write(writer: Writer, ref: ConnectionRef): void;
  /** A connection that is not there any more is one that has ended. */
  read(reader: Reader): ConnectionRef;
  /** What chats are. */
  readonly infos: Infos;
}

/** One type of message. */
export interface Shape<M> {
  readonly tag: number;
  /** How many fields it has. */
  readonly fields: number;
  /** How many the first build wrote; absent: as many. */
  readonly least?: number;
  write(message: M, writer: Writer, refs: Refs): void;
  /** `count`: of the fields that are there. */
  read(reader: Reader, refs: Refs, count: number): M;
}

type Of<U, T> = U extends { readonly type: infer X } ? (T extends X ? U : never) : never;

/** Every type of a union; null: it never leaves its node. */
export type Shapes<U extends { readonly type: string }> = {
  readonly [T in U['type']]: Shape<Of<U, T>> | null;
};

export class MessageCodec<U extends { readonly type: string }> {
  readonly #shapes: Readonly<Record<string, Shape<U> | null>>;
  readonly #byTag: (Shape<U> | undefined)[] = [];

  constructor(shapes: Shapes<U>) {
    // Each shape is only ever given messages of its own type.
    const all: [string, Shape<U> | null][] = Object.entries(shapes);
    this.#shapes = Object.fromEntries(all);
    for (const [, shape] of all) if (shape !== null) this.#byTag[shape.tag] = shape;
  }

  /** False: a message of this type never leaves its node. */
  crosses({ type }: U): boolean {
    return this.#shapes[type] != null;
  }

  write(message: U, writer: Writer, refs: Refs): void {
    const shape = this.#shapes[message.type]!;
    writer.array(shape.fields + 1).int(shape.tag);
    shape.write(message, writer, refs);
  }

  /** Null: a type that this build does not know, passed over; or the reader has a fault. */
  read(reader: Reader, refs: Refs): U | null {
    const count = reader.array() - 1;
    const tag = reader.uint();
    const shape = this.#byTag[tag];
    if (shape === undefined) {
      reader.skip(count, 1);
      return null;
    }
    if (count < (shape.least ?? shape.fields)) reader.fail('a field is missing');
    const message = shape.read(reader, refs, count);
    reader.skip(count - shape.fields, 1);
    return reader.fault === '' ? message : null;
  }
}

// ---- parts that several messages have ----

export function writeRefusal({ code, detail, after }: Refusal, writer: Writer): void {
  writer.array(3).str(code).str(detail);
  if (after === undefined) writer.nil();
  else writer.int(Math.ceil(after));
}

export function readRefusal(reader: Reader): Refusal {
  const count = reader.array();
  const said = reader.str();
  const detail = reader.str();
  const after = reader.nil() ? null : reader.uint();
  reader.skip(count - 3, 2);
  // A newer build may have more of them.
  const code: Code = Object.hasOwn(CODES, said) ? (said as Code) : 'unavailable';
  return after === null ? { code, detail } : { code, detail, after };
}

export function writeAsker({ user, connection, r }: Asker, writer: Writer, refs: Refs): void {
  writer.array(3).str(user);
  refs.write(writer, connection);
  writer.int(r);
}

export function readAsker(reader: Reader, refs: Refs): Asker {
  const count = reader.array();
  const asker = { user: reader.str(), connection: refs.read(reader), r: reader.uint() };
  reader.skip(count - 3, 2);
  return asker;
}

export function writeInfo({ chat, kind, pair, title }: ChatInfo, writer: Writer): void {
  writer.array(4).bin(chat).int(kind);
  writePair(pair, writer);
  writer.str(title);
}

export function readInfo(reader: Reader): ChatInfo {
  const count = reader.array();
  const chat = reader.id();
  const info = { chat, key: chatKey(chat), kind: reader.uint(), pair: readPair(reader), title: reader.str() };
  reader.skip(count - 4, 2);
  return info;
}

export function writePair(pair: readonly [string, string] | null, writer: Writer): void {
  if (pair === null) writer.nil();
  else writer.array(2).str(pair[0]).str(pair[1]);
}

export function readPair(reader: Reader): readonly [string, string] | null {
  if (reader.nil()) return null;
  const count = reader.array();
  const pair = [reader.str(), reader.str()] as const;
  reader.skip(count - 2, 2);
  return pair;
}

export function writeNames(names: readonly string[], writer: Writer): void {
  writer.array(names.length);
  for (const name of names) writer.str(name);
}

const NOBODY: readonly string[] = [];

export function readNames(reader: Reader): readonly string[] {
  const count = reader.array();
  if (count === 0) return NOBODY;
  const names: string[] = [];
  for (let rest = count; rest > 0; rest--) names.push(reader.str());
  return names;
}
