// Owns the store in a file, for Node: an append-only journal, rewritten when most of it is history.
// Invariant: what a durable write resolved for survives kill -9 and power loss; a torn or damaged line costs
// that line alone; one process at a time.
// Must not: be imported by browser code.
//
//   PATH        the journal (journal.ts)
//   PATH.new    a rewrite under way; renamed over PATH when it is durable
//   PATH.lock   the id of the process that has it open

import { type FileHandle, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LIMITS } from '../actors/limits.js';
import { WeftError } from './errors.js';
import { line, lines, replay } from './journal.js';
import type { ClientStore, StoreChange, StoredState } from './store.js';
import { StoreImage } from './store-memory.js';

interface Write {
  readonly changes: readonly StoreChange[];
  readonly durable: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A journal written anew, up to what came since. */
interface Rewritten {
  readonly file: FileHandle;
  readonly size: number;
}

/** Paths that this process has open: its own id in a lock file may also be a dead process's. */
const held = new Set<string>();

export class FileStore implements ClientStore {
  readonly #path: string;
  readonly #image = new StoreImage();
  #file: FileHandle | undefined;
  #size = 0;
  /** Bytes that the newest rewrite took, or would about have taken at the start. */
  #base = 0;
  #queue: Write[] = [];
  #working: Promise<void> | undefined;
  #rewriting: Promise<void> | undefined;
  /** What was appended since the rewrite began. */
  #tail: Buffer[] | undefined;
  #next: Rewritten | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async load(): Promise<StoredState> {
    await this.#lock();
    try {
      const { end, changes } = replay(await readFile(this.#path).catch(absent), this.#image);
      this.#file = await open(this.#path, 'a', 0o600);
      await this.#file.truncate(end);
      this.#size = end;
      // Most of it may be history of runs that were too short for a rewrite.
      this.#base = changes === 0 ? 0 : Math.floor((end * this.#image.size) / changes);
    } catch (error) {
      await this.#unlock();
      throw error;
    }
    return this.#image.state();
  }

  write(changes: readonly StoreChange[], durable: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ changes, durable, resolve, reject });
      this.#working ??= this.#work();
    });
  }

  async close(): Promise<void> {
    while (this.#working !== undefined || this.#rewriting !== undefined) await (this.#working ?? this.#rewriting);
    if (this.#file === undefined) return;
    await this.#file.sync();
    await this.#file.close();
    this.#file = undefined;
    await this.#unlock();
  }

  /** All that waits goes out in one append and at most one sync: callers at the same time share the cost. */
  async #work(): Promise<void> {
    while (this.#queue.length > 0 || this.#next !== undefined) {
      if (this.#next !== undefined) await this.#change(this.#next).catch(() => this.#giveUp(this.#next?.file));
      const writes = this.#queue;
      this.#queue = [];
      try {
        if (writes.length > 0) await this.#append(writes);
        for (const { resolve } of writes) resolve();
      } catch (error) {
        for (const { reject } of writes) reject(error);
      }
    }
    this.#working = undefined;
  }

  async #append(writes: readonly Write[]): Promise<void> {
    const file = this.#file;
    if (file === undefined) throw new WeftError('store_failed', 'the store is not open');
    const bytes = Buffer.from(writes.map(({ changes }) => line(changes)).join(''));
    try {
      await file.appendFile(bytes);
      if (writes.some(({ durable }) => durable)) await file.datasync();
    } catch (error) {
      // Half a line would hide all that follows it.
      await file.truncate(this.#size);
      throw error;
    }
    this.#size += bytes.length;
    this.#tail?.push(bytes);
    for (const { changes } of writes) for (const change of changes) this.#image.apply(change);
    if (this.#size > 2 * this.#base + LIMITS.clientJournalSlack) this.#rewriting ??= this.#rewrite();
  }

  /** Writes what the journal amounts to beside it, a line at a time, while it goes on. */
  async #rewrite(): Promise<void> {
    this.#tail = [];
    let file: FileHandle | undefined;
    let size = 0;
    try {
      file = await open(`${this.#path}.new`, 'w', 0o600);
      for (const text of lines(this.#image.state())) {
        size += (await file.write(text)).bytesWritten;
      }
      await file.sync();
      this.#next = { file, size };
      this.#working ??= this.#work();
    } catch {
      await this.#giveUp(file);
    }
  }

  /** What came meanwhile follows, and the new journal takes the old one's place. */
  async #change({ file, size }: Rewritten): Promise<void> {
    const tail = Buffer.concat(this.#tail ?? []);
    await file.writeFile(tail);
    await file.sync();
    await rename(`${this.#path}.new`, this.#path);
    // Should the folder not keep the rename, nothing more may be called durable.
    const old = this.#file;
    this.#file = undefined;
    await syncFolder(dirname(this.#path));
    await old?.close();
    this.#file = file;
    this.#size = size + tail.length;
    this.#base = size;
    this.#done();
  }

  /** The journal stays as it is; the next attempt comes when it has grown as much again. */
  async #giveUp(file: FileHandle | undefined): Promise<void> {
    this.#base = this.#size;
    await file?.close().catch(() => {});
    await rm(`${this.#path}.new`, { force: true }).catch(() => {});
    this.#done();
  }

  #done(): void {
    this.#next = undefined;
    this.#tail = undefined;
    this.#rewriting = undefined;
  }

  async #lock(): Promise<void> {
    const path = `${this.#path}.lock`;
    if (held.has(path)) throw new WeftError('store_locked', `${this.#path} is open in this process`);
    const owner = Number((await readFile(path).catch(absent)).toString());
    if (owner > 0 && owner !== process.pid && alive(owner)) {
      throw new WeftError('store_locked', `${this.#path} is open in process ${owner}`);
    }
    held.add(path);
    await rm(path, { force: true });
    try {
      await writeFile(path, String(process.pid), { flag: 'wx', mode: 0o600 });
    } catch (error) {
      held.delete(path);
      throw new WeftError('store_locked', `${path} cannot be made`, undefined, error);
    }
  }

  async #unlock(): Promise<void> {
    held.delete(`${this.#path}.lock`);
    await rm(`${this.#path}.lock`, { force: true });
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync();
  await folder.close();
}

function absent(error: NodeJS.ErrnoException): Buffer {
  if (error.code === 'ENOENT') return Buffer.alloc(0);
  throw error;
}
