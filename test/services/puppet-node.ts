// Owns the child process of the host's tests: behaves as a node does towards its host, or misbehaves as told.
// Invariant: ends with its channel.
// Must not: be a node.
//
//   puppet-node.js serve|refuse|final|crash|mute

import type { HostMessage, NodeMessage } from '../../services/host-process.js';

const [how = 'serve'] = process.argv.slice(2);
const tell = (message: NodeMessage): Promise<void> =>
  new Promise((resolve) => process.send?.(message, () => resolve()) ?? resolve());

process.on('disconnect', () => process.exit(1));
process.on('message', (message: HostMessage) => {
  console.log(message.type);
  if (message.type === 'stop') process.exit(0);
});
if (how === 'refuse' || how === 'final') {
  const exit = how === 'final' ? 4 : 1;
  await tell({ type: 'failed', code: 'no_luck', message: 'as told', exit });
  process.exit(exit);
}
await tell({ type: 'ready', url: `ws://127.0.0.1:1/${process.pid}` });
if (how === 'crash') process.exit(1);
if (how === 'serve') setInterval(() => void tell({ type: 'beat' }), 100);
