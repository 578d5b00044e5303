// Owns what raw clients do with groups in end-to-end tests: changes, links, and what they are told of a group.
// Invariant: each call waits for its own answer; a refusal is told by its code.
// Must not: know the server's insides, or hold assertions about groups.

import assert from 'node:assert/strict';
import { OP, type PageRow, T } from '../../transport/frames.js';
import { newId, type RawClient, text, utf8 } from './harness.js';
import { ask, results } from './talk.js';

export interface Wish {
  readonly users?: readonly string[];
  readonly args?: readonly (string | number)[];
  readonly id?: Uint8Array;
}

/** The number of the change's event, or the code of its refusal. */
export async function alter(
  client: RawClient,
  chat: Uint8Array,
  op: number,
  { users = [], args = [], id = newId() }: Wish = {},
): Promise<number | string> {
  const answer = await ask(client, (r) => ({ type: T.CHANGE, r, chat, id, op, users: [...users], args }));
  if (answer.type === T.OK) return answer.results[0] as number;
  return answer.type === T.ERROR ? answer.code : 'no answer';
}

/** `state seq`, or the code of the refusal. */
export async function join(client: RawClient, invite: Uint8Array, id = newId()): Promise<string> {
  const answer = await ask(client, (r) => ({ type: T.JOIN, r, id, invite }));
  if (answer.type === T.OK) return `${answer.results[2]} ${answer.results[1]}`;
  return answer.type === T.ERROR ? answer.code : 'no answer';
}

/** A new link of the mode. */
export async function link(client: RawClient, chat: Uint8Array, mode: number): Promise<Uint8Array> {
  assert.equal(typeof (await alter(client, chat, OP.invite, { args: [mode] })), 'number');
  const [told, invite] = await results(client, (r) => ({ type: T.INVITE, r, chat }));
  assert.equal(told, mode);
  return invite as Uint8Array;
}

/** Pipes messages of one sender; answers the numbers of those that were stored, and the codes of the others. */
export async function pipe(client: RawClient, chat: Uint8Array, ids: Uint8Array[]): Promise<(number | string)[]> {
  for (const [at, id] of ids.entries()) client.send({ type: T.SEND, chat, id, body: utf8(`m${at}`) });
  const answers: (number | string)[] = [];
  while (answers.length < ids.length) {
    await client.changed();
    const rest: typeof client.frames = [];
    for (const frame of client.frames.splice(0)) {
      if (frame.type === T.SENT) answers.push(frame.seq);
      else if (frame.type === T.FAILED) answers.push(frame.code);
      else rest.push(frame);
    }
    client.frames.push(...rest);
  }
  return answers;
}

export interface GroupInfo {
  readonly name: unknown;
  readonly head: unknown;
  readonly roles: Readonly<Record<string, number>>;
  readonly avatar: unknown;
  readonly announce: unknown;
  readonly expiry: unknown;
  readonly invite: unknown;
  readonly waiting: unknown;
}

export async function info(client: RawClient, chat: Uint8Array): Promise<GroupInfo> {
  const [, name, head, members, avatar, announce, expiry, invite, waiting] = await results(client, (r) => ({
    type: T.INFO,
    r,
    chat,
  }));
  const roles = Object.fromEntries((members as [string, number][]).map(([user, role]) => [user, role]));
  return { name, head, roles, avatar, announce, expiry, invite, waiting };
}

const NAMES = new Map<number, string>(Object.entries(OP).map(([name, op]) => [op, name]));

/** `number who what` of everything that the client's user may see, up to 100. */
export async function log(client: RawClient, chat: Uint8Array): Promise<string[]> {
  const page = await ask(client, (r) => ({ type: T.HISTORY, r, chat, before: 0, limit: 100 }));
  assert.equal(page.type, T.PAGE);
  return page.type === T.PAGE ? page.rows.map(inWords) : [];
}

function inWords(row: PageRow): string {
  if (row.type === T.MESSAGE) return `${row.seq} ${row.from}: ${text(row.body)}`;
  return [row.seq, row.from, NAMES.get(row.op), ...row.args.flat(1)].join(' ');
}
