// Owns the deliberate defects of groups, receipts, retention, blocks and what users own.
// Invariant: each is a mistake that somebody could make, as small as it can be, and no equivalent of the right code.
// Must not: know how they are applied (mutant.ts).

import type { Mutant } from './mutant.js';

export const keepMutants: readonly Mutant[] = [
  {
    name: 'removed and still routed',
    promise: '4. Dense order per chat',
    breaks: 'Who left a group goes on hearing of what is said in it.',
    limit: 50,
    edits: [
      {
        file: 'actors/fan-out.js',
        from: '            roster.audience.delete(user);',
        to: '            void user;',
      },
    ],
  },
  {
    name: 'joined and sees the past',
    promise: '4. Dense order per chat',
    breaks: 'A new member of a group may read what came before.',
    limit: 50,
    edits: [{ file: 'actors/roster.js', from: 'CHAT_KIND.direct ? 1 : seq,', to: 'CHAT_KIND.direct ? 1 : 1,' }],
  },
  {
    name: 'left and sees one more',
    promise: '4. Dense order per chat',
    breaks: 'The stay of who left ends one entry too late.',
    limit: 20,
    edits: [{ file: 'actors/roster.js', from: '.until = seq;', to: '.until = seq + 1;' }],
  },
  {
    name: 'no role asked for',
    promise: '4. Dense order per chat',
    breaks: 'Every member may make every change of a group.',
    limit: 20,
    edits: [{ file: 'actors/group-rights.js', from: 'if (role < rule.least)', to: 'if (false)' }],
  },
  {
    name: 'owner gone without an heir',
    promise: '4. Dense order per chat',
    breaks: 'An owner who leaves does not pass the group on.',
    limit: 50,
    edits: [
      {
        file: 'actors/group-members.js',
        from: 'heir === null ? [leaving] : [passing(user, heir), leaving]',
        to: 'heir === null ? [leaving] : [leaving]',
      },
    ],
  },
  {
    name: 'receipt before its position is stored',
    promise: 'Receipts and typing',
    breaks: 'Members are told of positions when they are handed to the log.',
    limit: 50,
    edits: [
      {
        file: 'actors/gate.js',
        from: '        const taken = this.#chat.fabric.log.append(append);',
        to: '        this.#fanOut.receipts(roster);\n        const taken = this.#chat.fabric.log.append(append);',
      },
    ],
  },
  {
    name: 'receipt before the message',
    promise: 'Receipts and typing',
    breaks: 'A position beyond the newest message is taken as it was claimed.',
    limit: 500,
    edits: [
      {
        file: 'actors/roster.js',
        from: 'Math.min(Math.max(delivered, read), head);',
        to: 'Math.max(delivered, read);',
      },
      { file: 'actors/roster.js', from: 'const seen = Math.min(read, head);', to: 'const seen = read;' },
    ],
  },
  {
    name: 'receipts go back',
    promise: 'Receipts and typing',
    breaks: 'An ACK that comes behind a READ takes it back.',
    limit: 20,
    edits: [{ file: 'actors/roster.js', from: 'inbox.read = Math.max(inbox.read, seen);', to: 'inbox.read = seen;' }],
  },
  {
    name: 'tally of the foremost',
    promise: 'Receipts and typing',
    breaks: 'A large group is told of the member who is furthest, not of the last.',
    limit: 20,
    edits: [
      { file: 'actors/tally.js', from: 'if (value < low.least) {', to: "if (value > low.least || low.of === '') {" },
    ],
  },
  {
    name: 'a device left out of retention',
    promise: '2. Never lost',
    breaks: 'A registered device that never acknowledged anything in a chat claims nothing of it.',
    limit: 50,
    edits: [{ file: 'actors/survey.js', from: '?.delivered ?? 0;', to: '?.delivered ?? head;' }],
  },
  {
    name: 'swept one too far',
    promise: '2. Never lost',
    breaks: 'A sweep takes the first message that somebody still needs.',
    limit: 50,
    edits: [
      {
        file: 'actors/survey.js',
        from: 'return next === null ? Number.POSITIVE_INFINITY : next.from - 1;',
        to: 'return next === null ? Number.POSITIVE_INFINITY : next.from;',
      },
    ],
  },
  {
    name: 'expired without a word',
    promise: '2. Never lost',
    breaks: 'Messages end before everybody had them, and nobody is told.',
    limit: 1_000,
    edits: [
      {
        file: 'actors/sweep.js',
        from: 'lost === null ? null : (until) => this.#notice(lost, until)',
        to: 'null',
      },
    ],
  },
  {
    name: 'swept and forgotten',
    promise: '3. Never twice',
    breaks: 'The ids of messages that go are not put on a page first.',
    limit: 3_000,
    edits: [
      {
        file: 'actors/sequencer.js',
        from: 'cut !== null && cut.upTo > this.#recent.paged,',
        to: 'false,',
      },
    ],
  },
  {
    name: 'deleted for show',
    promise: '10. What a user owns',
    breaks: 'A message that was deleted for everyone stays in the log.',
    limit: 50,
    edits: [
      {
        file: 'actors/sequencer.js',
        from: 'if (entry.erases !== null && entry.erases.seq > this.#swept) {',
        to: 'if (false) {',
      },
    ],
  },
  {
    name: 'block not heard of',
    promise: '10. What a user owns',
    breaks: 'A chat that is awake is not told that one of its users blocks the other.',
    limit: 500,
    edits: [
      {
        file: 'actors/admission.js',
        from: 'roster.blockers = on ? [...others, user] : others;',
        to: 'roster.blockers = others;',
      },
    ],
  },
  {
    name: 'removed device still served',
    promise: '10. What a user owns',
    breaks: 'The connection of a device that is removed goes on.',
    limit: 50,
    edits: [
      {
        file: 'actors/connection.js',
        from: 'return this.#ended(CLOSE[message.type], message.type, context);',
        to: "if (message.type === 'replaced') this.#ended(CLOSE.replaced, 'replaced', context); return;",
      },
    ],
  },
  {
    name: 'unread counted twice',
    promise: '10. What a user owns',
    breaks: 'LIST counts each message of others two times.',
    limit: 200,
    edits: [{ file: 'actors/list.js', from: 'count += 1;', to: 'count += 2;' }],
  },
  {
    name: 'own words unread',
    promise: '10. What a user owns',
    breaks: "LIST counts the user's own messages as unread.",
    limit: 200,
    edits: [{ file: 'actors/list.js', from: ' && rowSender(value) !== this.#user;', to: ';' }],
  },
];
