// Owns the seam to a table of presence outside the nodes, such as Redis: what a board asks of it, and the form of an entry.
// Invariant: a session is over for good when it says `broken`, or is ended; nothing it was asked then matters any more. Entries of one
// user sort by who may write last: by the epoch of the user's shard, then by the order in which its owner wrote.
// Must not: hold behaviour, or know what keeps the table.

/** One user's entry as it is written. */
export interface Entry {
  readonly user: string;
  readonly value: string;
}

/** A user, with the shard. */
export type Place = readonly [number, string];

export interface Looked {
  /** ms for which the table has been there: what is lost with it begins at 0 again. */
  readonly age: number;
  /** In the order asked; null: no entry. */
  readonly values: readonly (string | null)[];
}

/** What a session says by itself. Nothing comes after `broken`. */
export interface LineEvents {
  /** It can be asked. Own posts are heard from now on. */
  opened(): void;
  /** A user that is listened to has another entry. */
  heard(user: string, value: string): void;
  /** Another node's post for this one. */
  posted(bytes: Uint8Array): void;
  /** The probe has been written, and has come back by the way on which others hear. */
  probed(probe: number): void;
  /** `reason`: a word, as in `refused`, `NOAUTH`, `READONLY`. Never with a password. */
  broken(reason: string): void;
}

/** Promises reject, or never resolve, when the session breaks. */
export interface LineSession {
  /** Writes the entries that are newer than what is there, and tells who listens of those that differ. Resolves with how many were
   * older. All are of users of one shard. */
  put(shard: number, entries: readonly Entry[]): Promise<number>;
  look(shard: number, users: readonly string[]): Promise<Looked>;
  listen(places: readonly Place[]): Promise<void>;
  ignore(places: readonly Place[]): Promise<void>;
  /** False: too many wait. */
  post(node: string, bytes: Uint8Array): boolean;
  probe(probe: number): void;
  end(): void;
}

export interface Line {
  /** For people: where the table is, without what is secret. */
  readonly where: string;
  dial(events: LineEvents): LineSession;
}

export interface State {
  readonly online: boolean;
  /** Wall ms; 0 unknown. */
  readonly lastSeen: number;
}

const DIGITS = 15;
const VERSION = 2 * DIGITS;
const FORM = /^\d{30}[01]\d{1,16}$/;

/** `epoch`: of the user's shard at its owner; `count` rises there with each entry. */
export function encodeEntry(epoch: number, count: number, { online, lastSeen }: State): string {
  const number = (value: number): string => String(value).padStart(DIGITS, '0');
  return `${number(epoch)}${number(count)}${online ? 1 : 0}${lastSeen}`;
}

/** Null: written by something else. */
export function decodeEntry(value: string): State | null {
  if (!FORM.test(value)) return null;
  return { online: value[VERSION] === '1', lastSeen: Number(value.slice(VERSION + 1)) };
}

/** Entries sort by it, as text. */
export function versionOf(value: string): string {
  return value.slice(0, VERSION);
}
