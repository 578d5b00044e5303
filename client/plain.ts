// Owns reading what an answer holds: values of the wire, each of the form that docs/wire.md gives.
// Invariant: a value of another form throws `bad_response`, never a guess; one that an older server leaves out is what
// `otherwise` says.
// Must not: know what the values mean.

import type { Plain } from '../transport/frames.js';
import { WeftError } from './errors.js';

type Value = Plain | undefined;

function bad(what: string): WeftError {
  return new WeftError('bad_response', `${what} is not what the protocol says`);
}

export function textOf(value: Value, what: string, otherwise?: string): string {
  const given = value ?? otherwise;
  if (typeof given !== 'string') throw bad(what);
  return given;
}

export function countOf(value: Value, what: string, otherwise?: number): number {
  const given = value ?? otherwise;
  if (typeof given !== 'number' || given < 0) throw bad(what);
  return given;
}

/** 0 and 1; an older server leaves it out and means 0. */
export function flagOf(value: Value, what: string): boolean {
  return typeof value === 'boolean' ? value : countOf(value, what, 0) !== 0;
}

export function listOf(value: Value, what: string, otherwise?: readonly Plain[]): readonly Plain[] {
  const given = value ?? otherwise;
  if (!Array.isArray(given)) throw bad(what);
  return given as readonly Plain[];
}

export function textsOf(value: Value, what: string): string[] {
  return listOf(value, what, []).map((entry) => textOf(entry, what));
}

export function countsOf(value: Value, what: string): number[] {
  return listOf(value, what, []).map((entry) => countOf(entry, what));
}

export function bytesOf(value: Value, length: number, what: string): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== length) throw bad(what);
  return value;
}
