// Owns the deliberate defects of chats and of the log: durability, order, deduplication, breaking off.
// Invariant: each is a mistake that somebody could make, as small as it can be, and no equivalent of the right code.
// Must not: know how they are applied (mutant.ts).

import type { Mutant } from './mutant.js';

export const chatMutants: readonly Mutant[] = [
  {
    name: 'ack before flush',
    promise: '1. Ack means durable',
    breaks: 'The log answers as soon as the store was given the transaction.',
    limit: 20,
    edits: [
      {
        file: 'storage/log.js',
        from: 'shard.lost ? LOST : await this.#write(shard, batch);',
        to: "shard.lost ? LOST : (void this.#write(shard, batch), { outcome: 'committed' });",
      },
    ],
  },
  {
    name: 'fan-out before commit',
    promise: '1. Ack means durable',
    breaks: 'Members are told of entries when they are handed to the log; the sender waits as he should.',
    limit: 20,
    edits: [
      {
        file: 'actors/sequencer.js',
        from: 'witness: writes[0], telling, done };',
        to: 'witness: writes[0], telling, done, entries };',
      },
      {
        file: 'actors/gate.js',
        from: '        const taken = this.#chat.fabric.log.append(append);',
        to: '        for (const entry of append.entries) this.#fanOut.entry(entry, roster);\n        this.#fanOut.flush(roster);\n        const taken = this.#chat.fabric.log.append(append);',
      },
    ],
  },
  {
    name: 'unknown taken for stored',
    promise: '1. Ack means durable',
    breaks: 'A commit with an unknown result is answered without looking whether it was applied.',
    limit: 20,
    edits: [
      {
        file: 'storage/log.js',
        from: 'if (found !== undefined && equalBytes(found, witness.value))',
        to: 'if (true)',
      },
    ],
  },
  {
    name: 'unknown taken for failed',
    promise: '2. Never lost',
    breaks: 'A commit with an unknown result is refused, though it may have been applied: nobody is told of it.',
    limit: 500,
    edits: [
      {
        file: 'storage/log.js',
        from: "            if (result.outcome === 'conflict') {",
        to: "            if (result.outcome === 'unknown') return { outcome: 'failed', reason: 'unknown' };\n            if (result.outcome === 'conflict') {",
      },
    ],
  },
  {
    name: 'breaking off forgets the append',
    promise: '2. Never lost',
    breaks: 'A chat that breaks off with an append on its way tells nobody when that is durable.',
    limit: 50,
    edits: [
      {
        file: 'actors/gate.js',
        from: "if (this.#outcome?.outcome === 'committed' && this.#chat.sequencer !== null)",
        to: 'if (false)',
      },
    ],
  },
  {
    name: 'breaking off forgets the rest',
    promise: '2. Never lost',
    breaks: 'A chat that breaks off between two entries that it tells its members leaves out the others.',
    limit: 1_000,
    edits: [{ file: 'actors/gate.js', from: 'if (this.#telling !== nothing)', to: 'if (false)' }],
  },
  {
    name: 'stop drops the mailbox',
    promise: '2. Never lost',
    breaks: 'A chat that leaves memory takes what is queued with it.',
    limit: 20,
    edits: [{ file: 'actors/cell.js', from: 'if (this.queued === 0 && this.signalled === 0)', to: 'if (true)' }],
  },
  {
    name: 'ids forgotten by passivation',
    promise: '3. Never twice',
    breaks: 'A chat that wakes does not know the ids of its newest messages.',
    limit: 50,
    edits: [
      {
        file: 'actors/chat-image.js',
        from: 'recent.add(idText(id), { seq: seqOf(key), from });',
        to: "recent.add('\\0'.repeat(16), { seq: seqOf(key), from });",
      },
    ],
  },
  {
    name: 'ids forgotten on pages',
    promise: '3. Never twice',
    breaks: 'An id that is not in memory is taken for a new one, without a look into the store.',
    limit: 20,
    edits: [
      {
        file: 'actors/recent-ids.js',
        from: "return id > this.#horizon ? 'fresh' : 'stored';",
        to: "return 'fresh';",
      },
    ],
  },
  {
    name: 'page of ids off by one',
    promise: '3. Never twice',
    breaks: 'A retry that is found on a page is answered with the number before its own.',
    limit: 20,
    edits: [{ file: 'actors/recent-ids.js', from: 'first: this.#paged + 1,', to: 'first: this.#paged,' }],
  },
  {
    name: 'ids unknown while in flight',
    promise: '3. Never twice',
    breaks: 'A retry whose first attempt is still being written is entered again.',
    limit: 20,
    edits: [{ file: 'actors/sequencer.js', from: '            this.#recent.open(entry);\n', to: '' }],
  },
  {
    name: 'woken too early',
    promise: '4. Dense order per chat',
    breaks: 'A chat that broke off is read again before what it had handed to the log is settled.',
    limit: 200,
    edits: [
      { file: 'storage/log.js', from: 'if (!queue.some(mine) && !batch.some(mine))', to: 'if (mine !== undefined)' },
    ],
  },
  {
    name: 'overtaking a refused one',
    promise: '4. Dense order per chat',
    breaks: 'A message passes though an earlier one of its sender was refused for now.',
    limit: 500,
    edits: [
      { file: 'actors/intake.js', from: "if (view.refused !== '' && view.refused !== text) {", to: 'if (false) {' },
    ],
  },
  {
    name: 'number skipped at waking',
    promise: '4. Dense order per chat',
    breaks: 'A chat that wakes leaves out a number.',
    limit: 20,
    edits: [
      {
        file: 'actors/chat-image.js',
        from: 'return newest === undefined ? 0 : seqOf(newest.key);',
        to: 'return newest === undefined ? 0 : seqOf(newest.key) + (store.commit === undefined ? 0 : 1);',
      },
    ],
  },
  {
    name: 'never at rest',
    promise: '6. Bounded',
    breaks: 'A chat in which nothing happens stays in memory.',
    limit: 20,
    edits: [
      {
        file: 'actors/chat.js',
        from: '            else\n                context.passivate();',
        to: '            else\n                void context;',
      },
    ],
  },
  {
    name: 'breaking off leaves questions open',
    promise: '7. Isolated',
    breaks: 'A connection does not answer for a chat that broke off: its client waits for ever.',
    limit: 50,
    edits: [{ file: 'actors/awaited.js', from: 'if (!broke)', to: 'if (broke !== undefined)' }],
  },
];
