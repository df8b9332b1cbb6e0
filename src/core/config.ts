import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import { DunlinError, errorMessage } from './errors.ts';
import { checkSchema, type SchemaProblem, type Static, type TSchema } from './schema.ts';

/** YAML aliases may not blow a document up past this many nodes. */
const MAX_YAML_ALIASES = 100;
const MAX_PROBLEMS_SHOWN = 5;

/**
 * Parses a YAML configuration and checks it against its schema; defaults come from the schema.
 * @param rules what a schema cannot say; asked once the schema holds
 * @throws `config-invalid`, naming the file, the line and the column of each problem
 */
export function parseConfig<T extends TSchema>(
  schema: T,
  text: string,
  fileName: string,
  rules: (value: Static<T>) => readonly SchemaProblem[] = () => [],
): Static<T> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  // An unknown tag is only a warning to the parser, and never what a configuration means.
  const [syntax] = [...document.errors, ...document.warnings];
  if (syntax !== undefined) {
    const { line, col } = lines.linePos(syntax.pos[0]);
    const reason = syntax.message.split('\n')[0]?.replace(/ at line .*$/, '');
    throw new DunlinError(`${fileName}:${line}:${col}: ${reason}`, { code: 'config-invalid' });
  }
  const checked = checkSchema(schema, toValue(document, fileName));
  const problems = 'value' in checked ? rules(checked.value) : checked.problems;
  if ('value' in checked && problems.length === 0) return checked.value;
  const shown = problems.slice(0, MAX_PROBLEMS_SHOWN).map(({ path, message }) => {
    const keys = path.split('/').slice(1);
    return `${fileName}:${position(keys)}: ${keys.join('.') || 'document'}: ${message}`;
  });
  throw new DunlinError(shown.join('; '), {
    code: 'config-invalid',
    context: { problems },
  });

  function position(keys: readonly string[]): string {
    for (let depth = keys.length; depth >= 0; depth--) {
      const path = keys.slice(0, depth);
      const offset = depth === 0 ? 0 : keyOffset(path);
      if (offset !== undefined) {
        const { line, col } = lines.linePos(offset);
        return `${line}:${col}`;
      }
    }
    return '1:1';
  }

  function keyOffset(path: readonly string[]): number | undefined {
    const parent = document.getIn(path.slice(0, -1), true);
    const last = path.at(-1);
    if (typeof parent === 'object' && parent !== null && 'items' in parent) {
      for (const item of parent.items as Iterable<{
        key?: { value?: unknown; range?: [number] };
      }>) {
        if (item.key !== undefined && String(item.key?.value) === last) return item.key?.range?.[0];
      }
    }
    const node = document.getIn([...path], true);
    return isNode(node) ? node.range?.[0] : undefined;
  }
}

function toValue(document: Document, fileName: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_YAML_ALIASES }) ?? {};
  } catch (cause) {
    throw new DunlinError(`${fileName}: ${errorMessage(cause)}`, { code: 'config-invalid', cause });
  }
}
