import test from 'ava';
import { DunlinError, parseConfig, Type } from '../../src/core/index.ts';

const strict = { additionalProperties: false } as const;
const Schema = Type.Object(
  {
    name: Type.String(),
    retry: Type.Object(
      {
        intervalMs: Type.Integer({ default: 500, minimum: 10 }),
        tries: Type.Optional(Type.Integer()),
      },
      { ...strict, default: {} },
    ),
  },
  strict,
);

function messageOf(text: string): string {
  try {
    parseConfig(Schema, text, 'agent.yaml');
  } catch (error) {
    if (error instanceof DunlinError && error.code === 'config-invalid') return error.message;
    throw error;
  }
  throw new Error('accepted');
}

test('defaults come from the schema', (t) => {
  t.deepEqual(parseConfig(Schema, 'name: a\n', 'agent.yaml'), {
    name: 'a',
    retry: { intervalMs: 500 },
  });
});

test('an unknown key is named with its line and the key that was meant', (t) => {
  const message = messageOf('name: a\nretry:\n  intervalS: 5\n');
  t.is(message, 'agent.yaml:3:3: retry.intervalS: unknown key; did you mean "intervalMs"?');
});

test('a wrong value is named with its line', (t) => {
  t.regex(
    messageOf('name: a\nretry:\n  tries: 1\n  intervalMs: 5s\n'),
    /^agent\.yaml:4:3: retry\.intervalMs: /,
  );
  t.regex(messageOf('name: a\nretry:\n  intervalMs: 3\n'), /must be >= 10/);
});

test('broken YAML, twice the same key, and a missing key name a place', (t) => {
  t.regex(messageOf('name: [a\n'), /^agent\.yaml:\d+:\d+: /);
  t.regex(messageOf('name: a\nname: b\n'), /^agent\.yaml:2:1: /);
  t.regex(messageOf('retry: {}\n'), /^agent\.yaml:1:1: /);
});

test('a document that blows up through aliases is refused', (t) => {
  const levels = Array.from({ length: 12 }, (_, i) =>
    i === 0 ? 'a0: &a0 [x, x, x, x, x, x, x, x]' : `a${i}: &a${i} [${`*a${i - 1}, `.repeat(8)}]`,
  );
  t.regex(messageOf(levels.join('\n')), /agent\.yaml: .*alias/);
  t.regex(messageOf('name: !!js/function "x"\n'), /^agent\.yaml:1:7: /);
});
