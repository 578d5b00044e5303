// Owns the proof that `weft token` issues what a node takes, and says what is missing when it cannot.
// Invariant: the command runs as a process; its token is judged by the node's own verifier.
// Must not: read the token's inside where the verifier can.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Verdict } from '../../actors/fabric.js';
import { createVerifier } from '../../services/auth.js';
import { ensureSecret, readSecret } from '../../services/secret.js';
import { weft } from './command.js';

const folder = mkdtempSync(join(tmpdir(), 'weft-token-'));
const data = join(folder, 'data');
before(() => {
  ensureSecret(data);
});
after(() => rmSync(folder, { recursive: true, force: true }));

function check(token: string, path = join(data, 'secret.key'), issuer?: string, audience?: string): Promise<Verdict> {
  const found = readSecret(path);
  assert.ok(found.ok);
  const made = createVerifier({ keys: { type: 'secret', secret: found.secret }, issuer, audience });
  assert.ok(made.ok);
  return made.verifier.verify(token);
}

test('prints the token only, good for thirty days', async () => {
  const { code, out, err } = await weft(['token', '--user', 'ada', '--device', 'laptop', '--data', data]);
  assert.deepEqual({ code, err }, { code: 0, err: '' });
  assert.match(out, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const verdict = await check(out.trim());
  assert.ok(verdict.ok && verdict.user === 'ada' && verdict.device === 'laptop');
  assert.ok(Math.abs(verdict.expires - Date.now() - 30 * 86_400_000) < 60_000);
});

test('--json says what it issued; settings come from the environment too', async () => {
  const file = join(folder, 'shared');
  writeFileSync(file, 'k'.repeat(40), { mode: 0o600 });
  const env = { WEFT_JWT_SECRET_FILE: file, WEFT_JWT_ISSUER: 'me', WEFT_JWT_AUDIENCE: 'you' };
  const { code, out } = await weft(['token', '--user', 'ada', '--device', 'phone', '--expires', '90s', '--json'], env);
  assert.equal(code, 0);
  const { token, ...rest } = JSON.parse(out);
  const verdict = await check(token, file, 'me', 'you');
  assert.ok(verdict.ok);
  assert.deepEqual(rest, { user: 'ada', device: 'phone', expires: verdict.expires });
});

test('without a secret it fails and names the fix, and makes none', async () => {
  const args = ['token', '--user', 'ada', '--device', 'laptop', '--data', join(folder, 'none')];
  for (let i = 0; i < 2; i += 1) {
    const { code, out, err } = await weft(args);
    assert.deepEqual({ code, out }, { code: 1, out: '' });
    assert.match(err, /^weft: no_secret: .*npm start.*--data\n$/);
  }
});

test('wrong usage ends with 2 and names the flag', async () => {
  const good = { '--user': 'ada', '--device': 'laptop', '--data': data, '--expires': '1d' };
  const wrong: Record<string, string>[] = [
    { '--user': '' },
    { '--user': 'x'.repeat(65) },
    { '--device': 'a\nb' },
    { '--expires': 'soon' },
  ];
  for (const change of wrong) {
    const { code, out, err } = await weft(['token', ...Object.entries({ ...good, ...change }).flat()]);
    assert.deepEqual({ code, out }, { code: 2, out: '' });
    assert.ok(err.includes(Object.keys(change)[0] ?? ''), err);
  }
  assert.equal((await weft(['token', '--user', 'ada'])).code, 2);
});
