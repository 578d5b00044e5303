// Owns the means to spoil a scene in one place.
// Invariant: what is not there to be spoilt is an error of the test.
// Must not: judge.

import assert from 'node:assert/strict';
import type { Entry, Fact } from '../../sim/record.js';
import { GROUP, type Scene, type Told } from './scene.js';

export type Spoil = (scene: Scene) => void;
type Kind = Fact['kind'];
export type Of<K extends Kind> = Extract<Told, { kind: K }>;

/** Where the first fact stands of which this holds. */
export function find<K extends Kind>({ facts }: Scene, kind: K, holds: (fact: Of<K>) => boolean = () => true): number {
  const place = facts.findIndex((fact) => fact.kind === kind && holds(fact as Of<K>));
  assert.ok(place >= 0, `the scene has no such ${kind}`);
  return place;
}

export function drop<K extends Kind>(scene: Scene, kind: K, holds?: (fact: Of<K>) => boolean): void {
  scene.facts.splice(find(scene, kind, holds), 1);
}

export function dropAll<K extends Kind>(scene: Scene, kind: K, holds: (fact: Of<K>) => boolean): void {
  for (let n = scene.facts.length - 1; n >= 0; n -= 1) {
    const fact = scene.facts[n]!;
    if (fact.kind === kind && holds(fact as Of<K>)) scene.facts.splice(n, 1);
  }
}

export function change<K extends Kind>(
  scene: Scene,
  kind: K,
  holds: (fact: Of<K>) => boolean,
  more: Partial<Of<K>>,
): void {
  const place = find(scene, kind, holds);
  scene.facts[place] = { ...scene.facts[place]!, ...more } as Told;
}

export function put(scene: Scene, place: number, ...facts: Told[]): void {
  scene.facts.splice(place, 0, ...facts);
}

export const calm = (scene: Scene): number => find(scene, 'calm');
export const logs = (
  scene: Scene,
  chat: string,
  edit: (entries: readonly Entry[]) => readonly Entry[],
  of?: string,
): void => {
  for (const [n, fact] of scene.facts.entries()) {
    if (fact.kind !== 'log' || fact.chat !== chat || (of !== undefined && fact.user !== of)) continue;
    scene.facts[n] = { ...fact, entries: edit(fact.entries) };
  }
};
export const is = (device: string, chat: string, seq: number) => (fact: Of<'shown'>) =>
  fact.device === device && fact.chat === chat && fact.entry.seq === seq;
export const didHandle = (device: string, chat: string, seq: number) => (fact: Of<'handled'>) =>
  fact.device === device && fact.chat === chat && fact.seq === seq;
/** Another life of a device after the calm, which sees these. */
export const again = (device: string, chat: string, entries: Entry[]): Told[] => [
  { kind: 'start', device, life: 2, user: device.split('.')[0]!, fresh: false },
  ...entries.flatMap((entry): Told[] => [
    { kind: 'shown', device, life: 2, chat, entry },
    { kind: 'handled', device, life: 2, chat, seq: entry.seq },
  ]),
];
export const end = (device: string, how: 'closed' | 'killed'): Told => ({
  kind: 'end',
  device,
  life: 1,
  how,
  code: '',
});
export const ask = (
  device: string,
  request: number,
  what: string,
  chat: string,
  users: string[],
  values: number[],
): Told[] => [
  { kind: 'asked', device, life: 1, request, what, chat, users, values },
  { kind: 'answered', device, life: 1, request, code: '', seq: 0, chat },
];
/** A further entry in the group, of this entry, that everybody present sees in the log. */
export const inGroup = (scene: Scene, entry: Entry): void =>
  logs(scene, GROUP, (entries) => [...entries, entry], 'ada');

/** What is spoilt, the rules that must find it, and how. */
export type Case = readonly [name: string, rules: readonly string[], spoil: Spoil];
