// Owns noticing that the files of the TLS certificate were replaced.
// Invariant: tells of each change once, when the files have come to rest: certificate and key are seldom replaced at once.
// Must not: read them.

import { unwatchFile, watchFile } from 'node:fs';
import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import type { TlsFiles } from '../transport/tls.js';

/** Calls `changed` after each change; the returned function ends it. By polling: file systems and mounts differ in what they tell. */
export function watchTls(files: TlsFiles, world: World, changed: () => void): () => void {
  let cancel: (() => void) | undefined;
  const heard = (): void => {
    cancel?.();
    cancel = world.timer(LIMITS.certificateRestMs, changed);
  };
  const paths = [files.cert, files.key];
  for (const path of paths) watchFile(path, { interval: LIMITS.certificatePollMs, persistent: false }, heard);
  return () => {
    cancel?.();
    for (const path of paths) unwatchFile(path, heard);
  };
}
