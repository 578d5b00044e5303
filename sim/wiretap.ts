// Owns the reading of frames as docs/wire.md describes them, for the checker alone.
// Invariant: written from that page with a plain MessagePack library, so that a mistake of the product's codec is not made
// here as well; aliases are resolved per connection, in the order of the wire.
// Must not: import the product, or judge.

import { Unpackr } from 'msgpackr';
import type { ChatId, Fact } from './record.js';
import type { Asking, Said, Seen, Sending, Tap, Told, WireEntry } from './sights.js';

const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number', mapsAsObjects: false });

/** What one fact of the wire says; a frame may say several things. */
export class Wiretap {
  readonly taps = new Map<number, Tap>();
  readonly #ears = new Map<number, Ear>();

  hear(fact: Fact): Seen[] {
    if (fact.kind === 'link') {
      const { link, node, device, at } = fact;
      const tap: Tap = { link, node, device, user: '', deviceId: '', open: true, opened: at };
      this.taps.set(link, tap);
      this.#ears.set(link, new Ear(tap));
      return [];
    }
    if (fact.kind === 'fault' && fact.fault === 'node_crash') this.#died(fact.whom);
    if (fact.kind !== 'in' && fact.kind !== 'out' && fact.kind !== 'unlink') return [];
    const ear = this.#ears.get(fact.link);
    const tap = this.taps.get(fact.link);
    if (ear === undefined || tap === undefined) return [];
    if (fact.kind === 'unlink') {
      tap.open = false;
      return [];
    }
    const { at } = fact;
    const frame = decode(fact.bytes);
    if (fact.kind === 'in') {
      return frame === null ? [] : ear.said(frame).map((what) => ({ at, tap, way: 'in', what }));
    }
    if (frame === null) return [{ at, tap, way: 'out', what: { kind: 'garbled', why: 'no MessagePack array' } }];
    return ear.told(frame).map((what) => ({ at, tap, way: 'out', what }));
  }

  /** A node that was killed has no word to say about its links. */
  #died(node: string): void {
    for (const tap of this.taps.values()) if (tap.node === node) tap.open = false;
  }
}

type Frame = readonly unknown[];

function decode(bytes: Uint8Array): Frame | null {
  try {
    const value: unknown = unpackr.unpack(bytes);
    return Array.isArray(value) && typeof value[0] === 'number' ? value : null;
  } catch {
    return null;
  }
}

/** Follows one connection: its aliases, its SENDs by number, its requests. */
class Ear {
  readonly #tap: Tap;
  readonly #chats = new Map<number, ChatId>();
  readonly #users = new Map<number, string>();
  readonly #sends = new Map<number, Sending>();
  readonly #asked = new Map<number, Asking>();
  #count = 0;

  constructor(tap: Tap) {
    this.#tap = tap;
  }

  said(frame: Frame): Said[] {
    const [type, a, b, c] = frame;
    switch (type) {
      case 1:
        return [{ kind: 'hello', credit: count(c) }];
      case 2: {
        this.#count = (this.#count + 1) % 65_536;
        const send: Sending = { chat: this.#chat(a), id: hex(b), body: text(c) };
        this.#sends.set(this.#count, send);
        return [{ kind: 'send', ...send }];
      }
      case 3:
        return [{ kind: 'ack', chat: this.#chat(a), delivered: count(b), read: 0, by: 'ack' }];
      case 4:
        return [{ kind: 'ack', chat: this.#chat(a), delivered: count(b), read: count(b), by: 'read' }];
      case 5:
        return [{ kind: 'credit', n: count(a) }];
      case 6: {
        const entries = Array.isArray(a) ? (a as unknown[]) : [];
        const acks = entries.filter(Array.isArray).map(
          (entry: readonly unknown[]): Said => ({
            kind: 'ack',
            chat: hex(entry[0]),
            delivered: count(entry[1]),
            read: count(entry[2]),
            by: 'sync',
          }),
        );
        return [{ kind: 'sync', more: b === 1 }, ...acks];
      }
      case 14:
        return [{ kind: 'watch', chat: this.#chat(a), on: b === 1 }];
      case 13:
      case 15:
        return [{ kind: 'other' }];
      default: {
        if (typeof type !== 'number' || type < 7 || type > 28 || typeof a !== 'number') return [{ kind: 'other' }];
        // A chat stands first where the request is about one: known by id from here on.
        const fields = [...frame.slice(2)];
        if (WITH_CHAT.has(type)) fields[0] = this.#chat(fields[0]);
        const asked: Asking = { type, fields };
        this.#asked.set(a, asked);
        return [{ kind: 'ask', asked }];
      }
    }
  }

  told(frame: Frame): Told[] {
    const [type, a, b, c, d, , f, g] = frame;
    switch (type) {
      case 32:
        this.#tap.user = text(a);
        this.#tap.deviceId = text(b);
        return [{ kind: 'welcome' }];
      case 33: {
        const send = this.#sends.get(count(a));
        if (send === undefined) return [{ kind: 'garbled', why: `SENT ${a} answers no SEND` }];
        this.#sends.delete(count(a));
        return [{ kind: 'sent', send, seq: count(b), durability: count(c) }];
      }
      case 34:
        return [{ kind: 'entry', by: 'push', entry: this.#entry(a, b, c, d, text(f), 0, []) }];
      case 35:
        return [{ kind: 'entry', by: 'push', entry: this.#entry(a, b, c, d, null, count(f), list(g)) }];
      case 36:
        return [{ kind: 'receipt', chat: this.#chat(a), user: this.#user(b), delivered: count(c), read: count(d) }];
      case 37:
        return list(a).flatMap((entry): Told[] => {
          const [chat, head, start, kind, name] = list(entry);
          const cert: Told = { kind: 'cert', chat: hex(chat), head: count(head), start: count(start) };
          return kind === undefined
            ? [cert]
            : [cert, { kind: 'party', chat: hex(chat), type: count(kind), name: text(name) }];
        });
      case 38:
        return [{ kind: 'synced' }];
      case 39:
        this.#chats.set(count(a), hex(b));
        return [{ kind: 'party', chat: hex(b), type: count(c), name: text(d) }];
      case 40:
        this.#users.set(count(a), text(b));
        return [];
      case 41:
        return this.#answered(count(a), (asked) => this.#ok(asked, frame.slice(2)));
      case 42:
        if (a === 0) return [{ kind: 'error', asked: null, code: text(b) }];
        return this.#answered(count(a), (asked) => [{ kind: 'error', asked, code: text(b) }]);
      case 43:
        return [{ kind: 'typing', chat: this.#chat(a), user: this.#user(b), on: c === 1 }];
      case 44:
        return [{ kind: 'presence', user: this.#user(a), online: b === 1, precision: count(d) }];
      case 45:
        return this.#answered(count(a), (asked) => this.#page(text(asked.fields[0]), list(b)));
      case 49: {
        const send = this.#sends.get(count(a));
        if (send === undefined) return [{ kind: 'garbled', why: `FAILED ${a} answers no SEND` }];
        this.#sends.delete(count(a));
        return [{ kind: 'failed', send, code: text(b), retry: c === 1 }];
      }
      case 50:
        return [{ kind: 'tally', chat: this.#chat(a), delivered: count(b), read: count(c) }];
      default:
        return [];
    }
  }

  #answered(r: number, then: (asked: Asking) => Told[]): Told[] {
    const asked = this.#asked.get(r);
    if (asked === undefined) return [{ kind: 'garbled', why: `an answer to request ${r}, which is not under way` }];
    this.#asked.delete(r);
    return then(asked);
  }

  #ok(asked: Asking, results: readonly unknown[]): Told[] {
    const ok: Told = { kind: 'ok', asked, results };
    // DIRECT names the chat with a user.
    return asked.type === 7
      ? [ok, { kind: 'party', chat: hex(results[0]), type: 1, name: text(asked.fields[0]) }]
      : [ok];
  }

  #page(chat: ChatId, rows: readonly unknown[]): Told[] {
    return rows.flatMap((row): Told[] => {
      const [type, from, seq, id, , first, second] = list(row);
      if (type !== 34 && type !== 35) return [];
      const body = type === 34 ? text(first) : null;
      const [op, args] = type === 35 ? [count(first), list(second)] : [0, []];
      return [
        { kind: 'entry', by: 'page', entry: { chat, seq: count(seq), id: hex(id), from: text(from), body, op, args } },
      ];
    });
  }

  #entry(
    chat: unknown,
    from: unknown,
    seq: unknown,
    id: unknown,
    body: string | null,
    op: number,
    args: readonly unknown[],
  ): WireEntry {
    return { chat: this.#chat(chat), from: this.#user(from), seq: count(seq), id: hex(id), body, op, args };
  }

  #chat(ref: unknown): ChatId {
    return typeof ref === 'number' ? (this.#chats.get(ref) ?? `alias ${ref}`) : hex(ref);
  }

  #user(ref: unknown): string {
    return typeof ref === 'number' ? (this.#users.get(ref) ?? `alias ${ref}`) : text(ref);
  }
}

/** CHANGE, HISTORY, INFO, INVITE, RECEIPTS, MARK. */
const WITH_CHAT = new Set([9, 10, 12, 17, 19, 27]);

function count(value: unknown): number {
  return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : value === true ? 1 : 0;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.length).toString('utf8') : '';
}

function hex(value: unknown): string {
  if (!(value instanceof Uint8Array)) return '';
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex');
}
