// Owns `weft token`: issues a token with the secret of a node on this machine.
// Invariant: stdout gets the token and nothing else (or, with --json, one object).
// Must not: make a secret: a token signed with one that no node has would only puzzle its holder.

import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import type { Command } from 'commander';
import { SignJWT } from 'jose';
import { LIMITS } from '../actors/limits.js';
import { readSecret, SECRET_FILE } from '../services/secret.js';
import { isName } from '../storage/keys.js';
import { addSettings, gather, parseConfig } from './config.js';
import { parseDuration } from './duration.js';
import { CliFailure, EXIT } from './failure.js';

interface TokenRequest {
  readonly user: string;
  readonly device: string;
  /** Seconds since 1970. */
  readonly issued: number;
  readonly expires: number;
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
}

/** An HS256 token as docs/wire.md's HELLO wants it. */
export function issueToken(secret: Uint8Array, request: TokenRequest): Promise<string> {
  const jwt = new SignJWT({ dev: request.device })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(request.user)
    .setIssuedAt(request.issued)
    .setExpirationTime(request.expires);
  if (request.issuer !== undefined) jwt.setIssuer(request.issuer);
  if (request.audience !== undefined) jwt.setAudience(request.audience);
  return jwt.sign(secret);
}

/** What issues tokens here: the secret that options and environment name. */
export interface Issuer {
  /** Where the secret is. */
  readonly path: string;
  /** Tells secrets apart: 8 hexadecimal digits. */
  readonly fingerprint: string;
  issue(request: Omit<TokenRequest, 'issuer' | 'audience'>): Promise<string>;
}

/** Settings that say which secret signs. */
export const ISSUER_SETTINGS = ['data', 'jwtSecretFile', 'jwtIssuer', 'jwtAudience'] as const;

interface Options {
  readonly user: string;
  readonly device: string;
  readonly expires: string;
  readonly json?: boolean;
}

export function register(program: Command): void {
  const command = program
    .command('token')
    .description('issue a token with the secret of a node on this machine')
    .requiredOption('--user <id>', 'the user, as others will see it')
    .requiredOption('--device <id>', 'one of the user’s devices')
    .option('--expires <time>', 'how long it is good: 90s, 15m, 12h, 30d', '30d')
    .option('--json', 'print {token, user, device, expires} (ms since 1970)')
    .action((options: Options) => token(options));
  addSettings(command, ISSUER_SETTINGS);
}

async function token(options: Options): Promise<void> {
  const { user, device } = options;
  requireName('--user', user, LIMITS.userId);
  requireName('--device', device, LIMITS.deviceId);
  const seconds = parseDuration(options.expires);
  if (seconds === undefined) {
    throw new CliFailure(
      'bad_usage',
      `--expires: "${options.expires}": write a number and s, m, h or d, as in 30d`,
      EXIT.usage,
    );
  }
  const issuer = openIssuer({ ...options });
  const issued = Math.floor(Date.now() / 1_000);
  const expires = issued + seconds;
  const text = await issuer.issue({ user, device, issued, expires });
  process.stdout.write(
    options.json === true
      ? `${JSON.stringify({ token: text, user, device, expires: expires * 1_000 })}\n`
      : `${text}\n`,
  );
}

/** Throws `bad_config`, `no_secret` or `bad_secret`, each with the way out. */
export function openIssuer(options: Readonly<Record<string, unknown>>): Issuer {
  const { data, jwtSecretFile, jwtIssuer: issuer, jwtAudience: audience } = gather(options, process.env);
  const settings = parseConfig({ data, jwtSecretFile, jwtIssuer: issuer, jwtAudience: audience });
  if (!settings.ok)
    throw new CliFailure('bad_config', settings.problems.map((problem) => problem.message).join('\n'), EXIT.usage);
  const { config } = settings;
  const path = config.keys.type === 'secret' ? config.keys.path : join(config.data, SECRET_FILE);
  const found = readSecret(path);
  if (!found.ok) {
    const fix =
      found.code === 'no_secret' ? '; start a node there once (npm start), or name its folder with --data' : '';
    throw new CliFailure(found.code, `${found.detail}${fix}`);
  }
  if (found.warning !== undefined) process.stderr.write(`weft: warning: ${found.warning}\n`);
  const { secret } = found;
  return {
    path,
    fingerprint: createHmac('sha256', secret).update('weft fingerprint').digest('hex').slice(0, 8),
    async issue(request) {
      const text = await issueToken(secret, { ...request, issuer, audience });
      if (text.length <= LIMITS.token) return text;
      throw new CliFailure('too_large', `the token has ${text.length} bytes; nodes take ${LIMITS.token}`);
    },
  };
}

/** Throws `bad_usage` for what is no user or device id. */
export function requireName(flag: string, value: string, limit: number): void {
  if (isName(value, limit)) return;
  throw new CliFailure(
    'bad_usage',
    `${flag}: write 1 to ${limit} bytes of UTF-8 without control characters`,
    EXIT.usage,
  );
}
