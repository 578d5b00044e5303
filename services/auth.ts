// Owns the check of a token: who signed it, for whom, until when.
// Invariant: the algorithms are fixed by the configured key, never by the token; a token without expiry is refused;
// every input ends in a verdict, none in an exception.
// Must not: issue tokens (cli/token.ts), or let a token's text into a verdict or a log.

import { createPublicKey, type KeyObject, webcrypto } from 'node:crypto';
import {
  createRemoteJWKSet,
  errors,
  type JWTPayload,
  type JWTVerifyOptions,
  type JWTVerifyResult,
  jwtVerify,
} from 'jose';
import type { Verdict } from '../actors/fabric.js';
import { LIMITS } from '../actors/limits.js';
import { isName } from '../storage/keys.js';

/** What tokens are checked with. `public`: one key as PEM. `jwks`: a provider's key set, fetched when needed. */
export type KeySource =
  | { readonly type: 'secret'; readonly secret: Uint8Array }
  | { readonly type: 'public'; readonly pem: string }
  | { readonly type: 'jwks'; readonly url: URL };

export interface AuthOptions {
  readonly keys: KeySource;
  /** Required `iss`. Absent: any. */
  readonly issuer?: string | undefined;
  /** Required among `aud`. Absent: any. */
  readonly audience?: string | undefined;
}

export interface Verifier {
  verify(token: string): Promise<Verdict>;
}

export type VerifierResult =
  | { readonly ok: true; readonly verifier: Verifier }
  | { readonly ok: false; readonly code: 'bad_key'; readonly detail: string };

/** Seconds by which the clocks of the issuer and of this machine may differ. */
const TOLERANCE = 5;

/** What a provider's key set may sign with. No HMAC: a public key must never serve as a shared secret. */
const ASYMMETRIC = ['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];

const CURVES: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
  secp521r1: ['ES512'],
};

/** ms: a set is fetched again after `cacheMaxAge`, at most every `cooldownDuration`, and within the time to authenticate. */
const JWKS = { cacheMaxAge: 600_000, cooldownDuration: 30_000, timeoutDuration: 3_000 };

type Check = (token: string) => Promise<JWTVerifyResult<JWTPayload>>;

/** A verifier for the configured key; `bad_key` when the key itself is of no use. */
export function createVerifier(options: AuthOptions): VerifierResult {
  const claims: JWTVerifyOptions = {
    requiredClaims: ['sub', 'dev', 'exp'],
    clockTolerance: TOLERANCE,
    ...(options.issuer === undefined ? {} : { issuer: options.issuer }),
    ...(options.audience === undefined ? {} : { audience: options.audience }),
  };
  const { keys } = options;
  if (keys.type === 'secret') {
    // Once: given the bytes, jose would import them for each token, which takes more memory than the check itself.
    let key: ReturnType<typeof importSecret> | undefined;
    return ready(async (token) => {
      key ??= importSecret(keys.secret);
      return jwtVerify(token, await key, { ...claims, algorithms: ['HS256'] });
    });
  }
  if (keys.type === 'jwks') {
    const set = createRemoteJWKSet(keys.url, JWKS);
    return ready((token) => jwtVerify(token, set, { ...claims, algorithms: ASYMMETRIC }), true);
  }
  const found = publicKey(keys.pem);
  if (typeof found === 'string') return { ok: false, code: 'bad_key', detail: found };
  return ready((token) => jwtVerify(token, found.key, { ...claims, algorithms: [...found.algorithms] }));
}

function importSecret(secret: Uint8Array) {
  return webcrypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
}

function ready(check: Check, remote = false): VerifierResult {
  return { ok: true, verifier: { verify: (token) => verify(check, remote, token) } };
}

async function verify(check: Check, remote: boolean, token: string): Promise<Verdict> {
  if (token.length > LIMITS.token) return bad(`longer than ${LIMITS.token} bytes`);
  let payload: JWTPayload;
  try {
    ({ payload } = await check(token));
  } catch (error) {
    return refusal(error, remote);
  }
  const { sub, dev, iat, exp } = payload;
  if (typeof sub !== 'string' || !isName(sub, LIMITS.userId)) return bad(`sub is no user id ${shape(LIMITS.userId)}`);
  if (typeof dev !== 'string' || !isName(dev, LIMITS.deviceId))
    return bad(`dev is no device id ${shape(LIMITS.deviceId)}`);
  const expires = Math.floor((exp ?? 0) * 1_000);
  if (!Number.isSafeInteger(expires)) return bad('exp is out of range');
  const issued = Math.floor((iat ?? 0) * 1_000);
  // A time that is none is as good as not said: then a removed device does not come back with it.
  return { ok: true, user: sub, device: dev, issued: Number.isSafeInteger(issued) ? issued : 0, expires };
}

function shape(limit: number): string {
  return `(1 to ${limit} bytes of UTF-8 without control characters)`;
}

function bad(detail: string): Verdict {
  return { ok: false, code: 'bad_token', detail };
}

function refusal(error: unknown, remote: boolean): Verdict {
  if (error instanceof errors.JWTExpired) return { ok: false, code: 'token_expired', detail: 'expired' };
  if (error instanceof errors.JWTClaimValidationFailed) return bad(`claim ${error.claim}: ${error.reason}`);
  if (error instanceof errors.JWSSignatureVerificationFailed) return bad('the signature does not match the key');
  if (error instanceof errors.JOSEAlgNotAllowed) return bad('signed with an algorithm that the key is not for');
  if (error instanceof errors.JWKSNoMatchingKey) return bad('the key set has no such key');
  if (error instanceof errors.JWKSMultipleMatchingKeys) return bad('several keys of the set match; name one by kid');
  if (
    error instanceof errors.JWSInvalid ||
    error instanceof errors.JWTInvalid ||
    error instanceof errors.JOSENotSupported
  ) {
    return bad('not a signed JWT in compact form');
  }
  // With a remote set, what is left came from fetching it: a time-out, a refused connection, an answer that is none.
  return remote ? { ok: false, code: 'unavailable', detail: 'the key set cannot be fetched' } : bad('not a token');
}

/** The key and its algorithms, or what is wrong with it. */
function publicKey(pem: string): { key: KeyObject; algorithms: readonly string[] } | string {
  // Node would derive the public key; but a node that can sign is a node worth breaking into.
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) return 'it is a private key; give the public one';
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    return 'it is no public key in PEM form';
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'rsa' && (details?.modulusLength ?? 0) < 2_048) return 'an RSA key needs 2,048 bits or more';
  const algorithms =
    type === 'rsa' ? ['RS256'] : type === 'ed25519' ? ['EdDSA', 'Ed25519'] : CURVES[details?.namedCurve ?? ''];
  return algorithms === undefined
    ? `keys of type ${type} are not supported (RSA, P-256, P-384, P-521, Ed25519)`
    : { key, algorithms };
}
