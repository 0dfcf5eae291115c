import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

/** What the page is built from. Also in `xtask/src/tidy/page.rs`. */
const SOURCES = ['index.html', 'package.json', 'package-lock.json', 'svelte.config.js', 'tsconfig.json', 'vite.config.ts', 'public', 'src'];

function files(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** FNV-1a, 64 bits: enough against forgetting, which is all that it is for. */
function hash(bytes: Uint8Array): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, '0');
}

/** Writes `built.txt`: which sources made which files. `cargo xtask tidy` reads it, so that Node is not needed there. */
function built(): Plugin {
  let out = '';
  return {
    name: 'built',
    apply: 'build',
    configResolved: (config) => void (out = config.build.outDir),
    closeBundle() {
      if (out !== 'dist') return;
      const all = [...SOURCES, 'dist'].flatMap(files).sort();
      writeFileSync('built.txt', all.map((file) => `${hash(readFileSync(file))} ${file}\n`).join(''));
    },
  };
}

export default defineConfig({
  plugins: [svelte(), built()],
  // Everything that the page needs is a file of its own: the policy forbids what is inlined.
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false },
  // `npm run dev` beside a collector: WIRESPAN_PAGE=http://127.0.0.1:PORT.
  server: { proxy: { '/api': process.env.WIRESPAN_PAGE ?? 'http://127.0.0.1:16686' } },
});
