// Owns the top of a supervision tree: starting it, stopping it, looking at it.
// Invariant: `ended` resolves exactly once, after everything below has ended.
// Must not: restart the root: when the root gives up, the process does (its parent starts a new one).

import type { ExitReason } from '../actors/behaviour.js';
import type { TreeEvent } from './events.js';
import type { ChildSpec, Running, TreeHost, TreeNode } from './spec.js';

export interface Tree {
  /** Ordered shutdown; resolves when everything has ended. Repeated calls wait for the same end. */
  stop(): Promise<void>;
  /** Ends everything at once, without waiting for stops. */
  kill(): Promise<void>;
  /** Why the tree ended: `shutdown` also when the root gave up (an `escalated` event tells). */
  readonly ended: Promise<ExitReason>;
  describe(): TreeNode;
  /** Stops and starts what `path` names, say `node/chats/2` or `node/chats/KEY`. False: nothing there. */
  restart(path: string): boolean;
}

export interface TreeOptions {
  /** Hears every event; what it throws is dropped, since a log must not bring down what it describes. */
  readonly emit?: (event: TreeEvent) => void;
  /** Stops a start that is under way. */
  readonly signal?: AbortSignal;
}

/** Rejects with what the first start failed with, after what had started was stopped again. */
export function startTree(host: TreeHost, spec: ChildSpec, options: TreeOptions = {}): Promise<Tree> {
  const emit = (event: TreeEvent): void => {
    try {
      options.emit?.(event);
    } catch {
      // Nobody to tell: this is the way by which faults are told.
    }
  };
  const path = spec.id;
  const incarnation = 1;
  let status = 'starting';
  let running: Running;
  let ended: (reason: ExitReason) => void;
  const tree: Tree = {
    ended: new Promise((resolve) => {
      ended = resolve;
    }),
    async stop() {
      running.stop();
      await tree.ended;
    },
    async kill() {
      running.kill();
      await tree.ended;
    },
    describe: () => ({
      id: spec.id,
      path,
      kind: spec.kind,
      status,
      incarnation,
      restarts: 0,
      ...running.inspect(),
    }),
    restart: (target) => {
      const [root, ...rest] = target.split('/');
      return root === spec.id && rest.length > 0 && (running.renew?.(rest) ?? false);
    },
  };
  return new Promise((resolve, reject) => {
    running = spec.launch(
      { host, path, seat: undefined, emit },
      {
        started: () => {
          status = 'up';
          emit({ type: 'started', path, incarnation });
          resolve(tree);
        },
        failed: (error) => {
          status = 'down';
          emit({ type: 'start_failed', path, incarnation, error });
          reject(error);
        },
        ended: (reason) => {
          status = 'down';
          emit({ type: 'exited', path, incarnation, reason });
          ended(reason);
        },
      },
    );
    options.signal?.addEventListener('abort', () => running.stop(), { once: true });
    if (options.signal?.aborted) running.stop();
  });
}
