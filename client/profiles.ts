// Owns profiles as the application sees them, and those that this device knows.
// Invariant: at most LIMITS.clientProfiles, the longest unused give way; one that the server called changed, or that was
// not asked for on this connection, is asked about before it is given out again.
// Must not: ask.

import { LIMITS } from '../actors/limits.js';
import type { Plain } from '../transport/frames.js';
import { countOf, listOf, textOf } from './plain.js';

/** What a user tells of himself. Version 0: nothing that this user may see. */
export interface Profile {
  readonly user: string;
  /** Counts up with each change. */
  readonly version: number;
  /** The name to show; empty for none. */
  readonly name: string;
  /** A reference to a picture, say a URL. */
  readonly avatar: string;
  readonly about: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
}

export function emptyProfile(user: string): Profile {
  return { user, version: 0, name: '', avatar: '', about: '', fields: [] };
}

/** From what PROFILE answers; `known` where that is still the newest. */
export function profileOf(user: string, results: readonly Plain[], known: Profile): Profile {
  const [version, name, avatar, about, fields] = results;
  const newest = countOf(version, 'the version of a profile');
  if (name === undefined) return newest === known.version ? known : emptyProfile(user);
  return {
    user,
    version: newest,
    name: textOf(name, 'a name'),
    avatar: textOf(avatar, 'an avatar', ''),
    about: textOf(about, 'a text', ''),
    fields: listOf(fields, 'the fields of a profile', []).map((field) => {
      const [key, value] = listOf(field, 'a field of a profile');
      return [textOf(key, 'the name of a field'), textOf(value, 'the value of a field')] as const;
    }),
  };
}

export class Profiles {
  /** Longest unused first. */
  readonly #known = new Map<string, Profile>();
  readonly #fresh = new Set<string>();

  get(user: string): Profile {
    return this.#known.get(user) ?? emptyProfile(user);
  }

  fresh(user: string): boolean {
    return this.#fresh.has(user);
  }

  /** Returns who gave way. */
  set(profile: Profile): string | undefined {
    this.#known.delete(profile.user);
    this.#known.set(profile.user, profile);
    this.#fresh.add(profile.user);
    if (this.#known.size <= LIMITS.clientProfiles) return undefined;
    const [oldest] = this.#known.keys();
    if (oldest === undefined) return undefined;
    this.#known.delete(oldest);
    this.#fresh.delete(oldest);
    return oldest;
  }

  restore(profiles: readonly Profile[]): void {
    for (const profile of profiles) this.#known.set(profile.user, profile);
  }

  /** The user has another one now. */
  changed(user: string): void {
    this.#fresh.delete(user);
  }

  /** Without a connection nobody tells of changes. */
  down(): void {
    this.#fresh.clear();
  }
}
