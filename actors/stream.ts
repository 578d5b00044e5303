// Owns what a connection sends of the chats' logs: live deliveries in order, and catch-up from the log where the client
// is behind, within the client's credit and the socket's buffer.
// Invariant: per chat, frames leave in order without a gap (or with a CERT that says where the gap is); a delivery that
// cannot be sent now is never queued here: the view is marked, and the log is read when there is room.
// Must not: read more than one page at a time, or anything outside the user's spans.
//
//   delivery ──▶ cursor + 1 and credit? ── yes ─▶ frame
//                     │ no
//                     ▼
//              view behind ──▶ page of the log ──▶ frames while credit lasts ──▶ caught up: live again

import { inboxKey, messageKey, seqOf } from '../storage/keys.js';
import { decodeInbox, type Inbox } from '../storage/rows.js';
import type { Reader, Row } from '../storage/store.js';
import { checkRow, rowSender } from '../transport/row.js';
import { assert } from './errors.js';
import { LIMITS } from './limits.js';
import { readMarks } from './marks.js';
import { type ConnectionRef, type Delivery, lastOf, nameFor } from './messages.js';
import { UNKNOWN, type View, type Views } from './views.js';
import { uncleared, visibleFrom } from './visibility.js';

/** A page of one chat's log, for one view. */
export interface Page {
  readonly view: View;
  /** Where the view stood when the read began. */
  readonly cursor: number;
  readonly inbox: Inbox | null;
  readonly rows: readonly Row[];
  /** First number that the page covers; what the user may not see or is gone lies before. */
  readonly from: number;
  /** Highest number that the page covers, whether or not a row was there. */
  readonly upTo: number;
}

/** How the stream reaches the client. */
export interface StreamSink {
  delivery(view: View, from: string, seq: number, row: Uint8Array): void;
  /** The client's cursor moves over numbers it will not get. */
  gap(view: View, head: number, start: number): void;
  /** Bytes that wait in the socket. */
  buffered(): number;
}

export class Stream {
  readonly #views: Views;
  readonly #sink: StreamSink;
  credit = 0;
  /** Messages sent so far. */
  sent = 0;
  /** The view whose page is being read, or could not be and waits. */
  #reading: View | null = null;
  /** What is being read may show what is gone by now. */
  #stale = false;

  constructor(views: Views, sink: StreamSink) {
    this.#views = views;
    this.#sink = sink;
  }

  /** A live delivery for `user`; what `self` sent its client has. */
  delivery(delivery: Delivery, user: string, self: ConnectionRef | null): void {
    const { info, seq: first, entries } = delivery;
    const view = this.#views.open(info.chat, info.key);
    if (view.kind === 0 || view.name !== nameFor(info, user)) this.#views.describe(view, info, user);
    if (view.cursor === UNKNOWN) view.cursor = first - 1;
    const last = lastOf(delivery);
    if (last <= view.cursor) return;
    if (view.behind) {
      view.target = Math.max(view.target, last);
      return;
    }
    if (delivery.joined.includes(user)) {
      this.#sink.gap(view, last, first);
      view.cursor = first - 1;
    }
    if (first > view.cursor + 1) return this.#views.fallBehind(view, last);
    for (let seq = view.cursor + 1; seq <= last; seq += 1) {
      const { from, row, origin } = entries[seq - first]!;
      if (origin !== null && origin === self) view.cursor = seq;
      else if (this.#room()) this.#push(view, from, seq, row);
      else return this.#views.fallBehind(view, last);
    }
  }

  /** The view whose log should be read next, or null: nothing is behind, there is no room, or a read is under way. */
  next(): View | null {
    if (this.#reading !== null || this.#views.behind === 0 || !this.#room()) return null;
    for (let view = this.#views.firstBehind(); view !== undefined; view = this.#views.firstBehind()) {
      if (view.cursor < view.target) {
        this.#reading = view;
        this.#stale = false;
        return view;
      }
      this.#views.caughtUp(view);
    }
    return null;
  }

  /** True while something is behind and only the socket holds it up. */
  get blocked(): boolean {
    return this.#views.behind > 0 && this.credit > 0 && this.#sink.buffered() > LIMITS.buffered;
  }

  /** Something of the chat was deleted, or hidden by the user: a page that is being read is read again. */
  outdated(key: string): void {
    if (this.#reading?.key === key) this.#stale = true;
  }

  /** A page was read. Null: the store could not; the view stays behind. */
  page(page: Page | null): void {
    const asked = this.#reading;
    this.#reading = null;
    if (page === null) {
      // One log that cannot be read does not hold up the other chats.
      if (asked?.behind === true) this.#views.postpone(asked);
      return;
    }
    const { view, inbox, rows, from } = page;
    // A resync meanwhile has its own idea of where the client stands.
    if (this.#stale || !view.behind || view.cursor !== page.cursor) return;
    if (inbox !== null && view.kind === 0) Object.assign(view, { kind: inbox.kind, name: inbox.name });
    let expected = Math.max(from, view.cursor + 1);
    if (expected > view.cursor + 1) this.#sink.gap(view, view.target, expected);
    view.cursor = expected - 1;
    for (const row of rows) {
      const seq = seqOf(row.key);
      if (seq < expected) continue;
      if (!this.#room()) return;
      if (seq > expected) this.#sink.gap(view, view.target, seq);
      view.cursor = seq - 1;
      this.#push(view, rowSender(row.value), seq, row.value);
      expected = seq + 1;
    }
    if (page.upTo >= expected) {
      if (inbox !== null) this.#sink.gap(view, view.target, page.upTo + 1);
      view.cursor = page.upTo;
    }
    if (view.cursor >= view.target) this.#views.caughtUp(view);
    // One long log does not hold up the other chats.
    else this.#views.postpone(view);
  }

  #room(): boolean {
    return this.credit > 0 && this.#sink.buffered() <= LIMITS.buffered;
  }

  #push(view: View, from: string, seq: number, row: Uint8Array): void {
    assert(seq === view.cursor + 1, 'a chat is streamed in order');
    view.cursor = seq;
    this.credit -= 1;
    this.sent += 1;
    this.#sink.delivery(view, from, seq, row);
  }
}

/** Reads the next page for a view that is behind. Rejects when the store cannot be read, or holds what is no row. */
export async function readPage(store: Reader, user: string, view: View, credit: number): Promise<Page> {
  const { cursor } = view;
  const [row, marks] = await Promise.all([store.get(inboxKey(user, view.chat)), readMarks(store, user, view.chat)]);
  const inbox = row === undefined ? null : decodeInbox(row);
  if (inbox !== null && marks.cleared >= view.target) {
    return { view, cursor, inbox, rows: [], from: view.target + 1, upTo: view.target };
  }
  const visible = inbox === null ? null : visibleFrom(uncleared(inbox.spans, marks.cleared), cursor + 1);
  if (visible === null || visible.from > view.target) {
    return { view, cursor, inbox: null, rows: [], from: cursor + 1, upTo: view.target };
  }
  const last = Math.min(visible.until, view.target);
  const limit = Math.min(LIMITS.pageRows, credit);
  const { chat } = view;
  const range = { start: messageKey(chat, visible.from), end: messageKey(chat, last + 1), limit };
  const page = await store.range({ ...range, maxBytes: LIMITS.pageBytes });
  for (const { value } of page.rows) checkRow(value);
  const upTo = page.more ? seqOf(page.rows[page.rows.length - 1]!.key) : last;
  const hidden = new Set(marks.hidden);
  const rows = hidden.size === 0 ? page.rows : page.rows.filter(({ key }) => !hidden.has(seqOf(key)));
  return { view, cursor, inbox, rows, from: visible.from, upTo };
}
