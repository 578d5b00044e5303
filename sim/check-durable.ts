// Owns the rules about what is on the disk when something is told.
// Invariant: the simulated disk itself says what is flushed (its bytes are searched, no row is understood), the simulated
// socket when a frame left; a frame is looked at against what was flushed before it.
// Must not: trust the durability that a frame claims.

import type { Evidence } from './evidence.js';
import type { DiskWrite } from './record.js';
import type { Rule } from './rule.js';
import { short } from './says.js';

/** Bytes of a body that are looked for: its mark is unique, the rest is padding. */
const MARK = 40;

const durableFirst: Rule = {
  name: 'durable_first',
  promise: 'nothing is told of a message or change, to its sender or to others, before it is on the disk',
  check(evidence, fault) {
    const disk = new Disk(evidence);
    for (const { order, at, way, tap, what } of evidence.wire) {
      if (way === 'in') {
        if (what.kind === 'send') disk.expect(what.id, what.body);
        else if (what.kind === 'ask' && ID_AT.has(what.asked.type)) {
          const id = what.asked.fields[ID_AT.get(what.asked.type)!];
          if (id instanceof Uint8Array) disk.expect(Buffer.from(id).toString('hex'), '');
        }
        continue;
      }
      if (what.kind === 'sent') {
        if (!disk.holds(what.send.id, order))
          fault(`SENT of ${short(what.send.body)} left for ${tap.device} before its flush`, at);
      } else if (what.kind === 'entry' && disk.expects(what.entry.id) && !disk.holds(what.entry.id, order)) {
        fault(
          `number ${what.entry.seq} (${short(what.entry.body ?? 'event')}) left for ${tap.device} before its flush`,
          at,
        );
      }
    }
  },
};

/** Where the id stands among a request's fields: CREATE, CHANGE, JOIN. */
const ID_AT = new Map([
  [8, 0],
  [9, 1],
  [18, 0],
]);

/** Which ids are in flushed rows, with the message they belong to; asked in the order of the record. */
class Disk {
  readonly #flushes: readonly { readonly order: number; readonly writes: readonly DiskWrite[] }[];
  /** Ids that came to a node and are in no flushed row yet, with the body's mark. */
  readonly #open = new Map<string, { readonly id: Buffer; readonly mark: Buffer }>();
  readonly #known = new Set<string>();
  #next = 0;

  constructor(evidence: Evidence) {
    this.#flushes = evidence.of('flushed');
  }

  expect(id: string, body: string): void {
    if (this.#known.has(id)) return;
    this.#known.add(id);
    this.#open.set(id, { id: Buffer.from(id, 'hex'), mark: Buffer.from(body.slice(0, MARK)) });
  }

  expects(id: string): boolean {
    return this.#known.has(id);
  }

  holds(id: string, order: number): boolean {
    for (
      let flush = this.#flushes[this.#next];
      flush !== undefined && flush.order < order;
      flush = this.#flushes[this.#next]
    ) {
      this.#next += 1;
      for (const { value } of flush.writes) if (value !== null) this.#look(value);
    }
    return !this.#open.has(id);
  }

  #look(value: Uint8Array): void {
    const row = Buffer.from(value.buffer, value.byteOffset, value.length);
    for (const [key, { id, mark }] of this.#open) {
      if (row.includes(id) && (mark.length === 0 || row.includes(mark))) this.#open.delete(key);
    }
  }
}

/** ms that a page which was being read when the deletion was answered may take. */
const UNDER_WAY = 1_000;

const deletedIsGone: Rule = {
  name: 'deleted_is_gone',
  promise: 'once a deletion for everyone is answered, no disk holds the content and no frame carries it',
  check({ requests, chats, of, wire, cutOff }, fault) {
    for (const { asked, answered } of requests.values()) {
      if (asked.what !== 'delete_for_all' || answered?.code !== '') continue;
      const entry = chats.get(asked.chat)?.ever.get(asked.values[0] ?? 0);
      if (entry === undefined || entry.body === '') continue;
      const mark = Buffer.from(entry.body.slice(0, MARK));
      const rows = new Map<string, boolean>();
      for (const { order, writes } of of('flushed')) {
        if (order > answered.order) break;
        for (const { key, value } of writes) {
          rows.set(
            Buffer.from(key).toString('latin1'),
            value !== null && Buffer.from(value.buffer, value.byteOffset, value.length).includes(mark),
          );
        }
      }
      if ([...rows.values()].some((holds) => holds))
        fault(`${short(entry.body)} was deleted and is on the disk`, answered.at);
      const late = wire.find(
        ({ at, order, way, what }) =>
          order > answered.order &&
          at > answered.at + UNDER_WAY &&
          way === 'out' &&
          what.kind === 'entry' &&
          what.entry.body === entry.body &&
          // Both came to a node while it stood still, or were held up together (seed 5550197 of the cluster): the chat's, the
          // user's or the connection's (488569059859).
          !cutOff(null, at),
      );
      if (late !== undefined)
        fault(`${short(entry.body)} was deleted, and left for ${late.tap.device} afterwards`, late.at);
    }
  },
};

export const durableRules = [durableFirst, deletedIsGone];
