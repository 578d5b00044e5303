// Owns the proof that docs/wire.md says what the code does: types, codes, close codes, limits, and bytes beyond the body.
// Invariant: the page is complete: nothing in the code is missing in it, nothing in it is missing in the code.
// Must not: test the codec itself.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CODES } from '../../actors/errors.js';
import { LIMITS } from '../../actors/limits.js';
import { encodeClient, encodeServer } from '../../transport/codec.js';
import { FrameWriter } from '../../transport/frame-writer.js';
import {
  AUDIENCE,
  CHAT_KIND,
  CLOSE,
  DEVICE_OP,
  DURABILITY,
  INVITE_MODE,
  JOINED,
  MARK_OP,
  OP,
  PRECISION,
  ROLE,
  T,
  WIRE_VERSION,
} from '../../transport/frames.js';
import { encodeMessageRow } from '../../transport/row.js';

const page = readFileSync(new URL('../../../docs/wire.md', import.meta.url), 'utf8');

test('the tables of types name every type once', () => {
  const rows = [...page.matchAll(/^\| (\d+) \| ([A-Z]+) \|/gm)].map(([, type, name]) => `${type} ${name}`);
  const types = Object.entries(T).map(([name, type]) => `${type} ${name === 'TYPING_OF' ? 'TYPING' : name}`);
  assert.deepEqual(rows.sort(), types.sort());
});

test('the table of codes names every code with its retry', () => {
  const rows = [...page.matchAll(/^\| `([a-z_]+)` \| ([01]) \|/gm)].map(([, code, retry]) => `${code} ${retry}`);
  const codes = Object.entries(CODES).map(([code, { retry }]) => `${code} ${retry ? 1 : 0}`);
  assert.deepEqual(rows.sort(), codes.sort());
});

test('the close codes are listed', () => {
  const paragraph = page.match(/^Close codes:[\s\S]*?\n\n/m)?.[0] ?? '';
  const listed = [...paragraph.matchAll(/\b(1\d{3}|4\d{3})\b/g)].map(([, code]) => Number(code));
  assert.deepEqual([...new Set(listed)].sort(), Object.values(CLOSE).sort());
});

test('small vocabularies are as documented', () => {
  assert.match(page, new RegExp(`\`version\` = ${WIRE_VERSION},`));
  assert.match(
    page,
    new RegExp(
      `${DURABILITY.memory} memory \\(tests\\), ${DURABILITY.flushed} flushed to disk, ${DURABILITY.replicated} replicated`,
    ),
  );
  assert.match(page, new RegExp(`Kinds of chat: ${CHAT_KIND.direct} direct .*, ${CHAT_KIND.group} group`));
  assert.match(
    page,
    new RegExp(`Roles: ${ROLE.gone} gone, ${ROLE.member} member, ${ROLE.admin} admin, ${ROLE.owner} owner`),
  );
  assert.match(
    page,
    new RegExp(
      `${OP.created} created .*; ${OP.added} added .*; ${OP.removed} removed .*; ${OP.left} left .*; ${OP.owner} owner passed`,
    ),
  );
});

test('the vocabularies of requests are as documented', () => {
  for (const text of [
    `10 invite link \`[mode]\` (${INVITE_MODE.none} none, ${INVITE_MODE.open} open, ${INVITE_MODE.approval} with approval)`,
    `\`state\` uint: ${JOINED.member} member, ${JOINED.waiting} waiting for approval, or ${JOINED.none}: a late retry`,
    `\`[seconds]\`, up to ${LIMITS.expiry.toLocaleString('en')}; 0 none`,
    `\`[reference]\`, up to ${LIMITS.avatar} bytes`,
    `\`op\` ${DEVICE_OP.rename}: name it (up to ${LIMITS.deviceName} bytes); ${DEVICE_OP.remove}: remove it`,
    `${AUDIENCE.everyone} everyone, ${AUDIENCE.contacts} contacts, ${AUDIENCE.nobody} nobody`,
    `${PRECISION.exact} exact, ${PRECISION.coarse} coarse, ${PRECISION.count} only counted, ${PRECISION.hidden} hidden, ${PRECISION.unknown} unknown`,
    `\`op\` ${MARK_OP.muted} muted until`,
    `${MARK_OP.pinned} pinned`,
    `${MARK_OP.archived} archived`,
    `${MARK_OP.unread} marked unread`,
    `${MARK_OP.cleared} cleared up to`,
    `${MARK_OP.hidden} hidden`,
  ]) {
    assert.ok(page.includes(text), text);
  }
});

test('the limits are as documented', () => {
  const section = page.slice(page.indexOf('## 7. Limits'), page.indexOf('## 8.'));
  const number = (n: number): string => n.toLocaleString('en');
  for (const text of [
    `| a frame | ${LIMITS.frame / 1_024} KiB; a body ${number(LIMITS.body)} bytes; a token ${number(LIMITS.token)} bytes;`,
    `nesting ${LIMITS.depth} deep in a client's frame, the frame's own array included, and ${LIMITS.serverDepth} in a server's`,
    `| a connection | ${LIMITS.window} SENDs unanswered (\`window\`); ${LIMITS.window} requests under way; ${number(LIMITS.credit)} credit;`,
    `${LIMITS.inflowGreeting / 2 ** 20} MiB of frames before WELCOME, ${LIMITS.inflowBytes / 2 ** 20} MiB and ${number(LIMITS.inflowFrames)} frames`,
    `${number(LIMITS.chatAliases)} chat and ${LIMITS.userAliases} user aliases;`,
    `${LIMITS.watches} chats open for presence, ${number(LIMITS.watched)} users watched`,
    `| a vector | ${number(LIMITS.syncEntries)} SYNC entries a frame`,
    `${number(LIMITS.userChats)} chats in all its frames`,
    `| a user | ${LIMITS.userId} bytes of user id; ${LIMITS.userDevices} devices,`,
    `${LIMITS.deviceId} bytes of device id and ${LIMITS.deviceName} of name; the ${LIMITS.removedDevices} devices removed last`,
    `${number(LIMITS.userGroups)} groups; ${number(LIMITS.blocks)} blocked users; ${LIMITS.pinned} pinned chats`,
    `| a group | ${number(LIMITS.members)} members, ${LIMITS.joinRequests} who wait for approval; ${LIMITS.title} bytes of title, ${LIMITS.avatar} of avatar; ${LIMITS.spans} stays`,
    `| a chat | ${number(LIMITS.expiry)} s of expiry timer; ${number(LIMITS.hidden)} hidden entries of a user; ${number(LIMITS.watchers)} connections`,
    `| a page | HISTORY ${LIMITS.historyRows} rows, LIST and MARKS ${LIMITS.listRows} |`,
  ]) {
    assert.ok(section.includes(text), text);
  }
  assert.ok(page.includes(`${number(LIMITS.chatAliases)} chat aliases and ${LIMITS.userAliases} user aliases`));
});

const ALIASES = [1, 64, 127];
const SEQS = [1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 21];
const LAGS = [-32_000, -129, -128, -33, -32, 0, 17, 127, 128, 255, 256, 32_000];
const BODIES = [...Array(700).keys()].map((i) => i + 1).concat([4_096, 65_534, 65_535]);
const id = new Uint8Array(16).fill(0x5a);

const overhead = (frame: Uint8Array, body: number): number => frame.length - body;

test('SEND takes at most 24 bytes beyond the body', () => {
  let most = 0;
  for (const size of BODIES) {
    const body = new Uint8Array(size);
    for (const chat of ALIASES) most = Math.max(most, overhead(encodeClient({ type: 2, chat, id, body }), size));
  }
  assert.equal(most, 24);
});

test('MESSAGE takes at most 32 bytes beyond the body', () => {
  const writer = new FrameWriter();
  let most = 0;
  for (const size of BODIES) {
    const body = new Uint8Array(size);
    for (const lag of LAGS) {
      const row = encodeMessageRow('alice', id, lag, body);
      for (const seq of SEQS) {
        const bytes = overhead(writer.fresh().delivery(127, 127, seq, row).out.view(), size);
        // The documented exception: a long chat, a long body and a clock that is off, all three at once.
        if (seq > 65_535 && size > 255 && (lag < -128 || lag > 255)) assert.equal(bytes, 33);
        else most = Math.max(most, bytes);
      }
    }
  }
  assert.equal(most, 32);
});

test('ACK, READ and SENT take at most 12 bytes', () => {
  for (const seq of [...SEQS, 2 ** 32 - 1]) {
    for (const chat of ALIASES) {
      assert.ok(encodeClient({ type: 3, chat, seq }).length <= 8);
      assert.ok(encodeClient({ type: 4, chat, seq }).length <= 8);
    }
    for (const n of [1, 128, 65_535]) {
      const sent = new FrameWriter().sent(n, seq, 1).out.copy();
      assert.ok(sent.length <= 12);
      assert.deepEqual(sent, encodeServer({ type: 33, n, seq, durability: 1 }));
    }
  }
});
