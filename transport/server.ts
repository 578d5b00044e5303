// Owns the choice between the two WebSocket servers.
// Invariant: uWebSockets.js where it loads, ws elsewhere; an engine asked for by name is that one or an error.
// Must not: differ in behaviour by engine; both pass one contract suite.

import { ListenError, type Server, type ServerOptions } from './socket.js';
import { listenUws } from './uws.js';
import { loadUws } from './uws-native.js';
import { listenWs } from './ws.js';

export type EngineChoice = 'auto' | 'uws' | 'ws';

/** Starts a server. Rejects with ListenError (`listen_failed`). */
export async function listen(options: ServerOptions, engine: EngineChoice = 'auto'): Promise<Server> {
  const uws = engine === 'ws' ? undefined : loadUws();
  if (uws === undefined && options.shared === true) {
    throw new ListenError(options.host, options.port, 'only uWebSockets.js can share a port among processes');
  }
  if (engine === 'ws') return listenWs(options);
  if (uws !== undefined) return listenUws(uws, options);
  if (engine === 'auto') return listenWs(options);
  throw new ListenError(options.host, options.port, 'uWebSockets.js does not load on this machine');
}
