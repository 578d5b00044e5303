// Owns clients of a node that is killed again and again: each repeats what it asked, under the same id, until it is answered.
// Invariant: an answer is returned once, and only one that counts: `retry` 1 is asked again.
// Must not: kill the node, or know what is asked.

import type { NodeProcess } from '../../bench/node-process.js';
import { type ClientFrame, T } from '../../transport/frames.js';
import { RawClient, utf8 } from './harness.js';

/** The node as it comes and goes. */
export class Mortal {
  node: NodeProcess | null = null;
  url = '';
  kills = 0;
  #revived: (() => void)[] = [];

  revive(node: NodeProcess): void {
    this.node = node;
    this.url = node.url;
    for (const wake of this.#revived.splice(0)) wake();
  }

  async alive(): Promise<void> {
    if (this.node === null) await new Promise<void>((resolve) => this.#revived.push(resolve));
  }
}

/** A user's connection, made again whenever it is gone. */
export class Persistent {
  readonly user: string;
  readonly #mortal: Mortal;
  #client: RawClient | null = null;
  retries = 0;

  constructor(user: string, mortal: Mortal) {
    this.user = user;
    this.#mortal = mortal;
  }

  /** Asks under whatever number, until there is an answer: OK's results, PAGE's rows, or the code of a refusal. */
  async ask(frame: (r: number) => ClientFrame): Promise<readonly unknown[] | string> {
    for (;;) {
      const client = await this.#connected();
      const r = client.request();
      client.send(frame(r));
      const answer = await this.#answer(client, r);
      if (answer !== null) return answer;
      this.retries += 1;
    }
  }

  /** Sends until there is a number. */
  async send(chat: Uint8Array, id: Uint8Array, body: string): Promise<number | string> {
    for (;;) {
      const client = await this.#connected();
      client.send({ type: T.SEND, chat, id, body: utf8(body) });
      const frame = await either(client, (it) => it.type === T.SENT || it.type === T.FAILED);
      if (frame?.type === T.SENT) return frame.seq;
      if (frame?.type === T.FAILED && !frame.retry) return frame.code;
      this.retries += 1;
    }
  }

  close(): void {
    this.#client?.close();
  }

  async #answer(client: RawClient, r: number): Promise<readonly unknown[] | string | null> {
    const frame = await either(client, (it) => 'r' in it && it.r === r);
    if (frame?.type === T.OK) return frame.results;
    if (frame?.type === T.PAGE) return frame.rows;
    return frame?.type === T.ERROR && !frame.retry ? frame.code : null;
  }

  async #connected(): Promise<RawClient> {
    for (;;) {
      if (this.#client !== null && this.#client.closed === null) return this.#client;
      await this.#mortal.alive();
      try {
        this.#client = await RawClient.join(this.#mortal.url, this.user, 'd', null, 60_000);
        this.#client.sync([]);
        if ((await either(this.#client, ({ type }) => type === T.SYNCED)) !== null) return this.#client;
      } catch {
        // The node died on the way.
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

type Frame = RawClient['frames'][number];

/** The first frame that passes, or null when the connection is gone without one. */
async function either(client: RawClient, passes: (frame: Frame) => boolean): Promise<Frame | null> {
  for (;;) {
    const at = client.frames.findIndex(passes);
    if (at >= 0) return client.frames.splice(at, 1)[0]!;
    if (client.closed !== null) return null;
    await client.changed();
  }
}
