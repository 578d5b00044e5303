// Owns the figures of a cluster for Prometheus: membership, ownership, links; as this node sees them.
// Invariant: names end in their unit, counters in _total; what is not known at a scrape is left out, not told as 0.
// Must not: be asked on a node alone.

import type { Registry } from 'prom-client';
import type { ClusterStatus } from '../cluster/cluster.js';
import type { LinkStats } from '../cluster/link.js';
import { addFigure, type Say } from './figures.js';
import type { Member } from './member.js';

type Plain = readonly [name: string, help: string, read: (status: ClusterStatus) => number];
type OfMember = readonly [
  name: string,
  help: string,
  read: (member: ClusterStatus['members'][number]) => number | null,
];
type OfLink = readonly [name: string, help: string, read: (link: LinkStats) => number | null];

const PLAIN: readonly Plain[] = [
  ['weft_cluster_members', 'Nodes in the view', ({ members }) => members.length],
  ['weft_cluster_view', 'Number of the view; grows as nodes come and go', ({ view }) => view],
  [
    'weft_lease_lapsed',
    '1 while this node takes no appends, as others may count it out',
    ({ lapsed }) => Number(lapsed),
  ],
  ['weft_shards_owned', 'Shards of this node', ({ shards }) => shards.filter(({ mine }) => mine).length],
  [
    'weft_shards_ownerless',
    'Shards that nobody owns, or on their way',
    ({ shards }) => shards.filter(({ owned }) => !owned).length,
  ],
  ['weft_shards_taken_total', 'Shards that this node took', ({ taken }) => taken],
  ['weft_shards_lost_total', 'Shards that others took from this node', ({ lost }) => lost],
  ['weft_shard_moves_total', 'Shards that this node handed over', ({ moves }) => moves],
  ['weft_stale_writes_total', 'Appends refused because their shard had become another node’s', ({ stale }) => stale],
  ['weft_evictions_total', 'Nodes that this node found dead', ({ evictions }) => evictions],
  [
    'weft_recovered_chats_total',
    'Chats asked to tell their news again after a shard was taken',
    ({ recovered }) => recovered,
  ],
];

const MEMBERS: readonly OfMember[] = [
  [
    'weft_member_silence_seconds',
    'For how long each member gave no sign of life, as far as it counts against it',
    ({ silence }) => silence / 1_000,
  ],
  [
    'weft_member_send_p99_seconds',
    'What 99 of 100 sends of each member’s clients stayed within of late, by its own word',
    ({ p99 }) => p99 && p99 / 1_000,
  ],
];

const LINKS: readonly OfLink[] = [
  ['weft_link_up', '1 while there is a session with this peer', ({ state }) => Number(state === 'up')],
  [
    'weft_link_round_trip_seconds',
    'From the last ping to its answer',
    ({ roundTrip }) => roundTrip && roundTrip / 1_000,
  ],
  ['weft_link_queued_bytes', 'Sent to this peer and not handled there', ({ queued }) => queued],
  ['weft_link_unsent_bytes', 'Of these, not taken by the network', ({ unsent }) => unsent],
  ['weft_link_resets_total', 'Sessions with this peer that broke', ({ resets }) => resets],
  ['weft_link_sent_batches_total', 'Batches sent to this peer', ({ batchesSent }) => batchesSent],
  ['weft_link_taken_batches_total', 'Batches handled for this peer', ({ batchesTaken }) => batchesTaken],
  ['weft_link_sent_bytes_total', 'Bytes sent to this peer', ({ bytesSent }) => bytesSent],
  ['weft_link_taken_bytes_total', 'Bytes handled for this peer', ({ bytesTaken }) => bytesTaken],
  ['weft_link_refused_total', 'Sends to this peer refused as busy', ({ refused }) => refused],
  ['weft_link_unknown_frames_total', 'Frames of this peer of a type not known here', ({ unknown }) => unknown],
];

export function addClusterMetrics(registry: Registry, member: () => Member): void {
  const status = (): ClusterStatus | null => member().cluster.status();
  for (const [name, help, read] of PLAIN) {
    addFigure(registry, name, help, (say) => {
      const now = status();
      if (now !== null) say(read(now));
    });
  }
  const epochs = (say: Say): void => {
    for (const { shard, epoch, mine } of status()?.shards ?? []) if (mine) say(epoch, { shard });
  };
  addFigure(registry, 'weft_shard_epoch', 'Epoch of each shard of this node', epochs, ['shard']);
  for (const [name, help, read] of MEMBERS) {
    const say = (tell: Say): void => {
      for (const one of status()?.members ?? []) told(tell, one.node, read(one));
    };
    addFigure(registry, name, help, say, ['peer']);
  }
  for (const [name, help, read] of LINKS) {
    const say = (tell: Say): void => {
      for (const link of member().links.stats()) told(tell, link.node, read(link));
    };
    addFigure(registry, name, help, say, ['peer']);
  }
}

function told(say: Say, peer: string, value: number | null): void {
  if (value !== null) say(value, { peer });
}
