// Owns the reading of a node's system calls: which flushes of its data file were complete when a frame left for a socket.
// Invariant: knows WebSocket's framing and strace's format; nothing of it comes from the node.
// Must not: run anything.
//
// strace -f -yy -xx writes one line a call, or two where another thread's call comes between:
//
//   4711 pwrite64(21</data/store/data.mdb>, "\x01\x02…", 4096, 8192) = 4096
//   4711 fdatasync(21</data/store/data.mdb> <unfinished ...>
//   4700 sendto(25<TCP:[127.0.0.1:7400->127.0.0.1:50000]>, "\x82\x05…", 7, …) = 7
//   4711 <... fdatasync resumed>) = 0

/** What is watched: everything that writes to a file or a socket, and everything that flushes. */
export const WATCHED = 'trace=write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,fdatasync,fsync,msync';

export interface Call {
  readonly name: string;
  /** The descriptor as strace shows it: a path, or a pair of addresses. */
  readonly target: string;
  /** What was written, as the text of a hexadecimal string. */
  readonly bytes: string;
  readonly good: boolean;
  /** Lines of the trace at which it began and ended. */
  readonly began: number;
  readonly ended: number;
}

/** Calls in the order in which they ended. */
export function readCalls(trace: string): Call[] {
  const open = new Map<string, { readonly text: string; readonly began: number }>();
  const calls: Call[] = [];
  for (const [at, line] of trace.split('\n').entries()) {
    const [, thread = '', rest = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const unfinished = rest.indexOf(' <unfinished ...>');
    if (unfinished >= 0) {
      open.set(thread, { text: rest.slice(0, unfinished), began: at });
      continue;
    }
    const begun = rest.startsWith('<...') ? open.get(thread) : undefined;
    const text = begun === undefined ? rest : begun.text + rest;
    const [, name, target] = /^(\w+)\(\d+<(.*?)>(?:,|\)| |<)/.exec(text) ?? [];
    if (name === undefined || target === undefined) continue;
    const bytes = [...text.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)]
      .map(([, hex = '']) => hex.replaceAll('\\x', ''))
      .join('');
    calls.push({
      name,
      target: shown(target),
      bytes,
      good: / = \d+$/.test(text),
      began: begun?.began ?? at,
      ended: at,
    });
  }
  return calls;
}

/** -xx turns paths, too, into hexadecimal. */
function shown(target: string): string {
  return target.replace(/\\x([0-9a-f]{2})/g, (_, byte: string) => String.fromCharCode(Number.parseInt(byte, 16)));
}

/** A frame that the node sent. */
export interface Outgoing {
  /** The connection, as strace shows it. */
  readonly socket: string;
  readonly payload: Buffer;
  /** Line at which the write that carries it began. */
  readonly began: number;
}

/** The binary frames that left for WebSockets, in order (RFC 6455 §5.2; a server's frames carry no mask). */
export function outgoing(calls: readonly Call[]): Outgoing[] {
  const frames: Outgoing[] = [];
  for (const { name, target, bytes, good, began } of calls) {
    if (!good || !target.startsWith('TCP') || !/^(write|send)/.test(name)) continue;
    const data = Buffer.from(bytes, 'hex');
    for (let at = 0; data[at] === 0x82; ) {
      const short = data[at + 1]!;
      const start = at + (short < 126 ? 2 : 4);
      const end = start + (short < 126 ? short : data.readUInt16BE(at + 2));
      frames.push({ socket: target, payload: data.subarray(start, end), began });
      at = end;
    }
  }
  return frames;
}

/**
 * Whether the bytes, in hexadecimal, were durable before line `before`: written to the data file, then that file flushed,
 * both completed.
 */
export function durable(calls: readonly Call[], file: string, bytes: string, before: number): boolean {
  const written = calls.find((call) => call.good && call.target === file && call.bytes.includes(bytes));
  if (written === undefined) return false;
  return calls.some(
    ({ name, target, good, began, ended }) =>
      /^(fdatasync|fsync|msync)$/.test(name) && good && target === file && began > written.ended && ended < before,
  );
}
