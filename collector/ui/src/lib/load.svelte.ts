// A question that may change in, its latest answer out. An answer that comes after the next question is thrown away; the
// old answer stays until the new one is there.

import { Refused } from './api';

export class Loaded<T> {
  answer = $state.raw<T>();
  problem = $state.raw<Refused>();
  loading = $state(false);
  private running?: AbortController;

  async ask(question: (signal: AbortSignal) => Promise<T>): Promise<void> {
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    this.loading = true;
    try {
      const answer = await question(running.signal);
      if (this.running !== running) return;
      this.answer = answer;
      this.problem = undefined;
    } catch (error) {
      if (this.running !== running) return;
      this.problem = error instanceof Refused ? error : new Refused(0, String(error));
    }
    this.loading = false;
  }
}

/** Calls `again` every so often while the page can be seen; gives what ends that. */
export function every(ms: number, again: () => void): () => void {
  const timer = setInterval(() => document.visibilityState === 'visible' && again(), ms);
  return () => clearInterval(timer);
}
