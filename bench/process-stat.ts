// Owns what the kernel says of another process: its CPU time, its memory, its children.
// Invariant: read from /proc, so the process itself does nothing for it.
// Must not: run anything.

import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second in /proc (sysconf _SC_CLK_TCK; 100 on every Linux that Node runs on). */
const TICKS = 100;
/** Bytes of a page in /proc (4 KiB on x86-64 and on the usual arm64 kernels). */
const PAGE = 4_096;

/** CPU seconds of a process so far, user and system, all threads. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Bytes of a process's memory that are in RAM. */
export interface Memory {
  readonly resident: number;
  /** Of it: pages of files, such as the program's text and a mapped store. */
  readonly files: number;
}

export function memory(pid: number): Memory {
  const [, resident = 0, files = 0] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ').map(Number);
  return { resident: resident * PAGE, files: files * PAGE };
}

/** Process ids of a host's nodes, by node id. */
export function childrenOf(parent: number): Map<string, number> {
  const found = new Map<string, number>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [, state, ppid] = /^\d+ \(.*\) (\S) (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      if (Number(ppid) !== parent || state === 'Z') continue;
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      found.set(words[words.indexOf('node') + 1] ?? '', Number(pid));
    } catch {
      // It has ended meanwhile.
    }
  }
  return found;
}
