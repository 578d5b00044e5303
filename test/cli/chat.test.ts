// Owns the proof that `weft chat` works in a pipe: what is sent, what is printed, how it ends.
// Invariant: a real node and real chats, each a process.
// Must not: look at screens (chat-screen.test.ts).

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ChatNode } from './chat-node.js';

const ADA = ['--user', 'ada', '--to', 'bob'];
const BOB = ['--user', 'bob', '--to', 'ada'];

// Each has a node of its own, and most of its time is waiting for processes to start.
describe('weft chat in a pipe', { concurrency: 3 }, () => {
  test('one line, one message: sent, then delivered once and for ever', async (t) => {
    const node = await ChatNode.start(t);
    const start = performance.now();
    assert.deepEqual(await node.pipe(ADA, 'hi\n'), { code: 0, out: '', err: '' });
    assert.ok(performance.now() - start < 5_000, 'it ends when its work is done');
    assert.deepEqual(await node.pipe(ADA, 'two\r\n\n\nthree'), { code: 0, out: '', err: '' });
    const bob = node.run([...BOB, '--follow']);
    await bob.shows(/three/);
    bob.child.kill('SIGINT');
    assert.deepEqual(await bob.ended, { code: 0, out: 'ada: hi\nada: two\nada: three\n', err: '' });
    assert.deepEqual(await node.pipe([...BOB, '--wait', '0.3']), { code: 0, out: '', err: '' });
    // Another device of bob: what he has read is no news there.
    const args = [...BOB, '--device', 'phone', '--wait', '0.3'];
    assert.deepEqual(await node.pipe(args), { code: 0, out: '', err: '' });
    assert.equal((await node.pipe(ADA, 'four\n')).code, 0);
    assert.equal((await node.pipe(args)).out, 'ada: four\n');
  });

  test('--json tells every event, and no text can fake a line or move a cursor', async (t) => {
    const node = await ChatNode.start(t);
    const bob = node.run([...BOB, '--json', '--follow']);
    await bob.shows(/"state":"online"/);
    const evil = 'a\u001b[2J\u009b31m\u202ebc\u2028';
    const ada = await node.pipe([...ADA, '--json'], `${evil}\n`);
    assert.equal(ada.code, 0);
    const sent = ada.out.split('\n').find((line) => line.includes('"sent"'));
    const { chat, seq } = JSON.parse(sent ?? '{}');
    assert.match(chat, /^[0-9a-f]{32}$/);
    assert.equal(seq, 1);
    await bob.shows(/"message"/);
    bob.child.stdin.end('yo\n');
    await bob.shows(/"sent"/);
    // ada reads it, and bob hears of it.
    assert.equal((await node.pipe([...ADA, '--wait', '0.3'])).out, 'bob: yo\n');
    await bob.shows(/"receipt".*"read":2/);
    bob.child.kill('SIGTERM');
    const { code, out } = await bob.ended;
    assert.equal(code, 0);
    assert.doesNotMatch(out, /[^\n\x20-\x7e]/);
    const events = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const { at, id, ...message } = events.find(({ type }) => type === 'message');
    assert.deepEqual(message, { type: 'message', chat, name: 'ada', seq: 1, from: 'ada', text: evil });
    assert.ok(Math.abs(at - Date.now()) < 60_000);
    assert.match(id, /^[0-9a-f-]{36}$/);
  });

  test('a group: made, named by its title, its events in order; continued lines are indented', async (t) => {
    const node = await ChatNode.start(t);
    const made = await node.pipe(
      ['--user', 'ada', '--new-group', 'Sunday walk', '--with', 'bob,carol'],
      'who comes?\n',
    );
    assert.equal(made.code, 0);
    assert.match(made.out, /^\* group [0-9a-f]{32}\n$/);
    const spoof = JSON.stringify(['--user', 'carol', '--group', 'Sunday walk']);
    assert.equal((await node.pipe(JSON.parse(spoof), 'me\u2028ada: not me\n')).code, 0);
    const bob = await node.pipe(['--user', 'bob', '--group', 'Sunday walk', '--wait', '0.4']);
    const event = '* ada created “Sunday walk” with bob and carol\n';
    assert.deepEqual(bob, { code: 0, out: `${event}ada: who comes?\ncarol: me\n  ada: not me\n`, err: '' });
    const all = await node.pipe(['--user', 'bob', '--device', 'phone', '--wait', '0.3', '--json']);
    assert.equal(all.code, 0);
    const wrong = await node.pipe(['--user', 'bob', '--group', 'Monday'], 'x\n');
    assert.deepEqual({ code: wrong.code, out: wrong.out }, { code: 1, out: '' });
    assert.match(wrong.err, /unknown_chat: you are in no group “Monday”; there is “Sunday walk”/);
    const id = made.out.trim().split(' ')[2] ?? '';
    const outsider = await node.pipe(['--user', 'mallory', '--group', id], 'let me in\n');
    assert.equal(outsider.code, 1);
    assert.match(outsider.err, /line 1 was not sent[\s\S]*1 message was not sent/);
  });

  test('500 lines arrive in order; a line that is too long is told and skipped', async (t) => {
    const node = await ChatNode.start(t);
    const lines = Array.from({ length: 500 }, (_, i) => `line ${i + 1}`);
    const input = [...lines.slice(0, 250), 'x'.repeat(65_537), ...lines.slice(250), 'é'.repeat(32_768), ''].join('\n');
    const ada = await node.pipe(ADA, input);
    assert.equal(ada.code, 1);
    assert.match(
      ada.err,
      /^weft: too_large: line 251 was not sent: 65537 bytes; at most 65536\nweft: not_sent: 1 message/,
    );
    const bob = node.run([...BOB, '--follow']);
    await bob.shows(/é\n/);
    bob.child.kill('SIGINT');
    const { out } = await bob.ended;
    const expected = [...lines, 'é'.repeat(32_768)]
      .map(
        (line) => `ada: ${line}
`,
      )
      .join('');
    assert.ok(out === expected, out.slice(0, 1_000));
  });

  test('killed and restarted, node and chats lose nothing and repeat nothing', async (t) => {
    const node = await ChatNode.start(t);
    const bob = node.run([...BOB, '--follow']);
    const ada = node.run([...ADA, '--wait', '60']);
    ada.child.stdin.write('1\n');
    await bob.shows(/ada: 1\n/);
    await node.kill();
    ada.child.stdin.write('2\n3\n');
    await node.up();
    await bob.shows(/ada: 3\n/);
    bob.child.kill('SIGKILL');
    const first = (await bob.ended).out;
    ada.child.stdin.write('4\n5\n');
    const again = node.run([...BOB, '--follow']);
    await again.shows(/ada: 5\n/);
    // Killed with messages that no node has: the next run sends them.
    await node.kill();
    ada.child.stdin.end('6\n');
    await new Promise((done) => setTimeout(done, 300));
    ada.child.kill('SIGKILL');
    await ada.ended;
    await node.up();
    assert.deepEqual(await node.pipe(ADA, '7\n'), { code: 0, out: '', err: '' });
    await again.shows(/ada: 7\n/);
    again.child.kill('SIGTERM');
    const { code, out } = await again.ended;
    assert.equal(code, 0);
    // The kill may have come between the line and the cursor behind it: the line it was at may come again, no other.
    const shown = [...first.trimEnd().split('\n'), ...out.trimEnd().split('\n')];
    assert.deepEqual(
      [...new Set(shown)],
      [1, 2, 3, 4, 5, 6, 7].map((n) => `ada: ${n}`),
    );
  });

  test('without a node: exit code 3, and the lines wait', async (t) => {
    const node = await ChatNode.start(t);
    await node.kill();
    const ada = await node.pipe([...ADA, '--timeout', '0.5'], 'a\nb\n');
    assert.deepEqual({ code: ada.code, out: ada.out }, { code: 3, out: '' });
    assert.match(ada.err, /^weft: unreachable: no node answers at ws:.*2 messages wait; the next run sends.*--url\n$/);
    await node.up();
    assert.equal((await node.pipe(ADA)).code, 0);
    assert.equal((await node.pipe([...BOB, '--wait', '0.4'])).out, 'ada: a\nada: b\n');
  });

  test('what is missing or wrong is told with a code and a way out', async (t) => {
    const node = await ChatNode.start(t);
    const cases: [readonly string[], number, RegExp][] = [
      [['--to', 'bob'], 2, /bad_usage: say who you are.*--user/],
      [['--user', 'ada'], 2, /bad_usage: say with whom.*--to.*--follow/],
      [['--user', 'ada', '--wait', '1'], 2, /bad_usage: say to whom/],
      [[...ADA, '--group', 'x'], 2, /bad_usage: give one of/],
      [[...ADA, '--with', 'x'], 2, /bad_usage: --with.*--new-group/],
      [[...ADA, '--wait', 'soon'], 2, /bad_usage: --wait/],
      [[...ADA, '--url', 'nonsense'], 2, /bad_usage: --url.*ws:/],
      [['--user', 'ada', '--to', 'x'.repeat(65)], 2, /bad_usage: --to/],
      [[...ADA, '--data', join(node.folder, 'none')], 1, /no_secret: .*npm start.*--data/],
      [[...ADA, '--token', 'nonsense'], 1, /bad_token: .*weft token/],
      [[...ADA, '--token-file', join(node.folder, 'none')], 1, /bad_token: cannot read --token-file/],
    ];
    for (const [args, code, pattern] of cases) {
      const outcome = await node.pipe(args, 'x\n');
      assert.deepEqual({ code: outcome.code, out: outcome.out }, { code, out: '' }, args.join(' '));
      assert.match(outcome.err, pattern);
    }
  });

  test('tokens: a given one tells the user; one of another node is refused at once; one device, one process', async (t) => {
    const node = await ChatNode.start(t);
    const other = await ChatNode.start(t);
    const foreign = await node.pipe([...ADA, '--data', join(other.folder, 'data')], 'x\n');
    assert.equal(foreign.code, 1);
    assert.match(foreign.err, /^weft: bad_token: .*--data\n$/);

    const ada = node.run([...ADA, '--follow', '--json']);
    await ada.shows(/online/);
    const second = await node.pipe(ADA, 'x\n');
    assert.equal(second.code, 1);
    assert.match(second.err, /^weft: store_locked: .*--device laptop\n$/);
    assert.equal((await node.pipe([...ADA, '--device', 'laptop'], 'x\n')).code, 0);
    await ada.shows(/"text":"x"/);
    ada.child.kill('SIGTERM');
    await ada.ended;

    // A node whose data were lost is another node: its messages begin at 1 again, and none is taken for an old one.
    await node.kill();
    rmSync(join(node.folder, 'data'), { recursive: true });
    await node.up();
    assert.equal((await node.pipe(ADA, 'anew\n')).code, 0);
    assert.equal((await node.pipe([...BOB, '--wait', '0.4'])).out, 'ada: anew\n');
  });
});
