// Owns the proof that a node's settings are checked at the edge, with messages that say what to do.
// Invariant: every setting has a value that is taken and one that is refused.
// Must not: open what the settings name.

import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { DEFAULT_QUOTAS } from '../../actors/allowances.js';
import { LIMITS } from '../../actors/limits.js';
import { FOREVER } from '../../actors/retention.js';
import { parseAddress } from '../../cli/address.js';
import { addSettings, type Flags, gather, type NodeConfig, parseConfig, SETTINGS } from '../../cli/config.js';
import { parseDuration } from '../../cli/duration.js';
import { parseRedis } from '../../services/redis-target.js';

function taken(flags: Flags): NodeConfig {
  const result = parseConfig(flags);
  assert.ok(result.ok, JSON.stringify(result));
  return result.config;
}

function refused(flags: Flags): string[] {
  const result = parseConfig(flags);
  assert.ok(!result.ok, JSON.stringify(result));
  return result.problems.map((problem) => `${problem.code}: ${problem.message}`);
}

test('nothing set: loopback, ./data, the own secret', () => {
  const { nodeId, ...rest } = taken({});
  assert.match(nodeId, /^[a-z0-9-]{1,32}$/i);
  assert.deepEqual(rest, {
    listen: { host: '127.0.0.1', port: 7_400, loopback: true },
    data: resolve('data'),
    store: { engine: 'lmdb', path: resolve('data/store') },
    keys: { type: 'made' },
    logLevel: 'info',
    fanOutThreshold: LIMITS.fanOutThreshold,
    retention: FOREVER,
    quotas: DEFAULT_QUOTAS,
    door: { origins: [], trustProxy: false },
    nodes: 1,
  });
});

test('each setting reaches the configuration', () => {
  const config = taken({
    redis: 'redis+sentinel://:secret@a,b/main',
    listen: '[::1]:0',
    data: 'd',
    store: 'lmdb:e',
    nodeId: 'Node-1',
    jwksUrl: 'https://id.example/jwks.json',
    jwtIssuer: 'me',
    jwtAudience: 'you',
    logLevel: 'debug',
    fanOutThreshold: '0',
    retention: 'history:30d',
    sendRate: '1',
    userSendRate: '2',
    newChats: '3',
    newGroups: '4',
    userGroups: '8',
    frameRate: '5',
    logins: '9',
    badLogins: '0',
    httpRate: '6',
    addressConnections: '7',
    limitLoopback: 'yes',
    origin: 'https://Chat.example:443/, http://x:1,capacitor://App,*',
    trustProxy: '1',
    tlsCert: 'c.pem',
    tlsKey: 'k.pem',
    transport: 'ws',
    peerListen: '0.0.0.0:7500',
    peerAdvertise: 'one.example',
    publicUrl: 'wss://one.example/v1',
    clusterSecretFile: 'c',
    peerTlsCert: 'pc.pem',
    peerTlsKey: 'pk.pem',
    peerTlsCa: 'ca.pem',
  });
  assert.deepEqual(config, {
    listen: { host: '::1', port: 0, loopback: true },
    data: resolve('d'),
    store: { engine: 'lmdb', path: resolve('e') },
    redis: parseRedis('redis+sentinel://:secret@a,b/main'),
    nodeId: 'Node-1',
    keys: { type: 'jwks', url: new URL('https://id.example/jwks.json') },
    jwtIssuer: 'me',
    jwtAudience: 'you',
    logLevel: 'debug',
    fanOutThreshold: 0,
    retention: { type: 'history', ms: 30 * 86_400_000 },
    quotas: {
      deviceSends: 1,
      userSends: 2,
      newDirects: 3,
      newGroups: 4,
      userGroups: 8,
      frameRate: 5,
      logins: 9,
      badLogins: 0,
      requests: 6,
      addressConnections: 7,
      loopback: true,
    },
    door: {
      origins: ['https://chat.example', 'http://x:1', 'capacitor://app', '*'],
      trustProxy: true,
      tls: { cert: resolve('c.pem'), key: resolve('k.pem') },
    },
    transport: 'ws',
    nodes: 1,
    cluster: {
      listen: { host: '0.0.0.0', port: 7_500, loopback: false },
      secretFile: resolve('c'),
      publicUrl: 'wss://one.example/v1',
      net: {
        reachedAt: 'one.example',
        tls: { cert: resolve('pc.pem'), key: resolve('pk.pem') },
        authorities: resolve('ca.pem'),
      },
    },
  });
  assert.deepEqual(taken({ retention: 'until-delivered' }).retention, { type: 'until-delivered' });
  for (const bad of ['', 'history:0d', 'history:30', 'delivered']) {
    assert.match(refused({ retention: bad })[0]!, /--retention \(WEFT_RETENTION\)/, bad);
  }
  assert.deepEqual(taken({ jwtSecretFile: 's' }).keys, { type: 'secret', path: resolve('s') });
  assert.deepEqual(taken({ jwtPublicKey: 'p' }).keys, { type: 'public', path: resolve('p') });
});

test('a Redis URL that cannot be read is not repeated: it may have a password in it', () => {
  const [problem = ''] = refused({ redis: 'redis://me:geheim@a,b' });
  assert.match(problem, /^bad_config: --redis \(WEFT_REDIS\): several hosts are/);
  assert.doesNotMatch(problem, /geheim/);
});

test('what is wrong is told at once, each with flag, variable, value and a way out', () => {
  const problems = refused({
    listen: '7400',
    store: 'sqlite:x',
    nodeId: 'a b',
    jwksUrl: 'http://id.example/jwks.json',
    logLevel: 'loud',
    fanOutThreshold: '9999',
    transport: 'tcp',
  });
  assert.deepEqual(problems, [
    'bad_config: --listen (WEFT_LISTEN): "7400": write HOST:PORT, as in 127.0.0.1:7400',
    'bad_config: --store (WEFT_STORE): "sqlite:x": write lmdb:DIR or fdb:CLUSTER_FILE',
    'bad_config: --node-id (WEFT_NODE_ID): "a b": write 1 to 32 letters, digits and hyphens, as in node-1',
    'bad_config: --jwks-url (WEFT_JWKS_URL): "http://id.example/jwks.json": write https: whoever can alter the key set can sign tokens (http is for this machine only)',
    'bad_config: --log-level (WEFT_LOG_LEVEL): "loud": write one of fatal, error, warn, info, debug, trace, silent',
    `bad_config: --fanout-threshold (WEFT_FANOUT_THRESHOLD): "9999": write at most ${LIMITS.fanOutMost}: their rows must fit a commit`,
    'bad_config: --transport (WEFT_TRANSPORT): "tcp": write uws or ws',
  ]);
});

test('beyond loopback the keys must be named', () => {
  for (const listen of ['0.0.0.0:7400', '[::]:7400', '192.0.2.1:7400', 'chat.example:7400', '[::ffff:192.0.2.1]:1']) {
    const [problem = ''] = refused({ listen });
    assert.match(problem, /^insecure_listen: --listen \(WEFT_LISTEN\): .*--jwt-secret-file .*127\.0\.0\.1$/, listen);
    assert.equal(taken({ listen, jwtPublicKey: 'p' }).listen.loopback, false);
  }
});

test('two kinds of keys at once are refused', () => {
  assert.match(
    refused({ jwtSecretFile: 's', jwksUrl: 'https://a/b' })[0] ?? '',
    /^bad_config: tokens are checked in one way only/,
  );
});

test('TLS takes certificate and key', () => {
  assert.match(refused({ tlsCert: 'c' })[0] ?? '', /^bad_config: TLS takes both: --tls-cert .*--tls-key/);
  assert.match(refused({ tlsKey: 'k' })[0] ?? '', /^bad_config: TLS takes both/);
});

test('several nodes: on loopback with a secret of their own, on other addresses with one that was chosen', () => {
  const alone = { host: '127.0.0.1', port: 0, loopback: true };
  const { nodes, cluster } = taken({ nodes: '64' });
  assert.deepEqual([nodes, cluster], [64, { listen: alone, secretFile: null, publicUrl: '', net: {} }]);
  assert.equal(taken({ nodes: '1' }).cluster, undefined);
  assert.equal(taken({ peerListen: '127.0.0.1:1' }).cluster?.listen.port, 1);
  for (const nodes of ['0', '65', '-1', '2.5', 'all']) {
    assert.match(refused({ nodes })[0] ?? '', /^bad_config: --nodes \(WEFT_NODES\): .*: write /, nodes);
  }
  assert.match(
    refused({ peerListen: '192.0.2.1:7500' })[0] ?? '',
    /^insecure_listen: --peer-listen \(WEFT_PEER_LISTEN\): .*--cluster-secret-file \(WEFT_CLUSTER_SECRET_FILE\) .*127\.0\.0\.1$/,
  );
  assert.equal(taken({ peerListen: '192.0.2.1:7500', clusterSecretFile: 's' }).cluster?.secretFile, resolve('s'));
  const everywhere = { peerListen: '[::]:7500', clusterSecretFile: 's' };
  assert.match(refused(everywhere)[0] ?? '', /^bad_config: --peer-listen .*--peer-advertise/);
  for (const peerAdvertise of ['one.example', '192.0.2.1', '2001:db8::1']) {
    assert.equal(taken({ ...everywhere, peerAdvertise }).cluster?.net.reachedAt, peerAdvertise);
  }
  for (const peerAdvertise of ['one.example:7500', 'http://one.example', '']) {
    assert.match(refused({ ...everywhere, peerAdvertise })[0] ?? '', /^bad_config: --peer-advertise /, peerAdvertise);
  }
});

test('several nodes: what cannot go together', () => {
  const cases: readonly [Flags, RegExp][] = [
    [{ peerTlsCa: 'c' }, /^bad_config: --peer-tls-ca .* is for nodes that work together: set --peer-listen .*--nodes/],
    [{ clusterSecretFile: 'c' }, /^bad_config: --cluster-secret-file .* is for nodes that work together/],
    [{ nodes: '2', peerTlsCert: 'c' }, /^bad_config: TLS takes both: --peer-tls-cert .*--peer-tls-key/],
    [{ nodes: '2', peerTlsCa: 'c' }, /^bad_config: --peer-tls-ca .* is for TLS/],
    [{ nodes: '2', transport: 'ws' }, /^bad_config: --transport .*: only uws can share a port/],
    [
      { nodes: '2', publicUrl: 'ws://a/v1' },
      /^bad_config: --public-url .* is of one node: those of --nodes .* share a port/,
    ],
    [{ peerListen: '127.0.0.1:1', publicUrl: 'http://a' }, /^bad_config: --public-url .*: write a WebSocket address/],
    [{ nodes: '3', peerListen: '127.0.0.1:65534' }, /^bad_config: --peer-listen .*: each node takes the next port/],
    [{ nodes: '10', nodeId: 'n'.repeat(30) }, /^bad_config: --node-id .* is too long .*: at most 29 characters/],
  ];
  for (const [flags, problem] of cases) assert.match(refused(flags).join('\n'), problem);
  assert.equal(taken({ nodes: '9', nodeId: 'n'.repeat(30) }).nodeId.length, 30);
});

test('an origin is what browsers send', () => {
  for (const origin of ['chat.example', 'https://', 'https://a/b', 'https://a,']) {
    assert.match(
      refused({ origin })[0] ?? '',
      /^bad_config: --origin \(WEFT_ORIGIN\): .*https:\/\/chat\.example$/,
      origin,
    );
  }
});

test('switches and lists', () => {
  const command = addSettings(new Command('start'));
  command.parse(['--origin', 'https://a', '--trust-proxy', '--origin', 'https://b'], { from: 'user' });
  const flags = gather(command.opts(), { WEFT_LIMIT_LOOPBACK: 'on' });
  assert.deepEqual(flags, { origin: 'https://a,https://b', trustProxy: 'yes', limitLoopback: 'on' });
  assert.match(refused({ trustProxy: 'perhaps' })[0] ?? '', /write yes or no/);
});

test('a flag wins over its variable, and an empty variable is none', () => {
  const command = addSettings(new Command('start'));
  command.parse(['--listen', '127.0.0.1:1', '--fanout-threshold', '5', '--jwks-url', 'https://a/b'], { from: 'user' });
  const flags = gather(command.opts(), { WEFT_LISTEN: '127.0.0.1:2', WEFT_NODE_ID: 'n2', WEFT_DATA: '' });
  assert.deepEqual(flags, { listen: '127.0.0.1:1', fanOutThreshold: '5', jwksUrl: 'https://a/b', nodeId: 'n2' });
  for (const [flag, variable, help] of Object.values(SETTINGS)) {
    assert.match(flag, /^--[a-z-]+( <.+>)?$/);
    assert.match(variable, /^WEFT_[A-Z_]+$/);
    assert.ok(help.length > 0);
  }
});

test('addresses', () => {
  assert.deepEqual(parseAddress('localhost:80'), { host: 'localhost', port: 80, loopback: true });
  assert.deepEqual(parseAddress('127.9.9.9:65535'), { host: '127.9.9.9', port: 65_535, loopback: true });
  assert.deepEqual(parseAddress('[::ffff:127.0.0.1]:0'), { host: '::ffff:127.0.0.1', port: 0, loopback: true });
  assert.deepEqual(parseAddress('localhost.example:80'), { host: 'localhost.example', port: 80, loopback: false });
  for (const text of [
    '',
    ':80',
    '80',
    'host',
    'host:',
    'host:65536',
    '::1:80',
    '[::1]',
    '[nonsense]:1',
    '256.1.1.1:1',
    'a b:1',
    '-a:1',
    'http://a:1',
  ]) {
    assert.equal(typeof parseAddress(text), 'string', text);
  }
});

test('durations', () => {
  assert.deepEqual(['90s', '15m', '12h', '30d'].map(parseDuration), [90, 900, 43_200, 2_592_000]);
  for (const text of ['', '30', 'd', '0d', '-1d', '1.5h', '1w', ' 1d', '1d ', '9999999999d']) {
    assert.equal(parseDuration(text), undefined, text);
  }
});
