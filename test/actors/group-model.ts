// Owns a group as the documentation has it (docs/wire.md, Changes): what each request must be answered, what the log then
// holds, and who sees which part of it.
// Invariant: plain and slow: one request after the other, no storage, no time.
// Must not: import rules from the product.

import { INVITE_MODE, OP, ROLE } from '../../transport/frames.js';

export interface ChangeAct {
  readonly type: 'change';
  readonly user: string;
  readonly op: number;
  readonly users: readonly string[];
  readonly args: readonly (string | number)[];
}

export type Act =
  | ChangeAct
  | { readonly type: 'send'; readonly user: string }
  /** By the link that was made as the `link`th. */
  | { readonly type: 'join'; readonly user: string; readonly link: number };

const KNOWN = new Set<number>([
  OP.added,
  OP.removed,
  OP.owner,
  OP.role,
  OP.title,
  OP.announce,
  OP.expiry,
  OP.invite,
  OP.declined,
]);

export class GroupModel {
  /** In order of joining. */
  readonly roles = new Map<string, number>();
  readonly log: string[] = [];
  /** Everybody's stays: first and last number. */
  readonly stays = new Map<string, [from: number, until: number][]>();
  title: string;
  avatar = '';
  announce = 0;
  expiry = 0;
  mode: number = INVITE_MODE.none;
  links = 0;
  waiting: readonly string[] = [];

  constructor(owner: string, users: readonly string[], title: string) {
    this.title = title;
    this.#write(owner, 'created', title, owner, ...users);
    for (const user of [owner, ...users]) this.#enter(user);
    this.roles.set(owner, ROLE.owner);
  }

  /** A number, or the code of a refusal. A JOIN that changes nothing is answered the newest number. */
  answer(act: Act): number | string {
    if (act.type === 'join') return this.#join(act.user, act.link);
    const role = this.roles.get(act.user);
    if (act.type === 'change') return role === undefined ? 'unknown_chat' : this.#change(act, role);
    if (role === undefined) return 'not_member';
    if (this.announce === 1 && role === ROLE.member) return 'not_allowed';
    return this.#write(act.user, 'says');
  }

  #join(user: string, link: number): number | string {
    if (link !== this.links || this.mode === INVITE_MODE.none || this.roles.size === 0) return 'bad_invite';
    if (this.roles.has(user)) return this.log.length;
    if (this.mode === INVITE_MODE.approval) {
      if (this.waiting.includes(user)) return this.log.length;
      this.waiting = [...this.waiting, user];
      return this.#write(user, 'asked');
    }
    this.#write(user, 'joined');
    this.#enter(user);
    return this.log.length;
  }

  #change({ user, op, users, args }: ChangeAct, role: number): number | string {
    const all = [...new Set(users)];
    const [arg] = args;
    const members = all.length > 0 && all.every((one) => this.roles.has(one));
    const leads = role >= ROLE.admin;
    if (op === OP.left) {
      if (role === ROLE.owner) this.#passOn(user);
      const seq = this.#write(user, 'left');
      this.#leave(user);
      return seq;
    }
    if (!KNOWN.has(op)) return 'bad_request';
    if (!leads || (op === OP.owner && role !== ROLE.owner)) return 'not_allowed';
    const ownerNamed = all.some((one) => this.roles.get(one) === ROLE.owner);
    switch (op) {
      case OP.added: {
        const fresh = all.filter((one) => !this.roles.has(one));
        if (fresh.length === 0) return 'bad_request';
        const seq = this.#write(user, 'added', ...fresh);
        for (const one of fresh) this.#enter(one);
        return seq;
      }
      case OP.removed: {
        if (!members) return 'bad_request';
        if (ownerNamed) return 'not_allowed';
        if (all.includes(user)) return 'bad_request';
        const seq = this.#write(user, 'removed', ...all);
        for (const one of all) this.#leave(one);
        return seq;
      }
      case OP.owner:
        if (users.length !== 1 || !members || all[0] === user) return 'bad_request';
        this.roles.set(user, ROLE.admin).set(all[0]!, ROLE.owner);
        return this.#write(user, 'owner', all[0]!);
      case OP.role: {
        if ((arg !== ROLE.member && arg !== ROLE.admin) || !members) return 'bad_request';
        if (ownerNamed) return 'not_allowed';
        const others = all.filter((one) => this.roles.get(one) !== arg);
        if (others.length === 0) return 'bad_request';
        for (const one of others) this.roles.set(one, arg);
        return this.#write(user, 'role', ...others, arg);
      }
      case OP.title:
        if (typeof arg !== 'string' || arg === '' || arg === this.title) return 'bad_request';
        this.title = arg;
        return this.#write(user, 'title', arg);
      case OP.announce:
        if ((arg !== 0 && arg !== 1) || arg === this.announce) return 'bad_request';
        this.announce = arg;
        return this.#write(user, 'announce', arg);
      case OP.expiry:
        if (typeof arg !== 'number' || arg === this.expiry) return 'bad_request';
        this.expiry = arg;
        return this.#write(user, 'expiry', arg);
      case OP.invite:
        if (typeof arg !== 'number' || arg > 2 || (arg === 0 && this.mode === 0)) return 'bad_request';
        this.mode = arg;
        this.links += 1;
        return this.#write(user, 'invite', arg);
      case OP.declined:
        if (all.length === 0 || !all.every((one) => this.waiting.includes(one))) return 'bad_request';
        this.waiting = this.waiting.filter((one) => !all.includes(one));
        return this.#write(user, 'declined', ...all);
      default:
        return 'bad_request';
    }
  }

  #passOn(owner: string): void {
    const others = [...this.roles].filter(([user]) => user !== owner);
    const heir = (others.find(([, role]) => role === ROLE.admin) ?? others[0])?.[0];
    if (heir === undefined) return;
    this.#write(owner, 'owner', heir);
    this.roles.set(owner, ROLE.admin).set(heir, ROLE.owner);
  }

  #write(from: string, ...what: (string | number)[]): number {
    return this.log.push([from, ...what].join(' '));
  }

  /** With the newest entry. */
  #enter(user: string): void {
    this.roles.set(user, ROLE.member);
    this.waiting = this.waiting.filter((one) => one !== user);
    this.stays.set(user, [...(this.stays.get(user) ?? []), [this.log.length, 0]]);
  }

  #leave(user: string): void {
    this.roles.delete(user);
    this.stays.get(user)!.at(-1)![1] = this.log.length;
  }
}
