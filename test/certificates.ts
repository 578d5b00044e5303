// Owns certificates for tests: self-signed, made by openssl, for localhost and 127.0.0.1.
// Invariant: they live in a folder that goes with the test.
// Must not: be used where openssl is missing: ask with needs('openssl').

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { connect } from 'node:tls';
import type { TlsFiles } from '../transport/tls.js';

/** A certificate's files, and others to put in their place. */
export class Certificates implements TlsFiles {
  readonly folder = mkdtempSync(join(tmpdir(), 'weft-tls-'));
  readonly cert = join(this.folder, 'cert.pem');
  readonly key = join(this.folder, 'key.pem');

  constructor(t: TestContext) {
    t.after(() => rmSync(this.folder, { recursive: true, force: true }));
    this.use('one');
  }

  /** Puts the files of this name in place, made at first use. */
  use(name: string): void {
    const [cert, key] = [join(this.folder, `${name}.crt`), join(this.folder, `${name}.key`)];
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    execFileSync('openssl', ['req', ...kind, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    copyFileSync(cert, this.cert);
    copyFileSync(key, this.key);
  }
}

/** The name in the certificate that a server shows. */
export function shownBy(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.end();
    });
    socket.on('error', reject);
  });
}
