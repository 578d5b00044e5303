// Owns the proof that `weft chat` works on terminals: what stands on the screen while people write, are killed and return.
// Invariant: real terminals (of tmux), real keys, a real node.
// Must not: depend on where on the screen something stands, beyond its own line.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needs } from '../needs.js';
import { ChatNode, Terminals } from './chat-node.js';

const ADA = ['--user', 'ada', '--to', 'bob'];
const BOB = ['--user', 'bob', '--to', 'ada'];

/** How often a line of the transcript with this text stands on the screen. */
function count(screen: string, text: string): number {
  return screen.split('\n').filter((line) => line.includes(`  ${text}`)).length;
}

test('two talk; one is killed and returns; the node is killed and returns', needs('tmux'), async (t) => {
  const node = await ChatNode.start(t);
  const terminals = new Terminals(node);
  await terminals.open('ada', ...ADA);
  await terminals.open('bob', ...BOB);
  await terminals.shows('ada', /ada · connected/);
  await terminals.shows('bob', /bob · connected/);

  // A chat that begins: ticks, presence, typing; the colour says read.
  await terminals.type('ada', 'hello 你好 é', 'Enter');
  await terminals.shows('bob', /ada {2}hello 你好 é\n/);
  await terminals.shows('ada', /hello 你好 é +✓✓/);
  await terminals.shows('ada', /hello 你好 é.*\[36m✓✓/, true);
  await terminals.shows('ada', /bob {2}● online/);
  await terminals.type('bob', 'hi');
  await terminals.shows('ada', /bob is typing…/);
  // What arrives does not disturb the line being typed.
  await terminals.type('ada', 'still there?', 'Enter');
  await terminals.shows('bob', /still there\?[\s\S]*› hi *\n/);
  await terminals.type('bob', '', 'Enter');
  await terminals.shows('ada', /bob {2}hi\n/);
  assert.doesNotMatch(await terminals.screen('ada'), /typing/);

  // Killed while the other goes on. What was read in the last few ms before a kill may count as new; so ada waits for it.
  await terminals.shows('ada', /still there\?.*\[36m✓✓/, true);
  await terminals.shows('bob', /hi.*\[36m✓✓/, true);
  await terminals.kill('bob');
  await terminals.shows('ada', /○ last seen/);
  for (const n of [1, 2, 3]) await terminals.type('ada', `away ${n}`, 'Enter');
  await terminals.shows('ada', /away 3 +✓$/m);
  await terminals.open('bob', ...BOB);
  let screen = await terminals.shows('bob', /── new ──\n.*away 1\n.*away 2\n.*away 3\n/);
  for (const text of ['hello 你好 é', 'still there?', 'hi', 'away 1', 'away 2', 'away 3']) {
    assert.equal(count(screen, text), 1, screen);
  }
  await terminals.shows('ada', /away 3 +✓✓/);
  await terminals.shows('bob', /hi +✓✓/);

  // The node dies: messages wait, and go out when it is back.
  await node.kill();
  await terminals.shows('ada', /offline, trying again/);
  await terminals.type('ada', 'from ada', 'Enter');
  await terminals.type('bob', 'from bob', 'Enter');
  await terminals.shows('ada', /1 message waits[\s\S]*from ada +◷/);
  await node.up();
  screen = await terminals.shows('ada', /from ada +✓✓[\s\S]*connected|connected[\s\S]*from ada +✓✓/);
  screen = await terminals.shows('ada', /bob {2}from bob\n/);
  assert.equal(count(screen, 'from ada'), 1, screen);
  screen = await terminals.shows('bob', /from bob +✓✓/);
  assert.equal(count(screen, 'from bob'), 1, screen);
  assert.equal(count(screen, 'from ada'), 1, screen);

  await terminals.type('ada', '', 'C-c');
  await terminals.shows('ada', /^exit code 0/m);
  await terminals.type('bob', '/quit', 'Enter');
  await terminals.shows('bob', /^exit code 0/m);
});

test('commands, groups, paste, what others write, small terminals, leaving with mail', needs('tmux'), async (t) => {
  const node = await ChatNode.start(t);
  const terminals = new Terminals(node);
  const evil = 'red \u001b[31m clear \u001b[2J turned \u202eabc\n';
  assert.equal((await node.pipe(['--user', 'mallory', '--to', 'ada'], evil)).code, 0);
  await terminals.open('ada', '--user', 'ada');
  await terminals.shows('ada', /1 {2}mallory +1 unread[\s\S]*mallory: 1 new/);
  await terminals.type('ada', '/open 1', 'Enter');
  const raw = await terminals.shows('ada', /red .\[31m clear .\[2J turned abc/, true);
  assert.doesNotMatch(raw, /new ──.*mallory: 1/);

  await terminals.type('ada', '/grup', 'Enter');
  await terminals.shows('ada', /There is no command \/grup\. Did you mean \/group\?/);
  await terminals.type('ada', '/group "Sunday walk" bob carol', 'Enter');
  await terminals.shows('ada', /ada created “Sunday walk” with bob and carol/);
  await terminals.type('ada', '/remove carol', 'Enter');
  await terminals.shows('ada', /ada removed carol/);
  await terminals.type('ada', '/add bob', 'Enter');
  await terminals.shows('ada', /\/add: .*\(bad_request\)/);

  // A paste is one message; so is a line that is wider than the terminal.
  await terminals.paste('ada', `first line\n\n${'word '.repeat(20)}end`);
  await terminals.shows('ada', /› first line\n\s*\n +word/);
  await terminals.type('ada', '!', 'Enter');
  await terminals.shows('ada', /ada {2}first line\n\s*\n +word.*\n +.*end! +✓$/m);
  const bob = await node.pipe(['--user', 'bob', '--group', 'Sunday walk', '--wait', '0.3']);
  assert.equal(bob.out.split('\n').filter((line) => line.startsWith('ada: ')).length, 1);

  await terminals.type('ada', '/leave', 'Enter');
  await terminals.shows('ada', /ada left/);
  await terminals.type('ada', 'too late', 'Enter');
  await terminals.shows('ada', /too late +✗[\s\S]*not sent: .*\(not_member\)/);

  await terminals.size('ada', 24, 7);
  await terminals.shows('ada', /^ Sunday w….*ada/m);
  await terminals.size('ada', 80, 24);

  await node.kill();
  await terminals.shows('ada', /offline/);
  await terminals.type('ada', '/open bob', 'Enter');
  await terminals.shows('ada', /^ bob /m);
  await terminals.type('ada', 'waits', 'Enter');
  await terminals.shows('ada', /waits +◷/);
  await terminals.type('ada', '', 'C-d');
  await terminals.shows('ada', /1 message waits; the next weft chat of ada.*\nexit code 0/);
  await terminals.open('again', '--user', 'ada', '--to', 'bob');
  await terminals.shows('again', /waits +◷/);
  await node.up();
  await terminals.shows('again', /waits +✓$/m);
});

test(
  'commands change what is on the screen: numbers, deletion for all and for one, marked unread',
  needs('tmux'),
  async (t) => {
    const node = await ChatNode.start(t);
    const terminals = new Terminals(node);
    await terminals.open('ada', '--user', 'ada', '--to', 'bob');
    await terminals.open('bob', '--user', 'bob', '--to', 'ada');
    for (const name of ['ada', 'bob']) await terminals.shows(name, /connected/);
    await terminals.type('ada', 'hello', 'Enter');
    await terminals.type('ada', 'oops', 'Enter');
    await terminals.shows('bob', /hello[\s\S]*oops/);
    await terminals.type('ada', '/numbers', 'Enter');
    await terminals.shows('ada', / 2 {2}ada +oops/);
    await terminals.type('ada', '/delete', 'Enter');
    for (const name of ['ada', 'bob']) {
      const screen = await terminals.shows(name, /hello[\s\S]*message deleted[\s\S]*ada deleted a message/);
      assert.doesNotMatch(screen, /oops/);
    }
    await terminals.type('bob', '/hide 1', 'Enter');
    await terminals.shows('bob', /connected(?![\s\S]*hello)/);
    await terminals.shows('ada', /hello/);
    await terminals.type('bob', '/unread', 'Enter');
    await terminals.shows('bob', /weft[\s\S]*marked as unread/);
    await terminals.type('bob', '/op', 'Tab', '1', 'Enter');
    await terminals.shows('bob', / ada .*\n[\s\S]*Message ada/);
  },
);
