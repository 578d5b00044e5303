// Owns a small checkout with the real scripts, for tests that break it.
// Invariant: lives in a folder of its own; dependencies are those of this checkout, by link.
// Must not: install anything.

import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PACKAGE = { lockfileVersion: 3, packages: { 'node_modules/typescript': { version: '1.0.0', dev: true } } };

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export class Checkout {
  readonly path = mkdtempSync(join(tmpdir(), 'weft-checkout-'));

  constructor() {
    cpSync(join(ROOT, 'scripts'), join(this.path, 'scripts'), { recursive: true });
    cpSync(join(ROOT, 'bin'), join(this.path, 'bin'), { recursive: true });
    const options = {
      module: 'NodeNext',
      target: 'ES2022',
      rootDir: '.',
      outDir: 'dist',
      declaration: true,
      sourceMap: true,
      types: ['node'],
    };
    this.write(
      'tsconfig.json',
      JSON.stringify({ compilerOptions: { ...options, skipLibCheck: true }, include: ['cli', 'test'] }),
    );
    this.write('package.json', JSON.stringify({ type: 'module' }));
    this.write('package-lock.json', JSON.stringify(PACKAGE));
    this.write('node_modules/.package-lock.json', JSON.stringify(PACKAGE));
    for (const name of ['typescript', '@typescript', '@types', 'undici-types'])
      symlinkSync(join(ROOT, 'node_modules', name), join(this.path, 'node_modules', name));
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.path, path)), { recursive: true });
    writeFileSync(join(this.path, path), text);
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  /** Runs Node with `args` in the checkout; `env` adds to a bare environment. */
  node(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, args, {
        cwd: this.path,
        env: { PATH: process.env.PATH, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let out = '';
      let err = '';
      child.stdout.on('data', (chunk) => {
        out += chunk;
      });
      child.stderr.on('data', (chunk) => {
        err += chunk;
      });
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, out, err }));
    });
  }

  run(...args: string[]): Promise<Outcome> {
    return this.node(['scripts/run.mjs', ...args]);
  }
}
