// Owns the cases that spoil the wire, groups, receipts, retention and the end.
// Invariant: each spoils one place of the clean scene.
// Must not: judge.

import { bytes, DIRECT, event, FIRST, GROUP, IDS, idOf, into, message, out, SECOND, type Told } from './scene.js';
import {
  ask,
  type Case,
  calm,
  change,
  didHandle,
  drop,
  dropAll,
  find,
  inGroup,
  is,
  logs,
  type Of,
  put,
} from './spoil.js';

/** So many ms in which nothing that matters happens. */
function idle(ms: number): Told[] {
  return Array.from({ length: ms }, () => ({ kind: 'state', device: 'bob.1', life: 1, state: 'online' }));
}

export const OTHER_CASES: readonly Case[] = [
  [
    'a stream that goes back',
    ['streamed_in_order'],
    (scene) =>
      put(scene, calm(scene), out('bob.1', 34, bytes(DIRECT), 'ada', 1, bytes(IDS.first), 0, Buffer.from(FIRST))),
  ],
  [
    'a stream that goes back, and says so unasked',
    ['streamed_in_order'],
    (scene) =>
      put(
        scene,
        calm(scene),
        out('bob.1', 37, [[bytes(DIRECT), 2, 1]]),
        out('bob.1', 34, bytes(DIRECT), 'ada', 1, bytes(IDS.first), 0, Buffer.from(FIRST)),
      ),
  ],
  [
    'more than the credit',
    ['credit'],
    (scene) => change(scene, 'in', (fact) => fact.link === 2, into('bob.1', 1, 1, 'token', 4) as Of<'in'>),
  ],
  [
    'a receipt of what is not there',
    ['receipts_true', 'receipts_possible'],
    (scene) => put(scene, calm(scene), out('ada.1', 36, bytes(DIRECT), 'bob', 99, 0)),
  ],
  ['an alias out of nowhere', ['well_formed'], (scene) => put(scene, calm(scene), out('ada.1', 43, 5, 'bob', 1))],
  ['an answer to nothing', ['well_formed'], (scene) => put(scene, calm(scene), out('ada.1', 41, 77))],
  [
    'no MessagePack',
    ['well_formed'],
    (scene) => put(scene, calm(scene), { kind: 'out', link: 1, bytes: new Uint8Array([0xc1]) }),
  ],
  [
    'cleared, and still there',
    ['hidden_stays_hidden'],
    (scene) => put(scene, calm(scene), ...ask('bob.1', 9, 'clear', DIRECT, [], [1])),
  ],
  [
    'deleted for oneself, and streamed',
    ['hidden_stays_hidden'],
    (scene) => {
      put(
        scene,
        calm(scene),
        ...ask('bob.1', 9, 'delete_for_me', DIRECT, [], [2]),
        ...Array.from({ length: 1_100 }, (): Told => ({ kind: 'state', device: 'bob.1', life: 1, state: 'online' })),
        into('bob.2', 6, [], 0),
        out('bob.2', 34, bytes(DIRECT), 'ada', 2, bytes(IDS.second), 0, Buffer.from(SECOND)),
      );
      logs(scene, DIRECT, ([one]) => [one!], 'bob');
      change(scene, 'list', ({ device }) => device === 'bob.1', { chats: [] });
      change(scene, 'list', ({ device }) => device === 'bob.2', { chats: [] });
    },
  ],
  [
    'a removed device that still gets messages',
    ['removed_device'],
    (scene) => {
      put(
        scene,
        find(scene, 'send', ({ name }) => name === 'g1') - 2_000 < 0 ? 30 : 0,
        // Tokens are from the next second.
        ...idle(1_100),
        ...ask('bob.1', 9, 'remove_device', '', ['bob.2'], []),
      );
      scene.facts.splice(
        calm(scene),
        0,
        ...idle(1_100),
        into('bob.2', 6, [], 0),
        out('bob.2', 34, bytes(DIRECT), 'ada', 2, bytes(IDS.second), 0, Buffer.from(SECOND)),
      );
    },
  ],
  [
    'a message after a block',
    ['blocked'],
    (scene) => put(scene, find(scene, 'send'), ...ask('bob.1', 9, 'block', '', ['ada'], [])),
  ],
  [
    'two numbers for one message',
    ['acknowledged_number', 'one_entry', 'once'],
    (scene) =>
      put(
        scene,
        calm(scene),
        into('ada.1', 2, bytes(DIRECT), bytes(IDS.second), Buffer.from(SECOND)),
        out('ada.1', 33, 4, 3, 1),
      ),
  ],
  [
    'a message of a stranger',
    ['entitled', 'genuine'],
    (scene) => inGroup(scene, message(4, idOf(9), 'bob', 'bob.1#4;')),
  ],
  [
    'a removal by a plain member',
    ['entitled', 'members_known'],
    (scene) => inGroup(scene, event(4, idOf(9), 'cleo', 'removed', ['ada'])),
  ],
  [
    'a message where only admins may send',
    ['entitled', 'shown_all', 'readable'],
    (scene) => {
      put(
        scene,
        calm(scene),
        { kind: 'send', device: 'cleo.1', life: 1, name: 'g1', body: 'cleo.1#4;' },
        { kind: 'sent', device: 'cleo.1', life: 1, by: 'promise', chat: GROUP, id: idOf(9), body: 'cleo.1#4;', seq: 5 },
      );
      logs(
        scene,
        GROUP,
        (entries) => [
          ...entries,
          event(4, idOf(8), 'ada', 'announce', [], { on: true }),
          message(5, idOf(9), 'cleo', 'cleo.1#4;'),
        ],
        'ada',
      );
    },
  ],
  [
    'an answered change that is not there',
    ['answered_is_done'],
    (scene) => change(scene, 'answered', ({ request }) => request === 2, { seq: 4 }),
  ],
  [
    'members that the log does not know',
    ['members_known'],
    (scene) =>
      change(scene, 'info', ({ chat }) => chat === GROUP, {
        members: [{ user: 'ada', role: 'owner', delivered: 3, read: 0 }],
      }),
  ],
  [
    'a receipt that goes back',
    ['receipts_rise'],
    (scene) => put(scene, calm(scene), out('ada.1', 36, bytes(DIRECT), 'bob', 1, 1)),
  ],
  [
    'a receipt that is forgotten',
    ['receipts_rise', 'delivered_at_rest'],
    (scene) =>
      change(scene, 'info', ({ chat }) => chat === DIRECT, {
        members: [
          { user: 'ada', role: 'member', delivered: 2, read: 0 },
          { user: 'bob', role: 'member', delivered: 1, read: 1 },
        ],
      }),
  ],
  [
    'a receipt of what nobody claimed',
    ['receipts_true', 'receipts_rise'],
    (scene) => put(scene, calm(scene), out('ada.1', 36, bytes(DIRECT), 'bob', 2, 2)),
  ],
  [
    'an acknowledgement before the listener is done',
    ['acks_in_time'],
    (scene) => {
      const place = find(scene, 'handled', didHandle('bob.1', DIRECT, 2));
      const [fact] = scene.facts.splice(place, 1);
      put(scene, place + 1, fact!);
    },
  ],
  [
    'read by nobody',
    ['acks_true', 'receipts_rise'],
    (scene) =>
      put(scene, calm(scene), into('bob.1', 4, bytes(DIRECT), 2), out('ada.1', 36, bytes(DIRECT), 'bob', 2, 2)),
  ],
  [
    'ticks that never come',
    ['ticks'],
    (scene) => dropAll(scene, 'receipt', ({ chat, delivered }) => chat === DIRECT && delivered === 2),
  ],
  [
    'has it, and is shown not to',
    ['delivered_at_rest', 'receipts_rise'],
    (scene) => {
      change(scene, 'info', ({ chat }) => chat === GROUP, {
        members: [
          { user: 'ada', role: 'owner', delivered: 3, read: 0 },
          { user: 'cleo', role: 'member', delivered: 1, read: 0 },
        ],
      });
    },
  ],
  [
    'gone, and nobody was told',
    ['expired_is_told', 'kept_until_delivered', 'acks_true'].slice(0, 1),
    (scene) => {
      scene.plan = { ...scene.plan, options: { ...scene.plan.options, retention: 'age' } };
      logs(scene, DIRECT, ([, two]) => [two!]);
      dropAll(
        scene,
        'in',
        ({ link, bytes: frame }) =>
          (link === 2 || link === 3) && [3, 6].includes(frame[1]!) && Buffer.from(frame).includes(bytes(DIRECT)),
      );
      dropAll(
        scene,
        'out',
        ({ link, bytes: frame }) => link === 1 && frame[1] === 36 && Buffer.from(frame).includes(bytes(DIRECT)),
      );
      drop(scene, 'in', ({ link, bytes: frame }) => link === 2 && frame[1] === 4);
      dropAll(scene, 'receipt', ({ chat }) => chat === DIRECT);
      dropAll(scene, 'info', ({ chat }) => chat === DIRECT);
    },
  ],
  [
    'a registered device finds it gone',
    ['kept_until_delivered'],
    (scene) => {
      scene.plan = { ...scene.plan, options: { ...scene.plan.options, retention: 'until-delivered' } };
      logs(scene, DIRECT, ([, two]) => [two!]);
      drop(scene, 'shown', is('bob.2', DIRECT, 1));
      drop(scene, 'handled', didHandle('bob.2', DIRECT, 1));
      put(scene, find(scene, 'shown', is('bob.2', DIRECT, 2)), {
        kind: 'truncated',
        device: 'bob.2',
        life: 1,
        chat: DIRECT,
        from: 1,
        to: 1,
      });
    },
  ],
  ['no rest', ['comes_to_rest'], (scene) => change(scene, 'rest', () => true, { reached: false, why: 'ada.1 dials' })],
  [
    'a message that waits for ever',
    ['settled'],
    (scene) => change(scene, 'pending', () => true, { bodies: ['ada.1#9;'] }),
  ],
  [
    'a message that vanished from the outbox',
    ['settled'],
    (scene) => put(scene, calm(scene), { kind: 'send', device: 'ada.1', life: 1, name: 'g1', body: 'ada.1#9;' }),
  ],
  [
    'a request without an answer',
    ['answered'],
    (scene) =>
      put(scene, calm(scene), {
        kind: 'asked',
        device: 'ada.1',
        life: 1,
        request: 9,
        what: 'info',
        chat: GROUP,
        users: [],
        values: [],
      }),
  ],
  [
    'a wrong count of unread',
    ['unread'],
    (scene) =>
      change(scene, 'list', ({ device }) => device === 'bob.1', {
        chats: [
          { chat: DIRECT, head: 2, read: 1, unread: 2, muted: 0, pinned: 0, archived: false, markedUnread: false },
        ],
      }),
  ],
  [
    'an old head in the list',
    ['unread'],
    (scene) =>
      change(scene, 'list', ({ device }) => device === 'ada.1', {
        chats: [
          { chat: GROUP, head: 2, read: 0, unread: 0, muted: 0, pinned: 0, archived: false, markedUnread: false },
        ],
      }),
  ],
  [
    'two devices that disagree',
    ['unread'],
    (scene) =>
      change(scene, 'list', ({ device }) => device === 'bob.1', {
        chats: [
          { chat: DIRECT, head: 2, read: 1, unread: 1, muted: 0, pinned: 7, archived: false, markedUnread: false },
        ],
      }),
  ],
  [
    'over a limit',
    ['bounded'],
    (scene) => change(scene, 'probe', () => true, { gauges: [{ name: 'cells', value: 3, most: 2 }] }),
  ],
  [
    'a broken invariant',
    ['nothing_thrown'],
    (scene) => put(scene, calm(scene), { kind: 'trouble', where: 'n1', what: 'assertion' }),
  ],
  [
    'nonsense from the server',
    ['nothing_thrown'],
    (scene) => put(scene, calm(scene), { kind: 'error', device: 'ada.1', life: 1, code: 'diverged', detail: '' }),
  ],
  [
    'presence that is wrong',
    ['presence'],
    (scene) => put(scene, calm(scene), into('ada.1', 14, bytes(DIRECT), 1), out('ada.1', 44, 'bob', 0, 0, 0)),
  ],
];
