// Owns the record of crashes in one partition of a pool: who crashed, how often, and until when it is left alone.
// Invariant: a budget belongs to one key; at most `LIMITS.crashRecords` keys are kept, and quiet ones expire.
// Must not: read a clock, roll dice, end a cell, or hold a message.
//
// Keys stand in the map in the order of their last crash, so the oldest are at its head.

import { LIMITS } from '../actors/limits.js';
import { type Backoff, delay } from './backoff.js';
import { type Intensity, record, type Window } from './intensity.js';

/** When crashes of *different* keys mean that the partition itself is ill. */
export interface Storm {
  /** Share of the partition's cells, 0 to 1. */
  readonly share: number;
  /** Keys at least, so that a few cells make no storm. */
  readonly least: number;
  /** ms. */
  readonly within: number;
}

export interface CrashRules {
  /** More than this of one key: quarantine. */
  readonly intensity: Intensity;
  readonly backoff: Backoff;
  /** ms. */
  readonly quarantine: number;
  readonly storm: Storm;
}

/** What is known of one key's crashes. */
export interface CrashRecord {
  readonly key: string;
  /** In a row, since the last quiet time. */
  readonly count: number;
  /** Instant (monotonic ms) until which it is not activated. */
  readonly until: number;
  readonly quarantined: boolean;
  /** Name and message of the last error, cut. */
  readonly error: string;
  /** What the pool's `describe` said of the message being handled. */
  readonly message: string | undefined;
}

interface Entry extends CrashRecord {
  readonly window: Window;
  readonly last: number;
}

export class Crashes {
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly rules: CrashRules) {}

  /** Until when `key` must not be activated; `free` also ends a quarantine whose time is over. */
  verdict(key: string, now: number): 'free' | 'resting' | 'quarantined' {
    const entry = this.entries.get(key);
    if (entry === undefined) return 'free';
    if (now < entry.until) return entry.quarantined ? 'quarantined' : 'resting';
    // After a quarantine the key starts with a whole budget: it was given up once, its past was paid for.
    if (entry.quarantined || this.expired(entry, now)) this.entries.delete(key);
    return 'free';
  }

  /** `chance` uniform in [0, 1). */
  crashed(key: string, error: unknown, message: string | undefined, now: number, chance: number): CrashRecord {
    this.expire(now);
    const { intensity, backoff, quarantine } = this.rules;
    const before = this.entries.get(key);
    // Quiet long enough: as if it had never crashed.
    const known = before !== undefined && !this.expired(before, now) ? before : undefined;
    const { window, exceeded } = record(known?.window ?? [], now, intensity);
    const count = (known?.count ?? 0) + 1;
    const pause = exceeded ? quarantine : delay(backoff, count - 1, chance);
    const entry: Entry = {
      key,
      count,
      until: now + pause,
      quarantined: exceeded,
      error: String(error).slice(0, LIMITS.crashText),
      message,
      window,
      last: now,
    };
    this.entries.delete(key);
    this.entries.set(key, entry);
    if (this.entries.size > LIMITS.crashRecords) this.evict();
    return entry;
  }

  /** Lifts a key's quarantine or pause. False: it had none. */
  release(key: string): boolean {
    return this.entries.delete(key);
  }

  /** How many keys crashed within the storm's window if that is too many for a partition with `cells` live cells. */
  storm(cells: number, now: number): number | undefined {
    const { share, least, within } = this.rules.storm;
    let keys = 0;
    for (const entry of this.entries.values()) if (entry.last >= now - within) keys++;
    return keys >= least && keys > share * (cells + keys) ? keys : undefined;
  }

  /** The partition was restarted: what led to that is forgotten, except for what is quarantined. */
  restarted(): void {
    for (const entry of this.entries.values()) if (!entry.quarantined) this.entries.delete(entry.key);
  }

  get(key: string): CrashRecord | undefined {
    return this.entries.get(key);
  }

  list(now: number): CrashRecord[] {
    this.expire(now);
    return [...this.entries.values()];
  }

  /** Drops what is expired at the head; what hides behind a longer quarantine is bounded by the map's limit. */
  private expire(now: number): void {
    for (const entry of this.entries.values()) {
      if (!this.expired(entry, now)) return;
      this.entries.delete(entry.key);
    }
  }

  private expired(entry: Entry, now: number): boolean {
    const { intensity, backoff } = this.rules;
    return now >= entry.until && now - entry.last > Math.max(intensity.within, backoff.stable);
  }

  /** Makes room: the key that has been quiet longest goes, a quarantined one only where all are. */
  private evict(): void {
    let victim: string | undefined;
    for (const entry of this.entries.values()) {
      victim ??= entry.key;
      if (entry.quarantined) continue;
      victim = entry.key;
      break;
    }
    if (victim !== undefined) this.entries.delete(victim);
  }
}
