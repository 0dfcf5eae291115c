// Two looks at an agent's metrics in, what its kernel programs take from each traced process out: events a second, and where
// the kernel measures its programs, time. An estimate, as `docs/metrics.md` says: events times the mean run.

import type { Agent } from './api';

/** An agent's metrics, and when they were taken, in milliseconds. */
export interface Look {
  at: number;
  agent: Agent;
}

export interface Cost {
  /** The name of its executable; `other` is all processes that are not named. */
  name: string;
  /** Empty for `other`. */
  pid: string;
  /** Reads and writes a second. */
  events: number;
  /** Microseconds of CPU a second; none while the kernel does not measure. */
  micros?: number;
  /** Its part of all, 0 to 1. */
  share: number;
}

function labelled(agent: Agent, name: string): Record<string, number> {
  const value = agent[name];
  return typeof value === 'object' ? value : {};
}

/** What one event costs at the mean, in microseconds. */
function mean(agent: Agent): number | undefined {
  const events = labelled(agent, 'wirespan_process_events_total');
  const seconds = Object.entries(labelled(agent, 'wirespan_process_kernel_seconds'));
  const [who, most] = seconds.reduce((most, one) => (one[1] > most[1] ? one : most), ['', 0]);
  return events[who] ? (1e6 * most) / events[who] : undefined;
}

/** The costliest first; who did nothing is left out. A process that is new counts from zero, as the agent counts it. */
export function costs(before: Look, now: Look): Cost[] {
  const seconds = (now.at - before.at) / 1000;
  if (seconds <= 0) return [];
  const old = labelled(before.agent, 'wirespan_process_events_total');
  const events = Object.entries(labelled(now.agent, 'wirespan_process_events_total'));
  const fresh = events.map(([who, number]) => [who, Math.max(0, number - (old[who] ?? 0))] as const).filter(([, number]) => number > 0);
  const all = fresh.reduce((sum, [, number]) => sum + number, 0);
  const each = mean(now.agent);
  return fresh
    .sort(([, a], [, b]) => b - a)
    .map(([who, number]) => {
      const [name = '', pid = ''] = who.split(' ');
      return { name, pid, events: number / seconds, micros: each === undefined ? undefined : (each * number) / seconds, share: number / all };
    });
}
