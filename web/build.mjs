// Bundles the page into dist/, or with --tests the unit tests into build/ for node's own runner.
import { build } from 'esbuild';
import { copyFile, mkdir, stat } from 'node:fs/promises';

const kBudget = 60_000;  // bytes of script and style together, so that the page stays one glance

async function bundle_page() {
  await mkdir('dist', { recursive: true });
  await build({
    entryPoints: { app: 'src/main.ts' }, outdir: 'dist', bundle: true, minify: true,
    format: 'iife', target: 'es2020', charset: 'ascii', legalComments: 'none',
  });
  await build({
    entryPoints: { app: 'src/style/main.css' }, outdir: 'dist', bundle: true, minify: true,
    target: ['chrome100', 'firefox100', 'safari15.4'],
  });
  await copyFile('index.html', 'dist/index.html');
  const sizes = await Promise.all(['dist/app.js', 'dist/app.css'].map(async f => (await stat(f)).size));
  const total = sizes.reduce((a, b) => a + b);
  console.log(`dist: ${sizes[0]} bytes of script, ${sizes[1]} of style`);
  if (total > kBudget) throw new Error(`[build] size: found ${total}, expected at most ${kBudget}`);
}

async function bundle_tests() {
  const names = ['stream', 'canvas', 'fill_text', 'api'];
  await build({
    entryPoints: names.map(name => `test/${name}.test.ts`), outdir: 'build', bundle: true,
    format: 'esm', platform: 'node', target: 'node18', outExtension: { '.js': '.mjs' },
  });
}

await (process.argv.includes('--tests') ? bundle_tests() : bundle_page());
