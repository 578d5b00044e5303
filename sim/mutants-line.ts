// Owns the deliberate defects on the way to devices: resume, deliveries, catch-up, several connections of a user.
// Invariant: each is a mistake that somebody could make, as small as it can be, and no equivalent of the right code.
// Must not: know how they are applied (mutant.ts).

import type { Mutant } from './mutant.js';

export const lineMutants: readonly Mutant[] = [
  {
    name: 'sync off by one',
    promise: '2. Never lost',
    breaks: 'A resume streams from the second message that the client lacks.',
    limit: 20,
    edits: [
      { file: 'actors/certificate.js', from: 'head - backfill + 1) : has + 1;', to: 'head - backfill + 1) : has + 2;' },
    ],
  },
  {
    name: 'inbox row skipped',
    promise: '2. Never lost',
    breaks: "One member's row does not say that the chat has news, so a resume finds it complete.",
    limit: 20,
    edits: [
      {
        file: 'actors/roster.js',
        from: '        this.#hot = true;\n        for (const member of this.members.values()) {',
        to: '        this.#hot = true;\n        for (const member of [...this.members.values()].slice(1)) {',
      },
    ],
  },
  {
    name: 'large group not looked at',
    promise: '2. Never lost',
    breaks: "A resume takes a large group's head from the member's row, which is not kept there.",
    limit: 50,
    edits: [{ file: 'actors/certificate.js', from: '!(inbox.large || inbox.hot)', to: '!inbox.hot' }],
  },
  {
    name: 'needs-sync mark lost',
    promise: '2. Never lost',
    breaks: 'What did not fit the mailbox of its connection leaves no mark.',
    limit: 20,
    edits: [
      {
        file: 'actors/connection.js',
        from: "        if (message.type === 'receipt' ||",
        to: "        if (this.phase !== 'closed')\n            return;\n        if (message.type === 'receipt' ||",
      },
    ],
  },
  {
    name: 'resync of a user lost',
    promise: '2. Never lost',
    breaks: "News that did not fit the mailbox of a user's actor are not made good.",
    limit: 3_000,
    edits: [{ file: 'actors/user.js', from: '        state.lost = true;', to: '        state.lost = false;' }],
  },
  {
    name: 'news of the resume dropped',
    promise: '2. Never lost',
    breaks: 'What comes while the certificates are being read is forgotten.',
    limit: 50,
    edits: [
      {
        file: 'actors/resume.js',
        from: '        if (this.#arrived === null)\n            return;\n        const known',
        to: '        return;\n        const known',
      },
    ],
  },
  {
    name: 'end of the catch-up missed',
    promise: '2. Never lost',
    breaks: 'What comes while a device catches up does not move the end that it has to reach.',
    limit: 20,
    edits: [
      {
        file: 'actors/stream.js',
        from: '            view.target = Math.max(view.target, last);\n            return;',
        to: '            return;',
      },
    ],
  },
  {
    name: 'behind and forgotten',
    promise: '2. Never lost',
    breaks: 'A connection forgets a chat in which its client still has to catch up.',
    limit: 500,
    edits: [
      {
        file: 'actors/views.js',
        from: 'if (!view.behind && view.unanswered === 0 && view.alias === 0 && !promised)',
        to: 'if (view.unanswered === 0 && view.alias === 0 && !promised)',
      },
    ],
  },
  {
    name: 'late disconnect',
    promise: '2. Never lost',
    breaks: 'The end of an old connection removes the newer one of its device from the user.',
    limit: 20,
    edits: [
      { file: 'actors/user.js', from: '            context.demonitor(older.monitor);\n', to: '' },
      {
        file: 'actors/user.js',
        from: '        if (this.#sessions.length === 1 && older === undefined)',
        to: '        connection.deviceOf = device;\n        if (this.#sessions.length === 1 && older === undefined)',
      },
      {
        file: 'actors/user.js',
        from: '.find(({ connection }) => connection === ref);',
        to: '.find(({ device }) => device === ref.deviceOf);',
      },
    ],
  },
  {
    name: "user's crash not noticed",
    promise: '7. Isolated',
    breaks: "A connection whose user's actor broke off does not register again.",
    limit: 500,
    edits: [{ file: 'actors/login.js', from: 'if (monitor !== this.#monitor)', to: 'if (true)' }],
  },
  {
    name: 'own devices forgotten',
    promise: '2. Never lost',
    breaks: 'A message is not pushed to the other devices of its sender.',
    limit: 20,
    edits: [
      {
        file: 'actors/stream.js',
        from: 'if (origin !== null && origin === self)',
        to: 'if (from === user)',
      },
    ],
  },
  {
    name: 'page cut short',
    promise: '2. Never lost',
    breaks: 'Where credit ends within a page of the log, the rest of the page counts as sent.',
    limit: 500,
    edits: [
      {
        file: 'actors/stream.js',
        from: '            if (!this.#room())\n                return;\n',
        to: '            if (!this.#room())\n                break;\n',
      },
    ],
  },
  {
    name: 'credit overdrawn',
    promise: '6. Bounded',
    breaks: 'More is pushed than the client allowed.',
    limit: 20,
    edits: [{ file: 'actors/stream.js', from: 'return this.credit > 0 &&', to: 'return' }],
  },
];
