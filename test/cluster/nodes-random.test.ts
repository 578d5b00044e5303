// Owns the random trial of whole nodes: a few messages, something goes wrong within milliseconds, and nothing more is said.
// Invariant: each trial follows from its seed. No later message brings what was lost: only what the nodes make good does.
// Must not: name cases (nodes.test.ts).

import { test } from 'node:test';
import { UNPACED } from '../../cluster/drain.js';
import { WORLD } from '../../sim/clock.js';
import { stream } from '../../sim/random.js';
import { NodeScene } from './node-scene.js';

const USERS = ['ada', 'bob', 'cleo', 'dan'];
const NODES = ['n1', 'n2', 'n3'];
const ROUNDS = 8;

for (const seed of [1, 2, 3, 4]) {
  test(`what is said just before something goes wrong reaches everybody (seed ${seed})`, async () => {
    const luck = stream(seed, 'trial');
    const pick = <T>(from: readonly T[]): T => from[Math.floor(luck() * from.length)]!;
    const scene = new NodeScene(seed);
    const at = (ms: number, task: () => void): void => void scene.clock.schedule(scene.clock.now + ms, WORLD, task);
    await scene.settled(...NODES);
    const devices = USERS.flatMap((user, number) => [
      scene.device(user, 'phone', NODES[number % 3]!),
      scene.device(user, 'desk', NODES[(number + 1) % 3]!),
    ]);
    await scene.until(() => devices.every(({ online }) => online), 10_000, 'all are online');
    const group = await scene.group(devices[0]!, 'all', USERS.slice(1));
    const say = (): void => {
      const device = pick(devices);
      device.send(luck() < 0.5 ? { group } : { direct: pick(USERS.filter((user) => user !== device.user)) });
    };
    const spoil = (): void => {
      const there = [...scene.nodes.values()];
      const { name, process, wiring } = pick(there);
      const other = pick(there.filter((node) => node.name !== name)).name;
      const whole = there.length === NODES.length && there.every((node) => !node.process.frozen);
      const kind = luck();
      if (kind < 0.35 && !whole) return;
      if (kind < 0.2) {
        scene.kill(name);
        at(50 + luck() * 3_000, () => void scene.start(name));
      } else if (kind < 0.35) {
        process.freeze();
        at(50 + luck() * 3_500, () => process.thaw());
      } else if (kind < 0.6) scene.wires.cut(name, other);
      else if (kind < 0.85) {
        scene.wires.clog(name, other, true);
        at(luck() * 2_500, () => scene.wires.clog(name, other, false));
      } else {
        wiring.member!.cluster.drain(UNPACED);
        at(luck() * 1_500, () => wiring.member!.cluster.stay());
      }
    };
    for (let round = 0; round < ROUNDS; round += 1) {
      for (let rest = 1 + Math.floor(luck() * 4); rest > 0; rest -= 1) {
        say();
        if (luck() < 0.5) await scene.run(luck() * 4);
      }
      await scene.run(luck() * 8);
      spoil();
      if (luck() < 0.5) spoil();
      await scene.run(luck() * 50);
      if (luck() < 0.3) say();
      await scene.converge(20_000);
      const all = (): boolean =>
        scene.nodes.size === NODES.length && [...scene.nodes.values()].every(({ process }) => !process.frozen);
      await scene.until(all, 10_000, 'all nodes are there');
    }
    await scene.until(() => devices.every(({ online }) => online), 10_000, 'all are online again');
  });
}
