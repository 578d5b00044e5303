// Owns what one user's actor does with what is asked of its user's own rows: devices that register, requests of clients.
// Invariant: a request is answered once, when what it changed is durable; who asked and the user's other devices are told
// after that.
// Must not: hold connections (user.ts does), or know how rows are written (account.ts).

import type { AccountRow, DeviceRow } from '../storage/account-rows.js';
import { chatKey, directChat } from '../storage/keys.js';
import { DEVICE_OP, type Plain, T } from '../transport/frames.js';
import { Account, type Decision } from './account.js';
import { setBlock } from './blocks.js';
import {
  listDevices,
  type Planned,
  readDevices,
  registerDevice,
  removeDevice,
  renameDevice,
  seenDevice,
  settleDevice,
} from './devices.js';
import { Errands } from './errand.js';
import type { Refusal } from './errors.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import { setMark } from './marks.js';
import type {
  AccountFrame,
  Asker,
  ConnectionMessage,
  ConnectionRef,
  MarkRequest,
  Registration,
  UserMessage,
} from './messages.js';
import { setProfile, tellProfile } from './profile.js';
import { removal, removalOf } from './removal.js';
import type { UserContext } from './user.js';

/** The user's connections. */
/** A connection that registers. */
export type Arrival = Extract<UserMessage, { type: 'register' }>;

export interface Home {
  /** The device is on record: from now on the connection is told of everything. False: the device has a newer one. */
  admit(arrival: Arrival, context: UserContext): boolean;
  online(device: string): boolean;
  /** The user chose who may see whether it is online. */
  privacy(audience: number): void;
  /** The user and the other block each other from now on, or that may have ended. */
  blocked(other: string, on: boolean, context: UserContext): void;
  /** Tells all connections, or that of one device, but for `except`. */
  tell(message: ConnectionMessage, device: string | null, except: ConnectionRef | null): void;
}

type Devices = ReadonlyMap<string, DeviceRow>;

export class Desk {
  readonly account: Account;
  readonly errands: Errands;
  readonly #fabric: Fabric;
  readonly #user: string;
  readonly #home: Home;
  /** Version of the profile that is being told. */
  #profile = 0;
  /** Removed devices that are still connected. */
  readonly #leaving = new Set<string>();

  constructor(fabric: Fabric, user: string, home: Home) {
    this.#fabric = fabric;
    this.#user = user;
    this.#home = home;
    this.account = new Account(fabric, user);
    this.errands = new Errands(fabric, user);
  }

  get idle(): boolean {
    return this.account.idle && this.errands.idle && this.#leaving.size === 0;
  }

  // ---- devices ----

  register(message: Arrival, context: UserContext): void {
    const { device, issued, connection, round } = message;
    const answer = (registration: Registration): void =>
      void connection.tell({ type: 'registered', round, registration });
    this.#devices(
      answer,
      (devices, account) => registerDevice(this.#user, device, issued, this.#now, devices, account),
      (devices, later) => {
        if (!this.#home.admit(message, later)) return void connection.tell({ type: 'replaced' });
        answer(null);
        const last = devices.get(device)?.last ?? this.#now;
        if (this.#now - last >= LIMITS.seenMs) this.#seen(device, LIMITS.seenMs, later);
        // Left so by a life that ended before it was done.
        this.#leaving.delete(device);
        for (const [name, { lingers }] of devices) {
          if (lingers && !this.errands.has(removalOf(name))) this.#drop(name, later);
        }
      },
      context,
    );
  }

  /** The connection of the device has ended. */
  left(device: string, context: UserContext): void {
    this.#seen(device, LIMITS.seenSlackMs, context);
    // Not before: what it still acknowledged would bring its positions back.
    if (this.#leaving.delete(device)) this.#drop(device, context);
  }

  /** Where it cannot be written, what is listed is older than it might be. */
  #seen(device: string, slack: number, context: UserContext): void {
    const nobody = (): void => undefined;
    const seen = (devices: Devices): Planned => seenDevice(this.#user, device, slack, this.#now, devices);
    this.#devices(nobody, seen, nobody, context);
  }

  /** Has the chats forget how far the device is; where no row says it any more, that goes on record. */
  #drop(device: string, context: UserContext): void {
    const nobody = (): void => undefined;
    const settle = (later: UserContext): void =>
      this.#devices(nobody, (devices) => settleDevice(this.#user, device, devices), nobody, later);
    this.errands.add(
      removal(this.#fabric, this.#user, device, () => this.#home.online(device), settle),
      context,
    );
  }

  #devices(
    refuse: (refusal: Refusal) => void,
    plan: (devices: Devices, account: AccountRow) => Planned | Refusal,
    done: (devices: Devices, context: UserContext) => void,
    context: UserContext,
  ): void {
    const decide = async (account: AccountRow): Promise<Decision | Refusal> => {
      const devices = await readDevices(this.#fabric.store, this.#user);
      const planned = plan(devices, account);
      return 'code' in planned ? planned : { ...planned, done: (later) => done(devices, later) };
    };
    this.account.add({ decide, refuse }, context);
  }

  // ---- requests ----

  request(asker: Asker, frame: AccountFrame, context: UserContext): void {
    switch (frame.type) {
      case T.DEVICES:
        return this.#devices(
          refuses(asker),
          () => ({ writes: [] }),
          (devices) => answer(asker, [listDevices(devices, (device) => this.#home.online(device), this.#now)]),
          context,
        );
      case T.DEVICE:
        return frame.op === DEVICE_OP.rename
          ? this.#rename(asker, frame, context)
          : this.#remove(asker, frame, context);
      case T.BLOCK:
        return this.#block(asker, frame, context);
      case T.DESCRIBE:
        return this.#describe(asker, frame, context);
      case T.MARK:
        return this.#mark(asker, frame, context);
      case T.PRIVACY:
        return this.#privacy(asker, frame.audience, context);
    }
  }

  /** Decides, and answers when it is durable. */
  #ask(
    asker: Asker,
    plan: (account: AccountRow) => Promise<Planned | Refusal>,
    results: readonly Plain[],
    done: (planned: Planned, context: UserContext) => void,
    context: UserContext,
  ): void {
    const decide = async (account: AccountRow): Promise<Decision | Refusal> => {
      const planned = await plan(account);
      if ('code' in planned) return planned;
      const finish = (later: UserContext): void => {
        // Before the answer: what the client does next finds it done.
        done(planned, later);
        answer(asker, results);
      };
      return { ...planned, done: finish };
    };
    this.account.add({ decide, refuse: refuses(asker) }, context);
  }

  #block(asker: Asker, { user: other, on }: Extract<AccountFrame, { type: 25 }>, context: UserContext): void {
    const { store, chats, users } = this.#fabric;
    const user = this.#user;
    const plan = (account: AccountRow): Promise<Planned | Refusal> =>
      setBlock(store, user, other, on, this.#now, account);
    const done = ({ writes }: Planned, later: UserContext): void => {
      // Who is not awake reads it when it wakes. Also where it stands so already: this actor may have broken off with it on its way,
      // before anybody was told, and the client asks again.
      const blocked = { type: 'blocked', user, on } as const;
      chats.lookup(chatKey(directChat(user, other)))?.tell(blocked);
      users.lookup(other)?.tell(blocked);
      this.#home.blocked(other, on, later);
      if (writes.length > 0) this.#home.tell({ type: 'blocked', user: other, on }, null, asker.connection);
    };
    this.#ask(asker, plan, [], done, context);
  }

  #describe(asker: Asker, frame: Extract<AccountFrame, { type: 23 }>, context: UserContext): void {
    const decide = async (account: AccountRow): Promise<Decision | Refusal> => {
      const set = await setProfile(this.#fabric.store, this.#user, frame, this.#now, account);
      if ('code' in set) return set;
      const { writes, version } = set;
      const done = (later: UserContext): void => {
        answer(asker, [version]);
        if (writes.length === 0) return;
        this.#profile = version;
        this.#home.tell({ type: 'profiled', user: this.#user, version }, null, asker.connection);
        this.errands.add(
          tellProfile(this.#fabric, this.#user, () => this.#profile),
          later,
        );
      };
      return { ...set, done };
    };
    this.account.add({ decide, refuse: refuses(asker) }, context);
  }

  #mark(asker: Asker, frame: MarkRequest, context: UserContext): void {
    const decide = async (account: AccountRow): Promise<Decision | Refusal> => {
      const marked = await setMark(this.#fabric.store, this.#user, frame, account);
      if ('code' in marked) return marked;
      const { writes, marks } = marked;
      const done = (): void => {
        // Also who asked: what is being read for it may be out of date, and it may have given up waiting for the answer.
        if (writes.length > 0) this.#home.tell({ type: 'marked', chat: frame.chat, marks }, null, null);
        answer(asker, [marks.version]);
      };
      return { ...marked, done };
    };
    this.account.add({ decide, refuse: refuses(asker) }, context);
  }

  /** `audience`: null only asks. */
  #privacy(asker: Asker, audience: number | null, context: UserContext): void {
    if (audience === null) {
      const decide = async (account: AccountRow): Promise<Decision> => ({
        writes: [],
        done: () => answer(asker, [account.audience]),
      });
      return this.account.add({ decide, refuse: refuses(asker) }, context);
    }
    const plan = async (account: AccountRow): Promise<Planned> =>
      account.audience === audience ? { writes: [] } : { writes: [], account: { audience } };
    this.#ask(asker, plan, [audience], () => this.#home.privacy(audience), context);
  }

  #rename(asker: Asker, { device, name }: Extract<AccountFrame, { type: 21 }>, context: UserContext): void {
    const plan = (devices: Devices): Planned | Refusal => renameDevice(this.#user, device, name, devices);
    this.#devices(refuses(asker), plan, () => answer(asker, []), context);
  }

  #remove(asker: Asker, { device }: Extract<AccountFrame, { type: 21 }>, context: UserContext): void {
    this.#devices(
      refuses(asker),
      (devices, account) => removeDevice(this.#user, device, this.#now, devices, account),
      (_, later) => {
        answer(asker, []);
        if (!this.#home.online(device)) return this.#drop(device, later);
        this.#leaving.add(device);
        this.#home.tell({ type: 'removed' }, device, null);
      },
      context,
    );
  }

  get #now(): number {
    return this.#fabric.world.wall();
  }
}

function answer({ connection, r }: Asker, results: readonly Plain[]): void {
  connection.tell({ type: 'answer', r, results });
}

function refuses({ connection, r }: Asker): (refusal: Refusal) => void {
  return (refusal) => void connection.tell({ type: 'refused', r, ...refusal });
}
