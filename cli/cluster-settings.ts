// Owns what an operator may set about nodes that work together: how many here, where they hear each other, what they prove themselves with.
// Invariant: as in config.ts, which takes these in. What can be reached from other machines has a secret that was chosen for it.
// Must not: read the secret or the certificates.

import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';
import { LIMITS } from '../actors/limits.js';
import type { PeerNetOptions } from '../transport/peer-net.js';
import { type Address, parseAddress } from './address.js';

/** Name of the secret that a cluster on one machine makes, in its data folder. */
export const CLUSTER_SECRET_FILE = 'cluster.key';

/** By the key in the schema: flag, variable, help. */
export const CLUSTER_SETTINGS = {
  nodes: [
    '--nodes <n>',
    'WEFT_NODES',
    `nodes on this machine, a process each, named ID-1 to ID-n; they share port and store (1 to ${LIMITS.hostNodes}, default 1)`,
  ],
  peerListen: [
    '--peer-listen <host:port>',
    'WEFT_PEER_LISTEN',
    'where this node hears other nodes on its store (with --nodes the first one, default 127.0.0.1:0)',
  ],
  peerAdvertise: [
    '--peer-advertise <host>',
    'WEFT_PEER_ADVERTISE',
    'name or address by which other machines reach that port (default its host)',
  ],
  publicUrl: [
    '--public-url <url>',
    'WEFT_PUBLIC_URL',
    'where clients reach this very node, as in wss://chat-2.example/v1: where others that drain send theirs (default: none)',
  ],
  clusterSecretFile: [
    '--cluster-secret-file <file>',
    'WEFT_CLUSTER_SECRET_FILE',
    `what nodes prove themselves with to each other (default DATA/${CLUSTER_SECRET_FILE}, made at first start)`,
  ],
  peerTlsCert: ['--peer-tls-cert <file>', 'WEFT_PEER_TLS_CERT', 'TLS between nodes: certificate with its chain, PEM'],
  peerTlsKey: ['--peer-tls-key <file>', 'WEFT_PEER_TLS_KEY', 'TLS between nodes: its private key, PEM'],
  peerTlsCa: [
    '--peer-tls-ca <file>',
    'WEFT_PEER_TLS_CA',
    'TLS between nodes: who signed their certificates, PEM (default this certificate itself)',
  ],
} as const;

const path = z.string().transform((text) => resolve(text));

export const clusterSchema = z.object({
  nodes: z
    .string()
    .regex(/^[1-9]\d?$/, `write a number from 1 to ${LIMITS.hostNodes}`)
    .transform(Number)
    .refine((nodes) => nodes <= LIMITS.hostNodes, `write at most ${LIMITS.hostNodes}`)
    .prefault('1'),
  peerListen: z
    .string()
    .transform((text, context) => {
      const parsed = parseAddress(text);
      if (typeof parsed !== 'string') return parsed;
      context.addIssue({ code: 'custom', message: parsed });
      return z.NEVER;
    })
    .optional(),
  peerAdvertise: z
    .string()
    .refine(
      (text) => isIP(text) !== 0 || typeof parseAddress(`${text}:0`) !== 'string',
      'write a host name or an IP address, without a port',
    )
    .optional(),
  publicUrl: z
    .string()
    .regex(/^wss?:\/\//i, 'write a WebSocket address, as in wss://chat-2.example/v1')
    .refine((text) => URL.canParse(text), 'write a WebSocket address, as in wss://chat-2.example/v1')
    .optional(),
  clusterSecretFile: path.optional(),
  peerTlsCert: path.optional(),
  peerTlsKey: path.optional(),
  peerTlsCa: path.optional(),
});

/** How a node meets other nodes. */
export interface ClusterConfig {
  readonly listen: Address;
  /** Null: the cluster's own secret in the data folder. */
  readonly secretFile: string | null;
  /** '': clients of other nodes are not sent to this one. */
  readonly publicUrl: string;
  readonly net: Pick<PeerNetOptions, 'reachedAt' | 'tls' | 'authorities'>;
}

export interface Trouble {
  readonly code: 'bad_config' | 'insecure_listen';
  /** `{name}` stands for the setting of that key. */
  readonly message: string;
}

const LOCAL: Address = { host: '127.0.0.1', port: 0, loopback: true };
const ANYWHERE = ['0.0.0.0', '::'];

/** Undefined: a node alone. */
export function clusterOf(parsed: z.output<typeof clusterSchema>): {
  readonly cluster: ClusterConfig | undefined;
  readonly troubles: readonly Trouble[];
} {
  const { nodes, peerListen, peerAdvertise, publicUrl, clusterSecretFile, peerTlsCert, peerTlsKey, peerTlsCa } = parsed;
  const troubles: Trouble[] = [];
  const bad = (message: string): void => void troubles.push({ code: 'bad_config', message });
  if (nodes === 1 && peerListen === undefined) {
    const { nodes: _, ...others } = parsed;
    for (const [name, value] of Object.entries(others)) {
      if (value !== undefined) bad(`{${name}} is for nodes that work together: set {peerListen} or {nodes}, too`);
    }
    return { cluster: undefined, troubles };
  }
  const listen = peerListen ?? LOCAL;
  if (!listen.loopback && clusterSecretFile === undefined) {
    const message =
      '{peerListen}: other machines can reach it, so give all nodes one secret: {clusterSecretFile} ' +
      '(openssl rand -base64 32 > FILE); or listen on 127.0.0.1';
    troubles.push({ code: 'insecure_listen', message });
  }
  if (ANYWHERE.includes(listen.host) && peerAdvertise === undefined) {
    bad(
      `{peerListen}: ${listen.host} is every address of this machine: say with {peerAdvertise} which one others dial`,
    );
  }
  if (listen.port + nodes - 1 > 65_535) bad('{peerListen}: each node takes the next port, and there are not so many');
  if ((peerTlsCert === undefined) !== (peerTlsKey === undefined)) bad('TLS takes both: {peerTlsCert} and {peerTlsKey}');
  if (peerTlsCa !== undefined && peerTlsCert === undefined)
    bad('{peerTlsCa} is for TLS: set {peerTlsCert} and {peerTlsKey}');
  if (nodes > 1 && publicUrl !== undefined) bad('{publicUrl} is of one node: those of {nodes} share a port');
  const net = {
    ...(peerAdvertise === undefined ? {} : { reachedAt: peerAdvertise }),
    ...(peerTlsCert === undefined || peerTlsKey === undefined ? {} : { tls: { cert: peerTlsCert, key: peerTlsKey } }),
    ...(peerTlsCa === undefined ? {} : { authorities: peerTlsCa }),
  };
  return { cluster: { listen, secretFile: clusterSecretFile ?? null, publicUrl: publicUrl ?? '', net }, troubles };
}
