// Owns the check of the sites: each is asked somewhere, none is on a machine, and what a struck one leaves behind is whole.
// Invariant: the list is compared with the product's own text.
// Must not: repeat what simulation shows.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { SITES, type Site, Struck, strike } from '../../actors/buggify.js';
import { createMachine } from '../../services/machine.js';
import { answers, ChatScene, DIRECT_KEY, told } from './chat-scene.js';
import { puppet, say, setUp } from './puppet.js';

const root = new URL('../../../', import.meta.url);

/** A `buggify` that strikes one site, once, when it is asked for the `nth` time. */
function striking(site: Site, nth: number): (asked: Site) => boolean {
  let left = nth;
  return (asked) => asked === site && --left === 0;
}

describe('sites', () => {
  test('each is asked somewhere, and only those of the list are', () => {
    const text = ['actors', 'client', 'storage', 'supervisors']
      .flatMap((folder) => readdirSync(new URL(`${folder}/`, root)).map((file) => `${folder}/${file}`))
      .map((path) => readFileSync(new URL(path, root), 'utf8'))
      .join('\n');
    const asked = [...text.matchAll(/\b(?:struck|shrunk|delayed|strike)\(\s*[\w.#]+,\s*'([\w -]+)'/g)].map(
      ([, site]) => site,
    );
    assert.deepEqual([...new Set(asked)].sort(), Object.keys(SITES).sort());
  });

  test('a machine has none', () => {
    assert.equal('buggify' in createMachine(), false);
  });

  test('a struck handler ends its actor alone', () => {
    const { world, runtime } = setUp();
    Object.assign(world, { buggify: striking('crash before', 1) });
    const entries: unknown[] = [];
    const [one, other] = [runtime.spawn(puppet(), 'one', entries), runtime.spawn(puppet(), 'other', entries)];
    one.tell(say('lost'));
    other.tell(say('kept'));
    world.settle();
    assert.deepEqual([one.alive, other.alive, entries], [false, true, ['kept']]);
    Object.assign(world, { buggify: striking('publish', 1) });
    assert.throws(() => strike(world, 'publish'), Struck);
    strike(world, 'publish');
  });

  test('a chat that breaks off while it tells its members tells them the rest', async () => {
    const scene = await ChatScene.open();
    const [ada, bob] = [scene.connection(), scene.user('bob')];
    Object.assign(scene.world, { buggify: striking('publish', 3) });
    const first = scene.send(ada.ref);
    await scene.settle();
    // In one append: it breaks off behind the first of them.
    const others = [scene.send(ada.ref), scene.send(ada.ref), scene.send(ada.ref)];
    await scene.settle();
    assert.equal(scene.fabric.chats.lookup(DIRECT_KEY), undefined);
    assert.deepEqual(told(bob), [1, 2, 3, 4]);
    const numbers = [first, ...others].map((n, at) => ({ n, seq: at + 1 }));
    assert.deepEqual(answers(ada), numbers);
  });
});
