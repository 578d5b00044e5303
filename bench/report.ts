// Owns what a bench says: rows, the table for people and the JSON for programs.
// Invariant: both come from the same rows.
// Must not: measure anything.

import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import pc from 'picocolors';

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it is measured against, in the same run and unit. */
  readonly floor?: number;
  /** `value` ÷ `floor`. */
  readonly ratio?: number;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly os: string;
  readonly node: string;
}

export interface Report {
  readonly suite: string;
  readonly machine: Machine;
  readonly rows: readonly Row[];
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    os: system(),
    node: process.version,
  };
}

function system(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform;
  } catch {
    return process.platform;
  }
}

/** A row with its ratio; without a floor where the peer was not there. */
export function row(name: string, value: number, unit: string, floor?: number): Row {
  if (floor === undefined) return { name, value, unit };
  return { name, value, unit, floor, ratio: floor === 0 ? 0 : value / floor };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function table(report: Report): string {
  const { cpu, cores, os, node } = report.machine;
  const cells = report.rows.map((r) => [
    r.name,
    figure(r.value),
    r.unit,
    r.floor === undefined ? '' : figure(r.floor),
    r.ratio === undefined ? '' : `${r.ratio.toFixed(2)}×`,
  ]);
  const head = ['', 'value', 'unit', 'floor', 'ratio'];
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((line) => line[i]?.length ?? 0)));
  const format = (line: readonly string[]): string =>
    line
      .map((text, i) => (i === 0 || i === 2 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0)))
      .join('  ');
  return [
    pc.bold(`${report.suite}: ${cores} × ${cpu}, ${os}, Node ${node}`),
    pc.dim(format(head)),
    ...cells.map(format),
    '',
  ].join('\n');
}

function figure(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
