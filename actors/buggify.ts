// Owns the named sites at which a simulation may make life hard for the product, and how they are asked.
// Invariant: a machine's World has no `buggify`, so nothing is ever struck there; a site is asked where something is made or
// where the store is about to be asked, never for each message; whatever it does may happen by itself, only more rarely.
// Must not: decide when or how often (the World does), or be told apart by what is promised: every promise holds all the same.
//
// After FoundationDB's BUGGIFY (Zhou et al., "FoundationDB: A Distributed Unbundled Transactional Key Value Store",
// SIGMOD 2021, §4.2).

import type { Behaviour } from './behaviour.js';
import type { World } from './world.js';

/** What each site does, and what that brings to light. */
export const SITES = {
  // ---- the runtime ----
  mailbox: 'a kind of actor queues 10 messages: refusals, superseded news, dropped deliveries with their marks',
  slice: 'one message a slice: any order of actors that the run queue may choose',
  turn: '8 messages a turn: sockets, disk and timers between any two of an actor',
  'crash before': 'a handler breaks off before it did anything: the message is lost with the state',
  'crash after': 'a handler breaks off when all is done: its effects stand, its state is lost',
  // ---- chats ----
  publish: 'a chat breaks off between two entries that it tells its members: the rest must still be told',
  run: 'members are told of each entry by itself',
  passivate: 'a chat or user leaves memory after 20 ms: everything is read back from the store, again and again',
  flight: 'a chat takes 2 entries at a time: refused sends in the middle of a pipeline',
  append: 'one entry an append: states between entries that else share one',
  'id page': 'a page of ids after 2 messages: retries are looked up on pages, not in memory',
  'fan-out': 'a group of 3 is large: read from its own log, tallies in place of receipts',
  wake: "a waking chat reads its members' rows one by one, with other work in between",
  // ---- sweeping ----
  sweep: 'a sweep takes one row: every intermediate state of a log that is emptied',
  'sweep queue': 'one chat waits for its sweep: the others are left to the scan',
  // ---- connections ----
  views: 'a connection knows one chat and one alias of a user: evicted views, frames with whole names',
  page: 'a page read for a client holds one row: live deliveries and changes between any two rows, chats, certificates',
  certificates: 'one certificate a turn: deliveries and acknowledgements between any two',
  history: 'a page of history ends after one entry though more were asked for',
  list: 'a LIST ends after one chat though more were asked for',
  read: 'a read for a client waits up to 200 ms: what it finds is old when it is used',
  // ---- the log ----
  'shard queue': 'a shard takes 2 appends at a time: chats are refused by the log and read themselves anew',
  batch: 'one append a transaction: crashes between chats that else share one',
  'write delay': 'a transaction waits up to 300 ms: appends gather, actors come and go meanwhile',
  // ---- the client ----
  'client credit': 'a client allows 4 deliveries: streams that stop, gaps with no room',
  'client pipeline': 'one message of a chat on its way at a time',
  'client ack': 'each message is acknowledged by itself',
  'client gap': 'a client asks for a new SYNC where it would pull history',
} as const;

export type Site = keyof typeof SITES;

/** What a struck site throws. */
export class Struck extends Error {
  override readonly name = 'Struck';
}

/** True where the site is struck. */
export function struck(world: World, site: Site): boolean {
  return world.buggify?.(site) === true;
}

/** `small` where the site is struck. */
export function shrunk<T>(world: World, site: Site, normal: T, small: T): T {
  return struck(world, site) ? small : normal;
}

/** A pause of up to `ms` where the site is struck; undefined otherwise, so that nothing waits for nothing. */
export function delayed(world: World, site: Site, ms: number): Promise<void> | undefined {
  if (!struck(world, site)) return undefined;
  return new Promise((resolve) => {
    world.timer(world.random() * ms, resolve);
  });
}

/** @throws Struck where the site is struck. */
export function strike(world: World, site: Site): void {
  if (struck(world, site)) throw new Struck(`buggify: ${site}`);
}

/** The behaviour as a runtime runs it: itself on a machine; in a simulation one whose handlers may break off. */
export function fragile<S, M, A, T>(world: World, behaviour: Behaviour<S, M, A, T>): Behaviour<S, M, A, T> {
  if (world.buggify === undefined) return behaviour;
  const broken: Behaviour<S, M, A, T> = Object.create(behaviour, {});
  broken.receive = (state, message, context) => {
    strike(world, 'crash before');
    behaviour.receive(state, message, context);
    strike(world, 'crash after');
  };
  broken.signal = (state, signal, context) => {
    strike(world, 'crash before');
    behaviour.signal?.(state, signal, context);
    strike(world, 'crash after');
  };
  return broken;
}
