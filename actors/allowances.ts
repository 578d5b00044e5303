// Owns what each user, device and address may still do: token buckets of the whole node, by what they count and for whom; and who may come
// in at all (arrivals.ts).
// Invariant: soft state of this node, bounded: a bucket that is full again is forgotten first, then the longest known.
// Must not: decide what is told to whom was refused.

import { Arrivals } from './arrivals.js';
import { FULL, type Rate, take, wait } from './bucket.js';
import { LIMITS } from './limits.js';
import type { World } from './world.js';

/** What operators may set of it; 0 everywhere: no limit. */
export interface Quotas {
  /** SENDs a second of one device, and of all devices of a user. */
  readonly deviceSends: number;
  readonly userSends: number;
  /** Direct chats that a user begins, and groups that a user makes, in an hour. */
  readonly newDirects: number;
  readonly newGroups: number;
  /** Groups that a user is in. */
  readonly userGroups: number;
  /** Frames a second of one connection. */
  readonly frameRate: number;
  /** New connections a second of one user. */
  readonly logins: number;
  /** Refused tokens a second of one address. */
  readonly badLogins: number;
  /** HTTP requests a second of one address. */
  readonly requests: number;
  /** Connections of one address, and new ones in a minute. */
  readonly addressConnections: number;
  /** Whether limits of an address hold for this machine's own: behind a proxy everybody may have it. */
  readonly loopback: boolean;
}

export const DEFAULT_QUOTAS: Quotas = {
  deviceSends: LIMITS.deviceSends,
  userSends: LIMITS.userSends,
  newDirects: LIMITS.newDirects,
  newGroups: LIMITS.newGroups,
  userGroups: LIMITS.userGroups,
  frameRate: LIMITS.frameRate,
  logins: LIMITS.logins,
  badLogins: LIMITS.badLogins,
  requests: LIMITS.requests,
  addressConnections: LIMITS.addressConnections,
  loopback: false,
};

const SECOND = 1_000;
const HOUR = 3_600_000;

/** A burst of a second's worth at least: a rate that is set high would not be reached otherwise. */
function rate(each: number, ms: number, burst: number): Rate {
  return each === 0 ? { every: 0, burst } : { every: ms / each, burst: Math.max(burst, ms === SECOND ? each : 1) };
}

function rates(quotas: Quotas) {
  const { deviceSends, userSends, newDirects, newGroups, frameRate, logins, badLogins, requests } = quotas;
  const { addressConnections } = quotas;
  return {
    deviceSends: rate(deviceSends, SECOND, LIMITS.sendBurst),
    userSends: rate(userSends, SECOND, LIMITS.sendBurst),
    newDirects: rate(newDirects, HOUR, newDirects),
    newGroups: rate(newGroups, HOUR, newGroups),
    frameRate: rate(frameRate, SECOND, LIMITS.frameBurst),
    logins: rate(logins, SECOND, LIMITS.loginBurst),
    badLogins: rate(badLogins, SECOND, LIMITS.badLoginBurst),
    requests: rate(requests, SECOND, LIMITS.requestBurst),
    connects: rate(addressConnections, 60 * SECOND, Math.max(addressConnections, LIMITS.badLoginBurst)),
  } as const;
}

type Counted = keyof ReturnType<typeof rates>;

/** The buckets of one kind, longest known first. */
class Table {
  readonly rate: Rate;
  readonly #full = new Map<string, number>();

  constructor(of: Rate) {
    this.rate = of;
  }

  get size(): number {
    return this.#full.size;
  }

  get(key: string): number {
    return this.#full.get(key) ?? FULL;
  }

  set(key: string, full: number, now: number): void {
    if (!this.#full.has(key)) this.#makeRoom(now);
    this.#full.set(key, full);
  }

  wait(key: string, now: number): number {
    return wait(this.get(key), this.rate, now);
  }

  take(key: string, now: number): void {
    this.set(key, take(this.get(key), this.rate, now), now);
  }

  /** Looks at two old ones for each new one, so that those that are full again go without a search. */
  #makeRoom(now: number): void {
    let looks = 2;
    for (const [key, full] of this.#full) {
      this.#full.delete(key);
      if (full > now && this.#full.size < LIMITS.allowances - 1) this.#full.set(key, full);
      looks -= 1;
      if (looks === 0) return;
    }
  }
}

export class Allowances {
  readonly #world: World;
  readonly #tables: Readonly<Record<Counted, Table>>;
  readonly arrivals: Arrivals;
  readonly refused: Record<Counted | 'addressConnections' | 'arrivals', number> = {
    deviceSends: 0,
    userSends: 0,
    newDirects: 0,
    newGroups: 0,
    frameRate: 0,
    logins: 0,
    badLogins: 0,
    requests: 0,
    connects: 0,
    addressConnections: 0,
    arrivals: 0,
  };

  constructor(world: World, quotas: Quotas) {
    this.#world = world;
    this.arrivals = new Arrivals(world);
    const of = rates(quotas);
    this.#tables = {
      deviceSends: new Table(of.deviceSends),
      userSends: new Table(of.userSends),
      newDirects: new Table(of.newDirects),
      newGroups: new Table(of.newGroups),
      frameRate: new Table(of.frameRate),
      logins: new Table(of.logins),
      badLogins: new Table(of.badLogins),
      requests: new Table(of.requests),
      connects: new Table(of.connects),
    };
  }

  /** What a connection's frames count by: it keeps the bucket itself, as no other uses it (meter.ts). */
  get frames(): Rate {
    return this.#tables.frameRate.rate;
  }

  /** The bucket that a device's earlier connection left. */
  resume(device: string): number {
    return this.#tables.frameRate.get(device);
  }

  /** A connection ends. */
  leave(device: string, full: number): void {
    const now = this.#world.now();
    if (full > now) this.#tables.frameRate.set(device, full, now);
  }

  /** Buckets remembered. */
  get size(): number {
    return Object.values(this.#tables).reduce((sum, { size }) => sum + size, 0);
  }

  /** Whole ms until `what` is allowed to `who` once more; 0: now. */
  wait(what: Counted, who: string): number {
    const table = this.#tables[what];
    if (table.rate.every === 0) return 0;
    const ms = Math.ceil(table.wait(who, this.#world.now()));
    if (ms > 0) this.refused[what] += 1;
    return ms;
  }

  /** It was done. */
  take(what: Counted, who: string): void {
    const table = this.#tables[what];
    if (table.rate.every > 0) table.take(who, this.#world.now());
  }

  /** Takes it if it is allowed: 0; else ms until it is. */
  claim(what: Counted, who: string): number {
    const ms = this.wait(what, who);
    if (ms === 0) this.take(what, who);
    return ms;
  }
}
