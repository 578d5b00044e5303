// Owns the cases that spoil logs, what is on the disk and what is shown.
// Invariant: each spoils one place of the clean scene.
// Must not: judge.

import {
  bytes,
  DIRECT,
  event,
  FIRST,
  flush,
  GROUP,
  HELLO,
  IDS,
  idOf,
  into,
  message,
  out,
  SECOND,
  type Told,
} from './scene.js';
import {
  again,
  ask,
  type Case,
  calm,
  change,
  didHandle,
  drop,
  end,
  find,
  inGroup,
  is,
  logs,
  type Of,
  put,
} from './spoil.js';

const ERASED = { type: 'event', body: '', event: { change: 'erased', users: [] } } as const;

export const ENTRY_CASES: readonly Case[] = [
  [
    'SENT before the flush',
    ['durable_first'],
    (scene) => {
      const place = find(scene, 'flushed');
      const [fact] = scene.facts.splice(place, 1);
      put(scene, place + 1, fact!);
    },
  ],
  [
    'a delivery before the flush',
    ['durable_first'],
    (scene) =>
      put(
        scene,
        find(scene, 'flushed'),
        out('bob.1', 34, bytes(DIRECT), 'ada', 1, bytes(IDS.first), 0, Buffer.from(FIRST)),
        into('bob.1', 6, [], 0),
      ),
  ],
  [
    'a body that is not in the flushed row',
    ['durable_first'],
    (scene) => change(scene, 'flushed', () => true, flush(bytes(IDS.first)) as Of<'flushed'>),
  ],
  [
    'a deleted body on the disk',
    ['deleted_is_gone'],
    (scene) => {
      put(scene, calm(scene), ...ask('ada.1', 9, 'delete_for_all', DIRECT, [], [2]));
    },
  ],
  [
    'a frame with a deleted body',
    ['deleted_is_gone'],
    (scene) =>
      put(
        scene,
        calm(scene),
        { kind: 'flushed', disk: 'n1', writes: [{ key: bytes(IDS.second), value: null }] },
        ...ask('ada.1', 9, 'delete_for_all', DIRECT, [], [2]),
        ...Array.from({ length: 1_100 }, (): Told => ({ kind: 'state', device: 'bob.1', life: 1, state: 'online' })),
        into('bob.1', 6, [], 0),
        out('bob.1', 34, bytes(DIRECT), 'ada', 2, bytes(IDS.second), 0, Buffer.from(SECOND)),
      ),
  ],
  [
    'two entries at one number',
    ['one_entry', 'kept'],
    (scene) => logs(scene, DIRECT, ([one]) => [one!, message(2, IDS.second, 'ada', 'ada.1#9;')], 'bob'),
  ],
  [
    'one id at two numbers',
    ['one_entry', 'once'],
    (scene) => logs(scene, GROUP, (entries) => [...entries, message(4, IDS.hello, 'ada', HELLO)], 'ada'),
  ],
  [
    'an entry that is erased by itself',
    ['kept'],
    (scene) =>
      logs(scene, DIRECT, (entries) => entries.map((entry) => (entry.seq === 2 ? { ...entry, ...ERASED } : entry))),
  ],
  [
    'a number left out',
    ['kept'],
    (scene) =>
      logs(scene, GROUP, (entries) => entries.map((entry) => (entry.seq === 3 ? { ...entry, seq: 4 } : entry))),
  ],
  ['a log that goes back', ['dense'], (scene) => logs(scene, DIRECT, ([one, two]) => [two!, one!], 'bob')],
  ['a body twice', ['once'], (scene) => inGroup(scene, message(4, idOf(9), 'ada', HELLO))],
  [
    "a sender's messages swapped",
    ['sender_order'],
    (scene) => {
      const place = find(scene, 'send', ({ body }) => body === SECOND);
      const [fact] = scene.facts.splice(place, 1);
      put(
        scene,
        find(scene, 'send', ({ body }) => body === FIRST),
        fact!,
      );
    },
  ],
  ['a message that nobody sent', ['genuine'], (scene) => inGroup(scene, message(4, idOf(9), 'cleo', 'cleo.1#77;'))],
  [
    'a message under another name',
    ['genuine'],
    (scene) => change(scene, 'send', ({ body }) => body === HELLO, { device: 'cleo.1' }),
  ],
  [
    'an acknowledged message that is not there',
    ['kept', 'readable'],
    (scene) => logs(scene, DIRECT, ([one]) => [one!]),
  ],
  [
    'an entry erased by nobody',
    ['kept', 'unread'],
    (scene) => logs(scene, DIRECT, ([one]) => [one!, event(2, IDS.second, 'ada', 'erased')]),
  ],
  [
    'refused and stored',
    ['refused'],
    (scene) =>
      put(scene, calm(scene), {
        kind: 'failed',
        device: 'ada.1',
        life: 1,
        by: 'event',
        body: SECOND,
        code: 'not_member',
      }),
  ],
  [
    'shown twice in one life',
    ['shown_in_order'],
    (scene) =>
      put(scene, calm(scene), {
        kind: 'shown',
        device: 'bob.1',
        life: 1,
        chat: DIRECT,
        entry: message(2, IDS.second, 'ada', SECOND),
      }),
  ],
  [
    'shown again after an ordered close',
    ['shown_in_order'],
    (scene) =>
      put(
        scene,
        calm(scene),
        end('bob.1', 'closed'),
        ...again('bob.1', DIRECT, [message(2, IDS.second, 'ada', SECOND)]),
      ),
  ],
  [
    'shown late, after what follows it',
    ['shown_in_order', 'acks_in_time'],
    (scene) => {
      drop(scene, 'shown', is('bob.1', DIRECT, 1));
      drop(scene, 'handled', didHandle('bob.1', DIRECT, 1));
      put(scene, calm(scene), end('bob.1', 'killed'), ...again('bob.1', DIRECT, [message(1, IDS.first, 'ada', FIRST)]));
    },
  ],
  [
    'never shown',
    ['shown_all', 'acks_true'],
    (scene) => {
      drop(scene, 'shown', is('bob.2', DIRECT, 2));
      drop(scene, 'handled', didHandle('bob.2', DIRECT, 2));
    },
  ],
  [
    'shown to one who left',
    ['shown_only'],
    (scene) => {
      inGroup(scene, message(4, idOf(9), 'ada', 'ada.1#4;'));
      put(
        scene,
        calm(scene),
        { kind: 'send', device: 'ada.1', life: 1, name: 'g1', body: 'ada.1#4;' },
        { kind: 'sent', device: 'ada.1', life: 1, by: 'promise', chat: GROUP, id: idOf(9), body: 'ada.1#4;', seq: 4 },
        { kind: 'shown', device: 'bob.1', life: 1, chat: GROUP, entry: message(4, idOf(9), 'ada', 'ada.1#4;') },
      );
      logs(scene, GROUP, (entries) => [...entries, message(4, idOf(9), 'ada', 'ada.1#4;')], 'cleo');
    },
  ],
  ['not to be read', ['readable'], (scene) => logs(scene, GROUP, ([one, , three]) => [one!, three!], 'cleo')],
  [
    'a frame to one who left',
    ['members_only'],
    (scene) =>
      put(scene, calm(scene), out('bob.1', 34, bytes(GROUP), 'ada', 4, bytes(idOf(9)), 0, Buffer.from('ada.1#4;'))),
  ],
];
