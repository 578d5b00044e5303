// Owns which entries are a device's own changes, by the wire: their CHANGE was answered, or their event came while it was asked for.
// Invariant: one that its application does not live to hear of counts too: the SDK hands its event to nobody.
// Must not: judge.

import type { ChatId, DeviceName } from './record.js';
import type { Seen } from './sights.js';

/** The frame CHANGE (docs/wire.md §4). */
const CHANGE = 9;

export class OwnChanges {
  /** By device, the ids of what its present life asked for. */
  readonly #asked = new Map<DeviceName, Set<string>>();

  /** The device starts: what an earlier life asked for, this one does not know. */
  begin(device: DeviceName): void {
    this.#asked.delete(device);
  }

  /** A change of the device's own that this says to be in the log. */
  hear({ tap: { device }, way, what }: Seen): { readonly chat: ChatId; readonly seq: number } | null {
    if (way === 'in') {
      if (what.kind !== 'ask' || what.asked.type !== CHANGE) return null;
      const [, id] = what.asked.fields;
      if (!(id instanceof Uint8Array)) return null;
      const ids = this.#asked.get(device) ?? new Set();
      this.#asked.set(device, ids.add(Buffer.from(id).toString('hex')));
      return null;
    }
    if (what.kind === 'entry') {
      const { chat, seq, id } = what.entry;
      return this.#asked.get(device)?.has(id) === true ? { chat, seq } : null;
    }
    if (what.kind !== 'ok' || what.asked.type !== CHANGE) return null;
    return { chat: String(what.asked.fields[0]), seq: Number(what.results[0]) };
  }
}
