// Owns how a session begins.
// Invariant: one that does not come about leaves nothing going on in the background.
// Must not: know the platform; index.ts and browser.ts bring world, WebSocket and store.

import { LIMITS } from '../actors/limits.js';
import { Core } from './core.js';
import { WeftError } from './errors.js';
import type { SessionOptions } from './options.js';
import { Session } from './session.js';

/**
 * Opens the store and connects. Resolves when the server has told the state of all chats; with `offline` as soon as the
 * store is open. Rejects with `bad_token`, `token_expired`, `bad_version`, `store_locked`, `store_failed`,
 * `store_mismatch`, `replaced`, or after `timeout` ms with the newest reason; then nothing goes on in the background.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const core = new Core(options);
  const session = new Session(core);
  const first = options.offline ? Promise.resolve() : firstSync(core, options.timeout ?? LIMITS.clientOpenMs);
  // Whoever rejects first is the reason; the other must not go unhandled.
  first.catch(() => {});
  try {
    await core.start();
    await first;
    return session;
  } catch (error) {
    await session.close().catch(() => {});
    throw error;
  }
}

function firstSync(core: Core, timeout: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let reason: WeftError | undefined;
    const cancel = core.world.timer(timeout, () => {
      finish();
      reject(new WeftError('timeout', `no connection within ${timeout} ms (${reason?.message ?? 'no answer'})`));
    });
    const offs = [
      core.application.on('synced', () => {
        finish();
        resolve();
      }),
      core.application.on('state', ({ state, error }) => {
        reason = error ?? reason;
        if (state !== 'failed' && state !== 'replaced' && state !== 'closed') return;
        finish();
        reject(error ?? new WeftError('closed', `session is ${state}`));
      }),
    ];
    const finish = (): void => {
      cancel();
      for (const off of offs) off();
    };
  });
}
