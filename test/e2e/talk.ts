// Owns what a raw client asks in end-to-end tests: requests with their answers, messages, groups, positions.
// Invariant: each call waits for its own answer and takes no other frame.
// Must not: know the server's insides.

import assert from 'node:assert/strict';
import { type ClientFrame, type ServerFrame, T } from '../../transport/frames.js';
import { newId, type RawClient, utf8 } from './harness.js';

type Question = (r: number) => ClientFrame;

/** OK, ERROR or PAGE. */
export async function ask(client: RawClient, frame: Question): Promise<ServerFrame> {
  const r = client.request();
  client.send(frame(r));
  for (;;) {
    const at = client.frames.findIndex((found) => 'r' in found && found.r === r);
    if (at >= 0) return client.frames.splice(at, 1)[0]!;
    assert.equal(client.closed, null, 'the connection is open');
    await client.changed();
  }
}

/** Fields of the OK. */
export async function results(client: RawClient, frame: Question): Promise<unknown[]> {
  const ok = await ask(client, frame);
  assert.equal(ok.type, T.OK, JSON.stringify(ok));
  return ok.type === T.OK ? [...ok.results] : [];
}

export async function say(client: RawClient, chat: Uint8Array, words = 'x'): Promise<number> {
  client.send({ type: T.SEND, chat, id: newId(), body: utf8(words) });
  return (await client.next(T.SENT)).seq;
}

export async function create(client: RawClient, users: string[]): Promise<Uint8Array> {
  return (await results(client, (r) => ({ type: T.CREATE, r, id: newId(), title: 'crew', users })))[0] as Uint8Array;
}

export const change = (client: RawClient, chat: Uint8Array, op: number, users: string[]): Promise<unknown[]> =>
  results(client, (r) => ({ type: T.CHANGE, r, chat, id: newId(), op, users, args: [] }));

/** `user: delivered/read` of each member. */
export async function cursors(client: RawClient, chat: Uint8Array): Promise<Record<string, string>> {
  const members = (await results(client, (r) => ({ type: T.INFO, r, chat })))[3] as [string, number, number, number][];
  return Object.fromEntries(members.map(([user, , delivered, read]) => [user, `${delivered}/${read}`]));
}

/** Waits until the chat says so: a cursor frame has no answer of its own. */
export async function until(client: RawClient, chat: Uint8Array, expected: Record<string, string>): Promise<void> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    const found = await cursors(client, chat);
    if (JSON.stringify(found) === JSON.stringify(expected)) return;
    assert.ok(performance.now() < deadline, JSON.stringify(found));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The user that a frame's ref names. */
export function named(client: RawClient, ref: string | number): string {
  if (typeof ref === 'string') return ref;
  const known = client.frames.find((frame) => frame.type === T.USER && frame.alias === ref);
  assert.ok(known?.type === T.USER, `alias ${ref} was announced`);
  return known.user;
}
