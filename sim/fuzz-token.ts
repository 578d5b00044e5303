// Owns the trial of tokens: forged, damaged and honest ones.
// Invariant: a verdict comes for each, never an exception; who is let in holds a signature made with the secret, over
// claims that say what the verdict says.
// Must not: use the library that checks them.

import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { createVerifier, type Verifier } from '../services/auth.js';

const SECRET = new TextEncoder().encode('a secret of thirty-two bytes or more');
const OTHER = new TextEncoder().encode('another secret of thirty-two bytes');

export function openVerifier(): Verifier {
  const result = createVerifier({ keys: { type: 'secret', secret: SECRET } });
  if (!result.ok) throw new Error(result.detail);
  return result.verifier;
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value) ?? '').toString('base64url');
const sign = (text: string, key: Uint8Array, hash = 'sha256'): string =>
  createHmac(hash, key).update(text).digest('base64url');

const odd = fc.constantFrom<unknown>(null, true, 0, -1, 1.5, 1e300, '', 'x', 'é\u0000', '\ud800', [], {}, ['HS256']);
const name = fc.oneof(fc.constantFrom('ada', 'x'.repeat(64), 'x'.repeat(65), 'é'.repeat(33)), odd);
const seconds = fc.oneof(fc.constantFrom(-3_600, -6, -4, 60, 3_600, 2 ** 40), odd);

interface Parts {
  readonly alg: unknown;
  readonly more: Record<string, unknown>;
  readonly sub: unknown;
  readonly dev: unknown;
  readonly exp: unknown;
  readonly iat: unknown;
  readonly nbf: unknown;
  readonly sign: 'right' | 'wrong' | 'none' | 'sha512';
}

const parts: fc.Arbitrary<Parts> = fc.record({
  alg: fc.oneof(
    { weight: 6, arbitrary: fc.constant('HS256') },
    { weight: 1, arbitrary: fc.constantFrom('none', 'HS512', 'RS256') },
    { weight: 1, arbitrary: odd },
  ),
  more: fc.oneof(
    { weight: 4, arbitrary: fc.constant({}) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        { crit: ['b64'] },
        { b64: false, crit: ['b64'] },
        { typ: 5 },
        { kid: {} },
        { zip: 'DEF' },
      ),
    },
  ),
  sub: fc.oneof({ weight: 4, arbitrary: fc.constant('ada') }, { weight: 1, arbitrary: name }),
  dev: fc.oneof({ weight: 4, arbitrary: fc.constant('d1') }, { weight: 1, arbitrary: name }),
  exp: fc.oneof({ weight: 4, arbitrary: fc.constant(3_600) }, { weight: 2, arbitrary: seconds }),
  iat: seconds,
  nbf: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: seconds }),
  sign: fc.constantFrom('right', 'right', 'right', 'wrong', 'none', 'sha512'),
});

/** Times are given from `now`, in seconds since 1970. */
function token({ alg, more, sub, dev, exp, iat, nbf, sign: how }: Parts, now: number): string {
  const at = (time: unknown): unknown => (typeof time === 'number' ? now + time : time);
  const signed = `${encode({ alg, ...more })}.${encode({ sub, dev, exp: at(exp), iat: at(iat), nbf: at(nbf) })}`;
  if (how === 'none') return `${signed}.`;
  if (how === 'sha512') return `${signed}.${sign(signed, SECRET, 'sha512')}`;
  return `${signed}.${sign(signed, how === 'right' ? SECRET : OTHER)}`;
}

/** Any token, or what is near one. */
export function tokens(now: number): fc.Arbitrary<string> {
  const whole = parts.map((all) => token(all, now));
  const slip = fc.tuple(fc.nat(), fc.constantFrom('.', '=', ' ', 'A', '_', '\u0000', '☃', ''));
  return fc.oneof(
    { weight: 5, arbitrary: whole },
    {
      weight: 3,
      arbitrary: fc.tuple(whole, fc.array(slip, { minLength: 1, maxLength: 3 })).map(([text, slips]) => {
        let broken = text;
        for (const [at, by] of slips) {
          const place = at % (broken.length + 1);
          broken = broken.slice(0, place) + by + broken.slice(place + 1);
        }
        return broken;
      }),
    },
    { weight: 1, arbitrary: fc.string({ maxLength: 60 }) },
    { weight: 1, arbitrary: fc.constantFrom('', '.', '..', '...', 'e30.e30.', 'x'.repeat(4_097), 'W10.W10.W10') },
  );
}

/** Whether the token let somebody in. Throws where that was wrong, or no verdict came. */
export async function tryToken(verifier: Verifier, text: string): Promise<boolean> {
  const verdict = await verifier.verify(text);
  if (!verdict.ok) {
    if (verdict.code !== 'bad_token' && verdict.code !== 'token_expired') throw new Error(`${text}: ${verdict.code}`);
    if (text.length > 20 && verdict.detail.includes(text)) throw new Error(`${text} is repeated in the verdict`);
    return false;
  }
  const [header = '', payload = '', signature = ''] = text.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
  const { alg } = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, unknown>;
  const bytes = (coded: string): Buffer => Buffer.from(coded, 'base64url');
  const genuine =
    alg === 'HS256' &&
    bytes(signature).equals(bytes(sign(`${header}.${payload}`, SECRET))) &&
    claims.sub === verdict.user &&
    claims.dev === verdict.device &&
    Number(claims.exp) * 1_000 === verdict.expires &&
    verdict.expires > Date.now() - 6_000 &&
    verdict.user.length > 0;
  if (!genuine) throw new Error(`${text} was let in as ${verdict.user}/${verdict.device}`);
  return true;
}
