// Owns nodes with links over real sockets, for tests.
// Invariant: ports are the system's choice, on loopback; whatever a test opened goes with it.
// Must not: wait for fixed times.

import type { TestContext } from 'node:test';
import { Links } from '../../cluster/links.js';
import type { Net } from '../../cluster/net.js';
import { createMachine } from '../../services/machine.js';
import { createPeerNet, type PeerNetOptions } from '../../transport/peer-net.js';
import { macOf, Peer } from '../cluster/link-scene.js';
import { until } from './harness.js';

export interface Told {
  readonly secret?: string;
  readonly net?: Partial<PeerNetOptions>;
}

/** A node that listens and is in nobody's view. */
export async function node(t: TestContext, name: string, { secret = 'one', net = {} }: Told = {}): Promise<Peer> {
  const peer = new Peer(name, 1);
  peer.links = await Links.open({
    world: createMachine(),
    net: loopback(net),
    mac: macOf(secret),
    node: name,
    events: peer,
  });
  t.after(() => peer.links.close());
  return peer;
}

export function loopback(net: Partial<PeerNetOptions> = {}): Net {
  return createPeerNet({ host: '127.0.0.1', port: 0, ...net });
}

/** All of them see all of them. */
export function view(...peers: readonly Peer[]): void {
  for (const peer of peers) peer.links.peers(peers.map(({ member }) => member));
}

/** Two nodes whose link is up. */
export async function pair(t: TestContext, told: Told = {}): Promise<[Peer, Peer]> {
  const [a, b] = [await node(t, 'a', told), await node(t, 'b', told)];
  view(a, b);
  await until(() => a.said.includes('up b') && b.said.includes('up a'), 'the link is up');
  return [a, b];
}
