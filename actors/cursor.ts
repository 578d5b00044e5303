// Owns the words for how far somebody is in a chat: delivered up to, read up to.
// Invariant: positions are cumulative; a device's says what it has, a user's the furthest of all devices.
// Must not: hold behaviour.

/** What one device of a member has said. */
export interface DevicePosition {
  readonly user: string;
  readonly device: string;
  readonly delivered: number;
  readonly read: number;
}

/** How far a member is, as the others are told. */
export interface Cursor {
  readonly user: string;
  /** The device that moved it; '' if more than one did. */
  readonly device: string;
  readonly delivered: number;
  readonly read: number;
}
