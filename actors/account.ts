// Owns the changes of one user's own rows: account, devices, marks, blocks, profile.
// Invariant: one change at a time, decided on what is stored, appended to the log under the user's own shard, and answered
// when it is durable. Nothing is cached, so what a crash leaves is what the next one decides on.
// Must not: know what the changes are (devices.ts, marks.ts, blocks.ts, profile.ts), or wait in a handler.
//
//   add ─▶ queue ─▶ read, decide ── refused ─▶ refuse
//                        └─ writes ─▶ log.append ─▶ durable ─▶ done

import { type AccountRow, decodeAccount, encodeAccount } from '../storage/account-rows.js';
import { type AppendResult, refused } from '../storage/append.js';
import { accountId, accountKey, shardOf } from '../storage/keys.js';
import type { Write } from '../storage/store.js';
import { assert, type Refusal, refuse } from './errors.js';
import type { Fabric } from './fabric.js';
import { LIMITS } from './limits.js';
import type { UserContext } from './user.js';

/** What a job found right to do. */
export interface Decision {
  /** Fields of the account row that change. */
  readonly account?: Partial<AccountRow>;
  /** None, and no change of the account: nothing is written. */
  readonly writes: readonly Write[];
  /** All of it is durable. */
  done(context: UserContext): void;
}

export interface Job {
  /** Reads and decides; changes nothing. A rejection counts as `unavailable`. */
  decide(account: AccountRow): Promise<Decision | Refusal>;
  refuse(refusal: Refusal): void;
}

/** What a job of an account came to. */
export type Decided = { readonly account: AccountRow; readonly decision: Decision | Refusal };

export class Account {
  readonly #fabric: Fabric;
  readonly #user: string;
  readonly #jobs: Job[] = [];
  #current: Job | null = null;
  #decision: Decision | null = null;
  /** No append of an earlier actor of this user is on its way any more. */
  #settled = false;

  constructor(fabric: Fabric, user: string) {
    this.#fabric = fabric;
    this.#user = user;
  }

  get idle(): boolean {
    return this.#current === null;
  }

  add(job: Job, context: UserContext): void {
    if (this.#jobs.length >= LIMITS.accountQueue) return job.refuse(refuse('busy', 'too much is asked of this user'));
    this.#jobs.push(job);
    this.#next(context);
  }

  #next(context: UserContext): void {
    if (this.#current !== null) return;
    const job = this.#jobs.shift();
    if (job === undefined) return;
    this.#current = job;
    const done = context.completion({ type: 'decided' });
    this.#decide(job).then(done, (error: unknown) => {
      this.#fabric.report('account_unreadable', { user: this.#user, reason: String(error) });
      done(null);
    });
  }

  async #decide(job: Job): Promise<Decided> {
    if (!this.#settled) {
      const id = accountId(this.#user);
      await this.#fabric.log.settled(id, shardOf(id));
    }
    const account = decodeAccount(await this.#fabric.store.get(accountKey(this.#user)));
    return { account, decision: await job.decide(account) };
  }

  /** `null`: the store could not be read. */
  decided(value: Decided | null, context: UserContext): void {
    if (value === null) return this.#refuse(refuse('unavailable', 'the store cannot be read now'), context);
    this.#settled = true;
    const { account, decision } = value;
    if ('code' in decision) return this.#refuse(decision, context);
    this.#decision = decision;
    if (decision.writes.length === 0 && decision.account === undefined) return this.#done(context);
    const revision = account.revision + 1;
    const row = { ...account, ...decision.account, revision };
    const witness = { key: accountKey(this.#user), value: encodeAccount(row) };
    const writes = [witness, ...decision.writes];
    let bytes = 0;
    for (const { key, value } of writes) bytes += key.length + (value?.length ?? 0);
    const chat = accountId(this.#user);
    const done = context.completion({ type: 'written' });
    const shard = shardOf(chat);
    // What it brings is told to the user's own connections, which ask again when the user's actor is gone.
    const telling = { done: true };
    const taken = this.#fabric.log.append({ chat, shard, head: revision, writes, bytes, witness, telling, done });
    if (taken !== 'ok') done(refused(taken));
  }

  written(result: AppendResult, context: UserContext): void {
    if (result.outcome === 'committed') return this.#done(context);
    const reason = result.outcome === 'failed' ? result.reason : 'another node owns the user';
    this.#fabric.report('append_failed', { user: this.#user, reason });
    this.#refuse(refuse('unavailable', `not stored: ${reason}`), context);
  }

  #done(context: UserContext): void {
    const decision = this.#decision;
    assert(decision !== null, 'what is done was decided');
    this.#end();
    decision.done(context);
    this.#next(context);
  }

  #refuse(refusal: Refusal, context: UserContext): void {
    const job = this.#current;
    assert(job !== null, 'what is refused was asked');
    this.#end();
    job.refuse(refusal);
    this.#next(context);
  }

  #end(): void {
    this.#current = null;
    this.#decision = null;
  }
}
