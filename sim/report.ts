// Owns what people and programs are shown of a simulation: progress, a failure, the sum.
// Invariant: a failure names seed, rule and step, and how to see it again; nothing but text is made here.
// Must not: run anything, or decide about colour.

import type { Coverage } from './coverage.js';
import type { Step } from './plan.js';
import type { Fact } from './record.js';
import { entryOf, show } from './says.js';
import type { Seen } from './sights.js';
import { inWords } from './tenures.js';
import type { Outcome } from './trial.js';
import { Wiretap } from './wiretap.js';

/** Colours, or none. */
export interface Ink {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
}

/** Lines of a trace that are shown; a history that could not be made smaller has too many to read. */
const LINES = 120;
const WIDTH = 160;

export interface Totals {
  readonly histories: number;
  readonly failed: number;
  readonly replayed: number;
  readonly ms: number;
  readonly events: number;
}

export function progress({ histories, failed, ms }: Totals, of: number, coverage: Coverage, ink: Ink): string {
  const rate = `${Math.round(histories / (ms / 1_000))}/s`;
  const kinds = Object.keys(coverage.counts).length;
  const met = kinds - coverage.missing.length;
  const bad = failed === 0 ? ink.green('no violation') : ink.red(`${failed} failed`);
  const total = Number.isFinite(of) ? ` of ${of}` : '';
  return `${histories}${total} histories  ${rate}  ${bad}  ${met}/${kinds} kinds of fault`;
}

export function failure(original: Outcome, small: Outcome, ink: Ink): string {
  const { seed } = original.plan;
  const [first] = small.violations;
  const lines = [
    ink.red(ink.bold(`seed ${seed} breaks ${first?.rule ?? 'nothing'}`)),
    ...small.violations
      .slice(0, 6)
      .map(
        ({ rule, detail, at }) => `  ${ink.bold(rule)}${at === null ? '' : ` at ${at.toFixed(1)} ms`}: ${cut(detail)}`,
      ),
    '',
    `${small.plan.steps.length} of ${original.plan.steps.length} steps are left, with ${JSON.stringify({ ...small.plan.options, ...small.plan.cluster })}`,
    ...small.plan.steps.map((step) => `  ${step.at.toFixed(0).padStart(7)} ${stepText(step)}`),
    '',
    ...trace(small, ink),
    '',
    `Again: ${ink.bold(`npm run simulate -- ${small.plan.cluster === undefined ? '' : '--cluster '}--seed ${seed}`)}`,
  ];
  return lines.join('\n');
}

function stepText({ at: _, do: verb, ...rest }: Step): string {
  const fields = Object.entries(rest).map(
    ([name, value]) => `${name}=${Array.isArray(value) ? value.join('+') : value}`,
  );
  return `${verb} ${fields.join(' ')}`;
}

/** What happened, the lines nearest to the violation where there are too many. */
function trace({ record, violations }: Outcome, ink: Ink): string[] {
  const tap = new Wiretap();
  const lines = record.flatMap((fact) => {
    const texts = [...tap.hear(fact).map(wireText), factText(fact)];
    return texts.filter((text) => text !== '').map((text) => ({ at: fact.at, text }));
  });
  const place = violations[0]?.at ?? null;
  const near = place === null ? lines.length : lines.findIndex(({ at }) => at > place);
  const last = Math.min(lines.length, (near < 0 ? lines.length : near) + LINES / 4);
  const from = Math.max(0, last - LINES);
  const shown = lines.slice(from, last).map(({ at, text }) => `  ${at.toFixed(1).padStart(9)} ${cut(text)}`);
  return from === 0 ? shown : [ink.dim(`  … ${from} lines before`), ...shown];
}

function wireText({ tap, way, what }: Seen): string {
  const who = tap.device === '' ? `stranger ${tap.user}` : tap.device;
  // Where there are several nodes, it matters which.
  const node = tap.node === 'n1' ? '' : ` ${tap.node}`;
  const text = way === 'in' ? `${who} ──▶${node}` : `${who} ◀──${node}`;
  switch (what.kind) {
    case 'entry': {
      const entry = entryOf(what.entry);
      return `${text} ${what.by === 'page' ? 'page row' : 'entry'} ${short(what.entry.chat)} ${entry.seq} ${show(entry)}`;
    }
    case 'sent':
      return `${text} SENT ${show(body(what.send.body))} is ${what.seq} of ${short(what.send.chat)}`;
    case 'failed':
      return `${text} FAILED ${show(body(what.send.body))} ${what.code}`;
    case 'send':
      return `${text} SEND ${show(body(what.body))} to ${short(what.chat)}`;
    case 'ack':
      return `${text} ${what.by.toUpperCase()} ${short(what.chat)} ${what.delivered}/${what.read}`;
    case 'receipt':
      return `${text} RECEIPT ${short(what.chat)} ${what.user} ${what.delivered}/${what.read}`;
    case 'tally':
      return `${text} TALLY ${short(what.chat)} ${what.delivered}/${what.read}`;
    case 'cert':
      return `${text} CERT ${short(what.chat)} head ${what.head} start ${what.start}`;
    case 'ask':
      return `${text} request ${what.asked.type}`;
    case 'error':
      return `${text} ERROR ${what.code}`;
    case 'hello':
    case 'sync':
    case 'synced':
    case 'welcome':
    case 'ok':
      return `${text} ${what.kind.toUpperCase()}`;
    case 'garbled':
      return `${text} ${what.why}`;
    default:
      return '';
  }
}

function factText(fact: Fact): string {
  switch (fact.kind) {
    case 'start':
      return `${fact.device} starts, life ${fact.life}${fact.fresh ? ', on an empty store' : ''}`;
    case 'end':
      return `${fact.device} ends: ${fact.how} ${fact.code}`;
    case 'state':
      return `${fact.device} is ${fact.state}`;
    case 'send':
      return `${fact.device} sends ${show(body(fact.body))} to ${fact.name}`;
    case 'shown':
      return `${fact.device} is shown ${fact.entry.seq} of ${short(fact.chat)}: ${show(fact.entry)}`;
    case 'truncated':
      return `${fact.device} is told that ${fact.from} to ${fact.to} of ${short(fact.chat)} will not come`;
    case 'asked':
      return `${fact.device} asks: ${fact.what} ${short(fact.chat)} ${[...fact.users, ...fact.values].join(' ')}`;
    case 'answered':
      return `${fact.device} is answered: ${fact.code === '' ? `ok ${fact.seq}` : fact.code}`;
    case 'link':
      return `link ${fact.link} of ${fact.device === '' ? 'a stranger' : fact.device} to ${fact.node}`;
    case 'unlink':
      return `link ${fact.link} ends at the node (${fact.code})`;
    case 'flushed':
      return fact.disk === 'store' ? inWords(fact.writes) : `${fact.disk} flushed ${fact.writes.length} rows`;
    case 'process':
      return `process ${fact.process} ${fact.alive ? 'begins' : 'is over'}`;
    case 'fault':
      return `FAULT ${fact.fault} ${fact.whom} ${fact.detail}`;
    case 'calm':
      return 'CALM: faults are over';
    case 'rest':
      return fact.reached ? `at rest, ${fact.ms.toFixed(0)} ms after the calm` : `NOT AT REST: ${fact.why}`;
    case 'trouble':
      return `TROUBLE ${fact.where}: ${fact.what}`;
    case 'error':
      return `${fact.device} is told an error: ${fact.code} ${fact.detail}`;
    default:
      return '';
  }
}

function body(text: string) {
  return { seq: 0, id: '', from: '', type: 'message', body: text, event: null } as const;
}

function short(chat: string): string {
  return chat.slice(0, 8);
}

function cut(text: string): string {
  const line = text.replaceAll('\n', ' ⏎ ').replace(/\.{5,}/g, '…');
  return line.length > WIDTH ? `${line.slice(0, WIDTH)}…` : line;
}

/** The sum at the end, with how often each kind of fault took effect. */
export function summary({ histories, failed, replayed, ms, events }: Totals, coverage: Coverage, ink: Ink): string {
  const seconds = ms / 1_000;
  const counts = Object.entries(coverage.counts).map(([fault, count]) => `${fault} ${count}`);
  const rows: string[] = [];
  for (let n = 0; n < counts.length; n += 4)
    rows.push(
      `  ${counts
        .slice(n, n + 4)
        .map((text) => text.padEnd(32))
        .join('')}`.trimEnd(),
    );
  const verdict = failed === 0 ? ink.green('no violation') : ink.red(`${failed} broke a rule`);
  return [
    `${ink.bold(`${histories} histories`)} in ${seconds.toFixed(1)} s (${(ms / Math.max(1, histories)).toFixed(1)} ms each, ${Math.round(events / seconds)} events/s): ${verdict}`,
    `${replayed} of them ran twice, with the same trace`,
    'faults that took effect:',
    ...rows,
    ...(coverage.missing.length > 0 ? [ink.red(`never: ${coverage.missing.join(', ')}`)] : []),
  ].join('\n');
}
