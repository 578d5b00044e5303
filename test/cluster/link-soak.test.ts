// Owns the test of links under whatever a network and an operator do at random, for simulated minutes.
// Invariant: what a session delivers is a prefix of what was sent on it, here as there; afterwards all heals by itself.
// Must not: expect when what happens.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerLink } from '../../cluster/link.js';
import { type Peer, Scene } from './link-scene.js';

const STEPS = 400;
const NAMES = ['a', 'b', 'c', 'd'];

for (let seed = 1; seed <= 8; seed++) {
  test(`links under random trouble, seed ${seed}`, async () => {
    const scene = new Scene();
    for (let i = 0; i < seed; i++) scene.world.random();
    const { world, net } = scene;
    const pick = <T>(from: readonly T[]): T => from[Math.floor(world.random() * from.length)]!;
    const nodes = new Map<string, Peer>();
    /** What was sent on each session, by the sender's link; each text says whose and which it is. */
    const sent = new Map<PeerLink, number>();
    /** The number that came last on each session, by the receiver's link. */
    const came = new Map<PeerLink, { from: string; last: number }>();
    let delivered = 0;
    const life = async (name: string, incarnation: number): Promise<void> => {
      const peer = await scene.node(name, { incarnation });
      peer.onBatch = (link, bytes) => {
        const [from = '', number = ''] = new TextDecoder().decode(bytes).split(' ');
        const before = came.get(link) ?? { from, last: 0 };
        assert.deepEqual([from, Number(number)], [before.from, before.last + 1], 'one session, each once, in order');
        came.set(link, { from, last: before.last + 1 });
        delivered++;
      };
      nodes.set(name, peer);
    };
    const view = (): void => scene.view([...nodes.values()]);
    for (const name of NAMES) await life(name, 1);
    view();
    const clogged: [string, string][] = [];
    for (let step = 0; step < STEPS; step++) {
      const [one, two] = [pick(NAMES), pick(NAMES)];
      const chance = world.random();
      if (one === two) world.advance(world.random() * 300);
      else if (chance < 0.6) {
        const from = nodes.get(one)!;
        const link = from.links.link(two);
        for (let i = 0; link !== undefined && i < 20; i++) {
          const number = (sent.get(link) ?? 0) + 1;
          const text = `${one}/${from.incarnation}/${link.session} ${number}`;
          if (link.send(new TextEncoder().encode(text)) === 'ok') sent.set(link, number);
        }
      } else if (chance < 0.7) net.cut(one, two);
      else if (chance < 0.8) {
        net.clog(one, two);
        clogged.push([one, two]);
      } else if (chance < 0.9) {
        const [from, to] = clogged.shift() ?? [one, two];
        net.unclog(from, to, world.random() < 0.5);
      } else if (chance < 0.93) {
        // Killed without a word, and started again: some see that at once, others later.
        const { incarnation, links } = nodes.get(one)!;
        net.vanish(one);
        links.peers([]);
        await life(one, incarnation + 1);
        const members = [...nodes.values()].map(({ member }) => member);
        for (const peer of nodes.values()) if (world.random() < 0.5) peer.links.peers(members);
      } else view();
      world.advance(world.random() * 40);
    }
    for (const [from, to] of clogged) net.unclog(from, to, true);
    view();
    world.advance(10_000);
    for (const peer of nodes.values()) {
      assert.deepEqual(peer.faults, []);
      for (const other of nodes.values()) {
        if (other === peer) continue;
        assert.equal(peer.link(other.name).incarnation, other.incarnation);
        assert.equal(peer.link(other.name).buffered, 0, `${peer.name} to ${other.name}: all is taken`);
      }
    }
    for (const [link, number] of sent) if (link.state === 'up') assert.equal(link.taken, number);
    assert.ok(delivered > STEPS, `${delivered} delivered`);
  });
}
