// Owns what may be done with a user's devices: register, name, remove, list.
// Invariant: a device that was removed comes back only with a token issued after its removal; a user has a bounded number
// of devices, and of removed ones that are remembered: what is forgotten leaves a time behind, up to which tokens are not
// taken from devices that are not registered.
// Must not: know connections (user.ts), or append (account.ts).

import { type AccountRow, type DeviceRow, decodeDevice, encodeDevice } from '../storage/account-rows.js';
import { deviceKey, deviceRange, nameInKey } from '../storage/keys.js';
import type { Store, Write } from '../storage/store.js';
import type { Decision } from './account.js';
import { type Refusal, refuse } from './errors.js';
import { LIMITS } from './limits.js';

/** What is to be written, before anybody is told. */
export type Planned = Omit<Decision, 'done'>;

const NOTHING: Planned = { writes: [] };

export async function readDevices(store: Store, user: string): Promise<Map<string, DeviceRow>> {
  const { rows } = await store.range({ ...deviceRange(user), limit: LIMITS.deviceRows });
  return new Map(rows.map(({ key, value }) => [nameInKey(key), decodeDevice(value)]));
}

function write(user: string, device: string, row: DeviceRow): Write {
  return { key: deviceKey(user, device), value: encodeDevice(row) };
}

/** A device connects with a token issued at `issued` (wall ms; 0: it does not say). `now`: wall ms. */
export function registerDevice(
  user: string,
  device: string,
  issued: number,
  now: number,
  devices: ReadonlyMap<string, DeviceRow>,
  account: AccountRow,
): Planned | Refusal {
  const known = devices.get(device);
  const barred = known === undefined ? account.floor : known.barred;
  if (issued <= barred && barred > 0) return refuse('device_removed', 'the device was removed; get a new token');
  // Nothing to write: it may come in to read, also while the disk is full.
  if (known !== undefined && !known.removed) return NOTHING;
  const registered = [...devices.values()].filter(({ removed }) => !removed).length;
  if (registered >= LIMITS.userDevices) {
    return refuse('full', `a user has at most ${LIMITS.userDevices} devices; remove one`);
  }
  const lingers = known?.lingers === true;
  return { writes: [write(user, device, { first: now, last: now, barred, removed: false, lingers, name: '' })] };
}

/** The device is there. Written only where the row is more than `slack` ms behind. */
export function seenDevice(
  user: string,
  device: string,
  slack: number,
  now: number,
  devices: ReadonlyMap<string, DeviceRow>,
): Planned {
  const known = devices.get(device);
  if (known === undefined || known.removed || now - known.last < slack) return NOTHING;
  return { writes: [write(user, device, { ...known, last: now })] };
}

export function renameDevice(
  user: string,
  device: string,
  name: string,
  devices: ReadonlyMap<string, DeviceRow>,
): Planned | Refusal {
  const known = devices.get(device);
  if (known === undefined || known.removed) return refuse('bad_request', 'no such device');
  return known.name === name ? NOTHING : { writes: [write(user, device, { ...known, name })] };
}

/** The row stays, so that old tokens are refused; the longest gone of too many is forgotten. */
export function removeDevice(
  user: string,
  device: string,
  now: number,
  devices: ReadonlyMap<string, DeviceRow>,
  account: AccountRow,
): Planned | Refusal {
  const known = devices.get(device);
  if (known === undefined || known.removed) return refuse('bad_request', 'no such device');
  // It came with a token of before it was last there, also where a clock was set back since, or is another node's.
  const at = Math.max(now, known.last);
  const removed = { first: known.first, last: at, barred: at, removed: true, lingers: true, name: '' };
  const writes = [write(user, device, removed)];
  const gone = [...devices].filter(([, row]) => row.removed).sort(([, a], [, b]) => a.last - b.last);
  let { floor } = account;
  for (const [name, row] of gone.slice(0, Math.max(0, gone.length + 1 - LIMITS.removedDevices))) {
    writes.push({ key: deviceKey(user, name), value: null });
    floor = Math.max(floor, row.barred);
  }
  return floor === account.floor ? { writes } : { writes, account: { floor } };
}

/** No chat holds positions of the device any more. */
export function settleDevice(user: string, device: string, devices: ReadonlyMap<string, DeviceRow>): Planned {
  const known = devices.get(device);
  return known?.lingers === true ? { writes: [write(user, device, { ...known, lingers: false })] } : NOTHING;
}

/** Results of DEVICES. */
export function listDevices(
  devices: ReadonlyMap<string, DeviceRow>,
  online: (device: string) => boolean,
  now: number,
): (string | number)[][] {
  return [...devices]
    .filter(([, { removed }]) => !removed)
    .map(([device, { name, first, last }]) => {
      const here = online(device);
      return [device, name, first, here ? now : last, here ? 1 : 0];
    });
}
