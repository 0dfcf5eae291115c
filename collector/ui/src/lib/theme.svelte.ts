// Light or dark, as the system has it or as somebody chose. What is drawn on a canvas is drawn again when it changes.

export const THEMES = { '': ['◐', 'as the system has them'], light: ['☀', 'light'], dark: ['☾', 'dark'] } as const;
export type Theme = keyof typeof THEMES;
const NEXT: Record<Theme, Theme> = { '': 'light', light: 'dark', dark: '' };

const kept = localStorage.getItem('theme') ?? '';
/** `turn` counts the changes: whoever draws reads it. */
export const look = $state({ theme: kept in THEMES ? (kept as Theme) : ('' as Theme), turn: 0 });

function apply(): void {
  if (look.theme) document.documentElement.dataset.theme = look.theme;
  else delete document.documentElement.dataset.theme;
  look.turn += 1;
}

export function nextTheme(): void {
  look.theme = NEXT[look.theme];
  localStorage.setItem('theme', look.theme);
  apply();
}

apply();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', apply);
