// Owns the proof that only tokens signed by the configured key, for a well-formed user and device, are let in.
// Invariant: each refusal is provoked by a token that differs from a good one in exactly one way.
// Must not: trust the library under test with making what it should refuse: forgeries are put together by hand.

import assert from 'node:assert/strict';
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { exportJWK, type JWTPayload, SignJWT } from 'jose';
import type { Verdict } from '../../actors/fabric.js';
import { LIMITS } from '../../actors/limits.js';
import { type AuthOptions, createVerifier, type Verifier } from '../../services/auth.js';

const SECRET = new TextEncoder().encode('a secret of thirty-two bytes or more');

function open(options: AuthOptions): Verifier {
  const result = createVerifier(options);
  assert.ok(result.ok);
  return result.verifier;
}

function good(): JWTPayload {
  return { sub: 'ada', dev: 'laptop', exp: Math.floor(Date.now() / 1_000) + 60 };
}

function sign(key: KeyObject | Uint8Array, alg: string, claims: JWTPayload = good(), kid?: string): Promise<string> {
  return new SignJWT(claims).setProtectedHeader(kid === undefined ? { alg } : { alg, kid }).sign(key);
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** An HMAC token made without the library. */
function forge(header: object, claims: object, key: string | Uint8Array): string {
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

function code(verdict: Verdict): string {
  return verdict.ok ? 'ok' : verdict.code;
}

const shared = open({ keys: { type: 'secret', secret: SECRET } });

test('a good token names its user, its device and its end in ms', async () => {
  const claims = { ...good(), iat: 1_700_000_000 };
  const verdict = await shared.verify(forge({ alg: 'HS256' }, claims, SECRET));
  const expires = (claims.exp ?? 0) * 1_000;
  const known = { ok: true, user: 'ada', device: 'laptop', expires } as const;
  assert.deepEqual(verdict, { ...known, issued: 1_700_000_000_000 });
  const undated = await shared.verify(forge({ alg: 'HS256' }, { ...claims, iat: undefined }, SECRET));
  assert.deepEqual(undated, { ...known, issued: 0 });
});

test('a token signed with another secret, or altered in any one place, is refused', async () => {
  assert.equal(
    code(await shared.verify(forge({ alg: 'HS256' }, good(), 'another secret of thirty-two bytes'))),
    'bad_token',
  );
  const token = forge({ alg: 'HS256' }, good(), SECRET);
  const [header = '', payload = '', signature = ''] = token.split('.');
  const mallory = encode({ ...good(), sub: 'mallory' });
  for (const altered of [
    `${header}.${mallory}.${signature}`,
    `${encode({ alg: 'HS256', typ: 'x' })}.${payload}.${signature}`,
    `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
    `${header}.${payload}.`,
  ]) {
    assert.equal(code(await shared.verify(altered)), 'bad_token');
  }
});

test('alg none is refused in every spelling', async () => {
  for (const alg of ['none', 'None', 'NONE', '']) {
    assert.equal(code(await shared.verify(`${encode({ alg })}.${encode(good())}.`)), 'bad_token', alg);
  }
});

test('the right secret under another HMAC is refused', async () => {
  const key = new Uint8Array(64).fill(7);
  const verifier = open({ keys: { type: 'secret', secret: key } });
  assert.equal(code(await verifier.verify(await sign(key, 'HS256'))), 'ok');
  assert.equal(code(await verifier.verify(await sign(key, 'HS512'))), 'bad_token');
});

test('an expired token has its own code, after five seconds of grace', async () => {
  const now = Math.floor(Date.now() / 1_000);
  const at = (exp: number): Promise<Verdict> => shared.verify(forge({ alg: 'HS256' }, { ...good(), exp }, SECRET));
  assert.equal(code(await at(now - 3)), 'ok');
  assert.equal(code(await at(now - 30)), 'token_expired');
});

test('a token that is not valid yet is refused', async () => {
  const claims = { ...good(), nbf: Math.floor(Date.now() / 1_000) + 30 };
  assert.equal(code(await shared.verify(forge({ alg: 'HS256' }, claims, SECRET))), 'bad_token');
});

test('sub, dev and exp are required and must be of their shape', async () => {
  const long = 'é'.repeat(LIMITS.userId / 2);
  assert.equal(code(await shared.verify(forge({ alg: 'HS256' }, { ...good(), sub: long }, SECRET))), 'ok');
  const broken: Record<string, unknown>[] = [
    { sub: undefined },
    { dev: undefined },
    { exp: undefined },
    { sub: '' },
    { sub: 7 },
    { dev: ['laptop'] },
    { sub: `${long}é` },
    { dev: 'x'.repeat(LIMITS.deviceId + 1) },
    { sub: 'a\nb' },
    { sub: 'a\u0085b' },
    { sub: '\ud800' },
    { exp: 'never' },
    { exp: 1e300 },
  ];
  for (const change of broken) {
    const verdict = await shared.verify(forge({ alg: 'HS256' }, { ...good(), ...change }, SECRET));
    assert.equal(code(verdict), 'bad_token', JSON.stringify(change));
  }
});

test('whatever comes in, a verdict comes out, and it does not repeat the token', async () => {
  const inputs = [
    '',
    '.',
    '..',
    'a.b.c',
    '\u0000',
    'é.é.é',
    '{}',
    `${encode({})}.${encode({})}.`,
    `${encode([])}..`,
    'x'.repeat(LIMITS.token + 1),
  ];
  for (const input of inputs) {
    const verdict = await shared.verify(input);
    assert.equal(code(verdict), 'bad_token', input.slice(0, 20));
    assert.ok(!verdict.ok && (input.length < 4 || !verdict.detail.includes(input)));
  }
});

test('issuer and audience are checked when configured', async () => {
  const strict = open({ keys: { type: 'secret', secret: SECRET }, issuer: 'https://id.example', audience: 'weft' });
  const verify = async (more: object): Promise<string> =>
    code(await strict.verify(forge({ alg: 'HS256' }, { ...good(), ...more }, SECRET)));
  assert.equal(await verify({ iss: 'https://id.example', aud: ['other', 'weft'] }), 'ok');
  assert.equal(await verify({ iss: 'https://id.example' }), 'bad_token');
  assert.equal(await verify({ iss: 'https://evil.example', aud: 'weft' }), 'bad_token');
  assert.equal(await verify({ iss: 'https://id.example', aud: 'other' }), 'bad_token');
});

const pairs = [
  { alg: 'RS256', other: 'PS256', ...generateKeyPairSync('rsa', { modulusLength: 2_048 }) },
  { alg: 'ES256', other: undefined, ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) },
  { alg: 'EdDSA', other: undefined, ...generateKeyPairSync('ed25519') },
];

for (const { alg, other, publicKey, privateKey } of pairs) {
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const verifier = open({ keys: { type: 'public', pem } });

  test(`${alg} with a public key as PEM`, async () => {
    assert.equal(code(await verifier.verify(await sign(privateKey, alg))), 'ok');
    const [header, , signature] = (await sign(privateKey, alg)).split('.');
    assert.equal(
      code(await verifier.verify(`${header}.${encode({ ...good(), sub: 'mallory' })}.${signature}`)),
      'bad_token',
    );
    if (other !== undefined) assert.equal(code(await verifier.verify(await sign(privateKey, other))), 'bad_token');
  });

  test(`the public ${alg} key does not serve as an HMAC secret`, async () => {
    const der = publicKey.export({ type: 'spki', format: 'der' });
    for (const key of [pem, pem.trim(), der]) {
      assert.equal(code(await verifier.verify(forge({ alg: 'HS256' }, good(), key))), 'bad_token');
    }
    assert.equal(code(await verifier.verify(`${encode({ alg: 'none' })}.${encode(good())}.`)), 'bad_token');
  });
}

test('a key that is none, too short, or private is refused when the node starts', () => {
  const short = generateKeyPairSync('rsa', { modulusLength: 1_024 });
  const { privateKey } = generateKeyPairSync('ed25519');
  const curve = generateKeyPairSync('x25519');
  const pems = [
    'nothing',
    short.publicKey.export({ type: 'spki', format: 'pem' }),
    privateKey.export({ type: 'pkcs8', format: 'pem' }),
    curve.publicKey.export({ type: 'spki', format: 'pem' }),
  ];
  for (const pem of pems) assert.equal(createVerifier({ keys: { type: 'public', pem: String(pem) } }).ok, false);
});

test('a key set over HTTP: fetched once, keys by id, no HMAC, and its absence is no fault of the token', async () => {
  const [rsa, ec] = pairs;
  assert.ok(rsa && ec);
  let fetches = 0;
  const keys = [
    { ...(await exportJWK(rsa.publicKey)), kid: 'rsa', alg: 'RS256' },
    { ...(await exportJWK(createPublicKey(ec.privateKey))), kid: 'ec', alg: 'ES256' },
    { kty: 'oct', kid: 'oct', k: Buffer.from(SECRET).toString('base64url') },
  ];
  const server = createServer((_, response) => {
    fetches += 1;
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`);
  const verifier = open({ keys: { type: 'jwks', url } });
  try {
    const tokens = await Promise.all([
      sign(rsa.privateKey, 'RS256', good(), 'rsa'),
      sign(ec.privateKey, 'ES256', good(), 'ec'),
    ]);
    const verdicts = await Promise.all([...tokens, ...tokens].map((token) => verifier.verify(token)));
    assert.deepEqual(verdicts.map(code), ['ok', 'ok', 'ok', 'ok']);
    assert.equal(fetches, 1);
    assert.equal(code(await verifier.verify(await sign(rsa.privateKey, 'RS256', good(), 'gone'))), 'bad_token');
    assert.equal(fetches, 1, 'an unknown key within the cool-down fetches nothing');
    assert.equal(code(await verifier.verify(forge({ alg: 'HS256', kid: 'oct' }, good(), SECRET))), 'bad_token');
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  const late = open({ keys: { type: 'jwks', url } });
  assert.equal(code(await late.verify(await sign(rsa.privateKey, 'RS256', good(), 'rsa'))), 'unavailable');
  assert.equal(code(await late.verify(forge({ alg: 'HS256' }, good(), SECRET))), 'bad_token');
});
