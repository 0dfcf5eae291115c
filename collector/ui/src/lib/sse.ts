// Text of a stream of server-sent events in (WHATWG HTML, section 9.2; lines end with LF or CR LF), events out.
// `EventSource` would hide why the server refuses a filter.

export interface ServerEvent {
  name: string;
  data: string;
}

/** Puts events together, however the text was cut. */
export class EventReader {
  private rest = '';
  private name = '';
  private data: string[] = [];

  push(text: string): ServerEvent[] {
    const lines = (this.rest + text).split('\n').map((line) => line.replace(/\r$/, ''));
    this.rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.line(line) ?? []);
  }

  private line(line: string): ServerEvent | undefined {
    if (line === '') {
      const event = { name: this.name || 'message', data: this.data.join('\n') };
      const empty = this.data.length === 0;
      this.name = '';
      this.data = [];
      return empty ? undefined : event;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (field === 'event') this.name = value;
    if (field === 'data') this.data.push(value);
    return undefined;
  }
}

/** Reads an answer to its end. */
export async function readEvents(response: Response, each: (event: ServerEvent) => void): Promise<void> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const events = new EventReader();
  for (;;) {
    const part = await reader?.read();
    if (!part || part.done) return;
    events.push(part.value).forEach(each);
  }
}
