// Owns the properties of the key layout: bytes sort as what they stand for, each range holds what it is for and nothing
// else, and what is read out of a key is what was put in.
// Invariant: over all kinds of keys at once, so that no two kinds mix.
// Must not: need a store: a sorted list is one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareBytes } from '../../storage/bytes.js';
import * as cluster from '../../storage/cluster-keys.js';
import * as keys from '../../storage/keys.js';

type Part = string | number | Uint8Array;
interface Key {
  readonly kind: string;
  /** What it stands for, in the order that counts. */
  readonly parts: readonly Part[];
  readonly key: Uint8Array;
}

const EDGE = 2 ** 48 - 1;
const number = fc.oneof(
  fc.nat(3),
  fc.constantFrom(255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, EDGE - 1, EDGE),
  fc.integer({ min: 0, max: EDGE }),
);
/** Names of which one often begins another, or sorts otherwise by UTF-16 than by bytes. */
const user = fc.oneof(
  fc.constantFrom('a', 'a ', 'aa', 'ab', 'b', '\uffee', '\u{1f600}', 'zoë'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }).filter((name) => keys.isName(name, 64)),
);
const bytes16 = fc.oneof(
  fc.constantFrom(0, 1, 2, 254, 255).map((byte) => new Uint8Array(16).fill(byte)),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
);
const shard = fc.nat(0xffff);

const made = (kind: string, key: Uint8Array, ...parts: Part[]): Key => ({ kind, parts, key });
const any: fc.Arbitrary<Key> = fc.oneof(
  fc.tuple(bytes16, number).map(([chat, seq]) => made('message', keys.messageKey(chat, seq), chat, seq)),
  fc.tuple(bytes16, bytes16).map(([chat, id]) => made('id', keys.idKey(chat, id), chat, id)),
  bytes16.map((chat) => made('chat', keys.chatRowKey(chat), chat)),
  fc.tuple(user, bytes16).map(([name, chat]) => made('inbox', keys.inboxKey(name, chat), name, chat)),
  fc.tuple(user, user).map(([name, device]) => made('device', keys.deviceKey(name, device), name, device)),
  user.map((name) => made('seen', keys.seenKey(name), name)),
  shard.map((n) => made('grant', cluster.grantKey(n), n)),
  shard.map((n) => made('dirty', cluster.dirtyKey(n), n)),
  user.map((name) => made('node', cluster.nodeKey(name), name)),
  fc.constant(made('view', cluster.viewKey())),
  fc.constant(made('charter', cluster.charterKey())),
  fc
    .tuple(bytes16, number, number)
    .map(([chat, at, seq]) => made('page', keys.idPageKey(chat, at, seq), chat, at, seq)),
  user.map((name) => made('account', keys.accountKey(name), name)),
  fc.tuple(user, bytes16).map(([name, chat]) => made('marks', keys.marksKey(name, chat), name, chat)),
  fc.tuple(user, user).map(([name, other]) => made('block', keys.blockKey(name, other), name, other)),
  fc.tuple(user, number).map(([name, version]) => made('order', keys.markOrderKey(name, version), name, version)),
  user.map((name) => made('profile', keys.profileKey(name), name)),
  bytes16.map((chat) => made('sweep', keys.sweepKey(chat), chat)),
);

const raw = (part: Part): Uint8Array => (typeof part === 'string' ? Buffer.from(part) : (part as Uint8Array));

/** Order of what two keys of one kind stand for. */
function order(a: readonly Part[], b: readonly Part[]): number {
  for (const [i, part] of a.entries()) {
    const other = b[i]!;
    const sign =
      typeof part === 'number' ? Math.sign(part - (other as number)) : Math.sign(compareBytes(raw(part), raw(other)));
    if (sign !== 0) return sign;
  }
  return 0;
}

test('keys of one kind sort as what they stand for, and those of two kinds never mix', () => {
  fc.assert(
    fc.property(any, any, (a, b) => {
      const sign = Math.sign(compareBytes(a.key, b.key));
      if (a.kind === b.kind) assert.equal(sign, order(a.parts, b.parts));
      else assert.equal(sign, Math.sign(a.key[0]! - b.key[0]!));
      assert.equal(sign, Math.sign(Buffer.compare(a.key, b.key)));
    }),
    { numRuns: 20_000 },
  );
  const kinds = new Map<number, string>();
  fc.assert(
    fc.property(any, ({ kind, key }) =>
      assert.equal(kinds.get(key[0]!) ?? kind, kinds.set(key[0]!, kind).get(key[0]!)),
    ),
  );
});

test('what is read out of a key is what was put in', () => {
  fc.assert(
    fc.property(bytes16, number, number, user, user, (chat, at, seq, name, other) => {
      assert.equal(keys.seqOf(keys.messageKey(chat, seq)), seq);
      assert.equal(keys.idPageTime(keys.idPageKey(chat, at, seq)), at);
      assert.deepEqual(keys.chatOfRow(keys.chatRowKey(chat)), chat);
      assert.deepEqual(keys.chatOfInbox(keys.inboxKey(name, chat)), chat);
      assert.equal(keys.nameInKey(keys.deviceKey(name, other)), other);
      assert.equal(keys.nameInKey(keys.blockKey(name, other)), other);
      assert.equal(keys.versionOf(keys.markOrderKey(name, seq)), seq);
      assert.deepEqual(Uint8Array.from(keys.chatFromKey(keys.chatKey(chat))), chat);
      assert.deepEqual(keys.directChat(name, other), keys.directChat(other, name));
    }),
    { numRuns: 2_000 },
  );
});

type Range = { readonly start: Uint8Array; readonly end: Uint8Array };

test('each range holds all keys that it is for, and no other', () => {
  const same = (a: Part | undefined, b: Part): boolean => a !== undefined && order([a], [b]) === 0;
  fc.assert(
    fc.property(
      fc.array(any, { minLength: 1, maxLength: 40 }),
      user,
      bytes16,
      number,
      fc.integer({ min: 0, max: 2 ** 53 - 1 }),
      (all, name, chat, n, version) => {
        // Now and then of a key that is there.
        const seen = all.find(({ parts }) => typeof parts[0] === 'string')?.parts[0];
        const who = n % 2 === 0 && typeof seen === 'string' ? seen : name;
        const known = all.find(({ parts }) => parts[0] instanceof Uint8Array)?.parts[0];
        const which = n % 3 !== 0 && known instanceof Uint8Array ? known : chat;
        const ofUser = (kind: string) => (key: Key) => key.kind === kind && same(key.parts[0], who);
        const ofChat = (kind: string) => (key: Key) => key.kind === kind && same(key.parts[0], which);
        const ranges: [Range, (key: Key) => boolean][] = [
          [keys.idRange(which), ofChat('id')],
          [keys.idPageRange(which, n), (key) => ofChat('page')(key) && (key.parts[1] as number) >= n],
          [keys.chatRows(null), ({ kind }) => kind === 'chat'],
          [keys.chatRows(which), ({ kind, parts }) => kind === 'chat' && order([parts[0]!], [which]) > 0],
          [keys.inboxRange(who, null), ofUser('inbox')],
          [keys.inboxRange(who, which), (key) => ofUser('inbox')(key) && order([key.parts[1]!], [which]) > 0],
          [keys.groupsRange(who), (key) => ofUser('inbox')(key) && (key.parts[1] as Uint8Array)[0] === 2],
          [keys.deviceRange(who), ofUser('device')],
          [keys.blockRange(who), ofUser('block')],
          [keys.markOrderRange(who, version), (key) => ofUser('order')(key) && (key.parts[1] as number) > version],
          [keys.markOrderRange(who, n), (key) => ofUser('order')(key) && (key.parts[1] as number) > n],
        ];
        for (const [at, [{ start, end }, belongs]] of ranges.entries()) {
          for (const key of all) {
            const within = compareBytes(start, key.key) <= 0 && compareBytes(key.key, end) < 0;
            assert.equal(within, belongs(key), `range ${at}, key ${key.kind} ${key.parts}`);
          }
        }
      },
    ),
    { numRuns: 3_000 },
  );
});

test('a number that does not fit is a broken invariant, not another number', () => {
  for (const value of [-1, EDGE + 1, Number.MAX_SAFE_INTEGER, Number.NaN]) {
    assert.throws(() => keys.putNumber(new Uint8Array(6), 0, value), /invariant broken/);
  }
});
