// Owns what an operator may set about how a node meets its clients: limits, pages, proxies, TLS.
// Invariant: as in config.ts, which takes these in; 0 takes a limit away.
// Must not: hold the limits' defaults (actors/limits.ts).

import { resolve } from 'node:path';
import { z } from 'zod';
import type { Quotas } from '../actors/allowances.js';
import { LIMITS } from '../actors/limits.js';
import type { ServerOptions } from '../transport/socket.js';

const quota = (what: string, standard: number): string => `${what} (default ${standard}; 0: no limit)`;

/** By the key in the schema: flag, variable, help. A flag without a value is a switch. */
export const DOOR_SETTINGS = {
  sendRate: ['--send-rate <n>', 'WEFT_SEND_RATE', quota('messages a second of one device', LIMITS.deviceSends)],
  userSendRate: ['--user-send-rate <n>', 'WEFT_USER_SEND_RATE', quota('and of one user', LIMITS.userSends)],
  newChats: ['--new-chats <n>', 'WEFT_NEW_CHATS', quota('direct chats one user begins in an hour', LIMITS.newDirects)],
  newGroups: ['--new-groups <n>', 'WEFT_NEW_GROUPS', quota('groups one user makes in an hour', LIMITS.newGroups)],
  userGroups: ['--user-groups <n>', 'WEFT_USER_GROUPS', quota('groups one user is in', LIMITS.userGroups)],
  frameRate: ['--frame-rate <n>', 'WEFT_FRAME_RATE', quota('frames a second of one device', LIMITS.frameRate)],
  logins: ['--logins <n>', 'WEFT_LOGINS', quota('new connections a second of one user', LIMITS.logins)],
  badLogins: ['--bad-logins <n>', 'WEFT_BAD_LOGINS', quota('refused tokens a second of one address', LIMITS.badLogins)],
  httpRate: ['--http-rate <n>', 'WEFT_HTTP_RATE', quota('HTTP requests a second of one address', LIMITS.requests)],
  addressConnections: [
    '--address-connections <n>',
    'WEFT_ADDRESS_CONNECTIONS',
    quota('connections of one address', LIMITS.addressConnections),
  ],
  limitLoopback: ['--limit-loopback', 'WEFT_LIMIT_LOOPBACK', 'limits of an address hold for loopback, too'],
  origin: ['--origin <origin...>', 'WEFT_ORIGIN', 'pages that may connect besides the node’s own; * for all'],
  trustProxy: [
    '--trust-proxy',
    'WEFT_TRUST_PROXY',
    'clients’ addresses are in X-Forwarded-For of proxies on this machine',
  ],
  tlsCert: ['--tls-cert <file>', 'WEFT_TLS_CERT', 'TLS: certificate with its chain, PEM; read again when it changes'],
  tlsKey: ['--tls-key <file>', 'WEFT_TLS_KEY', 'TLS: its private key, PEM'],
} as const;

const number = (standard: number) =>
  z
    .string()
    .regex(/^\d{1,7}$/, 'write a whole number; 0 for no limit')
    .transform(Number)
    .prefault(String(standard));

const ON = ['1', 'true', 'yes', 'on'];

const toggle = z
  .string()
  .regex(/^(1|true|yes|on|0|false|no|off)$/i, 'write yes or no')
  .transform((text) => ON.includes(text.toLowerCase()))
  .prefault('no');

const origins = z.string().transform((text, context) => {
  const listed = text.split(',').map((origin) => plainOrigin(origin.trim()));
  if (!listed.includes('')) return listed;
  context.addIssue({ code: 'custom', message: 'write origins as browsers send them, as in https://chat.example' });
  return z.NEVER;
});

/** As browsers write it; '' for what is none. */
function plainOrigin(text: string): string {
  if (text === '*' || text === 'null') return text;
  const match = /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s]+(?=\/?$)/i.exec(text)?.[0] ?? '';
  return /^https?:/i.test(match) && URL.canParse(match) ? new URL(match).origin : match.toLowerCase();
}

const path = z.string().transform((text) => resolve(text));

export const doorSchema = z.object({
  sendRate: number(LIMITS.deviceSends),
  userSendRate: number(LIMITS.userSends),
  newChats: number(LIMITS.newDirects),
  newGroups: number(LIMITS.newGroups),
  userGroups: number(LIMITS.userGroups),
  frameRate: number(LIMITS.frameRate),
  logins: number(LIMITS.logins),
  badLogins: number(LIMITS.badLogins),
  httpRate: number(LIMITS.requests),
  addressConnections: number(LIMITS.addressConnections),
  limitLoopback: toggle,
  origin: origins.optional(),
  trustProxy: toggle,
  tlsCert: path.optional(),
  tlsKey: path.optional(),
});

export interface DoorConfig {
  readonly quotas: Quotas;
  readonly door: Pick<ServerOptions, 'origins' | 'trustProxy' | 'tls'>;
}

/** Null: only one of certificate and key is given. */
export function doorOf(parsed: z.output<typeof doorSchema>): DoorConfig | null {
  const { sendRate, userSendRate, newChats, httpRate, limitLoopback, origin, trustProxy, tlsCert, tlsKey, ...same } =
    parsed;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) return null;
  const tls = tlsCert === undefined || tlsKey === undefined ? {} : { tls: { cert: tlsCert, key: tlsKey } };
  return {
    quotas: {
      ...same,
      deviceSends: sendRate,
      userSends: userSendRate,
      newDirects: newChats,
      requests: httpRate,
      loopback: limitLoopback,
    },
    door: { origins: origin ?? [], trustProxy, ...tls },
  };
}
