// Owns what a Redis URL means: one server, sentinels, or a cluster.
// Invariant: nothing of a password or user name is in what is told of it, or of why it cannot be read.
// Must not: connect.
//
//   redis://[[user]:password@]host[:6379][/db]            rediss:// for TLS
//   redis+sentinel://[…@]host[:26379],host…/name[/db]      rediss+sentinel://
//   redis+cluster://[…@]host[:6379],host…                  rediss+cluster://
//   ?prefix=weft  before all keys and channels; two clusters of nodes on one Redis need two
//   ?sentinelPassword=…  where sentinels have one of their own

export interface RedisPlace {
  readonly host: string;
  readonly port: number;
}

export interface RedisTarget {
  readonly kind: 'server' | 'sentinel' | 'cluster';
  readonly tls: boolean;
  readonly places: readonly RedisPlace[];
  /** Of the group that sentinels watch; '' where there are none. */
  readonly name: string;
  readonly db: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly sentinelPassword: string | undefined;
  readonly prefix: string;
  /** The URL without what is secret. */
  readonly where: string;
}

const FORM = /^(rediss?)(?:[+-](sentinel|cluster))?:\/\/(?:(.*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const PLACE = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i;
const PREFIX = /^[a-z0-9][a-z0-9._-]{0,63}$/i;
const PORT = { server: 6_379, sentinel: 26_379, cluster: 6_379 } as const;
const HOW =
  'write redis://host:6379, redis+sentinel://host:26379,host:26379/name or redis+cluster://host:6379,host:6379; rediss for TLS, and user:password@ before the host';

/** The reason, where it cannot be read. */
export function parseRedis(text: string): RedisTarget | string {
  const match = FORM.exec(text);
  if (match === null) return HOW;
  const [, scheme = '', way, user, hosts = '', path = '', query = ''] = match;
  const kind = way === 'sentinel' || way === 'cluster' ? way : 'server';
  const places = hosts.split(',').map((place) => placeOf(place, PORT[kind]));
  const named = places.filter((place) => place !== null);
  if (named.length < places.length) return `a host cannot be read: ${HOW}`;
  if (kind === 'server' && places.length > 1) return `several hosts are sentinels or a cluster: ${HOW}`;
  const [name = '', ...more] = kind === 'sentinel' ? path.split('/') : ['', path];
  const [number = '', ...rest] = more;
  if (kind === 'sentinel' && name === '') return 'sentinels need the name of the group that they watch: …/name';
  if (!/^\d{0,4}$/.test(number) || rest.length > 0) return 'the database is a number: …/0';
  if (kind === 'cluster' && Number(number) !== 0) return 'a cluster has no databases but 0';
  const options = new URLSearchParams(query);
  const unknown = [...options.keys()].find((key) => key !== 'prefix' && key !== 'sentinelPassword');
  if (unknown !== undefined) return `${unknown} is no option: there are prefix and sentinelPassword`;
  const prefix = options.get('prefix') ?? 'weft';
  if (!PREFIX.test(prefix)) return 'the prefix is up to 64 letters, digits, dots, hyphens and underscores';
  const credentials = credentialsOf(user);
  if (credentials === null) return 'what is before @ cannot be read: escape % as %25, @ as %40, / as %2F';
  const shown = named.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(',');
  const tail = kind === 'sentinel' ? `/${name}` : '';
  return {
    kind,
    tls: scheme === 'rediss',
    places: named,
    name: decodeURIComponent(name),
    db: Number(number),
    ...credentials,
    sentinelPassword: options.get('sentinelPassword') ?? undefined,
    prefix,
    where: `${scheme}${kind === 'server' ? '' : `+${kind}`}://${shown}${tail}`,
  };
}

function placeOf(text: string, standard: number): RedisPlace | null {
  const match = PLACE.exec(text);
  const port = match?.[3] === undefined ? standard : Number(match[3]);
  if (match === null || port === 0 || port > 65_535) return null;
  return { host: match[1] ?? match[2] ?? '', port };
}

/** `user:password`, `:password`, or, as many write it, `password`. */
function credentialsOf(text: string | undefined): Pick<RedisTarget, 'username' | 'password'> | null {
  if (text === undefined || text === '') return { username: undefined, password: undefined };
  const colon = text.indexOf(':');
  try {
    const [user, password] = [text.slice(0, Math.max(colon, 0)), text.slice(colon + 1)].map(decodeURIComponent);
    return { username: user || undefined, password };
  } catch {
    return null;
  }
}
