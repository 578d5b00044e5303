// Owns how a figure that a node keeps anyway is shown to Prometheus.
// Invariant: what ends in `_total` is a counter, all else a gauge; what is not known at a scrape is left out, not told as 0.
// Must not: keep figures of its own.

import { Counter, Gauge, type Registry } from 'prom-client';

export type Say = (value: number, labels?: Readonly<Record<string, string | number>>) => void;

/** Adds a figure; `read` says its values at each scrape, or none. */
export function addFigure(
  registry: Registry,
  name: string,
  help: string,
  read: (say: Say) => void,
  labelNames: readonly string[] = [],
): void {
  const common = { name, help, labelNames, registers: [registry] };
  const collect = (metric: Counter | Gauge): void => {
    metric.reset();
    // Without labels, a reset says 0.
    if (labelNames.length === 0) metric.remove();
    read((value, labels = {}) => metric.inc(labels, value));
  };
  if (name.endsWith('_total')) {
    new Counter({
      ...common,
      collect() {
        collect(this);
      },
    });
  } else {
    new Gauge({
      ...common,
      collect() {
        collect(this);
      },
    });
  }
}
