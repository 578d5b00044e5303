// Owns plain HTTP beside the WebSocket path: a small router, and what both engines share in answering.
// Invariant: every request gets exactly one answer: a handler that throws or rejects becomes a 500 that says nothing else.
// Must not: read request bodies (no route takes one) or know what the routes serve.

import type { HttpRequest, HttpResponse } from './socket.js';

type Answer = HttpResponse | Promise<HttpResponse>;
export type RouteHandler = (request: HttpRequest) => Answer;

/** Routes by exact path, or by prefix where the path ends in `/*`. HEAD takes GET's route; the engine drops the body. */
export class Router {
  readonly #exact = new Map<string, Map<string, RouteHandler>>();
  readonly #prefixes = new Map<string, Map<string, RouteHandler>>();

  on(method: string, path: string, handler: RouteHandler): this {
    const prefix = path.endsWith('/*');
    const table = prefix ? this.#prefixes : this.#exact;
    const key = prefix ? path.slice(0, -1) : path;
    const methods = table.get(key) ?? new Map<string, RouteHandler>();
    table.set(key, methods.set(method, handler));
    return this;
  }

  get(path: string, handler: RouteHandler): this {
    return this.on('GET', path, handler);
  }

  /** Fit for ServerOptions.http. */
  handle(request: HttpRequest): Answer {
    const methods = this.#exact.get(request.path) ?? this.#longestPrefix(request.path);
    if (methods === undefined) return text(404, 'not found\n');
    const handler = methods.get(request.method === 'HEAD' ? 'GET' : request.method);
    if (handler !== undefined) return handler(request);
    const allowed = [...methods.keys()];
    if (methods.has('GET')) allowed.push('HEAD');
    return { ...text(405, 'method not allowed\n'), headers: { ...TEXT, allow: allowed.join(', ') } };
  }

  #longestPrefix(path: string): Map<string, RouteHandler> | undefined {
    for (let end = path.lastIndexOf('/'); end >= 0; end = path.lastIndexOf('/', end - 1)) {
      const methods = this.#prefixes.get(path.slice(0, end + 1));
      if (methods !== undefined || end === 0) return methods;
    }
    return undefined;
  }
}

const TEXT = { 'content-type': 'text/plain; charset=utf-8' } as const;
const FAILED: HttpResponse = { status: 500, headers: TEXT, body: 'internal error\n' };

export function text(status: number, body: string): HttpResponse {
  return { status, headers: TEXT, body };
}

export function json(status: number, value: unknown): HttpResponse {
  return { status, headers: { 'content-type': 'application/json' }, body: `${JSON.stringify(value)}\n` };
}

/** Calls a handler so that it cannot fail. A plain value comes back at once, for engines that answer in the same turn. */
export function answer(handler: RouteHandler, request: HttpRequest): Answer {
  try {
    const result = handler(request);
    return result instanceof Promise ? result.catch(() => FAILED) : result;
  } catch {
    return FAILED;
  }
}

/** A close reason cut to what a close frame can carry (RFC 6455 §5.5), on a character's border. */
export function closeReason(reason: string): string {
  const bytes = Buffer.from(reason);
  return bytes.length <= 123 ? reason : new TextDecoder().decode(bytes.subarray(0, 123), { stream: true });
}
