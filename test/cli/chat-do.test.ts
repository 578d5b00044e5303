// Owns the tests of the chat's commands: by --do, as programs use them, against a real node.
// Invariant: what one user does is read by another.
// Must not: need a terminal.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { completed } from '../../cli/chat-commands.js';
import { formatDuration, parseDuration } from '../../cli/duration.js';
import { ChatNode, type Outcome } from './chat-node.js';

describe('weft chat --do', () => {
  const act = (node: ChatNode, user: string, where: readonly string[], ...commands: string[]): Promise<Outcome> =>
    node.pipe(['--user', user, ...where, ...commands.flatMap((command) => ['--do', command])]);

  test('a group: made, changed, joined by its link, and told to the others', async (t) => {
    const node = await ChatNode.start(t);
    const made = await act(
      node,
      'ada',
      ['--new-group', 'Trip', '--with', 'bob,cleo'],
      '/promote bob',
      'announce on',
      '/announce off',
      '/title Trip to Ulm',
      '/expire 7d',
      '/invite approval',
    );
    assert.equal(made.code, 0, made.err);
    const link = /weft:join\/[\w-]{43}/.exec(made.out)?.[0] ?? '';
    assert.match(made.out, /Whoever has it may ask/);
    const here = ['--group', 'Trip to Ulm'];
    assert.match((await act(node, 'dan', [], `/join ${link}`)).out, /^You asked to join/);
    const let1 = await act(node, 'bob', here, '/waiting', '/approve dan', '/members', '/owner cleo');
    assert.match(let1.out, /Who asks to be let in.*\n {2}dan\n4 members of “Trip to Ulm”:\n {2}ada +owner/);
    assert.deepEqual([let1.code, let1.err], [1, 'weft: not_allowed: your role does not allow it\n']);
    const dan = await node.pipe(['--user', 'dan', ...here, '--wait', '0.4'], 'hi all\n');
    assert.deepEqual(dan, { code: 0, out: '* bob added dan\n', err: '' });
    const cleo = await node.pipe(['--user', 'cleo', ...here, '--wait', '0.4']);
    assert.deepEqual(cleo.out.split('\n').slice(1), [
      '* ada made bob admin',
      '* ada: only admins may write now',
      '* ada: everybody may write again',
      '* ada called the group “Trip to Ulm”',
      '* ada let messages end after 7d',
      '* ada made an invite link; admins approve who comes',
      '* dan asks to join',
      '* bob added dan',
      'dan: hi all',
      '',
    ]);
    const receipts = await act(node, 'dan', here, '/receipts', '/delete', '/receipts 9');
    assert.match(receipts.out, /Message 10: 1 of 3 have it, 1 have read it\n[\s\S]*cleo +read/);
    const seen = await node.pipe(['--user', 'cleo', ...here, '--wait', '0.4', '--json']);
    const events = seen.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const { change, target, from } = events.find(({ type }) => type === 'event');
    assert.deepEqual([change, target, from], ['deleted', 10, 'dan']);
    assert.deepEqual(events.find(({ type }) => type === 'deleted')?.seqs, [10]);
  });

  test('one’s own: marks, profile, devices, privacy and blocks, on every device', async (t) => {
    const node = await ChatNode.start(t);
    const ada = ['--to', 'bob'];
    assert.equal((await node.pipe(['--user', 'bob', '--to', 'ada'], 'one\ntwo\n')).code, 0);
    const first = await act(
      node,
      'ada',
      ada,
      '/pin',
      '/mute 8h',
      '/hide 1',
      '/set name Ada L',
      '/privacy nobody',
      '/chats',
    );
    assert.match(first.out, /bob +1 unread, pinned, muted\n$/);
    const second = await act(
      node,
      'ada',
      [...ada, '--device', 'laptop'],
      '/chats',
      '/unread',
      '/chats',
      '/privacy',
      '/profile',
      '/block eve',
      '/blocked',
      '/rename-device laptop my work',
    );
    assert.equal(second.code, 0, second.err);
    assert.match(second.out, /bob +1 unread, pinned, muted\n/);
    assert.match(
      second.out,
      /Nobody may see[\s\S]*ada:\n {2}name +Ada L\n[\s\S]*You block:\n {2}eve\n[\s\S]*laptop +my work +this one/,
    );
    assert.match((await act(node, 'bob', ['--to', 'ada'], '/profile ada')).out, /Ada L/);
    const gone = await act(node, 'ada', ada, '/remove-device laptop', '/clear', '/archive', '/chats');
    assert.doesNotMatch(gone.out, /my work/);
    assert.match(gone.out, /bob +(unread, )?pinned, muted, archived\n$/);
  });

  test('what is written wrongly is answered with how to write it', async (t) => {
    const node = await ChatNode.start(t);
    for (const [command, pattern] of [
      ['/promote', /bad_usage: write \/promote USER…/],
      ['/promote bob', /bad_usage: this is a chat of two; \/group/],
      ['/expire soon', /bad_usage: write \/expire TIME\|off/],
      ['/delete first', /bad_usage: "first" is no number of a message; \/numbers/],
      ['/delete', /unknown_chat/],
      ['/join weft:join/x', /bad_argument: no invite link/],
      ['/join weft:join/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', /bad_invite: .*ask for a new link/],
      ['/nonsense', /bad_usage: there is no command \/nonsense/],
      ['/rem', /did you mean \/remove/i],
    ] as const) {
      const { code, err, out } = await act(node, 'ada', ['--to', 'bob'], command);
      assert.deepEqual([code, out], [1, ''], command);
      assert.match(err, pattern);
    }
  });
});

test('Tab completes what is clear of a command', () => {
  assert.deepEqual(['/prom', '/re', '/un', '/zzz', '/', 'pro', '/rename'].map(completed), [
    '/promote ',
    '/re',
    '/un',
    '/zzz',
    '/',
    'pro',
    '/rename-device ',
  ]);
  assert.equal(completed('/bl'), '/block');
});

test('lengths of time read as they are written', () => {
  for (const text of ['90s', '15m', '12h', '7d']) assert.equal(formatDuration(parseDuration(text) ?? 0), text);
  assert.equal(formatDuration(86_400), '1d');
  assert.equal(formatDuration(5_400), '90m');
});
