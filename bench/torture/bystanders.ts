// Owns what becomes of those whose own connection holds: whether they are told what was acknowledged just before somebody else's node died.
// Invariant: a device counts as long as it has the very connection of that moment; whoever connects anew asks for what it lacks, which
// proves nothing here.
// Must not: touch nodes, or wait.

import type { Ack, Violation } from './checker.js';
import type { Device } from './device.js';

/** What is looked at of a device. */
export type Bystander = Pick<Device, 'user' | 'name' | 'online' | 'connections' | 'heard'>;

interface Expectation {
  readonly device: Bystander;
  readonly connections: number;
  readonly chat: string;
  readonly seq: number;
}

export class Bystanders {
  #waiting: Expectation[] = [];
  /** Expectations that came true. */
  told = 0;

  /** `members`: the users of a message's chat. Devices that are not online now are left out. */
  constructor(devices: readonly Bystander[], acks: readonly Ack[], members: (body: string) => readonly string[]) {
    const byUser = new Map<string, Bystander[]>();
    for (const device of devices) {
      if (device.online) byUser.set(device.user, [...(byUser.get(device.user) ?? []), device]);
    }
    const newest = new Map<string, Expectation>();
    for (const { chat, device: sender, seq, body } of acks) {
      for (const device of members(body).flatMap((user) => byUser.get(user) ?? [])) {
        if (device.name === sender) continue;
        const key = `${device.name} ${chat}`;
        if (seq <= (newest.get(key)?.seq ?? 0)) continue;
        newest.set(key, { device, connections: device.connections, chat, seq });
      }
    }
    this.#waiting = [...newest.values()];
  }

  /** Nobody waits any more. */
  done(): boolean {
    this.#waiting = this.#waiting.filter(({ device, connections, chat, seq }) => {
      if (device.connections !== connections) return false;
      if ((device.heard.get(chat) ?? 0) < seq) return true;
      this.told += 1;
      return false;
    });
    return this.#waiting.length === 0;
  }

  /** Of those who wait still. */
  violations(after: string): Violation[] {
    return this.#waiting.map(({ device, chat, seq }) => {
      const heard = device.heard.get(chat) ?? 0;
      return {
        rule: 'untold',
        chat,
        detail: `${device.name} stayed connected, and after a ${after} heard ${heard} of ${seq}`,
      };
    });
  }
}
