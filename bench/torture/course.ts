// Owns the course of a torture of one node: clients send without end while it is killed and started again, round by round;
// then quiet, and the evidence is gathered.
// Invariant: what is read in the end was on disk: the node is killed once more before.
// Must not: judge (checker.ts), or print.

import { join } from 'node:path';
import { NodeProcess } from '../node-process.js';
import { median } from '../report.js';
import { Crowd, pause } from './crowd.js';
import { type Course, crowdFigures, type Figures, type Outcome, type TortureOptions, troublesOf } from './outcome.js';
import { EARLY, FAN_OUT_THRESHOLD, FROZEN, LATE, TWICE } from './plan.js';

export class NodeCourse implements Course {
  readonly #options: TortureOptions;
  readonly #port: number;
  readonly #crowd: Crowd;
  readonly #ready: number[] = [];
  #node: NodeProcess | null = null;
  #round = 0;
  #kills = 0;
  #freezes = 0;

  constructor(options: TortureOptions, port: number) {
    const { clients, seed, folder } = options;
    this.#options = options;
    this.#port = port;
    this.#crowd = new Crowd({ clients, seed, folder, data: join(folder, 'node'), port, severalNodes: false });
  }

  async run(): Promise<Outcome> {
    const crowd = this.#crowd;
    await this.#start();
    await crowd.introduce();
    crowd.run();
    for (this.#round = 1; this.#round <= this.#options.rounds; this.#round += 1) {
      await this.#torment();
      this.#options.progress(this.#figures());
    }
    this.#round = this.#options.rounds;
    await crowd.rest();
    // What is read from here on was on disk, not only in the node's memory.
    await this.#kill();
    await this.#start();
    await crowd.online();
    const violations = await crowd.judge();
    const { code, signal } = await this.#node!.stop('SIGTERM');
    if (code !== 0) crowd.trouble(`the node ended with ${code ?? signal} on SIGTERM`);
    return {
      figures: this.#figures(),
      chats: crowd.chats.size,
      violations,
      troubles: troublesOf(crowd),
      log: this.#node!.lines,
    };
  }

  async end(): Promise<void> {
    await this.#crowd.close();
    await this.#node?.stop('SIGKILL');
  }

  async #start(): Promise<void> {
    this.#node = await NodeProcess.start(this.#nodeOptions());
  }

  #nodeOptions(): Parameters<typeof NodeProcess.start>[0] {
    const { folder, where } = this.#options;
    const flags = ['--fanout-threshold', String(FAN_OUT_THRESHOLD), ...where.flags];
    return { data: join(folder, 'node'), port: this.#port, flags };
  }

  async #kill(): Promise<void> {
    this.#kills += 1;
    await this.#node!.stop('SIGKILL');
  }

  /** Clients go on, come and go; then what they sent meanwhile meets a node whose clock has jumped. */
  async #freeze(ms: number): Promise<void> {
    if (ms === 0) return;
    this.#freezes += 1;
    const frozen = this.#node!.freeze(ms);
    for (let n = 0; n < 3; n += 1) this.#crowd.tease();
    await frozen;
    await pause(this.#crowd.random() * EARLY.ms);
  }

  /** One round: traffic, mischief among the clients, death, resurrection. */
  async #torment(): Promise<void> {
    const crowd = this.#crowd;
    const { random } = crowd;
    const early = random() < EARLY.share;
    if (!early) await crowd.traffic();
    await crowd.mischief(random() * (early ? EARLY.ms : LATE));
    if (random() < FROZEN) await this.#freeze(random() * this.#options.freeze);
    await this.#kill();
    // Also while the node is away.
    for (let n = 0; n < 3; n += 1) crowd.tease();
    await pause(random() * 100);
    if (random() < TWICE) {
      this.#node = NodeProcess.spawn(this.#nodeOptions());
      await pause(random() * 300);
      await this.#kill();
    }
    await this.#start();
    this.#ready.push(this.#node!.readyMs);
  }

  #figures(): Figures {
    return {
      round: this.#round,
      ...crowdFigures(this.#crowd),
      kills: this.#kills,
      freezes: this.#freezes,
      readyMs: median(this.#ready),
      cluster: null,
    };
  }
}
