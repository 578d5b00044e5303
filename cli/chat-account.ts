// Owns who chats: user, device, the tokens for them, and the folder that keeps their outbox and cursors.
// Invariant: a device id is made once and stays; two devices never share a journal; nobody else can read the folder.
// Must not: connect.
//
//   STORE/USER/.device           the id of the device that is taken unless --device names one
//   STORE/USER/DEVICE/journal    its outbox and cursors (client/store-file.ts)
//
// STORE is ~/.weft/chat/NODE unless --store names it. NODE is the fingerprint of the secret, so that a node made anew
// begins with a new device and not with cursors of a log that is gone; with a ready token it is the node's address.

import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { LIMITS } from '../actors/limits.js';
import type { TokenSource } from '../client/index.js';
import { CliFailure, EXIT } from './failure.js';
import { openIssuer, requireName } from './token.js';

export interface Account {
  readonly user: string;
  readonly device: string;
  readonly token: TokenSource;
  readonly journal: string;
  /** What to try where the node refuses the token. */
  readonly remedy: string;
}

export interface AccountOptions {
  readonly user?: string;
  readonly device?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly store?: string;
  readonly [setting: string]: unknown;
}

/** Seconds that a token made here is good: long enough that clocks need not agree, and renewed while connected. */
const TOKEN_S = 3_600;

/** Throws what is missing as a CliFailure that names the way out. */
export function openAccount(options: AccountOptions, url: URL): Account {
  if (options.token !== undefined && options.tokenFile !== undefined) {
    throw new CliFailure('bad_usage', 'give one of --token and --token-file', EXIT.usage);
  }
  const given = options.token ?? (options.tokenFile === undefined ? process.env.WEFT_TOKEN : undefined);
  return given || options.tokenFile !== undefined ? fromToken(options, given ?? '', url) : fromSecret(options);
}

function fromSecret(options: AccountOptions): Account {
  const { user } = options;
  if (user === undefined) throw new CliFailure('bad_usage', 'say who you are, as in --user ada', EXIT.usage);
  requireName('--user', user, LIMITS.userId);
  if (options.device !== undefined) requireName('--device', options.device, LIMITS.deviceId);
  const issuer = openIssuer(options);
  const folder = join(storeOf(options, issuer.fingerprint), safe(user));
  const device = options.device ?? deviceOf(folder);
  const token = (): Promise<string> => {
    const issued = Math.floor(Date.now() / 1_000);
    return issuer.issue({ user, device, issued, expires: issued + TOKEN_S });
  };
  const remedy = `it was made with ${issuer.path}: name the data folder of the node that you mean with --data`;
  return { user, device, token, journal: journalIn(folder, device), remedy };
}

function fromToken(options: AccountOptions, given: string, url: URL): Account {
  const { tokenFile } = options;
  const read = (): string => (tokenFile === undefined ? given : readToken(tokenFile));
  const { user, device } = claimsOf(read());
  for (const [flag, mine, theirs] of [
    ['--user', options.user, user],
    ['--device', options.device, device],
  ] as const) {
    if (mine === undefined || mine === theirs) continue;
    throw new CliFailure('bad_usage', `${flag}: the token is for "${theirs}"; leave ${flag} out`, EXIT.usage);
  }
  const folder = join(storeOf(options, safe(url.host)), safe(user));
  // A file may get a fresh token at any time; a token on the command line stays what it is.
  const token = tokenFile === undefined ? given : read;
  const remedy = 'get a new one from whoever issued it, or make one with weft token';
  return { user, device, token, journal: journalIn(folder, device), remedy };
}

function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new CliFailure('bad_token', `cannot read --token-file ${path} (${reason(error)})`);
  }
}

/** Whose token it is; whether it is good is for the node to say. */
function claimsOf(token: string): { readonly user: string; readonly device: string } {
  try {
    const { sub, dev } = decodeJwt(token);
    if (typeof sub === 'string' && typeof dev === 'string') return { user: sub, device: dev };
  } catch {
    // Not even a JWT: the same answer.
  }
  throw new CliFailure('bad_token', 'the token names no user and device; weft token makes one that does');
}

function storeOf(options: AccountOptions, node: string): string {
  return options.store ?? process.env.WEFT_CHAT_STORE ?? join(homedir(), '.weft', 'chat', node);
}

/** One path component for any id. */
function safe(id: string): string {
  return encodeURIComponent(id).replaceAll('.', '%2E').replaceAll('*', '%2A');
}

function journalIn(folder: string, device: string): string {
  const place = join(folder, safe(device));
  make(place);
  return join(place, 'journal');
}

function deviceOf(folder: string): string {
  make(folder);
  const path = join(folder, '.device');
  try {
    writeFileSync(path, `cli-${randomBytes(4).toString('hex')}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (reason(error) !== 'EEXIST') throw unwritable(path, error);
  }
  const device = readFileSync(path, 'utf8').trim();
  if (device !== '') return device;
  throw new CliFailure('store_failed', `${path} is empty: remove it, or name a device with --device`);
}

function make(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw unwritable(folder, error);
  }
}

function unwritable(path: string, error: unknown): CliFailure {
  return new CliFailure('store_failed', `cannot write ${path} (${reason(error)}); choose another place with --store`);
}

function reason(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
