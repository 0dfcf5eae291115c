import { expect, test } from 'vitest';
import { costs } from '../src/lib/costs';

const look = (at: number, events: Record<string, number>, seconds?: Record<string, number>) => ({
  at,
  agent: { wirespan_process_events_total: events, ...(seconds && { wirespan_process_kernel_seconds: seconds }) },
});

test('what the kernel programs take from each process, the costliest first', () => {
  const before = look(1000, { 'nginx 7': 1000, 'redis 8': 50, 'other ': 5 });
  const now = look(3000, { 'nginx 7': 4000, 'redis 8': 50, 'python3 9': 1000, 'other ': 5 }, { 'nginx 7': 0.002, 'python3 9': 0.0005, 'other ': 0 });
  expect(costs(before, now)).toEqual([
    { name: 'nginx', pid: '7', events: 1500, micros: 750, share: 0.75 },
    { name: 'python3', pid: '9', events: 500, micros: 250, share: 0.25 },
  ]);
});

test('without the kernel measuring there are events, without time between two looks nothing', () => {
  const now = look(2000, { 'other ': 30 });
  expect(costs(look(1000, {}), now)).toEqual([{ name: 'other', pid: '', events: 30, micros: undefined, share: 1 }]);
  expect(costs(now, now)).toEqual([]);
  expect(costs(look(1000, { 'a 1': 9 }), look(2000, { 'a 1': 3 }))).toEqual([]);
});
