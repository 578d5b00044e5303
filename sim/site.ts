// Owns the servers of a world as histories see them, and the world of one node alone: on a disk of its own.
// Invariant: who is down comes up again by itself.
// Must not: know steps, devices, or how several nodes share a store (cluster-site.ts).

import type { Settings } from '../actors/fabric.js';
import type { Dial } from '../client/link.js';
import { Disk } from './disk.js';
import { Node } from './node.js';
import type { Options } from './plan.js';
import type { Process } from './process.js';
import type { DeviceName } from './record.js';
import type { Universe } from './universe.js';

export interface Site {
  readonly nodes: readonly Node[];
  /** What a single node writes on; null: there are several. */
  readonly disk: Disk | null;
  start(): void;
  /** Every fault of disks and stores is over. */
  calm(): void;
  /** What still goes on; '' for nothing. */
  unrest(): string;
  /** What a device's SDK dials with. */
  dialer(process: Process, device: DeviceName): Dial;
  /** Told when all is quiet: what operators would see. */
  tell(): void;
}

export const FAULT_OF = {
  conflict: 'commit_conflict',
  unknown_applied: 'commit_unknown_applied',
  unknown_dropped: 'commit_unknown_dropped',
  store_full: 'disk_full',
  store_unavailable: 'disk_unavailable',
  unavailable: 'disk_unavailable',
} as const;

export class SoleSite implements Site {
  readonly nodes: readonly Node[];
  readonly disk: Disk;
  readonly #node: Node;
  readonly #universe: Universe;

  constructor(universe: Universe, options: Options, settings: Settings) {
    this.#universe = universe;
    const disk = new Disk(
      { flush: options.flush, read: options.diskRead, faults: options.commitFaults },
      universe.stream('disk'),
      {
        flushed: (writes) => {
          universe.fact({ kind: 'flushed', disk: 'n1', writes });
          universe.happened('flush');
        },
        committed: () => universe.happened('commit'),
        fault: (fault) => universe.fault(FAULT_OF[fault], 'n1'),
      },
    );
    this.disk = disk;
    this.#node = new Node('n1', universe, disk, {
      settings,
      trouble: (where, what) => universe.fact({ kind: 'trouble', where, what }),
    });
    this.nodes = [this.#node];
  }

  start(): void {
    this.#node.start();
  }

  calm(): void {
    this.disk.calm();
  }

  unrest(): string {
    const { wiring } = this.#node;
    if (wiring === null) return 'the node is not up';
    return wiring.log.stats().queued > 0 ? 'the log has appends' : '';
  }

  dialer(process: Process, device: DeviceName): Dial {
    return this.#universe.network.dialer(process, device);
  }

  tell(): void {}
}
