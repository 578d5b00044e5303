// Owns profiles: what one is, who may read it, and who hears that it changed.
// Invariant: versions count up from 1; who shares no chat with a user, or is in a block with it, reads what is read of one
// who has none; what is told of a change is a hint, and asking with the version that one has costs little.
// Must not: append (account.ts), or promise that a change is heard of: who was away asks.

import { type AccountRow, decodeProfile, encodeProfile, type ProfileRow } from '../storage/account-rows.js';
import { chatRowKey, isName, profileKey } from '../storage/keys.js';
import { decodeChat } from '../storage/rows.js';
import type { Reader } from '../storage/store.js';
import { CHAT_KIND, type ClientFrame, type Plain } from '../transport/frames.js';
import { sharesChat } from './acquaintance.js';
import { readBlockers } from './blocks.js';
import { FULL, type Rate, take, wait } from './bucket.js';
import type { Planned } from './devices.js';
import type { Errand } from './errand.js';
import { type Refusal, refuse } from './errors.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import { leftAt } from './visibility.js';

type Described = Omit<ProfileRow, 'version' | 'full'>;

const RATE: Rate = { every: LIMITS.describeMs, burst: LIMITS.describeBurst };
const NONE: ProfileRow = { version: 0, full: FULL, name: '', avatar: '', about: '', fields: [] };

/** What is wrong with a DESCRIBE, or null. */
export function badProfile({ name, avatar, about, fields }: Extract<ClientFrame, { type: 23 }>): Refusal | null {
  if (!isText(name, LIMITS.profileName)) return bad(`a name has up to ${LIMITS.profileName} bytes, no controls`);
  if (!isText(avatar, LIMITS.avatar)) return bad(`an avatar has up to ${LIMITS.avatar} bytes, no controls`);
  if (Buffer.byteLength(about) > LIMITS.about) return bad(`a text has up to ${LIMITS.about} bytes`);
  if (fields.length > LIMITS.profileFields) return bad(`at most ${LIMITS.profileFields} fields`);
  const names = new Set(fields.map(([field]) => field));
  if (names.size < fields.length) return bad('a field comes once');
  for (const [field, value] of fields) {
    if (!isName(field, LIMITS.profileFieldName)) {
      return bad(`a field's name has 1 to ${LIMITS.profileFieldName} bytes, no controls`);
    }
    if (Buffer.byteLength(value) > LIMITS.profileFieldValue) {
      return bad(`a field has up to ${LIMITS.profileFieldValue} bytes`);
    }
  }
  return null;
}

function isText(text: string, limit: number): boolean {
  return text === '' || isName(text, limit);
}

function bad(detail: string): Refusal {
  return refuse('bad_request', detail);
}

async function readRow(store: Reader, user: string): Promise<ProfileRow> {
  const row = await store.get(profileKey(user));
  return row === undefined ? NONE : decodeProfile(row);
}

/** What a DESCRIBE comes to, with the version that the profile has then. `now`: wall ms. */
export async function setProfile(
  store: Reader,
  user: string,
  { name, avatar, about, fields }: Described,
  now: number,
  account: AccountRow,
): Promise<(Planned & { readonly version: number }) | Refusal> {
  const before = await readRow(store, user);
  const next = { name, avatar, about, fields };
  const { version: _, full, ...present } = before;
  if (before.version > 0 && JSON.stringify(present) === JSON.stringify(next))
    return { writes: [], version: before.version };
  const ms = Math.ceil(wait(full, RATE, now));
  if (ms > 0) return refuse('rate_limited', 'a profile that changes so often is told to nobody', ms);
  const version = account.profile + 1;
  const value = encodeProfile({ version, full: take(full, RATE, now), ...next });
  return { writes: [{ key: profileKey(user), value }], account: { profile: version }, version };
}

/** Results of PROFILE: what `asker` may know of `user`, who has version `known` of it. */
export async function readProfile(
  store: Reader,
  asker: string,
  user: string,
  known: number,
): Promise<readonly Plain[]> {
  const { version, name, avatar, about, fields } = (await isOpen(store, asker, user))
    ? await readRow(store, user)
    : NONE;
  return version === known ? [version] : [version, name, avatar, about, fields];
}

async function isOpen(store: Reader, asker: string, user: string): Promise<boolean> {
  if (asker === user) return true;
  if ((await readBlockers(store, [asker, user])).length > 0) return false;
  return sharesChat(store, asker, user);
}

/** Tells everybody who is online and shares a chat with `user` of the version that the profile has by then. */
export function tellProfile({ store, users }: Fabric, user: string, version: () => number): Errand {
  const told = new Set([user]);
  const tell = (other: string): void => {
    if (told.has(other) || told.size >= LIMITS.profileTold) return;
    const ref = users.lookup(other);
    if (ref === undefined) return;
    told.add(other);
    ref.tell({ type: 'profiled', user, version: version() });
  };
  return {
    name: 'profile',
    visit(chat, { kind, name, spans }) {
      if (leftAt(spans) !== null) return null;
      const others = kind === CHAT_KIND.direct ? Promise.resolve([name]) : readMembers(store, chat);
      return others.then((all) => () => {
        for (const other of all) tell(other);
        return true;
      });
    },
    end: () => undefined,
  };
}

async function readMembers(store: Reader, chat: Uint8Array): Promise<string[]> {
  const row = await store.get(chatRowKey(chat));
  return row === undefined ? [] : decodeChat(row).members.map((member) => member.user);
}
