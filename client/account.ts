// Owns what concerns the user and not a chat: devices, profiles, privacy, the block list.
// Invariant: what is kept here of profiles and blocks is the server's word, as far as it was told.
// Must not: know chats.

import { AUDIENCE, DEVICE_OP, T } from '../transport/frames.js';
import type { Flusher } from './flush.js';
import { countOf, flagOf, listOf, textOf, textsOf } from './plain.js';
import { emptyProfile, type Profile, Profiles, profileOf } from './profiles.js';
import type { Ask } from './requests.js';

export interface Device {
  readonly device: string;
  /** As the user named it; empty for none. */
  readonly name: string;
  /** ms since 1970. */
  readonly firstSeen: number;
  readonly lastSeen: number;
  readonly online: boolean;
  /** This device. */
  readonly current: boolean;
}

const AUDIENCES = ['everyone', 'contacts', 'nobody'] as const;
/** `contacts`: who shares a group, or has been written to. */
export type Audience = (typeof AUDIENCES)[number];

export interface AccountParts {
  readonly me: string;
  readonly device: string;
  readonly flusher: Flusher;
  ask: Ask;
}

export class Account {
  readonly #parts: AccountParts;
  readonly #profiles = new Profiles();
  #blocked = new Set<string>();
  /** Questions for the block list that wait for an answer; and it may have changed since they were asked, unheard. */
  #asking = 0;
  #again = false;

  constructor(parts: AccountParts) {
    this.#parts = parts;
  }

  restore(blocked: readonly string[], profiles: readonly Profile[]): void {
    this.#blocked = new Set(blocked);
    this.#profiles.restore(profiles);
  }

  /** Another device may have changed the block list while there was no connection, or that was told and lost. */
  up(): void {
    // The answer to one that waits may be on its way, from before.
    this.#again = this.#asking > 0;
    if (!this.#again) this.blocks().catch(() => {});
  }

  down(): void {
    this.#profiles.down();
  }

  async devices(): Promise<Device[]> {
    const [devices] = await this.#parts.ask((r) => ({ type: T.DEVICES, r }));
    return listOf(devices, 'DEVICES').map((row) => {
      const [device, name, firstSeen, lastSeen, online] = listOf(row, 'a device');
      const id = textOf(device, 'a device');
      return {
        device: id,
        name: textOf(name, 'the name of a device', ''),
        firstSeen: countOf(firstSeen, 'the time of a device', 0),
        lastSeen: countOf(lastSeen, 'the time of a device', 0),
        online: flagOf(online, 'a device'),
        current: id === this.#parts.device,
      };
    });
  }

  async renameDevice(device: string, name: string): Promise<void> {
    await this.#parts.ask((r) => ({ type: T.DEVICE, r, device, op: DEVICE_OP.rename, name }));
  }

  async removeDevice(device: string): Promise<void> {
    await this.#parts.ask((r) => ({ type: T.DEVICE, r, device, op: DEVICE_OP.remove, name: '' }));
  }

  /** What is known here, where the server has not said otherwise since it was asked for; without connection too. */
  async profile(user: string, online: boolean): Promise<Profile> {
    const known = this.#profiles.get(user);
    if (this.#profiles.fresh(user) || (!online && known.version > 0)) return known;
    const results = await this.#parts.ask((r) => ({ type: T.PROFILE, r, user, version: known.version }));
    return this.#keep(profileOf(user, results, known));
  }

  /** Sets what is given of one's own profile and leaves the rest. */
  async setProfile(change: Partial<Omit<Profile, 'user' | 'version'>>): Promise<Profile> {
    const { me } = this.#parts;
    this.#profiles.changed(me);
    const next = { ...emptyProfile(me), ...(await this.profile(me, true)), ...change };
    const { name, avatar, about, fields } = next;
    const [version] = await this.#parts.ask((r) => ({ type: T.DESCRIBE, r, name, avatar, about, fields }));
    return this.#keep({ ...next, version: countOf(version, 'the version of a profile') });
  }

  profiled(user: string): void {
    this.#profiles.changed(user);
  }

  async privacy(audience: Audience | null): Promise<Audience> {
    const asked = audience === null ? null : AUDIENCE[audience];
    const [answer] = await this.#parts.ask((r) => ({ type: T.PRIVACY, r, audience: asked }));
    return AUDIENCES[countOf(answer, 'PRIVACY')] ?? 'nobody';
  }

  async block(user: string, on: boolean): Promise<void> {
    await this.#parts.ask((r) => ({ type: T.BLOCK, r, user, on }));
    this.blockedIs(user, on);
  }

  /** This or another device changed the block list. Returns whether it is news. */
  blockedIs(user: string, on: boolean): boolean {
    if (this.#blocked.has(user) === on) return false;
    if (on) this.#blocked.add(user);
    else this.#blocked.delete(user);
    this.#note();
    return true;
  }

  get blocked(): ReadonlySet<string> {
    return this.#blocked;
  }

  /** Asks the server. */
  async blocks(): Promise<string[]> {
    this.#asking += 1;
    const [users] = await this.#parts
      .ask((r) => ({ type: T.BLOCKS, r }))
      .finally(() => {
        this.#asking -= 1;
        if (this.#asking === 0 && this.#again) this.up();
      });
    const blocked = textsOf(users, 'BLOCKS');
    const same = blocked.length === this.#blocked.size && blocked.every((user) => this.#blocked.has(user));
    this.#blocked = new Set(blocked);
    if (!same) this.#note();
    return blocked;
  }

  #note(): void {
    this.#parts.flusher.note({ type: 'blocked', users: [...this.#blocked] });
  }

  #keep(profile: Profile): Profile {
    const { user } = profile;
    const gone = this.#profiles.set(profile);
    if (profile.version > 0) this.#parts.flusher.note({ type: 'profile', user, profile });
    if (gone !== undefined) this.#parts.flusher.note({ type: 'profile', user: gone, profile: null });
    return profile;
  }
}
