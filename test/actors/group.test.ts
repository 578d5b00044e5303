// Owns the tests of a group's rules on a manual clock: any requests against a model, with failing stores and crashes, and
// what is told while a change is not durable yet.
// Invariant: requests that are repeated keep their id; what is compared is answers, log, rows and views.
// Must not: repeat what test/e2e shows with sockets.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../actors/limits.js';
import { idText } from '../../actors/message-id.js';
import type { ConnectionMessage } from '../../actors/messages.js';
import { blockKey, chatFromKey, chatRowKey, inboxKey, putNumber } from '../../storage/keys.js';
import type { MemoryFault } from '../../storage/memory.js';
import { type ChatRow, decodeChat, decodeInbox } from '../../storage/rows.js';
import { INVITE_MODE, OP, type Plain, ROLE, T } from '../../transport/frames.js';
import { decodeRow } from '../../transport/row.js';
import { ChatScene, type Ear } from './chat-scene.js';
import { type Act, GroupModel } from './group-model.js';

const NAMES = new Map<number, string>(Object.entries(OP).map(([name, op]) => [op, name]));

/** A group and one who asks it. */
class Group {
  readonly scene: ChatScene;
  readonly key: string;
  readonly chat: Uint8Array;
  readonly ear: Ear<ConnectionMessage>;
  /** Secrets of the links, by their number. */
  readonly secrets = new Map<number, Uint8Array>();
  #r = 100;

  private constructor(scene: ChatScene, key: string, ear: Ear<ConnectionMessage>) {
    this.scene = scene;
    this.key = key;
    this.chat = chatFromKey(key);
    this.ear = ear;
  }

  static async of(users: readonly string[], options: Parameters<typeof ChatScene.open>[0] = {}): Promise<Group> {
    const scene = await ChatScene.open(options);
    const ear = scene.connection();
    return new Group(scene, await scene.group(ear.ref, users), ear);
  }

  /** Tells the group; answers the request's number. */
  tell(act: Act, id = this.scene.id()): number {
    this.#r += 1;
    const r = this.#r;
    const { user } = act;
    const connection = this.ear.ref;
    const asker = { user, connection, r };
    const tell = (message: Parameters<ChatScene['fabric']['chats']['tell']>[1]): void => {
      this.scene.fabric.chats.tell(this.key, message);
    };
    if (act.type === 'change') tell({ ...act, asker, id });
    else if (act.type === 'join') {
      tell({ type: 'join', asker, id, secret: this.secrets.get(act.link) ?? new Uint8Array(16) });
    } else {
      const body = new Uint8Array(1);
      tell({ type: 'send', user, connection, n: r, id, idText: idText(id), after: null, body, pair: null });
    }
    return r;
  }

  /** What the request was answered: a number (of OK or SENT) or a code. */
  answer(r: number): number | string | undefined {
    for (const heard of this.ear.heard) {
      if (heard.type === 'answer' && heard.r === r) return heard.results.find((field) => typeof field === 'number');
      if (heard.type === 'sent' && heard.n <= r && r < heard.n + heard.count) return heard.seq + r - heard.n;
      if (heard.type === 'refused' && heard.r === r) return heard.code;
      if (heard.type === 'failed' && heard.n === r) return heard.code;
    }
    return undefined;
  }

  async ask(act: Act): Promise<number | string | undefined> {
    const r = this.tell(act);
    await this.scene.settle();
    return this.answer(r);
  }

  /** Results of INFO or INVITE, or the code. */
  async inquire(type: 'info' | 'invite', user: string): Promise<readonly Plain[] | string> {
    this.#r += 1;
    const r = this.#r;
    this.scene.fabric.chats.tell(this.key, { type, asker: { user, connection: this.ear.ref, r } });
    await this.scene.settle();
    for (const heard of this.ear.heard) {
      if (heard.type === 'answer' && heard.r === r) return heard.results;
      if (heard.type === 'refused' && heard.r === r) return heard.code;
    }
    return 'no answer';
  }

  async row(): Promise<ChatRow> {
    return decodeChat((await this.scene.memory.get(chatRowKey(this.chat)))!);
  }

  async crash(): Promise<void> {
    this.scene.runtime.exit(this.scene.chats.get(this.key)!, { type: 'killed' });
    await this.scene.settle();
  }

  /** All that the store holds is what the model says. */
  async check(model: GroupModel): Promise<void> {
    const start = Uint8Array.of(1, ...this.chat, 0, 0, 0, 0, 0, 0);
    const end = Uint8Array.of(1, ...this.chat, 255, 255, 255, 255, 255, 255);
    const { rows } = await this.scene.memory.range({ start, end, limit: 10_000 });
    assert.deepEqual(
      rows.map(({ value }) => {
        const row = decodeRow(value);
        return row.type === T.MESSAGE
          ? `${row.from} says`
          : [row.from, NAMES.get(row.op), ...row.args.flat(1)].join(' ');
      }),
      model.log,
    );
    const row = await this.row();
    assert.deepEqual(new Map(row.members.map(({ user, role }) => [user, role])), model.roles);
    const { title, avatar, announce, expiry, mode, waiting } = model;
    assert.deepEqual(
      [row.title, row.avatar, row.announce, row.expiry, row.invite, row.waiting],
      [title, avatar, announce === 1, expiry, mode, waiting],
    );
    for (const [user, stays] of model.stays) {
      const inbox = decodeInbox((await this.scene.memory.get(inboxKey(user, this.chat)))!);
      assert.deepEqual(
        inbox.spans,
        stays.slice(-LIMITS.spans).map(([from, until]) => ({ from, until })),
        `stays of ${user}`,
      );
      if (model.roles.has(user)) assert.equal(inbox.name, title);
    }
  }
}

const USERS = ['ada', 'bob', 'cat', 'dan', 'eve'];
/** Some ask more often, or most would be refused. */
const user = fc.constantFrom('ada', 'ada', 'bob', ...USERS);
const users = fc.array(user, { maxLength: 3 });
const change = (op: number, args: fc.Arbitrary<(string | number)[]> = fc.constant([])): fc.Arbitrary<Act> =>
  fc.record({ type: fc.constant('change'), user, op: fc.constant(op), users, args });

const single = (...values: (string | number)[]): fc.Arbitrary<(string | number)[]> =>
  fc.constantFrom(...values).map((value) => [value]);

const act: fc.Arbitrary<Act> = fc.oneof(
  change(OP.added),
  change(OP.added),
  change(OP.added),
  change(OP.removed),
  change(OP.left),
  change(OP.owner),
  change(OP.role, single(0, 1, 2, 2)),
  change(OP.title, single('', 'one', 'two')),
  change(OP.announce, single(0, 1)),
  change(OP.expiry, single(0, 60)),
  change(OP.invite, single(0, 1, 1, 2, 2)),
  change(OP.declined),
  change(OP.asked),
  fc.record({ type: fc.constant('send'), user }),
);
/** `old`: by the link before. */
const joining = fc.record({
  type: fc.constant('join'),
  user: fc.constantFrom('cat', 'dan', 'eve'),
  old: fc.integer({ min: 0, max: 9 }),
});
const FAULTS: readonly MemoryFault[] = ['store_unavailable', 'unknown_applied', 'unknown_dropped'];

const by = (user: string, op: number, args: (string | number)[] = [], users: string[] = []): Act => ({
  type: 'change',
  user,
  op,
  users,
  args,
});

/** Several at once, or one alone whose commit fails, or an actor that breaks. */
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('together'), acts: fc.array(act, { minLength: 1, maxLength: 5 }) }),
  },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('join'), join: joining }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('fault'), act, fault: fc.constantFrom(...FAULTS) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('crash'), act }) },
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
const mode = fc.constantFrom(INVITE_MODE.none, INVITE_MODE.open, INVITE_MODE.approval);

test('any requests, at once, with failing commits and crashes: answers, log, rows and views are the model’s', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40, size: 'max' }),
      mode,
      fc.constantFrom(2, 100),
      async (steps, begin, threshold) => {
        const group = await Group.of(['bob', 'cat'], { threshold });
        const model = new GroupModel('ada', ['bob', 'cat'], 'crew');
        const first: Step = { type: 'together', acts: [by('ada', OP.invite, [begin])] };
        for (const next of [first, ...steps]) {
          if (next.type === 'together') {
            const asked = next.acts.map((one) => group.tell(one));
            await group.scene.settle();
            for (const [at, one] of next.acts.entries()) {
              assert.equal(group.answer(asked[at]!), model.answer(one), JSON.stringify(one));
            }
          } else if (next.type === 'join') {
            const link = next.join.old === 0 ? model.links - 1 : model.links;
            const one = { type: 'join', user: next.join.user, link } as const;
            assert.equal(await group.ask(one), model.answer(one), JSON.stringify(one));
          } else {
            await insist(group, next.act, model.answer(next.act), () => {
              if (next.type === 'fault') group.scene.faults = [next.fault];
              else group.scene.runtime.exit(group.scene.chats.get(group.key)!, { type: 'killed' });
            });
          }
          if (model.links > 0) group.secrets.set(model.links, (await group.row()).secret);
          group.ear.heard.length = 0;
        }
        await group.scene.pass(LIMITS.cursorMs);
        await group.check(model);
        const info = await group.inquire('info', 'ada');
        if (!model.roles.has('ada')) assert.equal(info, 'unknown_chat');
        else {
          const leads = model.roles.get('ada')! >= ROLE.admin;
          const settings = [model.avatar, model.announce, model.expiry, model.mode, leads ? model.waiting : []];
          assert.deepEqual([info[1], info[2], ...info.slice(4)], [model.title, model.log.length, ...settings]);
        }
      },
    ),
    { numRuns: 100 },
  );
});

/** Asks under one id, in the middle of what `trouble` does, until there is an answer that counts. */
async function insist(group: Group, one: Act, expected: number | string, trouble: () => void): Promise<void> {
  const id = group.scene.id();
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const r = group.tell(one, id);
    if (attempt === 0) trouble();
    await group.scene.pass(LIMITS.reloadMs + 20);
    const answer = group.answer(r);
    if (answer !== undefined && answer !== 'unavailable') {
      assert.equal(answer, expected, JSON.stringify(one));
      group.scene.faults = [];
      return;
    }
  }
  assert.fail(`no answer to ${JSON.stringify(one)}`);
}

test('a link is told only when it is durable, and one that was not stored never was', async () => {
  const group = await Group.of(['bob']);
  const resume = group.scene.memory.stall();
  group.scene.faults = ['store_unavailable'];
  const made = group.tell(by('ada', OP.invite, [INVITE_MODE.open]));
  await group.scene.settle();
  const asking = group.inquire('invite', 'ada');
  await group.scene.settle();
  assert.equal(await asking, 'no answer', 'it waits for the disk');
  resume();
  await group.scene.settle();
  assert.equal(group.answer(made), 'unavailable');
  await group.scene.pass(LIMITS.reloadMs + 20);
  assert.deepEqual(await group.inquire('invite', 'ada'), [INVITE_MODE.none, new Uint8Array(0)]);
});

test('another JOIN of one who is on the way in waits for the disk: busy, then a member', async () => {
  for (const mode of [INVITE_MODE.open, INVITE_MODE.approval]) {
    const group = await Group.of(['bob']);
    await group.ask(by('ada', OP.invite, [mode]));
    group.secrets.set(1, (await group.row()).secret);
    const resume = group.scene.memory.stall();
    const joining = { type: 'join', user: 'eve', link: 1 } as const;
    const first = group.tell(joining);
    await group.scene.settle();
    const second = group.tell(joining);
    await group.scene.settle();
    assert.deepEqual([group.answer(first), group.answer(second)], [undefined, 'busy']);
    resume();
    await group.scene.settle();
    assert.deepEqual([group.answer(first), await group.ask(joining)], [3, 3]);
    assert.equal((await group.scene.rows(group.chat)).length, 3);
  }
});

test('a JOIN asked again while its approval is on the way: waiting, until that is durable', async () => {
  const group = await Group.of([]);
  await group.ask(by('ada', OP.invite, [INVITE_MODE.approval]));
  group.secrets.set(1, (await group.row()).secret);
  const id = group.scene.id();
  const again = async (): Promise<unknown> => {
    const r = group.tell({ type: 'join', user: 'eve', link: 1 }, id);
    await group.scene.settle();
    const heard = group.ear.heard.find((message) => message.type === 'answer' && message.r === r);
    return heard?.type === 'answer' ? heard.results.slice(1) : 'no answer';
  };
  assert.deepEqual(await again(), [3, 2]);
  const resume = group.scene.memory.stall();
  group.tell(by('ada', OP.added, [], ['eve']));
  await group.scene.settle();
  assert.deepEqual(await again(), [3, 2]);
  resume();
  await group.scene.settle();
  assert.deepEqual(await again(), [3, 1]);
});

test('as many wait for approval as may; of them one is declined, and there is room', async () => {
  const group = await Group.of([]);
  await group.ask(by('ada', OP.invite, [INVITE_MODE.approval]));
  group.secrets.set(1, (await group.row()).secret);
  const join = (name: string): Promise<unknown> => group.ask({ type: 'join', user: name, link: 1 });
  for (let at = 0; at < LIMITS.joinRequests; at += 1) assert.equal(await join(`u${at}`), 3 + at);
  assert.equal(await join('late'), 'full');
  assert.equal(await join('u0'), 2 + LIMITS.joinRequests, 'who waits is answered still');
  await group.ask(by('ada', OP.declined, [], ['u7']));
  assert.equal(await join('late'), 4 + LIMITS.joinRequests);
});

test('who blocks the asker is not added, but for one who asked to join; all or none', async () => {
  const group = await Group.of(['bob']);
  const block = async (who: string, whom: string): Promise<void> => {
    const value = new Uint8Array(6);
    putNumber(value, 0, 1);
    const written = group.scene.memory.commit({ checks: [], writes: [{ key: blockKey(who, whom), value }] });
    await group.scene.settle();
    assert.equal((await written).outcome, 'committed');
  };
  await block('eve', 'ada');
  assert.equal(await group.ask(by('ada', OP.added, [], ['cat', 'eve'])), 'blocked');
  const refused = group.ear.heard.at(-1);
  assert.ok(refused?.type === 'refused' && refused.detail.includes('eve') && !refused.detail.includes('cat'));
  await block('ada', 'cat');
  assert.equal(await group.ask(by('ada', OP.added, [], ['cat'])), 2, 'whom one blocks oneself, one may add');
  await group.ask(by('ada', OP.role, [ROLE.admin], ['bob']));
  assert.equal(await group.ask(by('bob', OP.added, [], ['eve'])), 4, 'by another');
  await group.ask(by('ada', OP.removed, [], ['eve']));
  await group.ask(by('ada', OP.invite, [INVITE_MODE.approval]));
  group.secrets.set(1, (await group.row()).secret);
  assert.equal(await group.ask({ type: 'join', user: 'eve', link: 1 }), 7);
  assert.equal(await group.ask(by('ada', OP.added, [], ['eve'])), 8, 'it asked');
  const before = group.scene.chats.size;
  await group.scene.group(group.ear.ref, ['eve']);
  const last = group.ear.heard.at(-1);
  assert.equal(last?.type === 'refused' && last.code, 'blocked', 'nor for a new group');
  const fresh = [...group.scene.chats.values()].slice(before);
  assert.deepEqual(
    fresh.map(({ alive }) => alive),
    [false],
    'of which nothing stays in memory',
  );
});

test('groups of a user are counted when one makes, adds or joins; those that were left do not count', async () => {
  const group = await Group.of(['eve'], { quotas: { userGroups: 3 } });
  const { scene, ear } = group;
  const refusal = (): unknown => {
    const last = ear.heard.at(-1);
    return last?.type === 'refused' ? last.code : 'made';
  };
  const others: string[] = [];
  for (let at = 0; at < 2; at += 1) others.push(await scene.group(ear.ref, ['eve', `u${at}`]));
  await scene.group(ear.ref, ['zoe']);
  assert.equal(refusal(), 'full', 'ada is in three');
  const leave = async (key: string, user: string): Promise<void> => {
    const asker = { user, connection: ear.ref, r: 9 };
    scene.fabric.chats.tell(key, { type: 'change', asker, id: scene.id(), op: OP.left, users: [], args: [] });
    await scene.settle();
  };
  await leave(others[0]!, 'ada');
  await scene.group(ear.ref, ['eve']);
  assert.equal(refusal(), 'full', 'eve is in three');
  const fourth = await scene.group(ear.ref, ['zoe']);
  assert.equal(refusal(), 'made');
  const add = async (users: string[]): Promise<void> => {
    const asker = { user: 'ada', connection: ear.ref, r: 10 };
    scene.fabric.chats.tell(fourth, { type: 'change', asker, id: scene.id(), op: OP.added, users, args: [] });
    await scene.settle();
  };
  await add(['bob', 'eve']);
  assert.equal(refusal(), 'full');
  await leave(others[1]!, 'eve');
  await add(['bob', 'eve']);
  assert.equal(refusal(), 'made');
  await group.ask(by('ada', OP.invite, [INVITE_MODE.open]));
  group.secrets.set(1, (await group.row()).secret);
  assert.equal(await group.ask({ type: 'join', user: 'bob', link: 1 }), 3);
  await group.ask(by('eve', OP.left));
  await add(['zoe', 'eve']);
  await leave(fourth, 'eve');
  assert.equal(await group.ask({ type: 'join', user: 'eve', link: 1 }), 5);
});

test('a large group’s title reaches its members’ rows within the pace, also when a crash comes between', async () => {
  const all = Array.from({ length: 200 }, (_, at) => `u${at}`);
  const group = await Group.of(all);
  const named = async (title: string): Promise<number> => {
    const rows = await Promise.all(all.map((user) => group.scene.memory.get(inboxKey(user, group.chat))));
    return rows.filter((row) => decodeInbox(row!).name === title).length;
  };
  await group.ask(by('ada', OP.title, ['first']));
  assert.equal(await named('first'), all.length, 'the first one at once');
  await group.ask(by('ada', OP.title, ['second']));
  await group.ask(by('ada', OP.title, ['third']));
  assert.equal(await named('first'), all.length, 'later ones wait');
  await group.scene.pass(LIMITS.cursorMs);
  assert.equal(await named('third'), all.length);
  await group.ask(by('ada', OP.title, ['fourth']));
  assert.equal(await named('third'), all.length);
  await group.crash();
  await group.inquire('info', 'ada');
  assert.equal(await named('fourth'), all.length, 'the next life finds rows without it');
});

test('a thousand with the longest names: title, roles and the wait list at their limits fit a commit', async () => {
  const name = (at: number): string => `${at}`.padStart(LIMITS.userId, 'u');
  const all = Array.from({ length: LIMITS.members - 1 }, (_, at) => name(at));
  const group = await Group.of(all);
  await group.ask(by('ada', OP.title, ['t'.repeat(LIMITS.title)]));
  await group.ask(by('ada', OP.avatar, ['a'.repeat(LIMITS.avatar)]));
  await group.ask(by('ada', OP.invite, [INVITE_MODE.approval]));
  group.secrets.set(1, (await group.row()).secret);
  for (let at = 0; at < LIMITS.joinRequests; at += 1) {
    group.tell({ type: 'join', user: name(5_000 + at), link: 1 });
  }
  const resume = group.scene.memory.stall();
  const acts = [
    by('ada', OP.role, [ROLE.admin], all),
    by('ada', OP.title, ['u'.repeat(LIMITS.title)]),
    by('ada', OP.role, [ROLE.member], all),
    by('ada', OP.removed, [], all),
    by('ada', OP.added, [], all),
  ].map((one) => group.tell(one));
  await group.scene.settle();
  resume();
  await group.scene.settle();
  const first = 5 + LIMITS.joinRequests;
  assert.deepEqual(
    acts.map((r) => group.answer(r)),
    acts.map((_, at) => first + at),
  );
  assert.deepEqual(group.scene.reports, []);
  const row = await group.scene.memory.get(chatRowKey(group.chat));
  assert.ok(row!.length <= LIMITS.chatRowBytes, `${row!.length} bytes`);
  assert.equal((await group.row()).waiting.length, LIMITS.joinRequests);
  await group.crash();
  assert.equal(await group.ask(by('ada', OP.title, ['woken'])), first + acts.length);
});
