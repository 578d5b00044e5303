// Owns the form of a history's plan: who takes part, under which options, and what is done when.
// Invariant: plain data, JSON and back; a plan with any of its steps left out is a plan (shrinking does that), so no step
// relies on another having been there: one that makes no sense when its time comes is passed over.
// Must not: draw (plan-*.ts do), or run anything.

import type { DeviceName } from './record.js';

export interface Plan {
  readonly seed: number;
  readonly options: Options;
  /** Each with its devices, named as in the record. */
  readonly users: readonly { readonly user: string; readonly devices: readonly DeviceName[] }[];
  /** In order of `at`. */
  readonly steps: readonly Step[];
  /** Virtual ms at which faults stop: every device is started, every link healed, every disk well. */
  readonly calmAt: number;
  /** Virtual ms after that within which the world must be at rest. */
  readonly restWithin: number;
  /** Absent: one node, on a disk of its own. */
  readonly cluster?: ClusterPlan;
}

/** Several nodes (`n1`, `n2`, …) on one store. */
export interface ClusterPlan {
  /** Nodes that there are at first, and those that may join. */
  readonly nodes: number;
  readonly spare: number;
  /** For how many processes a node is of an earlier build, by its name. */
  readonly earlier: Readonly<Record<string, number>>;
  /** Where each device connects, as long as somebody is there. */
  readonly homes: Readonly<Record<DeviceName, string>>;
  /** ms of a frame's way between nodes, and of a request's to the store. */
  readonly wires: Span;
  readonly store: Span;
  /** ms after which a request to the store is given up. */
  readonly patience: number;
  /** Of each commit: chance that it is carried out long after its answer `unknown`, and that its answer is lost. */
  readonly late: number;
  readonly lost: number;
  /** ms after which actors leave memory. */
  readonly passivateMs: number;
}

/** From … to, both included, drawn evenly unless said otherwise. */
export type Span = readonly [from: number, to: number];

/** What holds for the whole history; drawn anew for each seed, so that histories differ in kind (swarm testing, Groce et al. 2012). */
export interface Options {
  readonly retention: 'forever' | 'until-delivered' | 'age';
  /** Of `age`: ms. */
  readonly retentionMs: number;
  /** Members above which a group is large. */
  readonly fanOutThreshold: number;
  /** Rates of docs/wire.md §7 hold; else they are too high to be met. */
  readonly quotas: boolean;
  /** ms of a frame's way, each direction. */
  readonly latency: Span;
  /** ms from a commit to its flush. */
  readonly flush: Span;
  /** ms of a read of the disk. [0, 0]: at once. */
  readonly diskRead: Span;
  /** Of each commit: chance of each fault, 0 to 1. */
  readonly commitFaults: Readonly<Record<CommitFault, number>>;
  /** Chance that a site of the product's `buggify` is active in this history, and that an active one fires when asked. */
  readonly buggify: { readonly active: number; readonly fires: number };
  /** The SDK's options. */
  readonly credit: number;
  readonly pipeline: number;
  readonly backfill: number;
  /** ms that a listener takes with a message, and the chance that it takes them. */
  readonly handling: Span;
  readonly slowHandler: number;
  /** Chance that a listener says `read` at once. */
  readonly readAtOnce: number;
}

export type CommitFault = 'conflict' | 'unknown_applied' | 'unknown_dropped' | 'store_full' | 'store_unavailable';

/** `at`: virtual ms since the history began. */
export type Step = { readonly at: number } & (Deed | Request | Trouble | ClusterTrouble);

/**
 * What applications do. `chat`: `direct:<a>:<b>` (users in order of their names) or a group's name (`g1`), known since its `create` was
 * answered. `pick` (0 to 1, 1 excluded) chooses one of the numbers that this device has been shown, or was told as sent.
 */
export type Deed =
  /** Opens the SDK on the device's store; does nothing while it is open. */
  | { readonly do: 'start'; readonly device: DeviceName }
  | { readonly do: 'close'; readonly device: DeviceName }
  /** `body` and its padding to `size` bytes. */
  | {
      readonly do: 'send';
      readonly device: DeviceName;
      readonly chat: string;
      readonly body: string;
      readonly size: number;
    }
  | { readonly do: 'read'; readonly device: DeviceName; readonly chat: string; readonly pick: number }
  | { readonly do: 'typing'; readonly device: DeviceName; readonly chat: string; readonly on: boolean }
  | { readonly do: 'watch'; readonly device: DeviceName; readonly chat: string; readonly on: boolean };

/** Requests of applications; each makes a fact `asked` with `what: do`, and one `answered`. */
export type Request =
  | { readonly do: 'create'; readonly device: DeviceName; readonly chat: string; readonly users: readonly string[] }
  | {
      readonly do: 'add' | 'remove' | 'promote' | 'demote' | 'pass_ownership' | 'decline';
      readonly device: DeviceName;
      readonly chat: string;
      readonly users: readonly string[];
    }
  | { readonly do: 'leave' | 'history' | 'info' | 'clear'; readonly device: DeviceName; readonly chat: string }
  | { readonly do: 'rename'; readonly device: DeviceName; readonly chat: string; readonly title: string }
  /** `value`: of `announce` and the marks 0 or 1; of `expiry` seconds; of `invite` 0 off, 1 open, 2 approval; of `mute` wall ms. */
  | {
      readonly do: 'announce' | 'expiry' | 'invite' | 'pin' | 'archive' | 'mark_unread' | 'mute';
      readonly device: DeviceName;
      readonly chat: string;
      readonly value: number;
    }
  /** By the newest link that anybody was given for this group. */
  | { readonly do: 'join'; readonly device: DeviceName; readonly chat: string }
  | {
      readonly do: 'delete_for_all' | 'delete_for_me' | 'receipts';
      readonly device: DeviceName;
      readonly chat: string;
      readonly pick: number;
    }
  /** A removed one gets a new token (issued at least a second later) with its next `start`, on an empty store. */
  | { readonly do: 'remove_device'; readonly device: DeviceName; readonly which: DeviceName }
  | { readonly do: 'block' | 'unblock'; readonly device: DeviceName; readonly user: string }
  | { readonly do: 'privacy'; readonly device: DeviceName; readonly value: number }
  | { readonly do: 'profile'; readonly device: DeviceName; readonly title: string }
  | { readonly do: 'chats' | 'devices'; readonly device: DeviceName };

/** What happens to them. Everything with `ms` heals by itself after that time, or when the calm begins. */
export type Trouble =
  /** The client's process dies; its store keeps `keep` (0 to 1) of the writes that are not durable yet. */
  | { readonly do: 'kill'; readonly device: DeviceName; readonly keep: number }
  /** No network: the link breaks (as `cut` with both sides told), and dialling fails. */
  | { readonly do: 'offline'; readonly device: DeviceName; readonly ms: number }
  /** The link breaks once `after` more bytes have passed in either direction; 0: now. Both sides are told. */
  | { readonly do: 'cut'; readonly device: DeviceName; readonly after: number }
  /** The link is dead and only `told` learns it; the other finds out by its own means. */
  | { readonly do: 'half_open'; readonly device: DeviceName; readonly told: 'client' | 'node' | 'nobody' }
  /** The client's side stops taking bytes. */
  | { readonly do: 'stop_reading'; readonly device: DeviceName; readonly ms: number }
  | { readonly do: 'slow_link'; readonly device: DeviceName; readonly ms: number; readonly latency: number }
  /** The device's store rejects writes. */
  | { readonly do: 'client_store_fails'; readonly device: DeviceName; readonly ms: number }
  /** A second application of the same device and token, with an empty store, connects and takes over, then goes. */
  | { readonly do: 'takeover'; readonly device: DeviceName }
  /** kill -9, up again after `ms`; the disk keeps `keep` (0 to 1) of the groups that are not flushed. */
  | { readonly do: 'crash_node'; readonly keep: number; readonly ms: number }
  /** An ordered stop, as by SIGTERM; up again `ms` after its end. */
  | { readonly do: 'stop_node'; readonly ms: number }
  /** SIGSTOP and SIGCONT: its events are held back, its clocks go on. */
  | { readonly do: 'freeze_node'; readonly ms: number }
  | { readonly do: 'stall_disk' | 'fill_disk' | 'break_disk'; readonly ms: number }
  /** The next `count` commits meet this. */
  | { readonly do: 'fail_commits'; readonly fault: CommitFault; readonly count: number }
  /** A crash at the next event of this kind, rather than at a time: right before or after the `count`-th from now. */
  | {
      readonly do: 'crash_at';
      readonly event: 'flush' | 'commit' | 'out';
      readonly count: number;
      readonly keep: number;
      readonly ms: number;
    }
  /** The actors of all chats are killed, at the `count`-th of these events from now. */
  | { readonly do: 'end_chats'; readonly event: 'flush' | 'commit' | 'out'; readonly count: number }
  /** The node's wall clock jumps. */
  | { readonly do: 'jump_clock'; readonly ms: number }
  | { readonly do: 'hostile'; readonly kind: Hostile; readonly user: string; readonly count: number };

/** What happens to the nodes of a cluster and what is between them. Times as in Trouble. */
export type ClusterTrouble =
  /** kill -9, up again after `ms`. `vanish`: its machine goes, and no connection is told. */
  | { readonly do: 'kill_member'; readonly node: string; readonly ms: number; readonly vanish: boolean }
  /** The same, at an event rather than at a time. */
  | {
      readonly do: 'kill_member_at';
      readonly node: string;
      readonly event: 'flush' | 'commit' | 'out';
      readonly count: number;
      readonly ms: number;
    }
  /** As by SIGTERM; up again `ms` after its end. */
  | { readonly do: 'stop_member'; readonly node: string; readonly ms: number }
  | { readonly do: 'freeze_member'; readonly node: string; readonly ms: number }
  /** What the store's `count`-th answer from then on says is old when its node acts on it: it stands still, or what it says then is held up. */
  | { readonly do: 'stale_store'; readonly how: 'freeze' | 'part'; readonly count: number; readonly ms: number }
  /** Its shards go to others, for `ms`. */
  | { readonly do: 'drain_member'; readonly node: string; readonly ms: number }
  /** A spare node starts. */
  | { readonly do: 'join'; readonly node: string }
  | { readonly do: 'jump_member_clock'; readonly node: string; readonly ms: number }
  /** Nothing of `node` reaches `to`, for `ms`; `both`: nor the other way. */
  | { readonly do: 'part'; readonly node: string; readonly to: string; readonly ms: number; readonly both: boolean }
  /** Wires between two nodes break; `deaf`: one of them does not learn it. */
  | { readonly do: 'cut_wires'; readonly node: string; readonly to: string; readonly deaf: boolean }
  /** All wires of a node (`*`: of all) break, `after` ms from such an event. */
  | {
      readonly do: 'cut_wires_at';
      readonly node: string;
      readonly event: 'flush' | 'commit' | 'out';
      readonly count: number;
      readonly after: number;
    }
  | {
      readonly do: 'slow_wires';
      readonly node: string;
      readonly to: string;
      readonly ms: number;
      readonly latency: number;
    }
  /** Somebody says to `to` what `node` said on an earlier wire. */
  | { readonly do: 'replay_wire'; readonly node: string; readonly to: string }
  /** Nothing of the node reaches the store (`to`), or nothing of the store the node. */
  | { readonly do: 'part_store'; readonly node: string; readonly way: 'to' | 'from'; readonly ms: number }
  | { readonly do: 'stall_store'; readonly ms: number }
  | { readonly do: 'crash_store'; readonly keep: number; readonly ms: number }
  /** The next `count` commits of the node ('*': of any) meet this. */
  | {
      readonly do: 'fail_store';
      readonly node: string;
      readonly fault: Exclude<CommitFault, 'store_full'> | 'late' | 'lost';
      readonly count: number;
    };

/** A client that is not ours, with a valid token of `user` for a device of its own (none where it needs none). */
export type Hostile =
  /** Random bytes, before HELLO and after it. */
  | 'noise'
  /** Well-formed frames in senseless order, with numbers out of bounds, aliases and chats that do not exist. */
  | 'nonsense'
  /** More SENDs at once than the window has. */
  | 'overrun'
  /** Has and has read what is not there yet, in every chat of its user. */
  | 'boaster'
  /** Reads nothing and asks for much. */
  | 'glutton'
  /** Connects again and again. */
  | 'knocking';
