// Owns a node's links: one with each other member of the view, made anew whenever it is lost.
//
// Of two nodes the one with the lower id dials, so both cannot at once, and no tie has to be broken. The listener lets in who is in its
// view, in the incarnation that is there. A node that left the view loses its link at once, whatever it still believes; so does
// one that sees itself gone. Whatever ends a session is known to both sides, by a close or by silence, before the next one begins.
// Invariant: at most one session a peer; the old one is over, here and there, before up() of the new one.
// Must not: send or keep batches (link-session.ts, router.ts), or decide who is a member (membership.ts).

import { assert } from '../actors/errors.js';
import { LIMITS } from '../actors/limits.js';
import type { World } from '../actors/world.js';
import type { Versions } from '../storage/format.js';
import { delay } from '../supervisors/backoff.js';
import type { LinkEvents, LinkStats, Member, PeerLink } from './link.js';
import { Dialler, Listener, type Mac } from './link-greeting.js';
import { Line, type LineOwner } from './link-line.js';
import { Session, type Tally } from './link-session.js';
import type { End, Listening, Net } from './net.js';

export interface LinksOptions {
  readonly world: World;
  readonly net: Net;
  readonly mac: Mac;
  /** Of the link protocol; absent: this build's. */
  readonly versions?: Versions;
  /** Our own id. */
  readonly node: string;
  readonly events: LinkEvents;
}

interface Peer {
  readonly member: Member;
  readonly tally: Tally;
  session: Session | undefined;
  /** The greeting under way, where we dial. */
  line: Line | undefined;
  cancelRetry: (() => void) | undefined;
  /** Dials and short sessions in a row that failed. */
  failures: number;
  end: End | null;
}

const RETRY = { min: LIMITS.linkRetryMs, max: LIMITS.linkRetryMostMs, jitter: 0.5, stable: LIMITS.linkStableMs };
/** What an operator has to mend, unlike a break or a view that lags. */
const TROUBLE: readonly End[] = ['frame', 'secret', 'version', 'replaced', 'elsewhere', 'fault', 'full'];

export class Links {
  readonly #options: LinksOptions;
  readonly #peers = new Map<string, Peer>();
  /** Accepted wires that have not proved themselves, the oldest first. */
  readonly #waiting = new Set<Line>();
  readonly #told = new Map<End, { at: number; times: number }>();
  #listening: Listening | undefined;
  /** Our incarnation in the view; undefined: we are not in it. */
  #incarnation: number | undefined;
  #sessions = 0;

  private constructor(options: LinksOptions) {
    this.#options = options;
  }

  /** Listens. Nobody is let in before peers() names us. Rejects as Net.listen() does. */
  static async open(options: LinksOptions): Promise<Links> {
    const links = new Links(options);
    links.#listening = await options.net.listen((wire) => links.#accept(wire));
    return links;
  }

  /** What others dial: the link address of our row. */
  get address(): string {
    assert(this.#listening !== undefined, 'links listen');
    return this.#listening.address;
  }

  /** The view, with ourselves. Links with who is not in it any more, or in a newer incarnation, end within the call. */
  peers(view: readonly Member[]): void {
    const { node } = this.#options;
    const members = new Map(view.map((member) => [member.node, member]));
    const mine = members.get(node)?.incarnation;
    if (mine !== this.#incarnation) for (const peer of [...this.#peers.values()]) this.#drop(peer, 'gone');
    this.#incarnation = mine;
    for (const peer of [...this.#peers.values()]) {
      const member = members.get(peer.member.node);
      if (member === undefined) this.#drop(peer, 'gone');
      else if (!same(member, peer.member)) this.#drop(peer, 'replaced', member);
    }
    if (mine === undefined) return;
    for (const member of members.values()) {
      if (member.node !== node && !this.#peers.has(member.node)) this.#add(member, newTally());
    }
  }

  /** The link with a node, while it is up. */
  link(node: string): PeerLink | undefined {
    return this.#peers.get(node)?.session;
  }

  stats(): LinkStats[] {
    return [...this.#peers.values()].map(({ member, session, tally, end }) => ({
      node: member.node,
      incarnation: member.incarnation,
      state: session === undefined ? 'down' : 'up',
      version: session?.version ?? null,
      roundTrip: session?.roundTrip ?? null,
      queued: session?.buffered ?? 0,
      unsent: session?.unsent ?? 0,
      ...tally,
      end,
    }));
  }

  /** Ends all links and listens no more. */
  async close(): Promise<void> {
    this.peers([]);
    for (const line of [...this.#waiting]) line.end('gone');
    await this.#listening?.close();
  }

  #add(member: Member, tally: Tally): void {
    const peer: Peer = {
      member,
      tally,
      session: undefined,
      line: undefined,
      cancelRetry: undefined,
      failures: 0,
      end: null,
    };
    this.#peers.set(member.node, peer);
    this.#dial(peer);
  }

  #drop(peer: Peer, end: End, successor?: Member): void {
    this.#peers.delete(peer.member.node);
    peer.cancelRetry?.();
    peer.line?.end(end);
    peer.session?.end(end);
    if (successor !== undefined) this.#add(successor, peer.tally);
  }

  #dial(peer: Peer): void {
    const { world, mac, net, node, versions } = this.#options;
    const { member } = peer;
    if (node > member.node) return;
    assert(this.#incarnation !== undefined && peer.session === undefined, 'a member dials a peer without a session');
    const who = { node, incarnation: this.#incarnation, to: member.node, toIncarnation: member.incarnation };
    const greeting = new Dialler(world, mac, who, versions);
    const owner: LineOwner = {
      judge: (line, { version }) => {
        peer.line = undefined;
        return this.#begin(peer, line, version);
      },
      begun: (session) => this.#options.events.up(session),
      failed: (line, end) => {
        peer.line = undefined;
        peer.end = end;
        this.#complain(end, member.node, line);
        this.#retry(peer, peer.failures + 1);
      },
    };
    peer.line = new Line(world, owner, greeting, greeting.hello);
    peer.line.wire = net.dial(member.address, peer.line);
  }

  #retry(peer: Peer, failures: number): void {
    const { node } = peer.member;
    peer.failures = failures;
    if (this.#peers.get(node) !== peer || this.#options.node > node) return;
    const { world } = this.#options;
    peer.cancelRetry = world.timer(delay(RETRY, failures - 1, world.random()), () => this.#dial(peer));
  }

  #accept(wire: Line['wire'] & object): Line {
    const { world, mac, events, versions } = this.#options;
    const owner: LineOwner = {
      judge: (accepted, step) => {
        assert(step.type === 'proved', 'a listener is not welcomed');
        const { node, incarnation, to, toIncarnation } = step.hello;
        const peer = this.#peers.get(node);
        const known = peer?.member.incarnation ?? -1;
        // Who dials a node that does not serve yet comes again.
        if (this.#incarnation === undefined) return 'stranger';
        if (to !== this.#options.node || toIncarnation !== this.#incarnation) return 'elsewhere';
        if (peer === undefined || known < incarnation) events.stranger(node, incarnation);
        // It may have been told of by now, if the view was read within the call.
        const now = this.#peers.get(node);
        if (now === undefined || now.member.incarnation < incarnation) return 'stranger';
        if (now.member.incarnation > incarnation) return 'replaced';
        if (node > to) return 'frame';
        now.session?.end('renewed');
        // Whoever was told of that may have changed the view.
        if (this.#peers.get(node) !== now) return 'stranger';
        this.#waiting.delete(accepted);
        return this.#begin(now, accepted, step.version);
      },
      begun: (session) => events.up(session),
      failed: (failed, end) => {
        this.#waiting.delete(failed);
        this.#complain(end, '', failed);
      },
    };
    const line = new Line(world, owner, new Listener(world, mac, versions));
    line.wire = wire;
    const [oldest] = this.#waiting;
    if (oldest !== undefined && this.#waiting.size >= LIMITS.linkWaiting) oldest.end('full');
    this.#waiting.add(line);
    return line;
  }

  #begin(peer: Peer, line: Line, version: number): Session {
    const { world, events } = this.#options;
    const { wire } = line;
    assert(wire !== undefined && peer.session === undefined, 'a session begins on a wire of its own');
    const { node, incarnation } = peer.member;
    this.#sessions++;
    const parties = { node, incarnation, version, session: this.#sessions };
    peer.session = new Session(world, wire, parties, peer.tally, events, (session, end) => {
      peer.session = undefined;
      peer.end = end;
      peer.tally.resets++;
      this.#complain(end, node, line);
      this.#retry(peer, session.age >= RETRY.stable ? 1 : peer.failures + 1);
      events.down(session, end);
    });
    return peer.session;
  }

  #complain(end: End, node: string, line: Line): void {
    if (!TROUBLE.includes(end)) return;
    const { world, events } = this.#options;
    const told = this.#told.get(end) ?? { at: Number.NEGATIVE_INFINITY, times: 0 };
    told.times++;
    if (world.now() - told.at >= LIMITS.noticeMs) {
      events.refused(end, { node, address: line.wire?.address ?? '', times: told.times });
      told.at = world.now();
      told.times = 0;
    }
    this.#told.set(end, told);
  }
}

function same(a: Member, b: Member): boolean {
  return a.incarnation === b.incarnation && a.address === b.address;
}

function newTally(): Tally {
  return { resets: 0, batchesSent: 0, batchesTaken: 0, bytesSent: 0, bytesTaken: 0, refused: 0, unknown: 0 };
}
