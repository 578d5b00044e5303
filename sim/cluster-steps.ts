// Owns what happens to the nodes of a cluster and to what is between them, as a plan says.
// Invariant: a step that makes no sense when its time comes does nothing; what took effect is a fact.
// Must not: draw what happens (plans do), or wait for it to have an effect.

import { LIMITS } from '../actors/limits.js';
import { UNPACED } from '../cluster/drain.js';
import { WORLD } from './clock.js';
import type { ClusterSite } from './cluster-site.js';
import type { Node } from './node.js';
import type { ClusterTrouble } from './plan.js';
import type { Fault } from './record.js';
import { lasting, type Stage } from './steps.js';

export function takeInCluster(stage: Stage, site: ClusterSite, step: ClusterTrouble): void {
  const { universe } = stage;
  const { store, wires } = site;
  const fault = (kind: Fault, whom: string, detail = ''): void => universe.fault(kind, whom, detail);
  if (step.do === 'stall_store') {
    fault('store_stall', 'store');
    store.stall(true);
    return lasting(stage, step.ms, () => store.stall(false));
  }
  if (step.do === 'crash_store') {
    fault('store_crash', 'store');
    store.crash(step.keep);
    return lasting(stage, step.ms, () => store.up());
  }
  if (step.do === 'fail_store') return store.plan(step.node, step.fault, step.count);
  if (step.do === 'stale_store') {
    return universe.at('answer', step.count, (whom) => {
      const told = site.nodes.find((each) => each.name === whom);
      if (told === undefined || stage.calm) return;
      if (step.how === 'freeze') freeze(stage, told, step.ms);
      else partStore(stage, site, { node: whom, way: 'to', ms: step.ms });
    });
  }
  const { node: name } = step;
  if (step.do === 'cut_wires_at') {
    return universe.at(step.event, step.count, () => {
      const { clock } = universe;
      clock.schedule(clock.now + step.after, WORLD, () => {
        if (!stage.calm && wires.cutAll(name) > 0) fault('wire_cut', name, step.event);
      });
    });
  }
  if ('to' in step) {
    const { to } = step;
    if (to === name && name !== '*') return;
    switch (step.do) {
      case 'part':
        fault('wire_one_way', name, to);
        wires.clog(name, to, true);
        if (step.both) wires.clog(to, name, true);
        return lasting(stage, step.ms, () => {
          wires.clog(name, to, false);
          if (step.both) wires.clog(to, name, false);
        });
      case 'cut_wires':
        if (wires.cut(name, to, step.deaf ? to : '') > 0) fault(step.deaf ? 'wire_half_open' : 'wire_cut', name, to);
        return;
      case 'slow_wires':
        fault('wire_slow', name, to);
        wires.slow(name, to, step.latency);
        return lasting(stage, step.ms, () => wires.slow(name, to, 0));
      case 'replay_wire':
        if (wires.replay(name, to)) fault('wire_replay', name, to);
        return;
    }
  }
  if (step.do === 'part_store') return partStore(stage, site, step);
  if (step.do === 'join') {
    if (site.join(name)) fault('node_join', name);
    return;
  }
  const node = site.nodes.find((each) => each.name === name);
  if (node !== undefined) ofMember(stage, node, step);
}

type OfMember = Extract<ClusterTrouble, { readonly do: `${string}_member` | 'kill_member_at' | 'jump_member_clock' }>;

function ofMember(stage: Stage, node: Node, step: OfMember): void {
  const { universe } = stage;
  const { name } = node;
  const crash = (ms: number, vanish: boolean): void => {
    if (!stage.calm && node.crash(1, ms, vanish)) universe.fault(vanish ? 'node_vanish' : 'node_crash', name);
  };
  switch (step.do) {
    case 'kill_member':
      return crash(step.ms, step.vanish);
    case 'kill_member_at':
      return universe.at(step.event, step.count, () => {
        // Between this event and the next one of the process.
        node.process?.light(0, () => crash(step.ms, false));
      });
    case 'stop_member':
      if (node.stop(step.ms)) universe.fault('node_stop', name);
      return;
    case 'freeze_member':
      return freeze(stage, node, step.ms);
    case 'drain_member': {
      const cluster = node.wiring?.member?.cluster;
      if (cluster === undefined) return;
      universe.fault('node_drain', name);
      // Some at once, some so slowly that they are taken back half-way.
      cluster.drain({ ...UNPACED, rate: 4_000 / step.ms });
      return lasting(stage, step.ms, () => node.wiring?.member?.cluster.stay());
    }
    case 'jump_member_clock':
      universe.fault('clock_jump', name, `${step.ms} ms`);
      return node.jump(step.ms);
  }
}

type StorePart = Omit<Extract<ClusterTrouble, { readonly do: 'part_store' }>, 'do'>;

function partStore(stage: Stage, { store }: ClusterSite, { node, way, ms }: StorePart): void {
  stage.universe.fault('store_one_way', node, way);
  store.clog(node, way, true);
  lasting(stage, ms, () => store.clog(node, way, false));
}

function freeze(stage: Stage, { name, process }: Node, ms: number): void {
  if (process === null || process.frozen) return;
  stage.universe.fault(ms > LIMITS.leaseMs ? 'node_zombie' : 'node_slow', name, `${Math.round(ms)} ms`);
  process.freeze();
  lasting(stage, ms, () => process.thaw());
}
