// Owns the process that the store tests kill: it queues messages that no server takes, and tells what is durable.
// Invariant: a line `stored ID N` is printed only after the store's promise.
// Must not: end by itself.

import { FileStore } from '../../client/store-file.js';

const [, , path = ''] = process.argv;
const store = new FileStore(path);
await store.load();
await store.write([{ type: 'owner', user: 'alice', device: 'phone' }], true);
setInterval(() => {}, 1_000);
for (let i = 0; ; i++) {
  const id = i.toString(16).padStart(32, '0');
  const send = { id, chat: '', user: 'bob', body: new TextEncoder().encode(`m${i} ${'x'.repeat(i % 300)}`) };
  await store.write([{ type: 'add', send }], true);
  process.stdout.write(`stored ${id}\n`);
}
