// Owns the store in a file, for Node: an append-only journal, rewritten when most of it is history.
// Invariant: what a durable write resolved for survives kill -9 and power loss; a torn or damaged line costs
// that line alone; one process at a time.
// Must not: be imported by browser code.
//
//   PATH        one line a write: <SHA-256 of the rest, first 8 hex digits> <JSON array of changes>\n
//   PATH.new    a rewrite under way; renamed over PATH when it is durable
//   PATH.lock   the id of the process that has it open

import { createHash } from 'node:crypto';
import { type FileHandle, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LIMITS } from '../actors/limits.js';
import { WeftError } from './errors.js';
import type { ClientStore, StoreChange, StoredState } from './store.js';
import { StoreImage } from './store-memory.js';

interface Write {
  readonly changes: readonly StoreChange[];
  readonly durable: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Paths that this process has open: its own id in a lock file may also be a dead process's. */
const held = new Set<string>();

export class FileStore implements ClientStore {
  readonly #path: string;
  readonly #image = new StoreImage();
  #file: FileHandle | undefined;
  #size = 0;
  /** Bytes after the newest rewrite. */
  #base = 0;
  #queue: Write[] = [];
  #working: Promise<void> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async load(): Promise<StoredState> {
    await this.#lock();
    try {
      const kept = replay(await readFile(this.#path).catch(absent), this.#image);
      this.#file = await open(this.#path, 'a', 0o600);
      await this.#file.truncate(kept);
      this.#size = kept;
      this.#base = kept;
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
    await this.#working;
    if (this.#file === undefined) return;
    await this.#file.sync();
    await this.#file.close();
    this.#file = undefined;
    await this.#unlock();
  }

  /** All that waits goes out in one append and at most one sync: callers at the same time share the cost. */
  async #work(): Promise<void> {
    while (this.#queue.length > 0) {
      const writes = this.#queue;
      this.#queue = [];
      try {
        await this.#append(writes);
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
    for (const { changes } of writes) for (const change of changes) this.#image.apply(change);
    if (this.#size > 2 * this.#base + LIMITS.clientJournalSlack) await this.#rewrite();
  }

  async #rewrite(): Promise<void> {
    const { owner, chats, outbox } = this.#image.state();
    const changes: StoreChange[] = [
      ...(owner === undefined ? [] : [{ type: 'owner', ...owner } as const]),
      ...chats.map((chat) => ({ type: 'chat', chat }) as const),
      ...outbox.map((send) => ({ type: 'add', send }) as const),
    ];
    const bytes = Buffer.from(changes.map((change) => line([change])).join(''));
    const file = await open(`${this.#path}.new`, 'w', 0o600);
    await file.writeFile(bytes);
    await file.sync();
    await rename(`${this.#path}.new`, this.#path);
    await syncFolder(dirname(this.#path));
    await this.#file?.close();
    this.#file = file;
    this.#size = bytes.length;
    this.#base = bytes.length;
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

/** Applies the journal's whole and undamaged lines; returns where the last whole line ends. */
function replay(journal: Buffer, image: StoreImage): number {
  let start = 0;
  for (let end = journal.indexOf(10); end >= 0; end = journal.indexOf(10, start)) {
    for (const change of parse(journal.toString('utf8', start, end))) image.apply(change);
    start = end + 1;
  }
  return start;
}

function line(changes: readonly StoreChange[]): string {
  const json = JSON.stringify(changes, (_key, value: unknown) =>
    value instanceof Uint8Array ? { base64: Buffer.from(value).toString('base64') } : value,
  );
  return `${checksum(json)} ${json}\n`;
}

/** Nothing for a damaged line: what it settled is sent again under its old id, what it added is lost with it alone. */
function parse(text: string): StoreChange[] {
  const json = text.slice(9);
  if (text.slice(0, 8) !== checksum(json)) return [];
  return JSON.parse(json, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && 'base64' in value && typeof value.base64 === 'string'
      ? Uint8Array.from(Buffer.from(value.base64, 'base64'))
      : value,
  ) as StoreChange[];
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
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
