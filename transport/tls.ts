// Owns reading a certificate and its key, and whether they can be used.
// Invariant: what it answers as usable, both engines can serve.
// Must not: watch the files (services/renewal.ts).

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';

/** Paths of PEM files; the certificate's with its chain. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export interface Tls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** End of the certificate, wall ms. */
  readonly ends: number;
}

/** The files cannot be read, are no certificate and key, or do not belong together. */
export class TlsError extends Error {
  readonly code = 'bad_certificate';
  override readonly name = 'TlsError';
}

/** Throws TlsError. */
export function readTls(files: TlsFiles): Tls {
  const cert = read(files.cert);
  const key = read(files.key);
  try {
    createSecureContext({ cert, key });
    return { cert, key, ends: Date.parse(new X509Certificate(cert).validTo) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TlsError(`${files.cert} and ${files.key} are no certificate with its key: ${reason}`);
  }
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new TlsError(`cannot read ${path} (${code})`);
  }
}
