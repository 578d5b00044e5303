// Owns what an operator may set about a node: flags, environment variables, defaults, and what each may be.
// Invariant: checked once, here; what leaves is typed and consistent, and what is wrong is told in one go, each with
// the flag, the value and the way out. A flag wins over its variable; an empty variable counts as unset.
// Must not: open files or sockets, or name a flag whose feature does not exist.

import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { LIMITS } from '../actors/limits.js';
import { FOREVER, type Retention } from '../actors/retention.js';
import { LOG_LEVELS } from '../services/log.js';
import { parseRedis } from '../services/redis-target.js';
import { SECRET_FILE } from '../services/secret.js';
import { parseAddress } from './address.js';
import { CLUSTER_SETTINGS, type ClusterConfig, clusterOf, clusterSchema } from './cluster-settings.js';
import { DOOR_SETTINGS, type DoorConfig, doorOf, doorSchema } from './door-settings.js';

/** Each setting by its key in the schema: flag, variable, help. A flag without a value is a switch. */
export const SETTINGS = {
  listen: ['--listen <host:port>', 'WEFT_LISTEN', 'where to listen; port 0 takes a free one (default 127.0.0.1:7400)'],
  data: ['--data <dir>', 'WEFT_DATA', 'folder of the store and the secret (default ./data)'],
  store: ['--store <engine:where>', 'WEFT_STORE', 'the store, lmdb:DIR or fdb:CLUSTER_FILE (default lmdb:DATA/store)'],
  redis: [
    '--redis <url>',
    'WEFT_REDIS',
    'presence in Redis: redis://HOST:PORT, redis+sentinel://HOST,HOST/NAME, redis+cluster://HOST,HOST (default none)',
  ],
  nodeId: ['--node-id <id>', 'WEFT_NODE_ID', 'name of this node (default the host name)'],
  jwtSecretFile: [
    '--jwt-secret-file <file>',
    'WEFT_JWT_SECRET_FILE',
    `tokens: HS256 secret (default DATA/${SECRET_FILE}, made at first start)`,
  ],
  jwtPublicKey: ['--jwt-public-key <file>', 'WEFT_JWT_PUBLIC_KEY', 'tokens: public key of their issuer, PEM'],
  jwksUrl: ['--jwks-url <url>', 'WEFT_JWKS_URL', 'tokens: key set of their issuer'],
  jwtIssuer: ['--jwt-issuer <iss>', 'WEFT_JWT_ISSUER', 'tokens: required issuer'],
  jwtAudience: ['--jwt-audience <aud>', 'WEFT_JWT_AUDIENCE', 'tokens: required audience'],
  logLevel: ['--log-level <level>', 'WEFT_LOG_LEVEL', `${LOG_LEVELS.join(', ')} (default info)`],
  fanOutThreshold: [
    '--fanout-threshold <members>',
    'WEFT_FANOUT_THRESHOLD',
    `members up to which a chat writes a row for each (default ${LIMITS.fanOutThreshold})`,
  ],
  retention: [
    '--retention <how>',
    'WEFT_RETENTION',
    'how long messages are kept: history, history:30d (days) or until-delivered (default history)',
  ],
  ...CLUSTER_SETTINGS,
  ...DOOR_SETTINGS,
  transport: ['--transport <name>', 'WEFT_TRANSPORT', 'uws or ws (default uws, and ws where it does not load)'],
} as const;

const DAY_MS = 86_400_000;
/** Characters, as the schema has it. */
const MOST_NODE_ID = 32;

export type Setting = keyof typeof SETTINGS;
export type Flags = { readonly [K in Setting]?: string | undefined };

/** `path`: the folder of an LMDB environment, or the cluster file of FoundationDB. */
export interface StoreConfig {
  readonly engine: 'lmdb' | 'fdb';
  readonly path: string;
}

const address = z.string().transform((text, context) => {
  const parsed = parseAddress(text);
  if (typeof parsed !== 'string') return parsed;
  context.addIssue({ code: 'custom', message: parsed });
  return z.NEVER;
});

const path = z.string().transform((text) => resolve(text));

/** `history`, `history:<days>d`, `until-delivered`. */
const retention = z
  .string()
  .transform((text, context): Retention => {
    if (text === 'history') return FOREVER;
    if (text === 'until-delivered') return { type: 'until-delivered' };
    const [, days] = /^history:([1-9]\d{0,4})d$/.exec(text) ?? [];
    if (days !== undefined) return { type: 'history', ms: Number(days) * DAY_MS };
    context.addIssue({ code: 'custom', message: 'write history, history:30d (any number of days) or until-delivered' });
    return z.NEVER;
  })
  .prefault('history');

const schema = z.object({
  listen: address.prefault('127.0.0.1:7400'),
  data: path.prefault('data'),
  store: z
    .string()
    .regex(/^(lmdb|fdb):./s, 'write lmdb:DIR or fdb:CLUSTER_FILE')
    .transform((text): StoreConfig => {
      const colon = text.indexOf(':');
      return { engine: text.slice(0, colon) === 'fdb' ? 'fdb' : 'lmdb', path: resolve(text.slice(colon + 1)) };
    })
    .optional(),
  redis: z
    .string()
    .transform((text, context) => {
      const target = parseRedis(text);
      if (typeof target !== 'string') return target;
      context.addIssue({ code: 'custom', message: target });
      return z.NEVER;
    })
    .optional(),
  nodeId: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,31}$/i, 'write 1 to 32 letters, digits and hyphens, as in node-1')
    .optional(),
  jwtSecretFile: path.optional(),
  jwtPublicKey: path.optional(),
  jwksUrl: z
    .string()
    .transform((text, context) => {
      if (URL.canParse(text)) return new URL(text);
      context.addIssue({ code: 'custom', message: 'write a whole URL, as in https://id.example/jwks.json' });
      return z.NEVER;
    })
    .refine(isPrivate, 'write https: whoever can alter the key set can sign tokens (http is for this machine only)')
    .optional(),
  jwtIssuer: z.string().optional(),
  jwtAudience: z.string().optional(),
  logLevel: z.enum(LOG_LEVELS, `write one of ${LOG_LEVELS.join(', ')}`).prefault('info'),
  fanOutThreshold: z
    .string()
    .regex(/^\d{1,4}$/, `write a number from 0 to ${LIMITS.fanOutMost}`)
    .transform(Number)
    .refine(
      (members) => members <= LIMITS.fanOutMost,
      `write at most ${LIMITS.fanOutMost}: their rows must fit a commit`,
    )
    .prefault(String(LIMITS.fanOutThreshold)),
  retention,
  transport: z.enum(['uws', 'ws'], 'write uws or ws').optional(),
});

type Parsed = z.output<typeof schema>;

/** Where the keys for tokens come from. `made`: the node's own secret in the data folder. */
export type KeyConfig =
  | { readonly type: 'made' }
  | { readonly type: 'secret'; readonly path: string }
  | { readonly type: 'public'; readonly path: string }
  | { readonly type: 'jwks'; readonly url: URL };

type Replaced = 'store' | 'nodeId' | 'jwtSecretFile' | 'jwtPublicKey' | 'jwksUrl';

export interface NodeConfig extends Omit<Parsed, Replaced>, DoorConfig {
  readonly store: StoreConfig;
  readonly nodeId: string;
  readonly keys: KeyConfig;
  /** Nodes that this machine is to run. */
  readonly nodes: number;
  /** Absent: a node alone. */
  readonly cluster?: ClusterConfig;
}

export interface Problem {
  readonly code: 'bad_config' | 'insecure_listen';
  readonly message: string;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: NodeConfig }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Adds the flags of these settings (all by default) to a command. */
export function addSettings(command: Command, settings = Object.keys(SETTINGS) as readonly Setting[]): Command {
  for (const setting of settings) {
    const [flag, variable, help] = SETTINGS[setting];
    command.option(flag, `${help} [${variable}]`);
  }
  return command;
}

/** commander's name for a flag's value. */
function optionName(flag: string): string {
  const words = flag.slice('--'.length).split(' ')[0] ?? '';
  return words.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** Settings as given: from commander's options, else from the environment. */
export function gather(options: Readonly<Record<string, unknown>>, env: NodeJS.ProcessEnv): Flags {
  const flags: { -readonly [K in keyof Flags]: Flags[K] } = {};
  for (const setting of Object.keys(SETTINGS) as Setting[]) {
    const [flag, variable] = SETTINGS[setting];
    const option = options[optionName(flag)];
    const given = option === true ? 'yes' : Array.isArray(option) ? option.join(',') : option;
    const value = typeof given === 'string' ? given : env[variable];
    if (value !== undefined && (value !== '' || typeof given === 'string')) flags[setting] = value;
  }
  return flags;
}

/** Checks the settings against each other and completes them. */
export function parseConfig(flags: Flags): ConfigResult {
  const result = schema.safeParse(flags);
  const parsed = doorSchema.safeParse(flags);
  const peers = clusterSchema.safeParse(flags);
  if (!result.success || !parsed.success || !peers.success) {
    const issues = [result, parsed, peers].flatMap(({ error }) => error?.issues ?? []);
    return { ok: false, problems: issues.map((issue) => problem(flags, issue)) };
  }
  const { store, nodeId, jwtSecretFile, jwtPublicKey, jwksUrl, ...rest } = result.data;
  const keys: KeyConfig[] = [];
  if (jwtSecretFile !== undefined) keys.push({ type: 'secret', path: jwtSecretFile });
  if (jwtPublicKey !== undefined) keys.push({ type: 'public', path: jwtPublicKey });
  if (jwksUrl !== undefined) keys.push({ type: 'jwks', url: jwksUrl });
  const problems: Problem[] = [];
  if (keys.length > 1) {
    const message = `tokens are checked in one way only: keep one of ${named('jwtSecretFile')}, ${named('jwtPublicKey')}, ${named('jwksUrl')}`;
    problems.push({ code: 'bad_config', message });
  }
  const [key = { type: 'made' } as const] = keys;
  if (!rest.listen.loopback && key.type === 'made') {
    const message =
      `${named('listen')}: ${flags.listen} can be reached from other machines, so say who may issue tokens: ` +
      `${named('jwtSecretFile')}, ${named('jwtPublicKey')} or ${named('jwksUrl')}; or listen on 127.0.0.1`;
    problems.push({ code: 'insecure_listen', message });
  }
  const { nodes } = peers.data;
  const { cluster, troubles } = clusterOf(peers.data);
  for (const { code, message } of troubles) {
    problems.push({ code, message: message.replace(/\{(\w+)\}/g, (_, setting: Setting) => named(setting)) });
  }
  const longest = longestId(nodes);
  if ((nodeId?.length ?? 0) > longest) {
    const message = `${named('nodeId')}: "${nodeId}" is too long with a number behind it: at most ${longest} characters`;
    problems.push({ code: 'bad_config', message });
  }
  if (nodes > 1 && rest.transport === 'ws') {
    const message = `${named('transport')}: only uws can share a port among the nodes of ${named('nodes')}`;
    problems.push({ code: 'bad_config', message });
  }
  const door = doorOf(parsed.data);
  if (door === null) {
    const message = `TLS takes both: ${named('tlsCert')} and ${named('tlsKey')}`;
    problems.push({ code: 'bad_config', message });
  }
  if (problems.length > 0 || door === null) return { ok: false, problems };
  const config: NodeConfig = {
    ...rest,
    store: store ?? { engine: 'lmdb', path: resolve(rest.data, 'store') },
    nodeId: nodeId ?? hostId(nodes),
    keys: key,
    nodes,
    ...(cluster === undefined ? {} : { cluster }),
    ...door,
  };
  return { ok: true, config };
}

function named(setting: Setting): string {
  const [flag, variable] = SETTINGS[setting];
  return `${flag.split(' ')[0]} (${variable})`;
}

function problem(flags: Flags, issue: z.core.$ZodIssue): Problem {
  const setting = String(issue.path[0]) as Setting;
  // It may have a password in it.
  const value = setting === 'redis' ? '' : ` "${flags[setting]}":`;
  return { code: 'bad_config', message: `${named(setting)}:${value} ${issue.message}` };
}

/** Characters of an id that may get `-1` to `-N` behind it. */
function longestId(nodes: number): number {
  return nodes > 1 ? MOST_NODE_ID - `-${nodes}`.length : MOST_NODE_ID;
}

/** The host's name, as far as it fits a node's id, and the ids of so many nodes. */
function hostId(nodes: number): string {
  const [name = ''] = hostname().split('.');
  return (
    name
      .replace(/[^a-z0-9-]/gi, '-')
      .replace(/^-+/, '')
      .slice(0, longestId(nodes)) || 'node'
  );
}

function isPrivate(url: URL): boolean {
  if (url.protocol === 'https:') return true;
  const host = parseAddress(`${url.hostname}:0`);
  return url.protocol === 'http:' && typeof host !== 'string' && host.loopback;
}
