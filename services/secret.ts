// Owns secrets in files: the one that signs tokens (HS256) and the one that nodes of a cluster share. Made at a first start, read
// later, or given by the operator.
// Invariant: the file appears whole, with mode 0600, or not at all; two processes that start at once end with the same
// secret; its text is the key, so any JWT library can use it as it is.
// Must not: put a byte of it into a message.

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** Name of the secret that a node makes, in its data folder. */
export const SECRET_FILE = 'secret.key';

/** Random bytes of a secret that we make; in base64url they are 43 characters. */
const MADE_BYTES = 32;

/** Bytes that a key for HS256 needs: as many as the hash has (RFC 7518 §3.2). */
const LEAST_BYTES = 32;

export type SecretResult =
  | { readonly ok: true; readonly secret: Uint8Array; readonly warning?: string }
  | {
      readonly ok: false;
      readonly code: 'no_secret' | 'bad_secret';
      readonly detail: string;
    };

/** Reads a secret: the file's bytes without a line end. Warns where others than its owner may read it. */
export function readSecret(path: string): SecretResult {
  let bytes: Buffer;
  let mode: number;
  try {
    bytes = readFileSync(path);
    mode = statSync(path).mode & 0o777;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return { ok: false, code: 'no_secret', detail: `there is no secret at ${path}` };
    return { ok: false, code: 'bad_secret', detail: `cannot read the secret at ${path} (${code})` };
  }
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end -= 1;
  if (end < LEAST_BYTES) {
    const detail = `the secret at ${path} has ${end} bytes; it needs ${LEAST_BYTES} (openssl rand -base64 32 > FILE)`;
    return { ok: false, code: 'bad_secret', detail };
  }
  const secret = new Uint8Array(bytes.subarray(0, end));
  if ((mode & 0o077) === 0 || process.platform === 'win32') return { ok: true, secret };
  const warning = `others may read the secret at ${path} (mode ${mode.toString(8).padStart(4, '0')}): chmod 600 it`;
  return { ok: true, secret, warning };
}

/** Reads the secret of this name in the data folder and makes it where there is none. Throws what the file system throws. */
export function ensureSecret(folder: string, name = SECRET_FILE): SecretResult {
  const path = join(folder, name);
  const present = readSecret(path);
  if (present.ok || present.code !== 'no_secret') return present;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const draft = join(folder, `.${name}.${process.pid}.${randomBytes(6).toString('hex')}`);
  try {
    const file = openSync(draft, 'wx', 0o600);
    try {
      writeSync(file, `${randomBytes(MADE_BYTES).toString('base64url')}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    // A link, unlike a rename, does not replace what another process put there meanwhile.
    linkSync(draft, path);
    syncFolder(dirname(path));
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readSecret(path);
}

/** Makes the new name survive a crash of the machine: tokens made before it must still be good after it. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
