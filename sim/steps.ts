// Owns how the steps of a plan are carried out in a world: what applications do, and what happens to them and their node.
// Invariant: a step that makes no sense when its time comes does nothing; what took effect is a fact.
// Must not: draw what happens (plans do), or wait for it to have an effect.

import { WORLD } from './clock.js';
import { ClusterSite } from './cluster-site.js';
import { takeInCluster } from './cluster-steps.js';
import type { Device } from './device.js';
import { hostile } from './hostile.js';
import type { ClusterTrouble, Step } from './plan.js';
import type { Fault } from './record.js';
import { request } from './requests.js';
import type { Site } from './site.js';
import type { Universe } from './universe.js';

export interface Stage {
  readonly universe: Universe;
  readonly site: Site;
  readonly devices: ReadonlyMap<string, Device>;
  /** Faults have stopped. */
  calm: boolean;
  /** Ends every fault that lasts; each is called once. */
  readonly heal: Set<() => void>;
  takeover(device: Device): void;
}

export function take(stage: Stage, step: Step): void {
  if ('device' in step) {
    const device = stage.devices.get(step.device);
    if (device !== undefined) ofDevice(stage, device, step);
  } else if ('node' in step || step.do.endsWith('_store')) {
    if (stage.site instanceof ClusterSite) takeInCluster(stage, stage.site, step as ClusterTrouble);
  } else ofNode(stage, step as OfNode);
}

/** Heals by itself after `ms`, or with the calm. */
export function lasting(stage: Stage, ms: number, heal: () => void): void {
  const { clock } = stage.universe;
  const over = (): void => {
    if (stage.heal.delete(over)) heal();
  };
  stage.heal.add(over);
  clock.schedule(clock.now + ms, WORLD, over);
}

function ofDevice(stage: Stage, device: Device, step: Extract<Step, { readonly device: string }>): void {
  const { universe } = stage;
  const { network } = universe;
  const { id } = device;
  const fault = (kind: Fault, detail = ''): void => universe.fault(kind, id, detail);
  const links = (): ReturnType<typeof network.of> => network.of(id).filter((link) => link.open);
  switch (step.do) {
    case 'start':
      return device.start();
    case 'close':
      if (device.close()) fault('client_close');
      return;
    case 'send': {
      const { body, size } = step;
      return device.send(step.chat, size > body.length ? `${body} ${'.'.repeat(size - body.length - 1)}` : body);
    }
    case 'read': {
      const chat = device.chat(step.chat);
      const seq = chat === null ? null : device.pick(chat, step.pick);
      if (chat !== null && seq !== null) device.read(chat, seq);
      return;
    }
    case 'typing':
      return device.chat(step.chat)?.typing(step.on);
    case 'watch':
      return device.chat(step.chat)?.watch(step.on);
    case 'kill':
      if (device.kill(step.keep)) fault('client_kill');
      return;
    case 'offline':
      if (device.process !== null) fault('client_offline');
      network.unplug(id, true);
      return lasting(stage, step.ms, () => {
        network.unplug(id, false);
        device.session?.reconnect();
      });
    case 'cut':
      for (const link of links()) {
        if (step.after === 0) {
          fault('link_cut');
          link.break();
        } else {
          link.light(step.after, () => {
            if (stage.calm) return;
            fault('link_cut_midway', `after ${step.after} bytes`);
            link.break();
          });
        }
      }
      return;
    case 'half_open':
      for (const link of links()) {
        fault('link_half_open', step.told);
        link.break({ client: step.told !== 'client', server: step.told !== 'node' });
      }
      return;
    case 'stop_reading':
      for (const link of links()) {
        fault('link_stops_reading');
        link.stall(true);
        lasting(stage, step.ms, () => link.stall(false));
      }
      return;
    case 'slow_link':
      if (links().length > 0) fault('link_slow');
      network.slow(id, step.latency);
      return lasting(stage, step.ms, () => network.slow(id, 0));
    case 'client_store_fails':
      if (device.process !== null) fault('client_store_fails');
      device.shelf.failing = true;
      return lasting(stage, step.ms, () => {
        device.shelf.failing = false;
      });
    case 'takeover':
      return stage.takeover(device);
    default:
      request(device, step);
  }
}

type OfNode = Exclude<Step, { readonly device: string } | ClusterTrouble>;

/** The node of a world that has one; what needs no disk happens to several as well. */
function ofNode(stage: Stage, step: OfNode): void {
  const { universe, site } = stage;
  const { nodes, disk } = site;
  const node = nodes[0]!;
  const fault = (kind: Fault, detail = ''): void => universe.fault(kind, node.name, detail);
  const crash = (keep: number, ms: number): void => {
    if (!stage.calm && node.crash(keep, ms)) fault('node_crash');
  };
  switch (step.do) {
    case 'crash_node':
      return crash(step.keep, step.ms);
    case 'stop_node':
      if (node.stop(step.ms)) fault('node_stop');
      return;
    case 'freeze_node': {
      const { process } = node;
      if (process === null || process.frozen) return;
      fault(step.ms < 1_000 ? 'node_slow' : 'node_freeze', `${Math.round(step.ms)} ms`);
      process.freeze();
      return lasting(stage, step.ms, () => process.thaw());
    }
    case 'stall_disk':
      fault('disk_stall');
      disk?.stall(true);
      return lasting(stage, step.ms, () => disk?.stall(false));
    case 'fill_disk':
      disk?.fill(true);
      return lasting(stage, step.ms, () => disk?.fill(false));
    case 'break_disk':
      disk?.break(true);
      return lasting(stage, step.ms, () => disk?.break(false));
    case 'fail_commits':
      return disk?.plan(step.fault, step.count);
    case 'crash_at':
      return universe.at(step.event, step.count, () => {
        // Between this event and the next one of the process.
        node.process?.light(0, () => crash(step.keep, step.ms));
      });
    case 'end_chats':
      return universe.at(step.event, step.count, () => {
        for (const each of nodes)
          if (!stage.calm && each.endChats()) universe.fault('handler_crash', each.name, 'killed');
      });
    case 'jump_clock':
      fault('clock_jump', `${step.ms} ms`);
      return node.jump(step.ms);
    case 'hostile':
      return hostile(stage, step);
  }
}
