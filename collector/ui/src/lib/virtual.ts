// A scroll position in, the rows to draw out. Browsers give up on elements much higher than this many pixels.

const HIGHEST = 8e6;

export interface Window {
  /** The first row drawn, and the one after the last. */
  first: number;
  last: number;
  /** Where the first row stands, in pixels from the top of the scrolled area. */
  top: number;
  /** The scrolled area's height, in pixels. */
  height: number;
}

/** Which of `rows` rows a view of `view` pixels shows that is scrolled to `scroll`. */
export function rowsInView(rows: number, rowHeight: number, scroll: number, view: number): Window {
  const full = rows * rowHeight;
  const height = Math.min(full, HIGHEST);
  const room = Math.max(0, height - view);
  const at = Math.min(Math.max(0, scroll), room);
  // Where the area is squeezed, a pixel of the scroll bar stands for several.
  const real = full <= HIGHEST ? at : (at / room) * (full - view);
  const first = Math.max(0, Math.floor(real / rowHeight) - 6);
  const last = Math.min(rows, Math.ceil((real + view) / rowHeight) + 6);
  return { first, last, top: at + first * rowHeight - real, height };
}

/** The scroll position that shows `row`, as near to `scroll` as can be. */
export function scrollTo(row: number, rows: number, rowHeight: number, scroll: number, view: number): number {
  const full = rows * rowHeight;
  const squeeze = full <= HIGHEST ? 1 : (HIGHEST - view) / (full - view);
  const real = scroll / squeeze;
  const [top, bottom] = [row * rowHeight, (row + 1) * rowHeight];
  const wanted = top < real ? top : bottom > real + view ? bottom - view : real;
  return wanted * squeeze;
}
