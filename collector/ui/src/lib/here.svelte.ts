// Where the page is: the browser's address as state. Whatever a view shows is told by its address, so that it can be sent
// to somebody else.

export const here = $state({ path: location.pathname, query: new URLSearchParams(location.search) });

function read(): void {
  here.path = location.pathname;
  here.query = new URLSearchParams(location.search);
}

/** Goes to another address of the page. `replace`: without a step for the way back. */
export function go(address: string, replace = false): void {
  if (replace) history.replaceState(null, '', address);
  else history.pushState(null, '', address);
  read();
}

/** The same path with some parameters set, or taken away. */
export function change(values: Record<string, string | undefined>, replace = false): void {
  const query = new URLSearchParams(here.query);
  for (const [name, value] of Object.entries(values)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const text = query.toString();
  go(text ? `${here.path}?${text}` : here.path, replace);
}

/** Follows links to the page's own views without loading it again. */
export function follow(event: MouseEvent): void {
  const link = (event.target as Element).closest?.('a');
  const other = event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  // A link of a drawing has no text as its `href`, only as its attribute.
  const href = link?.getAttribute('href');
  if (!link || !href || href.startsWith('#') || other || link.hasAttribute('target') || link.hasAttribute('download')) return;
  const to = new URL(href, location.href);
  if (to.origin !== location.origin || to.pathname.startsWith('/api/')) return;
  event.preventDefault();
  go(to.pathname + to.search);
  window.scrollTo(0, 0);
}

window.addEventListener('popstate', read);
