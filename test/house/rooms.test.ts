import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

/** Which rooms a room may import, besides `core`; `*` is any. ARCHITECTURE.md shows the same table. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  core: [],
  tflite: [],
  optimize: ['tflite', 'inference'],
  plan: ['tflite'],
  inference: ['tflite'],
  link: [],
  update: ['link'],
  mcu: [],
  sensors: [],
  telemetry: ['link'],
  release: ['tflite', 'plan', 'inference', 'link', 'update', 'mcu'],
  agent: ['tflite', 'plan', 'inference', 'link', 'update', 'mcu', 'sensors', 'telemetry'],
  fleet: ['link', 'update', 'release', 'telemetry'],
  demo: ['*'],
  cli: ['*'],
};

/** What may be started as a process of its own, by its compiled name. */
const ENTRY_POINTS = ['cli/main.js', '../examples/motor/stream.js'];

const root = fileURLToPath(new URL('../../../src/', import.meta.url));
const IMPORT =
  /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+|new URL\(\s*)['"](\.[^'"]+\.(?:ts|js|mjs))['"]/g;

function sourceFiles(): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
}

/** Every relative import of a source text, dynamic ones and worker or child scripts included. */
function forbiddenImports(file: string, text: string): string[] {
  const room = file.split('/')[0]!;
  const allowed = MAY_IMPORT[room];
  if (allowed === undefined) return [`${file}: room ${room} is not in the table`];
  return [...text.matchAll(IMPORT)].flatMap(([, specifier]) => {
    const target = relative(root, normalize(join(root, dirname(file), specifier!)));
    const [targetRoom, ...rest] = target.split('/');
    if (targetRoom === room) return [];
    if (ENTRY_POINTS.includes(target)) return [];
    if (target.startsWith('..')) return [`${file}: leaves src (${specifier})`];
    const open = targetRoom === 'core' || allowed.includes('*') || allowed.includes(targetRoom!);
    if (!open) return [`${file}: ${room} may not import ${targetRoom}`];
    return rest.join('/') === 'index.ts'
      ? []
      : [`${file}: ${specifier} is not the room's index.ts`];
  });
}

test('imports follow the table of rooms', (t) => {
  const files = sourceFiles();
  t.true(files.length > 5);
  t.deepEqual(
    files.flatMap((file) => forbiddenImports(file, readFileSync(join(root, file), 'utf8'))),
    [],
  );
});

test('the check sees what it must forbid', (t) => {
  const reasons = [
    ["import { x } from '../agent/index.ts';", 'core/a.ts'],
    ["await import('../fleet/index.ts');", 'inference/a.ts'],
    ["import '../core/errors.ts';", 'link/a.ts'],
    ["import { y } from '../../test/x.ts';", 'cli/a.ts'],
  ].map(([text, file]) => forbiddenImports(file!, text!).length);
  t.deepEqual(reasons, [1, 1, 1, 1]);
  t.deepEqual(forbiddenImports('cli/a.ts', "import { z } from '../agent/index.ts';"), []);
});

test('files and lines keep to the house limits', (t) => {
  const MAX_FILE_LINES = 500;
  const MAX_LINE_CHARACTERS = 120;
  const problems = sourceFiles().flatMap((file) => {
    const lines = readFileSync(join(root, file), 'utf8').split('\n');
    const long = lines.findIndex((line) => line.length > MAX_LINE_CHARACTERS);
    return [
      ...(lines.length > MAX_FILE_LINES ? [`${file}: ${lines.length} lines`] : []),
      ...(long >= 0 ? [`${file}:${long + 1}: ${lines[long]!.length} characters`] : []),
    ];
  });
  t.deepEqual(problems, []);
});
