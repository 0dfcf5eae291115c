// A service's name in, its place among the page's colours out: the same wherever it is shown. Red is kept for errors.

export const COLOURS = 10;

/** Which of the colours (FNV-1a of the name). */
export function hue(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0) % COLOURS;
}

/** The colour as a style's value. */
export function colour(name: string): string {
  return `var(--service-${hue(name)})`;
}
