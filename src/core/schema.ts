import { type Static, type TSchema, Type } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import Value from 'typebox/value';
import { DunlinError, type ErrorCode } from './errors.ts';

export { type Static, type TSchema, Type };

/** Where in a document something is wrong, and what. `path` is a JSON pointer. */
export interface SchemaProblem {
  readonly path: string;
  readonly message: string;
}

const compiled = new WeakMap<TSchema, Validator>();

function validator(schema: TSchema): Validator {
  let found = compiled.get(schema);
  if (found === undefined) {
    found = Compile(schema);
    compiled.set(schema, found);
  }
  return found;
}

/** Fills in the schema's defaults and checks: the value with its type, or what is wrong with it. */
export function checkSchema<T extends TSchema>(
  schema: T,
  input: unknown,
): { readonly value: Static<T> } | { readonly problems: readonly SchemaProblem[] } {
  const value = Value.Default(schema, structuredClone(input));
  const check = validator(schema);
  if (check.Check(value)) return { value: value as Static<T> };
  return { problems: describeProblems(schema, check.Errors(value)) };
}

/**
 * Parses JSON from outside and checks it.
 * @param what names the document in the error ("release.json")
 */
export function parseJson<T extends TSchema>(
  schema: T,
  bytes: Uint8Array | string,
  what: string,
  code: ErrorCode = 'input-invalid',
): Static<T> {
  let json: unknown;
  try {
    json = JSON.parse(typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw new DunlinError(`${what}: not JSON`, { code, cause: error });
  }
  const checked = checkSchema(schema, json);
  if ('value' in checked) return checked.value;
  const [first] = checked.problems;
  throw new DunlinError(`${what}: ${first?.path ?? ''} ${first?.message ?? 'is wrong'}`.trim(), {
    code,
  });
}

interface RawError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly schemaPath: string;
  readonly message: string;
  readonly params: object;
}

/** Unknown keys come once, with the nearest known name; alternatives of a union are folded. */
function describeProblems(schema: TSchema, errors: readonly RawError[]): SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  for (const error of errors) {
    if (error.keyword === 'boolean') continue;
    if (error.keyword === 'additionalProperties') {
      const { additionalProperties: names } = error.params as { additionalProperties: string[] };
      const known = knownKeys(schema, error.schemaPath);
      for (const name of names) {
        const near = nearest(name, known);
        const advice =
          near === undefined ? `known keys: ${known.join(', ')}` : `did you mean "${near}"?`;
        problems.push({ path: `${error.instancePath}/${name}`, message: `unknown key; ${advice}` });
      }
      continue;
    }
    problems.push({ path: error.instancePath, message: error.message });
  }
  return problems;
}

function knownKeys(schema: TSchema, schemaPath: string): string[] {
  let node: unknown = schema;
  for (const part of schemaPath.split('/').slice(1)) {
    if (part !== '' && typeof node === 'object' && node !== null) {
      node = (node as Record<string, unknown>)[part];
    }
  }
  const properties = (node as { properties?: object } | undefined)?.properties;
  return Object.keys(properties ?? {});
}

/** The known name that shares the most with an unknown one: same stem, other unit or case. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const stem = (text: string): string =>
    text
      .replace(/(_?(ms|s|sec|seconds|min|minutes|bytes|kib|kb|mib|mb|us))$/i, '')
      .toLowerCase()
      .replaceAll('_', '');
  return (
    known.find((key) => stem(key) === stem(name)) ?? known.find((key) => distance(key, name) <= 2)
  );
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, substitution));
    }
    row = next;
  }
  return row[b.length]!;
}
