// Owns a program for tests to kill: it puts messages into the outbox over a store in a file, and tells which are durable and
// which were sent.
// Invariant: a message is told as stored only after the store's promise.
// Must not: end by itself.

import { connect, FileStore } from '../../client/index.js';
import type { StoreChange } from '../../client/store.js';

const [path = '', url = '', token = '', count = '0'] = process.argv.slice(2);

class CountingStore extends FileStore {
  override async write(changes: readonly StoreChange[], durable: boolean): Promise<void> {
    await super.write(changes, durable);
    for (const { type } of changes) if (type === 'add') process.stdout.write('stored\n');
  }
}

const session = await connect({ url, token, store: new CountingStore(path), offline: true });
session.on('sent', () => process.stdout.write('sent\n'));
for (let i = 0; i < Number(count); i++) {
  session
    .direct('bob')
    .send(`${i}`)
    .catch(() => {});
}
