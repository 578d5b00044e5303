// Owns loading uWebSockets.js, which is optional: it is a native add-on, and not built for every machine.
// Invariant: what it answers is the native add-on itself; where none fits this machine it answers undefined and never throws.
// Must not: depend on the package's own types: without the package, the rest must still compile.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** By the upstream's name first, so that its own build, installed in place of ours, is taken. */
const PACKAGES = ['uWebSockets.js', 'uWebSockets.js-next'];

export interface NativeSocket<U = unknown> {
  /** 1 sent, 0 queued, 2 dropped. */
  send(bytes: Uint8Array, isBinary: boolean, compress: boolean): number;
  getBufferedAmount(): number;
  cork(task: () => void): unknown;
  end(code: number, reason: string): void;
  getRemoteAddress(): ArrayBuffer;
  getUserData(): U;
}

export interface NativeRequest {
  getHeader(name: string): string;
  getMethod(): string;
  getUrl(): string;
  getQuery(): string;
  forEach(each: (name: string, value: string) => void): void;
}

export interface NativeResponse {
  writeStatus(status: string): NativeResponse;
  writeHeader(name: string, value: string): NativeResponse;
  end(body: string | Uint8Array, closeConnection?: boolean): unknown;
  endWithoutBody(): unknown;
  cork(task: () => void): unknown;
  onAborted(task: () => void): unknown;
  getRemoteAddress(): ArrayBuffer;
  upgrade<U>(data: U, key: string, protocol: string, extensions: string, context: unknown): void;
}

export interface NativeApp {
  ws<U>(
    path: string,
    behaviour: {
      compression: number;
      maxPayloadLength: number;
      maxBackpressure: number;
      closeOnBackpressureLimit: boolean;
      idleTimeout: number;
      sendPingsAutomatically: boolean;
      upgrade(response: NativeResponse, request: NativeRequest, context: unknown): void;
      open(socket: NativeSocket<U>): void;
      message(socket: NativeSocket<U>, bytes: ArrayBuffer, isBinary: boolean): void;
      drain(socket: NativeSocket<U>): void;
      close(socket: NativeSocket<U>, code: number, reason: ArrayBuffer): void;
    },
  ): unknown;
  any(path: string, handler: (response: NativeResponse, request: NativeRequest) => void): unknown;
  listen(host: string, port: number, options: number, listening: (listener: unknown) => void): unknown;
  /** Ends all of its connections at once. */
  close(): unknown;
}

export interface Uws {
  App(): NativeApp;
  /** Throws where the files are no certificate with its key. */
  SSLApp(files: { cert_file_name: string; key_file_name: string }): NativeApp;
  us_listen_socket_close(listener: unknown): void;
  us_socket_local_port(listener: unknown): number;
  readonly DISABLED: number;
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number;
}

let loaded: { readonly uws: Uws | undefined } | undefined;

export function loadUws(): Uws | undefined {
  loaded ??= { uws: load() };
  return loaded.uws;
}

function load(): Uws | undefined {
  const require = createRequire(import.meta.url);
  for (const name of PACKAGES) {
    try {
      if (!hasBinary(dirname(require.resolve(`${name}/package.json`)))) continue;
      const module: unknown = require(name);
      if (isNative(module)) return module;
    } catch {
      // Not installed, or not for this machine's C library: the next one, or the ws engine.
    }
  }
  return undefined;
}

/** One of the packages prints warnings and falls back to JavaScript without its binary: not asked to, then. */
function hasBinary(folder: string): boolean {
  const file = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
  return existsSync(join(folder, file)) || existsSync(join(folder, 'binaries', file));
}

function isNative(module: unknown): module is Uws {
  if (typeof module !== 'object' || module === null) return false;
  const { App, LIBUS_LISTEN_EXCLUSIVE_PORT: exclusive } = module as Partial<Uws>;
  return typeof App === 'function' && typeof exclusive === 'number' && `${App}`.includes('[native code]');
}
