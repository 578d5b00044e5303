// Owns the proof that the log hides what must not be read and stays readable otherwise.
// Invariant: looks at the very text that would go to stdout.
// Must not: depend on the clock.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { createLog, terminal } from '../../services/log.js';

function lines(): { written: string[]; write(text: string): void } {
  const written: string[] = [];
  return { written, write: (text) => written.push(text) };
}

test('a line is one JSON object with time, level, node and message', () => {
  const out = lines();
  createLog({ level: 'info', node: 'n1', destination: out }).info({ chats: 3 }, 'ready');
  assert.equal(out.written.length, 1);
  const { time, ...line } = JSON.parse(out.written[0] ?? '');
  assert.deepEqual(line, { level: 'info', node: 'n1', pid: process.pid, chats: 3, msg: 'ready' });
  assert.equal(new Date(time).toISOString(), time);
});

test('levels below the chosen one write nothing', () => {
  const out = lines();
  const log = createLog({ level: 'warn', node: 'n1', destination: out });
  log.info('no');
  log.warn('yes');
  assert.equal(out.written.length, 1);
});

test('tokens, keys and bodies are redacted at the top and up to two objects deep', () => {
  for (const name of ['token', 'authorization', 'cookie', 'password', 'secret', 'privateKey', 'body', 'jwt']) {
    const out = lines();
    const log = createLog({ level: 'info', node: 'n1', destination: out });
    log.info({
      [name]: 'hidden-1',
      frame: { [name]: 'hidden-2' },
      request: { headers: { [name]: 'hidden-3', host: 'shown' } },
    });
    const text = out.written.join('');
    assert.ok(!text.includes('hidden'), `${name}: ${text}`);
    assert.ok(text.includes('shown'));
  }
});

test('on a terminal a line is for people, and as redacted', () => {
  const out = lines();
  const log = createLog({ level: 'info', node: 'n1', destination: terminal(out) });
  log.warn({ shard: 7, token: 'hidden' }, 'slow flush');
  log.error(new Error('disk gone'));
  const [first = '', second = ''] = out.written.map(stripVTControlCharacters);
  assert.match(first, /^\d\d:\d\d:\d\d\.\d{3} warn {2}slow flush shard=7 token=\[redacted\]\n$/);
  assert.match(second, /error disk gone\nError: disk gone\n {4}at /);
});
