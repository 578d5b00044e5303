// Owns the proof of what a screen of the chat looks like, for texts and sizes that people do not try.
// Invariant: each row fits its terminal; nothing that others wrote moves the cursor.
// Must not: need a terminal.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import pc from 'picocolors';
import { Editor } from '../../cli/chat-editor.js';
import { clean, fit, layOut, pad, split, width, wrap } from '../../cli/chat-text.js';
import { type Entry, Transcript } from '../../cli/chat-transcript.js';
import { compose, type View } from '../../cli/chat-view.js';
import type { Message } from '../../client/index.js';

const colors = pc.createColors(false);
const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc
    .array(fc.constantFrom('a', ' ', '\n', '你', 'é', '\u0301', '👨‍👩‍👧', '\u001b[2J', '\u202e', '\u009b'))
    .map((parts) => parts.join('')),
);

test('cleaned text has no control characters, and stays what it is where it has none', () => {
  fc.assert(
    fc.property(text, (raw) => {
      assert.doesNotMatch(clean(raw).replaceAll('\n', ''), /[\p{Cc}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u);
      assert.equal(clean(clean(raw)), clean(raw));
    }),
  );
  assert.equal(clean('Zażółć 你好 👨‍👩‍👧 e\u0301\r\nnext\tcolumn'), 'Zażółć 你好 👨‍👩‍👧 e\u0301\nnext    column');
  assert.equal(clean(`a${'\u0301'.repeat(500)}`).length, 5);
});

test('widths: wide, combining and joined characters', () => {
  const widths = { a: 1, 你好: 4, 'e\u0301': 1, '👨‍👩‍👧': 2, '❤️': 2, ﾊ: 1, ハ: 2, '\u0301': 0, '': 0, '🇵🇱': 2 };
  for (const [sample, columns] of Object.entries(widths)) assert.equal(width(sample), columns, sample);
  assert.equal(fit('hello', 5), 'hello');
  assert.equal(fit('hello!', 5), 'hell…');
  assert.equal(pad('你好吗', 5), '你好…');
  assert.equal(pad('你好', 4), '你好');
});

test('wrapped lines fit and lose nothing but spaces at their ends', () => {
  assert.deepEqual(wrap('the quick brown fox', 10), ['the quick', 'brown fox']);
  assert.deepEqual(wrap('abcdefghij', 4), ['abcd', 'efgh', 'ij']);
  assert.deepEqual(wrap('a\n\nb', 10), ['a', '', 'b']);
  assert.deepEqual(wrap('a\u00a0', 2), ['a\u00a0']);
  fc.assert(
    fc.property(text.map(clean), fc.integer({ min: 2, max: 30 }), (raw, columns) => {
      const lines = wrap(raw, columns);
      for (const line of lines) assert.ok(width(line) <= columns, JSON.stringify([raw, columns, lines]));
      const squeezed = (some: string): string => some.replace(/[ \n]/g, '');
      assert.equal(squeezed(lines.join('')), squeezed(raw));
    }),
  );
});

test('the line being typed: each key keeps the cursor between clusters and on the screen', () => {
  const keys = ['left', 'right', 'wordLeft', 'wordRight', 'home', 'end'] as const;
  const edit = fc.oneof(
    text.map((raw) => ({ insert: clean(raw) })),
    fc.constantFrom(...keys).map((move) => ({ move })),
    fc.constantFrom(...keys).map((cut) => ({ cut })),
  );
  fc.assert(
    fc.property(fc.array(edit), fc.integer({ min: 2, max: 20 }), (edits, columns) => {
      const editor = new Editor();
      for (const one of edits) {
        if ('insert' in one) editor.insert(one.insert);
        else if ('move' in one) editor[one.move]();
        else editor.cut(one.cut);
        const { text: line, cursor } = editor;
        const ends = split(line).map((_, i, all) => all.slice(0, i + 1).join('').length);
        assert.ok(cursor === 0 || ends.includes(cursor), `${JSON.stringify(line)} at ${cursor}`);
        const { rows, row, column } = layOut(line, cursor, columns);
        assert.ok(row < rows.length && column <= columns);
        assert.equal(rows.join(''), line.replaceAll('\n', ''));
      }
    }),
  );
  const full = new Editor();
  assert.ok(full.insert('x'.repeat(65_536)));
  assert.ok(!full.insert('y'));
});

function view(entries: readonly Entry[], change: Partial<View> = {}): View {
  return {
    me: 'ada',
    title: 'bob',
    presence: { text: 'online', online: true },
    connection: { text: 'connected', tone: 'good' },
    entries,
    mark: () => 'read',
    unreadFrom: 0,
    numbers: false,
    more: false,
    scroll: 0,
    status: 'bob is typing…',
    elsewhere: 'carol: 2 new',
    hint: 'Message bob',
    draft: { text: '', cursor: 0 },
    ...change,
  };
}

test('a screen has as many rows as the terminal, and none is wider', () => {
  const entry = fc.record({
    kind: fc.constantFrom('message', 'event', 'note'),
    seq: fc.nat(9),
    from: text.map((raw) => clean(raw).replaceAll('\n', ' ')),
    text: text.map(clean),
    at: fc.nat(),
    own: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(entry),
      fc.integer({ min: 20, max: 90 }),
      fc.integer({ min: 6, max: 30 }),
      fc.nat(20),
      text.map(clean),
      (entries, columns, rows, scroll, draft) => {
        const name = draft.replaceAll('\n', ' ');
        const change = {
          scroll,
          draft: { text: draft, cursor: draft.length },
          title: name,
          elsewhere: name,
          status: name,
        };
        const screen = compose(view(entries, change), columns, rows, colors);
        assert.equal(screen.rows.length, rows);
        for (const { left, right, rightWidth } of screen.rows) {
          assert.ok(width(left) <= columns, `${columns}: ${JSON.stringify(left)}`);
          assert.equal(width(right), rightWidth);
        }
        assert.ok(screen.cursor.row <= rows && screen.cursor.column <= columns);
      },
    ),
  );
});

test('scrolling: to the top and no further', () => {
  const entries = Array.from({ length: 50 }, (_, i) => {
    return { kind: 'message', seq: i + 1, from: 'bob', text: `line ${i + 1}`, at: 0, own: false } as const;
  });
  const end = compose(view(entries), 60, 20, colors);
  assert.ok(!end.top && end.rows[1 + end.page]?.left.includes('line 50'));
  const top = compose(view(entries, { scroll: 1_000 }), 60, 20, colors);
  assert.ok(top.top && top.rows[3]?.left.includes('line 1'));
  assert.equal(top.scroll, 51 - top.page);
});

test('a transcript has each number once and in order, waiting messages last, whatever comes first', () => {
  const item = (seq: number, own = false): Message => {
    const [id, from] = [`id-${seq}`, own ? 'ada' : 'bob'];
    // A message holds on to its chat, which the transcript has no use for.
    return { type: 'message', seq, id, from, own, at: seq, text: `text ${seq}` } as Message;
  };
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 })), fc.integer({ min: 1, max: 9 }), (order, mine) => {
      const transcript = new Transcript();
      transcript.wait(`id-${mine}`, 'ada', 'mine', 0);
      for (const seq of order) transcript.add(item(seq, seq === mine));
      if (!order.includes(mine)) assert.equal(transcript.entries.at(-1)?.text, 'mine');
      transcript.sent(`id-${mine}`, mine);
      const seqs = transcript.entries.map(({ seq }) => seq);
      assert.deepEqual(
        seqs,
        [...new Set([...order, mine])].sort((a, b) => a - b),
      );
    }),
  );
});
