// Owns who takes part: users, their devices, who writes to whom; and the chance by which it all happens.
// Invariant: follows from the seed and the number of clients alone.
// Must not: know sessions.

/** Of the rounds, how many kill the node within this many ms of being ready, while clients still come back. */
export const EARLY = { share: 0.25, ms: 150 } as const;
/** ms after traffic is back within which the others kill it. */
export const LATE = 600;
/** Share of the rounds that kill the starting node once more before it is ready. */
export const TWICE = 0.1;
/** Share of the rounds that freeze the node before they kill it. */
export const FROZEN = 0.4;

/** Uniform in [0, 1). mulberry32, by Tommy Ettinger (public domain): small, and good enough to choose with. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface PlannedDevice {
  readonly user: string;
  readonly device: string;
}

export interface PlannedChat {
  readonly kind: 'direct' | 'group';
  /** The first one makes a group. */
  readonly users: readonly string[];
}

export interface Plan {
  readonly users: readonly string[];
  readonly devices: readonly PlannedDevice[];
  readonly chats: readonly PlannedChat[];
}

/** Members above which the node is told to read a group from its own log. */
export const FAN_OUT_THRESHOLD = 24;

/** Devices of one user after another. */
const DEVICES = [1, 1, 2, 1, 3, 1, 2, 1] as const;

/** Groups by their members, one below the threshold's edge and one above it. */
const GROUPS = [3, 3, 3, 3, 5, 5, 5, 8, 8, 12, FAN_OUT_THRESHOLD, 40] as const;

export function plan(clients: number, random: () => number): Plan {
  const users: string[] = [];
  const devices: PlannedDevice[] = [];
  while (devices.length < clients) {
    const user = `u${users.length + 1}`;
    const many = Math.min(DEVICES[users.length % DEVICES.length]!, clients - devices.length);
    users.push(user);
    for (let n = 1; n <= many; n += 1) devices.push({ user, device: `d${n}` });
  }
  const chats: PlannedChat[] = users.map((user, at) => ({
    kind: 'direct',
    users: [user, users[(at + 1) % users.length]!],
  }));
  for (const size of GROUPS) chats.push({ kind: 'group', users: pick(users, size, random) });
  return { users, devices, chats };
}

function pick(from: readonly string[], count: number, random: () => number): string[] {
  const pool = [...from];
  const picked: string[] = [];
  while (picked.length < count && pool.length > 0) {
    picked.push(...pool.splice(Math.floor(random() * pool.length), 1));
  }
  return picked;
}

/** Longest body, in characters: over what one socket write takes. */
const LONG = 24_000;

/** A body that says who wrote it, and as which of the writer's messages in that chat; some are long. */
export function writeBody(device: string, chat: number, count: number, random: () => number): string {
  const length = random() < 0.005 ? random() * LONG : random() * 160;
  return `${device} ${chat} ${count} ${'·weft'.repeat(length / 5)}`;
}

/** `chat`: its place in the plan. */
export function authorOf(
  body: string,
): { readonly device: string; readonly chat: number; readonly count: number } | null {
  const [, device, chat, count] = /^(\S+) (\d+) (\d+) (?:·weft)*$/.exec(body) ?? [];
  return device === undefined ? null : { device, chat: Number(chat), count: Number(count) };
}
