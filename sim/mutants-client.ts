// Owns the deliberate defects of the SDK: outbox, positions, gaps, unread.
// Invariant: each is a mistake that somebody could make, as small as it can be, and no equivalent of the right code.
// Must not: know how they are applied (mutant.ts).

import type { Mutant } from './mutant.js';

export const clientMutants: readonly Mutant[] = [
  {
    name: 'retry under a new id',
    promise: '3. Never twice',
    breaks: 'A message that an earlier life of the client left in its outbox is sent under another id.',
    limit: 20,
    edits: [
      {
        file: 'client/core.js',
        from: 'this.outbox.restore(log, id, send.body);',
        to: 'this.outbox.restore(log, this.ids.next(), send.body);',
      },
    ],
  },
  {
    name: 'unanswered taken for sent',
    promise: '2. Never lost',
    breaks: 'What was unanswered when a connection ended is not sent again.',
    limit: 20,
    edits: [
      {
        file: 'client/outbox.js',
        from: "        for (const pending of this.#flying.values())\n            pending.state = 'ready';\n",
        to: '',
      },
    ],
  },
  {
    name: 'refused for good',
    promise: '2. Never lost',
    breaks: 'A message that is refused for now is dropped from the outbox though it may pass later.',
    limit: 50,
    edits: [{ file: 'client/outbox.js', from: 'if (!error.retry) {', to: 'if (true) {' }],
  },
  {
    name: 'position ahead of the application',
    promise: '2. Never lost',
    breaks: 'The client stores what came as had, before the application has handled it.',
    limit: 50,
    edits: [
      { file: 'client/chat-log.js', from: 'placed, cursor: done, read,', to: 'placed, cursor: this.cursor, read,' },
    ],
  },
  {
    name: 'shown twice',
    promise: '3. Never twice',
    breaks: 'The client does not look whether it had a message before.',
    limit: 50,
    edits: [
      {
        file: 'client/chat-log.js',
        from: 'if ((this.placed && seq <= this.cursor) || this.held.has(seq) || this.own.has(seq))',
        to: 'if (this.held.has(seq) || this.own.has(seq))',
      },
      {
        file: 'client/chat-log.js',
        from: 'if (this.placed && seq === this.cursor + 1) {',
        to: 'if (this.placed && seq <= this.cursor + 1) {',
      },
    ],
  },
  {
    name: 'resume ahead of the application',
    promise: '2. Never lost',
    breaks: 'SYNC says what came, not what the application has handled, and so acknowledges it.',
    limit: 100,
    edits: [{ file: 'client/chat-table.js', from: 'seq: log.done,', to: 'seq: log.cursor,' }],
  },
  {
    name: 'read elsewhere and unread here',
    promise: '10. What a user owns',
    breaks: 'What the user read on another device goes on being counted.',
    limit: 50,
    edits: [
      {
        file: 'client/chat-log.js',
        from: '        this.read = seq;\n        this.settle();\n',
        to: '        this.read = seq;\n',
      },
    ],
  },
];
